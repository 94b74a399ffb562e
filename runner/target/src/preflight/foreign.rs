//! Whether the target holds keys that somebody would miss: eviction asks for no database, so those of
//! all of them count.

use redyno_contract::Plan;
use redyno_contract::plan::TargetKind;

use crate::connect::Connection;
use crate::coordination::reply;
use crate::info::Info;
use crate::keys::DISPOSABLE;
use crate::preflight::memory::ForeignKeys;

const SCRIPT: &str = include_str!("foreign.lua");

/// Looks: `flushes` if the run's own database is flushed before the run.
pub(super) async fn look(
    connection: &mut Connection,
    plan: &Plan,
    info: &Info,
    database: u32,
    flushes: bool,
) -> ForeignKeys {
    match plan.target.kind {
        TargetKind::Managed => return ForeignKeys::None,
        TargetKind::Existing { flush: _ } => {}
    }
    let holding: Vec<(u32, u64)> = info
        .databases
        .iter()
        .copied()
        .filter(|(number, keys)| *keys > 0 && !(flushes && *number == database))
        .collect();
    if info.tells_databases && holding.is_empty() {
        return ForeignKeys::None;
    }
    // Where nobody says which databases hold keys, the run's own is what can be asked about.
    let databases: Vec<u32> = if info.tells_databases {
        holding.iter().map(|(number, _)| *number).collect()
    } else {
        vec![database]
    };
    if are_disposable(connection, database, &databases).await {
        return ForeignKeys::None;
    }
    ForeignKeys::Some(
        info.tells_databases
            .then(|| holding.iter().map(|(_, keys)| keys).sum()),
    )
}

/// Who cannot find out, takes them for keys that are missed.
async fn are_disposable(connection: &mut Connection, database: u32, databases: &[u32]) -> bool {
    let answer = connection
        .send(
            redis::cmd("EVAL")
                .arg(SCRIPT)
                .arg(1)
                .arg(DISPOSABLE)
                .arg(database)
                .arg(databases),
        )
        .await
        .and_then(reply);
    match answer {
        Ok(words) => words == ["1"],
        Err(error) => {
            tracing::warn!(%error, "cannot see whether the target's keys may go");
            false
        }
    }
}
