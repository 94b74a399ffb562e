//! What runs left behind that ended without their finish: killed, or with nobody to come after them.
//!
//! Such a run is known by its name in [`RUNS`], and its keys by its inventory. The names stand in a
//! hash and are not looked for with SCAN: that would go through all of somebody's database before
//! every run, needs a right that shows the names of all keys, and an access rule has no pattern for
//! it. A hash under `redyno:` needs no right and no pattern that a run does not need anyway. Only
//! [`clean`], which a person asked for, goes through the database as well, where it may: the hash
//! could have been evicted.

mod dead;

use std::time::Duration;

use redis::{RedisError, RedisResult, Value};
use redyno_contract::message::Refusal;
use tokio::time::{Instant, timeout_at};

use crate::connect::{ConnectFailure, ConnectOptions, Connection};
use crate::coordination::{AT_LOCK, reply, unexpected};
use crate::inventory::Inventory;
use crate::keys::{COORDINATION_PREFIX, LOCK, RUNS, RunKeys};
use crate::lock;
use crate::removal;
use crate::target::Target;
use crate::words::{self, presentable};

pub use dead::{Holder, end, holder};

const FIND: &str = include_str!("find.lua");
const FORGET: &str = include_str!("forget.lua");

/// Keys looked at by one SCAN.
const SCANNED_AT_ONCE: u32 = 1000;

/// What was found, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Runs that had ended, in the order in which they were found.
    pub runs: Vec<CleanedRun>,
    /// The run that holds the lock, as `namespace/name`; its data was let be.
    pub under_way: Option<String>,
    /// Why there may be more than was found; None if there is not.
    pub incomplete: Option<String>,
}

/// A run that had ended, and had left something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanedRun {
    /// `namespace/name`, or what stood in the place of that.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Keys of data that were removed.
    pub removed_keys: u64,
    /// Why not all of it could be removed; None if it was.
    pub problem: Option<String>,
}

impl Cleaned {
    /// Keys of data that were removed.
    pub fn removed_keys(&self) -> u64 {
        self.runs.iter().map(|run| run.removed_keys).sum()
    }

    /// For people: `removed 20000 keys that team/nightly had left`; None if there was nothing.
    pub fn sentence(&self) -> Option<String> {
        let Self {
            runs,
            under_way: _,
            incomplete,
        } = self;
        let each = runs.iter().map(|run| {
            let CleanedRun {
                name,
                uid: _,
                removed_keys,
                problem,
            } = run;
            let removed = format!("removed {removed_keys} data keys that the run {name} had left");
            match problem {
                None => removed,
                Some(problem) => format!("{removed}, but not all of them: {problem}"),
            }
        });
        let parts: Vec<String> = each.chain(incomplete.clone()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Who has data here.
struct Found {
    holder: String,
    /// Uid and name.
    runs: Vec<(String, String)>,
}

impl Found {
    /// Those that have ended.
    fn ended(&self) -> impl Iterator<Item = &(String, String)> {
        self.runs
            .iter()
            .filter(|(uid, _)| !lock::is_of(&self.holder, uid))
    }
}

/// Removes what runs have left that hold no lock, until the deadline. A run that has ended cannot
/// come back: its uid is its own, so this needs no lock and may be done by several at once.
pub(crate) async fn remove(
    connection: &mut Connection,
    database: u32,
    deadline: Instant,
) -> RedisResult<Cleaned> {
    let found = find(connection, database).await?;
    Ok(remove_found(connection, &found, deadline).await)
}

async fn remove_found(connection: &mut Connection, found: &Found, deadline: Instant) -> Cleaned {
    let mut cleaned = Cleaned {
        under_way: lock::name_in(&found.holder),
        ..Cleaned::default()
    };
    for (uid, name) in found.ended() {
        let mut removed_keys = 0;
        let removal = remove_run(connection, uid, &mut removed_keys);
        let problem = match timeout_at(deadline, removal).await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some("there was no time for more".to_owned()),
        };
        if problem.is_some() || removed_keys > 0 {
            cleaned.runs.push(CleanedRun {
                name: presentable(name, None),
                uid: presentable(uid, None),
                removed_keys,
                problem,
            });
        }
    }
    cleaned
}

async fn find(connection: &mut Connection, database: u32) -> RedisResult<Found> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{FIND}"))
                .arg(2)
                .arg(LOCK)
                .arg(RUNS)
                .arg(database),
        )
        .await?;
    let mut words = reply(value)?.into_iter();
    let holder = words
        .next()
        .ok_or_else(|| unexpected("unknown answer to who has data"))?;
    let mut runs = Vec::new();
    while let (Some(uid), Some(name)) = (words.next(), words.next()) {
        runs.push((uid, name));
    }
    Ok(Found { holder, runs })
}

/// Removes the data of one run, then its inventory, its name and whatever else it has.
async fn remove_run(
    connection: &mut Connection,
    uid: &str,
    removed: &mut u64,
) -> Result<(), String> {
    let said = |error: RedisError| words::of_error(&error, None);
    let json = connection
        .send(redis::cmd("GET").arg(RunKeys::new(uid).data()))
        .await
        .map_err(said)?;
    let Value::BulkString(json) = json else {
        // Nothing names its keys any more; so there is nothing to remember.
        forget(connection, uid, Vec::new()).await.map_err(said)?;
        return Ok(());
    };
    let inventory = Inventory::from_json(uid, &json)
        .map_err(|error| format!("its inventory cannot be used: {error}"))?;
    removal::remove(connection, inventory.keys(), removed)
        .await
        .map_err(said)?;
    let expiring = RunKeys::new(uid).expiring(inventory.dynos());
    forget(connection, uid, expiring).await.map_err(said)?;
    Ok(())
}

/// Removes a run's inventory, its name and these of its keys, and says how many of them were there:
/// all of its data must be gone.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn forget(
    connection: &mut Connection,
    uid: &str,
    expiring: Vec<String>,
) -> RedisResult<u64> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(FORGET)
                .arg(expiring.len() + 2)
                .arg(RUNS)
                .arg(RunKeys::new(uid).data())
                .arg(expiring)
                .arg(uid),
        )
        .await?;
    match &reply(value)?[..] {
        [removed] => Ok(removed.parse().unwrap_or(0)),
        _ => Err(unexpected("unknown answer to forgetting a run")),
    }
}

/// Removes what runs have left in the target's database that hold no lock, also of those whose names
/// are lost.
///
/// # Errors
/// [`ConnectFailure`] if the target cannot be reached; what it answered if it cannot be asked.
pub async fn clean(target: &Target, patience: Duration) -> Result<Cleaned, ConnectFailure> {
    let deadline = Instant::now() + patience;
    let mut connection = target
        .connect(&ConnectOptions::patient("redyno-clean"))
        .await?;
    let mut found = find(&mut connection, target.address().database)
        .await
        .map_err(cannot_be_asked)?;
    let incomplete = match timeout_at(deadline, scan(&mut connection, &mut found.runs)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!(
            "the database could not be searched for more, {}",
            words::of_error(&error, None)
        )),
        Err(_) => Some("there was no time to search the database for more".to_owned()),
    };
    // A run may have begun while the database was searched: who holds the lock now, is under way.
    let now = find(&mut connection, target.address().database)
        .await
        .map_err(cannot_be_asked)?;
    found.holder = now.holder;
    let cleaned = remove_found(&mut connection, &found, deadline).await;
    Ok(Cleaned {
        incomplete,
        ..cleaned
    })
}

fn cannot_be_asked(error: RedisError) -> ConnectFailure {
    let words = words::of_error(&error, None);
    ConnectFailure::new(
        Refusal::Other,
        format!("the target cannot be asked for what runs have left: {words}"),
    )
}

/// Adds the runs whose inventory is there, but whose name is not.
async fn scan(connection: &mut Connection, runs: &mut Vec<(String, String)>) -> RedisResult<()> {
    let (before, after) = (format!("{COORDINATION_PREFIX}{{"), "}:data");
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys): (String, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(&cursor)
            .arg("MATCH")
            .arg(format!("{before}*{after}"))
            .arg("COUNT")
            .arg(SCANNED_AT_ONCE)
            .query_async(connection)
            .await?;
        for key in keys {
            let key = String::from_utf8_lossy(&key).into_owned();
            let uid = key
                .strip_prefix(&before)
                .and_then(|rest| rest.strip_suffix(after));
            if let Some(uid) = uid
                && !runs.iter().any(|(known, _)| known == uid)
            {
                runs.push((uid.to_owned(), uid.to_owned()));
            }
        }
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}
