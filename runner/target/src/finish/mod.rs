//! What is done after a run: everything that is the run's own is removed, the lock is released.

mod remove;

use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult};
use redyno_contract::{FinishReport, Plan};
use tokio::time::{Instant, sleep, timeout};

use crate::connect::{ConnectOptions, Connection};
use crate::coordination::{AT_LOCK, end, reply, unexpected};
use crate::keys::{LOCK, RunKeys};
use crate::target::Target;
use crate::words::presentable;
use crate::{lifetimes, lock};

const HOLD: &str = include_str!("hold.lua");
const RELEASE: &str = include_str!("release.lua");

/// For all of it. The Job's own deadline is a minute.
const PATIENCE: Duration = Duration::from_secs(55);

/// For a target that has just been loaded beyond its limits.
const PATIENCE_WITH_TARGET: Duration = Duration::from_secs(10);

/// For removing data, so that time is left for what frees the target for the next run.
const PATIENCE_WITH_DATA: Duration = Duration::from_secs(30);

/// For the dynos to leave, once they are told to.
const PATIENCE_WITH_DYNOS: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(100);

/// How long `stop` is kept if this process dies before it removes it, in seconds.
const STOP_LIFETIME: u64 = 600;

/// What has been done so far.
#[derive(Default)]
struct Progress {
    data_keys: u64,
    coordination_keys: u64,
    /// Dynos that were still there after they had been told to stop.
    left_behind: usize,
    lock: Option<String>,
}

/// Removes what the run made. Takes at most a minute.
///
/// Data goes only where it was asked for (`RunKeys`): after a flush it stays, and a managed
/// target goes as a whole. Coordination keys always go, the lock only if it is this run's.
pub async fn run(plan: &Plan, target: &Target) -> FinishReport {
    let mut progress = Progress::default();
    let failure = match timeout(PATIENCE, finish(plan, target, &mut progress)).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(format!("not done after {} s", PATIENCE.as_secs())),
    };
    FinishReport {
        run: plan.run.uid.clone(),
        complete: failure.is_none(),
        removed_keys: progress.data_keys + progress.coordination_keys,
        left_keys: None,
        message: sentence(&progress, failure.as_deref()),
    }
}

async fn finish(plan: &Plan, target: &Target, progress: &mut Progress) -> Result<(), String> {
    let mut connection = target
        .connect_patiently(
            &ConnectOptions::patient("redyno-finish"),
            PATIENCE_WITH_TARGET,
        )
        .await
        .map_err(|failure| failure.message)?;
    let keys = RunKeys::new(&plan.run.uid);
    // Without it the lock may expire before the data is gone, and the next run measures the rest.
    if let Err(error) = hold(&mut connection, plan, target).await {
        tracing::warn!(%error, "cannot hold the lock on");
    }
    // A stop that cannot be set must not keep the rest from being removed.
    if let Err(error) = end(&mut connection, &keys, "the run is over", STOP_LIFETIME).await {
        tracing::warn!(%error, "cannot tell the dynos to stop");
    }
    let outcome = wait_and_remove(&mut connection, plan, target, &keys, progress).await;
    outcome.map_err(|error| presentable(&error.to_string(), None))
}

async fn wait_and_remove(
    connection: &mut Connection,
    plan: &Plan,
    target: &Target,
    keys: &RunKeys,
    progress: &mut Progress,
) -> RedisResult<()> {
    // Who cannot see whether the dynos have left goes on as if they had.
    progress.left_behind = match wait_for_dynos(connection, keys).await {
        Ok(left_behind) => left_behind,
        Err(error) => {
            tracing::warn!(%error, "cannot see whether the dynos have left");
            0
        }
    };
    let removal = if lifetimes::removes_data(plan) {
        let removing = remove::data(connection, plan, &mut progress.data_keys);
        timeout(PATIENCE_WITH_DATA, removing)
            .await
            .unwrap_or_else(|_| Err(too_many_keys()))
    } else {
        Ok(())
    };
    // Whatever became of the data: the next run waits for the lock.
    let mut released = release(connection, plan, target, keys, progress).await;
    if released.is_err()
        && let Ok(mut fresh) = target
            .connect(&ConnectOptions::patient("redyno-finish"))
            .await
    {
        released = release(&mut fresh, plan, target, keys, progress).await;
    }
    removal.and(released)
}

fn too_many_keys() -> RedisError {
    RedisError::from((ErrorKind::Io, "not all data keys could be removed in time"))
}

/// How many dynos are still ready when the waiting is over.
async fn wait_for_dynos(connection: &mut Connection, keys: &RunKeys) -> RedisResult<usize> {
    let deadline = Instant::now() + PATIENCE_WITH_DYNOS;
    loop {
        let ready: usize = redis::cmd("HLEN")
            .arg(keys.ready())
            .query_async(connection)
            .await?;
        if ready == 0 || Instant::now() >= deadline {
            return Ok(ready);
        }
        sleep(PAUSE).await;
    }
}

async fn hold(connection: &mut Connection, plan: &Plan, target: &Target) -> RedisResult<()> {
    connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{HOLD}"))
                .arg(1)
                .arg(LOCK)
                .arg(target.address().database)
                .arg(lock::value(&plan.run))
                .arg(lifetimes::LOCK_IN_FINISH_SECONDS),
        )
        .await?;
    Ok(())
}

async fn release(
    connection: &mut Connection,
    plan: &Plan,
    target: &Target,
    keys: &RunKeys,
    progress: &mut Progress,
) -> RedisResult<()> {
    let names = keys.all(plan);
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{RELEASE}"))
                .arg(names.len() + 1)
                .arg(LOCK)
                .arg(names)
                .arg(target.address().database)
                .arg(lock::value(&plan.run)),
        )
        .await?;
    let [removed, lock] = &reply(value)?[..] else {
        return Err(unexpected("unknown answer to a release"));
    };
    progress.coordination_keys = removed.parse().unwrap_or(0);
    progress.lock = Some(lock.clone());
    Ok(())
}

fn sentence(progress: &Progress, failure: Option<&str>) -> String {
    let Progress {
        data_keys,
        coordination_keys,
        left_behind,
        lock,
    } = progress;
    let mut parts = vec![format!(
        "removed {data_keys} data keys and {coordination_keys} of coordination"
    )];
    if let Some(lock) = lock {
        parts.push(format!("lock {lock}"));
    }
    if *left_behind > 0 {
        parts.push(format!(
            "{left_behind} dynos had not left after {} s",
            PATIENCE_WITH_DYNOS.as_secs()
        ));
    }
    if let Some(failure) = failure {
        parts.push(format!("not complete: {failure}"));
    }
    parts.join("; ")
}
