//! The common start: agreed upon once, in one script, by the clock of Redis.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{AT_LOCK, Seat, reply, unexpected};
use crate::keys::LOCK;
use crate::lifetimes::START_MARGIN_SECONDS;

const SCRIPT: &str = include_str!("barrier.lua");

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Not all dynos are ready.
    Waiting {
        /// So many are.
        ready: usize,
        /// Of so many.
        planned: usize,
    },
    /// All are, and this is the common start.
    Start {
        /// In microseconds since the epoch, by the clock of Redis. It may have passed already if
        /// this process was held up.
        at_microseconds: u64,
    },
    /// The run has started without this pod.
    TooLate,
    /// The run was ended before its start: by whom and why.
    Stopped(String),
    /// The run's phase is not there: not the Redis that the preflight saw.
    PhaseGone,
}

/// Asks how things stand. Whoever asks first once all planned dynos are ready sets the start to
/// three seconds from then; whoever learns of the start makes the run's keys live until its end.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn poll_barrier(connection: &mut Connection, seat: &Seat) -> RedisResult<Barrier> {
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
                .arg(seat.planned)
                .arg(START_MARGIN_SECONDS)
                .arg(seat.from_start_seconds)
                .arg(&seat.lock)
                .arg(seat.database),
        )
        .await?;
    let words = reply(value)?;
    let unknown = || unexpected("unknown answer at the barrier");
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["waiting", ready] => Ok(Barrier::Waiting {
            ready: ready.parse().map_err(|_| unknown())?,
            planned: seat.planned,
        }),
        ["start", at] => Ok(Barrier::Start {
            at_microseconds: at.parse().map_err(|_| unknown())?,
        }),
        ["too late"] => Ok(Barrier::TooLate),
        ["stopped", reason] => Ok(Barrier::Stopped(reason.to_owned())),
        ["phase gone"] => Ok(Barrier::PhaseGone),
        _ => Err(unknown()),
    }
}
