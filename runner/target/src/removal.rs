//! Removing keys by their names, and counting those that are there.

use redis::aio::ConnectionLike;
use redis::{Pipeline, RedisResult, Value};

use crate::connect::Connection;

/// Keys in one command: well under a millisecond of the server's time each, so that whoever else
/// uses it hardly notices.
const KEYS_PER_COMMAND: usize = 500;

/// Commands in one write.
const COMMANDS_PER_WRITE: usize = 8;

/// Removes these keys; adds to `removed` as it goes, so that a failure half-way still tells how many
/// are gone.
///
/// # Errors
/// The first error that the server answered, or how the connection failed.
pub async fn remove(
    connection: &mut Connection,
    keys: impl Iterator<Item = String>,
    removed: &mut u64,
) -> RedisResult<()> {
    each("UNLINK", connection, keys, removed).await
}

/// Counts those of these keys that are there.
///
/// # Errors
/// The first error that the server answered, or how the connection failed.
pub(crate) async fn count(
    connection: &mut Connection,
    keys: impl Iterator<Item = String>,
) -> RedisResult<u64> {
    let mut there = 0;
    each("EXISTS", connection, keys, &mut there).await?;
    Ok(there)
}

/// Runs a command on all the keys, which answers with a number, and adds these up.
async fn each(
    command: &str,
    connection: &mut Connection,
    keys: impl Iterator<Item = String>,
    sum: &mut u64,
) -> RedisResult<()> {
    let mut keys = keys.peekable();
    while keys.peek().is_some() {
        let mut pipeline = Pipeline::new();
        let mut commands = 0;
        for _ in 0..COMMANDS_PER_WRITE {
            let batch: Vec<String> = keys.by_ref().take(KEYS_PER_COMMAND).collect();
            if batch.is_empty() {
                break;
            }
            pipeline.cmd(command).arg(batch);
            commands += 1;
        }
        // Each reply by itself: the library's own error of a pipeline is no text for people.
        let replies = connection
            .req_packed_commands(&pipeline, 0, commands)
            .await?;
        for reply in replies {
            if let Value::Int(number) = reply.extract_error()? {
                *sum += u64::try_from(number).unwrap_or(0);
            }
        }
    }
    Ok(())
}
