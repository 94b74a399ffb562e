//! What is done after a run: everything that is the run's own is removed, the lock is released.

mod sentence;

use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult};
use redyno_contract::{FinishReport, Plan};
use tokio::time::{Instant, sleep, timeout, timeout_at};

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

/// From the beginning to the end of removing data, so that time is left for what frees the target for
/// the next run.
const PATIENCE_WITH_DATA: Duration = Duration::from_secs(35);

/// Connections that all of it is tried on, if they break or fall silent. All of it may be done again.
const ATTEMPTS: u32 = 3;

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

/// Why it could not be done to its end.
#[derive(Debug)]
struct Failure {
    words: String,
    /// Whether the connection broke or fell silent: another one may do.
    broken: bool,
}

impl Failure {
    fn other(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            broken: false,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self {
            words: words::of_error(&error, None),
            broken: error.kind() == ErrorKind::Io,
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
        Ok(Err(Failure { words, broken: _ })) => Some(words),
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

async fn finish(plan: &Plan, target: &Target, progress: &mut Progress) -> Result<(), Failure> {
    let data_until = Instant::now() + PATIENCE_WITH_DATA;
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        match attempt(plan, target, progress, data_until).await {
            Err(Failure {
                words,
                broken: true,
            }) if left > 0 => tracing::warn!(%words, "the connection broke, trying on another"),
            outcome => return outcome,
        }
    }
}

async fn attempt(
    plan: &Plan,
    target: &Target,
    progress: &mut Progress,
    data_until: Instant,
) -> Result<(), Failure> {
    let mut connection = target
        .connect_patiently(
            &ConnectOptions::patient("redyno-finish"),
            PATIENCE_WITH_TARGET,
        )
        .await
        .map_err(|failure| Failure::other(failure.message))?;
    let connection = &mut connection;
    let keys = RunKeys::new(&plan.run.uid);
    // Without it the lock may expire before the data is gone, and the next run measures the rest.
    unless_broken(hold(connection, plan, target).await, "hold the lock on")?;
    // A stop that cannot be set must not keep the rest from being removed.
    let stopped = end(connection, &keys, "the run is over", STOP_LIFETIME).await;
    unless_broken(stopped, "tell the dynos to stop")?;
    // Who cannot see whether the dynos have left goes on as if they had.
    let waited = wait_for_dynos(connection, &keys).await;
    progress.left_behind = unless_broken(waited, "see whether the dynos have left")?.unwrap_or(0);
    let inventory = Inventory::of(plan);
    let expiring = keys.expiring(plan.dynos());
    let told = removed_by_dynos(connection, &keys).await;
    // 0 where that is not known: they write it down in this Redis.
    progress.removed_by_dynos =
        unless_broken(told, "see what the dynos have removed")?.unwrap_or(0);
    let removal = if lifetimes::removes_data(plan) {
        let removing = removal::remove(connection, inventory.keys(), &mut progress.removed);
        match timeout_at(data_until, removing).await {
            Ok(done) => done.map_err(Failure::from),
            Err(_) => Err(Failure::other("not all data keys could be removed in time")),
        }
    } else {
        progress.data = count(connection, &inventory).await?;
        Ok(())
    };
    if let Err(Failure { broken: true, .. }) = removal {
        return removal;
    }
    let mut forgotten = Ok(0);
    if removal.is_ok() {
        if lifetimes::removes_data(plan) {
            progress.data = Data::Gone;
        }
        // Only now is nothing left that the inventory is needed for. It does not expire: while it is
        // there, something of the run is left.
        forgotten = leftovers::forget(connection, &plan.run.uid, Vec::new())
            .await
            .map_err(Failure::from);
        if let Err(Failure { broken: true, .. }) = forgotten {
            return forgotten.map(|_| ());
        }
    }
    // Whatever became of the data: the next run waits for the lock.
    let (database, value) = (target.address().database, lock::value(&plan.run));
    let released = release(connection, expiring, database, &value).await?;
    progress.coordination_keys += released.removed;
    progress.lock = Some(released.lock);
    removal?;
    progress.coordination_keys += forgotten?;
    let deadline = Instant::now() + PATIENCE_WITH_THE_REST;
    match leftovers::remove(connection, database, deadline).await {
        Ok(cleaned) => progress.cleaned = cleaned,
        Err(error) => tracing::warn!(%error, "cannot see what other runs have left"),
    }
    Ok(())
}

/// What failed may be left undone, unless the connection is of no use any more.
fn unless_broken<T>(result: RedisResult<T>, what: &str) -> Result<Option<T>, Failure> {
    match result.map_err(Failure::from) {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.broken => Err(failure),
        Err(Failure { words, broken: _ }) => {
            tracing::warn!(%words, "cannot {what}");
            Ok(None)
        }
    }
}

/// What the dynos removed that were told to end before their time.
async fn removed_by_dynos(connection: &mut Connection, keys: &RunKeys) -> RedisResult<u64> {
    let counts: Vec<(String, u64)> = redis::cmd("HGETALL")
        .arg(keys.removed())
        .query_async(connection)
        .await?;
    Ok(counts.iter().map(|(_, count)| count).sum())
}

/// Counts the data that stays.
async fn count(connection: &mut Connection, inventory: &Inventory) -> Result<Data, Failure> {
    let counting = removal::count(connection, inventory.keys());
    match timeout(PATIENCE_WITH_THE_REST, counting).await {
        Ok(counted) => match counted.map_err(Failure::from) {
            Ok(count) => Ok(Data::Stays(Some(count), String::new())),
            Err(failure) if failure.broken => Err(failure),
            Err(Failure { words, broken: _ }) => Ok(Data::Stays(None, words)),
        },
        Err(_) => Ok(Data::Stays(
            None,
            "there was no time to count them".to_owned(),
        )),
    }
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
