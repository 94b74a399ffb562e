//! What a dyno takes along when it goes.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redyno_contract::plan::{Flush, TargetKind};
use redyno_contract::report::Ending;
use redyno_target::coordination;
use redyno_target::keys;
use redyno_target::{ConnectOptions, Connection};
use tokio::time::{Instant, timeout, timeout_at};

use super::Dyno;

/// For leaving the run: a target that does not answer for so long is left to the finish.
pub(super) const LEAVE: Duration = Duration::from_secs(3);

/// For removing the own data after a SIGTERM: well within the grace that is left.
const REMOVE: Duration = Duration::from_secs(10);

/// Keys that one UNLINK removes.
const CHUNK: usize = 500;

/// A dyno that never started takes back its claim, if it had one.
pub(super) async fn without_start(dyno: &Dyno, ending: &Ending) {
    match ending {
        // Not ours.
        Ending::DuplicateDyno { .. } | Ending::TargetChanged { .. } => return,
        _ => {}
    }
    let leaving = async {
        let mut connection = dyno
            .target
            .connect(&ConnectOptions::patient("redyno leaving"))
            .await
            .map_err(|failure| failure.to_string())?;
        coordination::leave(&mut connection, &dyno.seat)
            .await
            .map_err(|error| error.to_string())
    };
    match timeout(LEAVE, leaving).await {
        Ok(Ok(left)) => tracing::debug!(?left, "left the run"),
        Ok(Err(detail)) => tracing::warn!(%detail, "could not leave the run"),
        Err(_) => tracing::warn!("could not leave the run in time"),
    }
    if *ending == Ending::Terminated {
        remove_own_data(dyno).await;
    }
}

/// After a SIGTERM nobody may come to clean up: what the run's own keys are is removed at once.
pub(super) async fn remove_own_data(dyno: &Dyno) {
    match dyno.plan.target.kind {
        TargetKind::Existing {
            flush: Flush::RunKeys,
        } => {}
        TargetKind::Existing {
            flush: Flush::None | Flush::Database | Flush::AllDatabases,
        }
        | TargetKind::Managed => return,
    }
    let deadline = Instant::now() + REMOVE;
    match timeout_at(deadline, unlink_all(dyno)).await {
        Ok(Ok(removed)) => tracing::info!(removed, "removed the dyno's own keys"),
        Ok(Err(detail)) => tracing::warn!(%detail, "could not remove the dyno's own keys"),
        Err(_) => tracing::warn!("could not remove all of the dyno's own keys in time"),
    }
}

async fn unlink_all(dyno: &Dyno) -> Result<u64, String> {
    let mut connection = dyno
        .target
        .connect(&ConnectOptions::patient("redyno leaving"))
        .await
        .map_err(|failure| failure.to_string())?;
    let mut removed = 0;
    let mut chunk = Vec::with_capacity(CHUNK);
    for worker in 0..dyno.dynos.workers {
        for key in keys::data_keys(&dyno.plan, &dyno.identity.dyno, worker) {
            chunk.push(key);
            if chunk.len() == CHUNK {
                removed += unlink(&mut connection, &mut chunk).await?;
            }
        }
    }
    if !chunk.is_empty() {
        removed += unlink(&mut connection, &mut chunk).await?;
    }
    Ok(removed)
}

async fn unlink(connection: &mut Connection, keys: &mut Vec<String>) -> Result<u64, String> {
    let mut command = redis::cmd("UNLINK");
    command.arg(&*keys);
    keys.clear();
    let reply = connection
        .req_packed_command(&command)
        .await
        .and_then(redis::Value::extract_error)
        .map_err(|error| error.to_string())?;
    match reply {
        redis::Value::Int(count) => Ok(u64::try_from(count).unwrap_or(0)),
        _ => Err("UNLINK was not answered with a number".to_owned()),
    }
}
