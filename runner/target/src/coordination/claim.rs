//! Becoming a dyno: Kubernetes may start one twice, and only one of the two may run.

use redis::RedisResult;

use crate::connect::Connection;
use crate::coordination::{Seat, reply, unexpected};

const SCRIPT: &str = include_str!("claim.lua");

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This pod is the dyno, now or already.
    Claimed,
    /// Another pod is: its uid.
    HeldBy(String),
    /// The run's phase is not there: not the Redis that the preflight saw.
    PhaseGone,
}

/// Claims the dyno for this pod.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn claim(connection: &mut Connection, seat: &Seat) -> RedisResult<Claim> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(SCRIPT)
                .arg(2)
                .arg(seat.keys.phase())
                .arg(seat.keys.claim(&seat.dyno))
                .arg(&seat.pod)
                .arg(seat.until_start_seconds),
        )
        .await?;
    let words = reply(value)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["claimed"] => Ok(Claim::Claimed),
        ["held", holder] => Ok(Claim::HeldBy(holder.to_owned())),
        ["phase gone"] => Ok(Claim::PhaseGone),
        _ => Err(unexpected("unknown answer to a claim")),
    }
}
