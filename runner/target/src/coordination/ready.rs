//! Saying that a dyno is ready: connected, prefilled, waiting for the common start.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{Seat, reply, unexpected};

const SCRIPT: &str = include_str!("ready.lua");

/// How that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The dyno is among the ready ones.
    Marked,
    /// The dyno belongs to another pod by now: its uid, empty if to none.
    HeldBy(String),
    /// The run has started without this pod.
    TooLate,
    /// The run's phase is not there: not the Redis that the preflight saw.
    PhaseGone,
}

/// Puts the dyno among the ready ones. It must have been claimed.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn mark_ready(connection: &mut Connection, seat: &Seat) -> RedisResult<Ready> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(SCRIPT)
                .arg(4)
                .arg(seat.keys.phase())
                .arg(seat.keys.claim(&seat.dyno))
                .arg(seat.keys.ready())
                .arg(seat.keys.start())
                .arg(seat.dyno.to_string())
                .arg(&seat.pod)
                .arg(seat.until_start_seconds),
        )
        .await?;
    let words = reply(value)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["marked"] => Ok(Ready::Marked),
        ["held", holder] => Ok(Ready::HeldBy(holder.to_owned())),
        ["too late"] => Ok(Ready::TooLate),
        ["phase gone"] => Ok(Ready::PhaseGone),
        _ => Err(unexpected("unknown answer to getting ready")),
    }
}
