//! What is done after a run: everything that is the run's own is removed, the lock is released.

mod sentence;

use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult};
use redyno_contract::{FinishReport, Plan};
use tokio::time::{Instant, sleep, timeout};

use crate::connect::{ConnectOptions, Connection};
use crate::coordination::{AT_LOCK, end, release};
use crate::inventory::Inventory;
use crate::keys::{LOCK, RunKeys};
use crate::leftovers::{self, Cleaned};
use crate::removal;
use crate::target::Target;
use crate::{lifetimes, lock, words};

const HOLD: &str = include_str!("hold.lua");

/// For all of it. The Job's own deadline is a minute.
const PATIENCE: Duration = Duration::from_secs(55);

/// For a target that has just been loaded beyond its limits.
const PATIENCE_WITH_TARGET: Duration = Duration::from_secs(4);

/// For removing data, so that time is left for what frees the target for the next run.
const PATIENCE_WITH_DATA: Duration = Duration::from_secs(30);

/// For counting data that stays, and for removing what other runs have left: neither is worth more.
const PATIENCE_WITH_THE_REST: Duration = Duration::from_secs(10);

/// For the dynos to leave, once they are told to.
const PATIENCE_WITH_DYNOS: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(100);

/// How long `stop` is kept if this process dies before it removes it, in seconds.
const STOP_LIFETIME: u64 = 600;

/// What has been done so far.
#[derive(Default)]
struct Progress {
    /// Keys of data that the finish removed.
    removed: u64,
    /// Keys of data that dynos removed before, which were told to end before their time.
    removed_by_dynos: u64,
    /// What became of the data.
    data: Data,
    coordination_keys: u64,
    /// Dynos that were still there after they had been told to stop.
    left_behind: usize,
    lock: Option<String>,
    /// What runs had left that ended before this one began.
    cleaned: Cleaned,
}

/// What became of the run's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Data {
    /// It was to be removed, and may not all be.
    #[default]
    Unfinished,
    /// All of it is gone.
    Gone,
    /// It stays, as was asked for: so many keys; None if they could not be counted, and why.
    Stays(Option<u64>, String),
}

impl Data {
    /// Keys that stay; None if nobody knows.
    const fn left(&self) -> Option<u64> {
        match self {
            Self::Unfinished => None,
            Self::Gone => Some(0),
            Self::Stays(count, _) => *count,
        }
    }
}

/// Removes what the run made. Takes at most a minute.
///
/// Data goes only where it was asked for (`RunKeys`): after a flush it stays and is counted, and a
/// managed target goes as a whole. Coordination keys always go, the lock only if it is this run's.
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
        removed_keys: progress.removed + progress.removed_by_dynos + progress.coordination_keys,
        // A dyno that has not left may write yet.
        left_keys: progress.data.left().filter(|_| progress.left_behind == 0),
        message: sentence::of(plan, &progress, failure.as_deref()),
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
    outcome.map_err(|error| words::of_error(&error, None))
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
    let inventory = Inventory::of(plan);
    let expiring = keys.expiring(plan.dynos());
    progress.removed_by_dynos = removed_by_dynos(connection, keys).await;
    let removal = if lifetimes::removes_data(plan) {
        let removing = removal::remove(connection, inventory.keys(), &mut progress.removed);
        timeout(PATIENCE_WITH_DATA, removing)
            .await
            .unwrap_or_else(|_| Err(too_many_keys()))
    } else {
        progress.data = count(connection, &inventory).await;
        Ok(())
    };
    let mut forgotten = Ok(0);
    if removal.is_ok() {
        if lifetimes::removes_data(plan) {
            progress.data = Data::Gone;
        }
        // Only now is nothing left that the inventory is needed for.
        forgotten = leftovers::forget(connection, &plan.run.uid, Vec::new()).await;
    }
    // Whatever became of the data: the next run waits for the lock.
    let (database, value) = (target.address().database, lock::value(&plan.run));
    let mut released = release(connection, expiring.clone(), database, &value).await;
    if released.is_err()
        && let Ok(mut fresh) = target
            .connect(&ConnectOptions::patient("redyno-finish"))
            .await
    {
        released = release(&mut fresh, expiring, database, &value).await;
        if forgotten.is_err() {
            forgotten = leftovers::forget(&mut fresh, &plan.run.uid, Vec::new()).await;
        }
    }
    let released = removal.and(released)?;
    progress.coordination_keys += released.removed;
    progress.lock = Some(released.lock);
    // It does not expire: while it is there, something of the run is left.
    progress.coordination_keys += forgotten?;
    let deadline = Instant::now() + PATIENCE_WITH_THE_REST;
    match leftovers::remove(connection, database, deadline).await {
        Ok(cleaned) => progress.cleaned = cleaned,
        Err(error) => tracing::warn!(%error, "cannot see what other runs have left"),
    }
    Ok(())
}

/// What the dynos removed that were told to end before their time. 0 where that is not known: they
/// write it down in this Redis.
async fn removed_by_dynos(connection: &mut Connection, keys: &RunKeys) -> u64 {
    let counts: RedisResult<Vec<(String, u64)>> = redis::cmd("HGETALL")
        .arg(keys.removed())
        .query_async(connection)
        .await;
    counts.map_or(0, |counts| counts.iter().map(|(_, count)| count).sum())
}

/// Counts the data that stays.
async fn count(connection: &mut Connection, inventory: &Inventory) -> Data {
    let counting = removal::count(connection, inventory.keys());
    match timeout(PATIENCE_WITH_THE_REST, counting).await {
        Ok(Ok(count)) => Data::Stays(Some(count), String::new()),
        Ok(Err(error)) => Data::Stays(None, words::of_error(&error, None)),
        Err(_) => Data::Stays(None, "there was no time to count them".to_owned()),
    }
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
