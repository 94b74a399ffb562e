//! What a dyno looks after once a second while it runs: that the lock stays this run's, and that
//! nobody else's keys are evicted.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{AT_LOCK, Seat, reply, unexpected};
use crate::keys::LOCK;
use crate::lock;

const SCRIPT: &str = include_str!("surroundings.lua");

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The run, as `namespace/name`, that holds the lock in the place of this one; None if this one
    /// holds it, or nobody.
    pub lock_taken_by: Option<String>,
    /// Keys that were evicted since the preflight, or since this was last asked; None where that is
    /// nobody's concern, or not known.
    pub evicted_keys: Option<u64>,
}

/// The count of evicted keys that a run began with, where others' keys are to be spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evictions {
    /// The last count that was seen.
    count: u64,
}

impl Evictions {
    /// Beginning with this count.
    pub const fn from(count: u64) -> Self {
        Self { count }
    }

    /// How many were evicted since the last count, now that it is this. A count that has become
    /// less was set back to 0 by somebody.
    pub const fn since(&mut self, now: u64) -> u64 {
        let since = if now < self.count {
            now
        } else {
            now - self.count
        };
        self.count = now;
        since
    }
}

/// The count of evicted keys at the preflight; None if nobody's keys are to be spared.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn evictions(connection: &mut Connection, seat: &Seat) -> RedisResult<Option<Evictions>> {
    let count: Option<u64> = redis::cmd("GET")
        .arg(seat.keys.spared())
        .query_async(connection)
        .await?;
    Ok(count.map(Evictions::from))
}

/// Looks, and sets the lock again if it is gone.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn look_around(
    connection: &mut Connection,
    seat: &Seat,
    evictions: Option<&mut Evictions>,
) -> RedisResult<Surroundings> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(format!("{AT_LOCK}{SCRIPT}"))
                .arg(2)
                .arg(seat.keys.phase())
                .arg(LOCK)
                .arg(seat.database)
                .arg(&seat.lock)
                .arg(u8::from(evictions.is_some())),
        )
        .await?;
    let [holder, evicted] = &reply(value)?[..] else {
        return Err(unexpected("unknown answer to a look around"));
    };
    let now = evicted.parse().ok();
    Ok(Surroundings {
        lock_taken_by: lock::name_in(holder).filter(|_| *holder != seat.lock),
        evicted_keys: evictions
            .zip(now)
            .map(|(evictions, now)| evictions.since(now)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_are_counted_from_what_was_seen_last() {
        let mut evictions = Evictions::from(100);
        for (now, since) in [(100, 0), (103, 3), (103, 0), (0, 0), (2, 2), (2, 0), (1, 1)] {
            assert_eq!(evictions.since(now), since, "{now}");
        }
    }
}
