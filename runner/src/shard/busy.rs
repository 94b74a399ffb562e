//! How busy a load thread is.

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

/// Time that a load thread has spent so far, by two clocks.
///
/// The runtime's own clock says how long the thread was awake: that holds time in which the system
/// let others run instead, but not the work of looking for what is ready to be read. The CPU time
/// holds the latter and not the former. What the thread did not spend waiting is at least as much
/// as either says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadTime {
    /// Between waking up and going to sleep.
    pub(crate) awake_nanoseconds: u64,
    /// On a CPU.
    pub(crate) cpu_nanoseconds: u64,
}

impl ThreadTime {
    /// That of the calling thread, which must be the only one of a runtime.
    pub(super) fn of_this_thread() -> Self {
        let awake = Handle::current().metrics().worker_total_busy_duration(0);
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or(0);
        Self {
            awake_nanoseconds: u64::try_from(awake.as_nanos()).unwrap_or(u64::MAX),
            cpu_nanoseconds: seconds * 1_000_000_000 + nanoseconds,
        }
    }

    /// What it has spent since an earlier look.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            awake_nanoseconds: self
                .awake_nanoseconds
                .saturating_sub(earlier.awake_nanoseconds),
            cpu_nanoseconds: self.cpu_nanoseconds.saturating_sub(earlier.cpu_nanoseconds),
        }
    }

    /// How busy it was since an earlier look, so many nanoseconds ago, in thousandths.
    pub(crate) fn per_mille_since(self, earlier: Self, nanoseconds: u64) -> u32 {
        let Self {
            awake_nanoseconds,
            cpu_nanoseconds,
        } = self.since(earlier);
        let busy = u128::from(awake_nanoseconds.max(cpu_nanoseconds)) * 1000;
        busy.checked_div(u128::from(nanoseconds))
            .map_or(0, |share| u32::try_from(share.min(1000)).unwrap_or(1000))
    }
}

/// The busiest of all load threads since an earlier look, in thousandths.
pub(crate) fn busiest(now: &[ThreadTime], earlier: &[ThreadTime], nanoseconds: u64) -> u32 {
    now.iter()
        .enumerate()
        .map(|(thread, time)| {
            let before = earlier.get(thread).copied().unwrap_or_default();
            time.per_mille_since(before, nanoseconds)
        })
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn the_busiest_thread_counts_by_the_clock_that_says_more() {
        let time = |awake_nanoseconds, cpu_nanoseconds| ThreadTime {
            awake_nanoseconds,
            cpu_nanoseconds,
        };
        let earlier = [time(100, 100), time(100, 50)];
        assert_eq!(
            busiest(&[time(300, 200), time(100, 350)], &earlier, 1000),
            300
        );
        assert_eq!(busiest(&[time(9000, 0)], &[], 1000), 1000);
        assert_eq!(busiest(&[], &[], 0), 0);
        assert_eq!(time(5, 5).per_mille_since(time(0, 0), 0), 0);
    }

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
            let before = ThreadTime::of_this_thread();
            wait().await;
            let between = ThreadTime::of_this_thread();
            tokio::task::spawn_local(async {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(50) {}
            })
            .await
            .unwrap();
            wait().await;
            let after = ThreadTime::of_this_thread();
            let awake = |from: ThreadTime, to: ThreadTime| {
                Duration::from_nanos(to.awake_nanoseconds - from.awake_nanoseconds)
            };
            (awake(before, between), awake(between, after))
        });
        assert!(busy >= Duration::from_millis(50), "{busy:?}");
        assert!(idle < busy, "{idle:?} {busy:?}");
    }
}
