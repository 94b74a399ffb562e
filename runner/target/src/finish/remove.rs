//! Removing the run's data by enumeration.

use redis::RedisResult;
use redyno_contract::Plan;

use crate::connect::Connection;
use crate::keys;

/// Keys in one UNLINK: well under a millisecond of the server's time each, so that whoever else
/// uses it hardly notices.
const KEYS_PER_COMMAND: usize = 500;

/// Commands in one write.
const COMMANDS_PER_WRITE: usize = 8;

/// Removes every data key that the run can have made; adds to `removed` as it goes, so that a
/// failure half-way still tells how many are gone.
pub(super) async fn data(
    connection: &mut Connection,
    plan: &Plan,
    removed: &mut u64,
) -> RedisResult<()> {
    let mut keys = keys::all_data_keys(plan).peekable();
    while keys.peek().is_some() {
        let mut pipeline = redis::pipe();
        for _ in 0..COMMANDS_PER_WRITE {
            let batch: Vec<String> = keys.by_ref().take(KEYS_PER_COMMAND).collect();
            if batch.is_empty() {
                break;
            }
            pipeline.cmd("UNLINK").arg(batch);
        }
        let counts: Vec<u64> = pipeline.query_async(connection).await?;
        *removed += counts.iter().sum::<u64>();
    }
    Ok(())
}
