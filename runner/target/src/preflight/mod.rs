//! What is looked at before a run: whether the target can carry it, and whether it may.

mod connections;
mod enter;
mod flush_hosts;
mod foreign;
mod growth;
mod memory;
mod mix;
mod permissions;
mod refused;
mod role;
mod summary;
mod version;

use std::time::Duration;

use redis::FromRedisValue;
use redyno_contract::message::{PreflightResult, Refusal, TargetFound};
use redyno_contract::plan::Flush;
use redyno_contract::{Plan, PreflightReport};
use tokio::time::Instant;

use crate::connect::{ConnectOptions, Connection};
use crate::info::Info;
use crate::leftovers::{self, Cleaned};
use crate::target::Target;
pub use permissions::least_rights;

use enter::Entered;
use growth::Growth;
use memory::{ForeignKeys, Limit, Memory, WhenFull};
use refused::Refused;
use summary::Seen;

/// A Service or a Redis that was made a moment ago may not be there for everybody yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// For what earlier runs have left: millions of keys go in that time, and the rest is left to the
/// next.
const PATIENCE_WITH_LEFTOVERS: Duration = Duration::from_secs(30);

/// A flush of a large database takes its time, and it is one command.
const LONGEST_ANSWER: Duration = Duration::from_mins(2);

/// Looks at the target and, if nothing speaks against the run, takes the lock, flushes what was
/// asked for and sets the run's phase. A second preflight of the same run changes nothing.
pub async fn run(plan: &Plan, target: &Target, pod_uid: &str) -> PreflightReport {
    let mut found = None;
    let (result, message) = match look_and_enter(plan, target, pod_uid, &mut found).await {
        Ok(message) => (PreflightResult::Passed, message),
        Err(Refused { reason, message }) => (PreflightResult::Refused { reason }, message),
    };
    PreflightReport {
        run: plan.run.uid.clone(),
        result,
        message,
        target: found,
    }
}

async fn look_and_enter(
    plan: &Plan,
    target: &Target,
    pod: &str,
    found: &mut Option<TargetFound>,
) -> Result<String, Refused> {
    flush_hosts::check(&plan.target, &target.address().host)?;
    let options = ConnectOptions {
        response_timeout: Some(LONGEST_ANSWER),
        ..ConnectOptions::patient("redyno-preflight")
    };
    let mut connection = target.connect_patiently(&options, PATIENCE).await?;
    let database = target.address().database;
    let flush = enter::flush(plan.target.kind);
    let flushes = matches!(flush, Flush::Database | Flush::AllDatabases);

    let mut info = match Info::read(&mut connection).await {
        Ok(info) => info,
        // Named together with whatever else is denied.
        Err(error) if error.code() == Some("NOPERM") => {
            permissions::check(&mut connection, target, plan).await?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    if info.maxclients.is_none() {
        info.maxclients = configured(&mut connection, "maxclients").await;
    }
    if info.maxmemory.is_none() {
        info.maxmemory = configured(&mut connection, "maxmemory").await;
    }
    if info.policy.is_none() {
        info.policy = configured(&mut connection, "maxmemory-policy").await;
    }
    let found = found.insert(found_in(&info, database));
    version::check(&info)?;
    role::check(&info)?;

    match enter::look(&mut connection, plan, database).await {
        Ok(false) => {}
        Ok(true) => return Ok(summary::already_passed(&info)),
        Err(busy) if busy.reason == Refusal::TargetBusy => return Err(busy),
        // Whatever it is, the commands one by one will show it better.
        Err(other) => {
            permissions::check(&mut connection, target, plan).await?;
            return Err(other);
        }
    }
    permissions::check(&mut connection, target, plan).await?;
    connections::check(
        plan.target.connections,
        info.maxclients,
        found.other_clients,
    )?;

    let cleaned = leftovers::remove(
        &mut connection,
        database,
        Instant::now() + PATIENCE_WITH_LEFTOVERS,
    )
    .await
    .unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot see what earlier runs have left");
        Cleaned::default()
    });
    if cleaned.removed_keys() > 0 {
        info = Info {
            maxclients: info.maxclients,
            maxmemory: info.maxmemory,
            policy: info.policy,
            ..Info::read(&mut connection).await?
        };
        found.keys = info.keys(database);
    }
    let growth = Growth::of(plan);
    let all_is_flushed = match flush {
        Flush::None | Flush::RunKeys => false,
        Flush::Database => info.databases.iter().all(|(number, _)| *number == database),
        Flush::AllDatabases => true,
    };
    found.expected_growth_bytes = growth.total();
    let memory = Memory {
        limit: Limit::of(&info),
        when_full: WhenFull::of(info.policy.as_deref()),
        used: memory::used_at_start(&info, all_is_flushed),
        startup: info.used_memory_startup.unwrap_or(0),
        evicted_keys: info.evicted_keys,
        keys: if all_is_flushed {
            ForeignKeys::None
        } else {
            foreign::look(&mut connection, plan, &info, database, flushes).await
        },
    };
    let forecast = memory::check(&growth, &memory, plan)?;
    found.full_after_seconds = forecast.full_after_seconds;

    match enter::enter(&mut connection, plan, database, pod, forecast.spared).await? {
        Entered::Already => Ok(summary::already_passed(&info)),
        Entered::Now { flushed } => {
            found.flushed_keys = flushed;
            let seen = Seen {
                info: &info,
                found,
                memory: &memory,
                forecast: &forecast,
                cleaned: &cleaned,
            };
            Ok(summary::passed(plan, target, &seen))
        }
    }
}

fn found_in(info: &Info, database: u32) -> TargetFound {
    TargetFound {
        server: info.server_name.clone(),
        version: info.own_version().map(str::to_owned),
        role: info.role.clone(),
        maxmemory_bytes: info.maxmemory,
        maxclients: info.maxclients,
        keys: info.keys(database),
        other_clients: info.other_clients(),
        expected_growth_bytes: 0,
        full_after_seconds: None,
        flushed_keys: 0,
    }
}

/// CONFIG is often forbidden; then it is not known.
async fn configured<T: FromRedisValue>(connection: &mut Connection, name: &str) -> Option<T> {
    let (_, value): (String, T) = redis::cmd("CONFIG")
        .arg("GET")
        .arg(name)
        .query_async(connection)
        .await
        .ok()?;
    Some(value)
}
