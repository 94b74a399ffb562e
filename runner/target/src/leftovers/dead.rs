//! The run that holds the lock, where a person says that it is dead.

use std::time::Duration;

use redis::RedisResult;
use tokio::time::{Instant, timeout_at};

use super::{CleanedRun, find, forget, remove_run};
use crate::connect::{ConnectFailure, ConnectOptions, Connection};
use crate::coordination::release;
use crate::inventory::Inventory;
use crate::keys::RunKeys;
use crate::removal;
use crate::target::Target;
use crate::{lock, words};

/// The run that holds the lock, and what would be removed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `namespace/name`, or what stood in the place of that.
    pub name: String,
    /// Keys of its data that are there; None if that is not known.
    pub data_keys: Option<u64>,
    /// Connections of dynos that the server knows of, this run's or another's; None if it does not say.
    /// Those of a machine that was lost can be there for a while.
    pub dyno_connections: Option<u64>,
}

/// Who holds the lock; None if nobody does.
///
/// # Errors
/// [`ConnectFailure`] if the target cannot be reached or asked.
pub async fn holder(target: &Target, patience: Duration) -> Result<Option<Holder>, ConnectFailure> {
    let mut connection = connect(target).await?;
    let connection = &mut connection;
    let found = find(connection, target.address().database)
        .await
        .map_err(super::cannot_be_asked)?;
    let Some(name) = lock::name_in(&found.holder) else {
        return Ok(None);
    };
    let deadline = Instant::now() + patience;
    let data_keys = timeout_at(deadline, count(connection, lock::uid_in(&found.holder)))
        .await
        .ok()
        .and_then(RedisResult::ok)
        .flatten();
    Ok(Some(Holder {
        name,
        data_keys,
        dyno_connections: dyno_connections(connection).await.ok(),
    }))
}

/// Ends the run of this name for good, if it holds the lock: removes what its dynos agree by, so that
/// one that lives even so ends at once, then its data, then the lock. None if it does not hold it.
///
/// # Errors
/// [`ConnectFailure`] if the target cannot be reached or asked.
pub async fn end(
    target: &Target,
    name: &str,
    patience: Duration,
) -> Result<Option<CleanedRun>, ConnectFailure> {
    let mut connection = connect(target).await?;
    let connection = &mut connection;
    let database = target.address().database;
    let holder = find(connection, database)
        .await
        .map_err(super::cannot_be_asked)?
        .holder;
    if lock::name_in(&holder).as_deref() != Some(name) {
        return Ok(None);
    }
    let uid = lock::uid_in(&holder);
    let mut removed_keys = 0;
    let ending = async {
        let said = |error| words::of_error(&error, None);
        let dynos = inventory(connection, uid)
            .await
            .map_err(said)?
            .map(|inventory| inventory.dynos().collect::<Vec<_>>())
            .unwrap_or_default();
        let agreed = RunKeys::new(uid).expiring(dynos.into_iter());
        removal::remove(connection, agreed.into_iter(), &mut 0)
            .await
            .map_err(said)?;
        remove_run(connection, uid, &mut removed_keys).await?;
        forget(connection, uid, Vec::new()).await.map_err(said)?;
        release(connection, Vec::new(), database, &holder)
            .await
            .map_err(said)
    };
    let problem = match timeout_at(Instant::now() + patience, ending).await {
        Ok(Ok(_)) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some("there was no time for more".to_owned()),
    };
    Ok(Some(CleanedRun {
        name: name.to_owned(),
        uid: words::presentable(uid, None),
        removed_keys,
        problem,
    }))
}

async fn connect(target: &Target) -> Result<Connection, ConnectFailure> {
    target
        .connect(&ConnectOptions::patient("redyno-clean"))
        .await
}

/// None if there is none that can be read.
async fn inventory(connection: &mut Connection, uid: &str) -> RedisResult<Option<Inventory>> {
    let json: Option<Vec<u8>> = redis::cmd("GET")
        .arg(RunKeys::new(uid).data())
        .query_async(connection)
        .await?;
    Ok(json.and_then(|json| Inventory::from_json(uid, &json).ok()))
}

async fn count(connection: &mut Connection, uid: &str) -> RedisResult<Option<u64>> {
    match inventory(connection, uid).await? {
        Some(inventory) => removal::count(connection, inventory.keys()).await.map(Some),
        None => Ok(None),
    }
}

/// By the names that dynos give their connections: `redyno-web.1-control`. No other part of redyno has
/// a dot in its name.
async fn dyno_connections(connection: &mut Connection) -> RedisResult<u64> {
    let list: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query_async(connection)
        .await?;
    let is_a_dyno = |line: &&str| {
        line.split(' ')
            .filter_map(|field| field.strip_prefix("name=redyno-"))
            .any(|name| name.contains('.'))
    };
    Ok(list.lines().filter(is_a_dyno).count() as u64)
}
