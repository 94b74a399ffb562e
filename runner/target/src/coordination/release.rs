//! Releasing the lock, and removing what nobody needs any more.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{AT_LOCK, Seat, reply, unexpected};
use crate::keys::LOCK;

const SCRIPT: &str = include_str!("release.lua");

/// What a release did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Keys that were there and are gone, the lock included.
    pub removed: u64,
    /// What became of the lock, for people: `released`, `free`, `held by another run`.
    pub lock: String,
}

/// Removes these keys, and the lock if it holds this value.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn release(
    connection: &mut Connection,
    keys: Vec<String>,
    database: u32,
    lock: &str,
) -> RedisResult<Released> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{SCRIPT}"))
                .arg(keys.len() + 1)
                .arg(LOCK)
                .arg(keys)
                .arg(database)
                .arg(lock),
        )
        .await?;
    let [removed, lock] = &reply(value)?[..] else {
        return Err(unexpected("unknown answer to a release"));
    };
    Ok(Released {
        removed: removed.parse().unwrap_or(0),
        lock: lock.clone(),
    })
}

/// Releases the lock if it is this run's.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn release_lock(connection: &mut Connection, seat: &Seat) -> RedisResult<Released> {
    release(connection, Vec::new(), seat.database, &seat.lock).await
}
