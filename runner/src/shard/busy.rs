//! How busy a load thread is.

use redyno_engine::ThreadTime;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

/// What the calling thread, which must be the only one of a runtime, has spent so far.
pub(crate) fn of_this_thread() -> ThreadTime {
    let awake = Handle::current().metrics().worker_total_busy_duration(0);
    let cpu = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or(0);
    ThreadTime {
        awake_nanoseconds: u64::try_from(awake.as_nanos()).unwrap_or(u64::MAX),
        cpu_nanoseconds: seconds * 1_000_000_000 + nanoseconds,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::task::LocalSet;

    use super::*;

    /// As a load thread runs it: everything within a `LocalSet`.
    #[test]
    fn work_counts_and_waiting_does_not() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (idle, busy) = LocalSet::new().block_on(&runtime, async {
            let wait = || tokio::time::sleep(Duration::from_millis(50));
            // What was before the first wait is counted only once it begins.
            wait().await;
            let before = of_this_thread();
            wait().await;
            let between = of_this_thread();
            tokio::task::spawn_local(async {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(50) {}
            })
            .await
            .unwrap();
            wait().await;
            let after = of_this_thread();
            let awake = |from: ThreadTime, to: ThreadTime| {
                Duration::from_nanos(to.awake_nanoseconds - from.awake_nanoseconds)
            };
            (awake(before, between), awake(between, after))
        });
        assert!(busy >= Duration::from_millis(50), "{busy:?}");
        assert!(idle < busy, "{idle:?} {busy:?}");
    }
}
