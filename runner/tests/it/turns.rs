//! Tests whose verdict depends on who got the CPU take turns: side by side each would be the noise
//! of the other.

use tokio::sync::{Mutex, MutexGuard};

static MEASURING: Mutex<()> = Mutex::const_new(());

/// Waits for the turn, which lasts as long as what it gives.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    MEASURING.lock().await
}
