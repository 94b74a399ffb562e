//! Leaving the run: each dyno takes its own keys along, the last one puts out the light.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{AT_LOCK, Seat, reply, unexpected};
use crate::keys::LOCK;

const SCRIPT: &str = include_str!("leave.lua");

/// How long is kept what a dyno removed, in seconds: until a finish asks, if one comes.
const REMOVED_LIFETIME: u64 = 120;

/// How a dyno left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Others are still there, or the run never started.
    Left,
    /// It was the last: phase, start and stop are gone; so is the lock, unless the finish is still
    /// to remove data.
    Last,
}

/// Removes the dyno's own claim and readiness; the last dyno of a run that had started removes
/// phase, start, stop and, if it is this run's, the lock. Where the finish removes data the lock is
/// left to it, for a time: a run that found the target free would be measured beside that. Works on
/// a full Redis, too.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn leave(connection: &mut Connection, seat: &Seat) -> RedisResult<Leave> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{SCRIPT}"))
                .arg(6)
                .arg(seat.keys.phase())
                .arg(seat.keys.ready())
                .arg(seat.keys.start())
                .arg(seat.keys.stop())
                .arg(seat.keys.claim(&seat.dyno))
                .arg(LOCK)
                .arg(seat.dyno.to_string())
                .arg(&seat.pod)
                .arg(&seat.lock)
                .arg(seat.database)
                .arg(seat.lock_after_dynos_seconds),
        )
        .await?;
    let words = reply(value)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["left"] => Ok(Leave::Left),
        ["last"] => Ok(Leave::Last),
        _ => Err(unexpected("unknown answer to leaving")),
    }
}

/// Writes down how many keys of data this dyno removed, for the finish.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn tell_removed(
    connection: &mut Connection,
    seat: &Seat,
    removed: u64,
) -> RedisResult<()> {
    let key = seat.keys.removed();
    connection
        .send(
            redis::cmd("HSET")
                .arg(&key)
                .arg(seat.dyno.to_string())
                .arg(removed),
        )
        .await?;
    connection
        .send(redis::cmd("EXPIRE").arg(&key).arg(REMOVED_LIFETIME))
        .await?;
    Ok(())
}
