//! Taking the target: lock, flush and phase, in one script.

use std::time::Duration;

use redyno_contract::Plan;
use redyno_contract::message::Refusal;
use redyno_contract::plan::{Flush, TargetKind};
use tokio::time::{Instant, sleep};

use crate::connect::Connection;
use crate::coordination::{AT_LOCK, reply, unexpected};
use crate::inventory::Inventory;
use crate::keys::{DISPOSABLE, LOCK, RUNS, RunKeys, data_prefixes};
use crate::preflight::refused::{Refused, of_reply};
use crate::{lifetimes, lock};

const ENTER: &str = include_str!("enter.lua");
const LOOK: &str = include_str!("look.lua");

/// A connection that was closed a moment ago is still counted as a client's.
const PATIENCE_WITH_CLIENTS: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// How the target was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// The lock is held and the phase is set.
    Now {
        /// Keys that were flushed.
        flushed: u64,
    },
    /// Another preflight of this run did it.
    Already,
}

/// What is to be flushed before the run.
pub(super) const fn flush(kind: TargetKind) -> Flush {
    match kind {
        TargetKind::Managed => Flush::None,
        TargetKind::Existing { flush } => flush,
    }
}

/// Whether a preflight of this run has passed already; refuses if another run holds the target.
/// Changes nothing.
pub(super) async fn look(
    connection: &mut Connection,
    plan: &Plan,
    database: u32,
) -> Result<bool, Refused> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{LOOK}"))
                .arg(2)
                .arg(RunKeys::new(&plan.run.uid).phase())
                .arg(LOCK)
                .arg(database),
        )
        .await?;
    let words = reply(value)?;
    let [phase, holder, lifetime] = &words[..] else {
        return Err(unexpected("unknown answer to a look").into());
    };
    if !holder.is_empty() && *holder != lock::value(&plan.run) {
        return Err(busy(holder, lifetime));
    }
    Ok(!phase.is_empty())
}

/// Takes the target. `spared` says how many keys it has evicted so far, where a dyno is to end the
/// run as soon as it evicts more.
pub(super) async fn enter(
    connection: &mut Connection,
    plan: &Plan,
    database: u32,
    pod: &str,
    spared: Option<u64>,
) -> Result<Entered, Refused> {
    let deadline = Instant::now() + PATIENCE_WITH_CLIENTS;
    loop {
        match attempt(connection, plan, database, pod, spared).await {
            Err(refused)
                if refused.reason == Refusal::FlushOtherClients && Instant::now() < deadline =>
            {
                sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

async fn attempt(
    connection: &mut Connection,
    plan: &Plan,
    database: u32,
    pod: &str,
    spared: Option<u64>,
) -> Result<Entered, Refused> {
    let (flush, command) = match flush(plan.target.kind) {
        Flush::None | Flush::RunKeys => ("none", ""),
        Flush::Database => ("database", "FLUSHDB"),
        Flush::AllDatabases => ("all", "FLUSHALL"),
    };
    let keys = RunKeys::new(&plan.run.uid);
    let inventory = Inventory::of(plan);
    let kept = if lifetimes::removes_data(plan) {
        inventory.to_json()
    } else {
        String::new()
    };
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{ENTER}"))
                .arg(6)
                .arg(keys.phase())
                .arg(LOCK)
                .arg(DISPOSABLE)
                .arg(RUNS)
                .arg(keys.data())
                .arg(keys.spared())
                .arg(database)
                .arg(lock::value(&plan.run))
                .arg(pod)
                .arg(lifetimes::until_start_seconds(plan))
                .arg(flush)
                .arg(inventory.uid())
                .arg(inventory.name())
                .arg(kept)
                .arg(spared.map_or(String::new(), |keys| keys.to_string()))
                .arg(data_prefixes(plan)),
        )
        .await?;
    understand(&reply(value)?, command)
}

fn understand(words: &[String], command: &str) -> Result<Entered, Refused> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["passed", flushed] => Ok(Entered::Now {
            flushed: flushed.parse().unwrap_or(0),
        }),
        ["already passed"] => Ok(Entered::Already),
        ["busy", holder, lifetime] => Err(busy(holder, lifetime)),
        ["other clients", clients] => Err(Refused::new(
            Refusal::FlushOtherClients,
            format!(
                "{command} was asked for, but {clients} other clients are connected: disconnect them, or use flush: RunKeys"
            ),
        )),
        ["too many keys", database, keys] => Err(Refused::new(
            Refusal::FlushForeignData,
            format!(
                "{command} was asked for, but database {database} holds {keys} keys: {DISPOSE_OF_IT}"
            ),
        )),
        ["foreign key", database, key, keys] => Err(Refused::new(
            Refusal::FlushForeignData,
            format!(
                "{command} was asked for, but database {database} holds {keys} keys, among them one that is not of this run, {:?}: {DISPOSE_OF_IT}",
                key.chars().take(60).collect::<String>(),
            ),
        )),
        ["select denied"] => Err(Refused::new(
            Refusal::PermissionDenied,
            "FLUSHALL was asked for, but the URL's user may not run SELECT and cannot look at the other databases: use flush: Database, or grant it +select",
        )),
        ["flush denied", error] => {
            let (code, detail) = error.split_once(' ').unwrap_or((error, ""));
            Err(flush_denied(command, code, detail))
        }
        _ => Err(unexpected("unknown answer to entering").into()),
    }
}

const DISPOSE_OF_IT: &str =
    "if all of it may go, say so with SET redyno:disposable 1 in that database";

/// How a script is told that it may not run a command differs between versions, and so does
/// whether the error has a code.
fn flush_denied(command: &str, code: &str, detail: &str) -> Refused {
    let denied = code.contains("NOPERM")
        || detail.contains("permission")
        || detail.contains("can't run this command");
    let unknown = detail.contains("nknown Redis command") || detail.contains("unknown command");
    if denied {
        Refused::new(
            Refusal::PermissionDenied,
            format!(
                "the URL's user may not run {command}: use flush: RunKeys, or grant it +{}",
                command.to_lowercase()
            ),
        )
    } else if unknown {
        Refused::new(
            Refusal::PermissionDenied,
            format!("the target does not have {command}: use flush: RunKeys"),
        )
    } else {
        of_reply(code.trim_start_matches('-'), detail)
    }
}

/// The lock may hold anything.
fn busy(holder: &str, lifetime_milliseconds: &str) -> Refused {
    let name = lock::name_in(holder).unwrap_or_default();
    let lifetime = match lifetime_milliseconds.parse::<i64>() {
        Ok(milliseconds) if milliseconds >= 0 => format!(
            "its lock lives at most {} s longer",
            u64::try_from(milliseconds).unwrap_or(0).div_ceil(1000)
        ),
        _ => "its lock does not expire; if no run is under way, remove redyno:lock".to_owned(),
    };
    Refused::new(
        Refusal::TargetBusy,
        format!("the run {name} is using the target; {lifetime}"),
    )
}
