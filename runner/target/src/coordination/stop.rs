//! Ending the run early for all its dynos.

use redis::aio::ConnectionLike;
use redis::{Pipeline, RedisResult, from_redis_value};

use crate::connect::Connection;
use crate::coordination::{Seat, reply, unexpected};
use crate::keys::RunKeys;

const SCRIPT: &str = include_str!("stop.lua");

/// What a dyno sees while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nothing: go on.
    Quiet,
    /// The run is to end: by whom and why, or anything if Redis was too full to keep the words.
    Stopped(String),
    /// The run's phase is gone: flushed, evicted, or not the Redis that the preflight saw.
    PhaseGone,
}

/// Tells all dynos to end. The first one to say so is the one that is remembered.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn set_stop(connection: &mut Connection, seat: &Seat, reason: &str) -> RedisResult<()> {
    let reason = format!("{}: {reason}", seat.dyno);
    end(connection, &seat.keys, &reason, seat.from_start_seconds).await
}

/// Tells all dynos of the run with these keys to end.
pub(crate) async fn end(
    connection: &mut Connection,
    keys: &RunKeys,
    reason: &str,
    seconds: u64,
) -> RedisResult<()> {
    let value = connection
        .send(
            redis::cmd("EVAL")
                .arg(SCRIPT)
                .arg(3)
                .arg(keys.stop())
                .arg(keys.start())
                .arg(keys.phase())
                .arg(reason)
                .arg(seconds),
        )
        .await?;
    match reply(value)?.first().map(String::as_str) {
        Some("stopped" | "was stopped") => Ok(()),
        _ => Err(unexpected("unknown answer to a stop")),
    }
}

/// Whether the run is to end.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn watch_stop(connection: &mut Connection, seat: &Seat) -> RedisResult<Watch> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("GET").arg(seat.keys.stop());
    pipeline.cmd("GET").arg(seat.keys.phase());
    // Each reply by itself: the library's own error of a pipeline is no text for people.
    let mut replies = connection
        .req_packed_commands(&pipeline, 0, 2)
        .await?
        .into_iter()
        .map(|reply| Ok(from_redis_value(reply.extract_error()?)?));
    let mut next = || -> RedisResult<Option<Vec<u8>>> { replies.next().unwrap_or(Ok(None)) };
    let (stop, phase) = (next()?, next()?);
    Ok(match (stop, phase) {
        (Some(reason), _) => Watch::Stopped(String::from_utf8_lossy(&reason).into_owned()),
        (None, Some(_)) => Watch::Quiet,
        (None, None) => Watch::PhaseGone,
    })
}
