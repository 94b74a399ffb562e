//! An absolute one-shot timer with the kernel's precision.
//!
//! The runtime's own sleep rounds up to whole milliseconds: arrivals would come in bursts of a
//! millisecond each, and half a millisecond late on average.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::machine::Timer;

/// An absolute one-shot timer. Must be made and used within a tokio runtime.
#[derive(Debug)]
pub struct SystemTimer {
    file: AsyncFd<OwnedFd>,
    /// The same moment by the two names of the monotonic clock.
    instant: Instant,
    monotonic: Duration,
}

impl SystemTimer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// What the kernel says: too many open files, most likely.
    pub(crate) fn new() -> io::Result<Self> {
        let file = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        // In this order: what passes between the two makes the timer late, never early.
        let instant = Instant::now();
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
        // Its successor is unsafe, for it asks for a promise about the file descriptor that an
        // OwnedFd keeps by its nature.
        #[allow(deprecated)]
        let file = AsyncFd::new(file)?;
        Ok(Self {
            file,
            instant,
            monotonic: Duration::new(seconds, nanoseconds),
        })
    }

    fn set(&self, instant: Instant) -> io::Result<()> {
        let at = match instant.checked_duration_since(self.instant) {
            Some(ahead) => self.monotonic + ahead,
            None => self
                .monotonic
                .saturating_sub(self.instant.duration_since(instant)),
        };
        // A time of zero would disarm the timer.
        let at = at.max(Duration::from_nanos(1));
        let setting = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(at.subsec_nanos()),
            },
        };
        timerfd_settime(self.file.get_ref(), TimerfdTimerFlags::ABSTIME, &setting)?;
        Ok(())
    }
}

impl Timer for SystemTimer {
    async fn wait_until(&self, instant: Instant) -> io::Result<()> {
        loop {
            self.set(instant)?;
            // The number of expirations is never read: setting the timer resets it, the runtime is
            // told of each one by an edge, and the clock says which setting it belonged to.
            self.file.readable().await?.clear_ready();
            // It may have been an earlier setting's. This one may have come too soon, too, for the
            // two names of a moment are not taken at the same moment; and it comes only once. So
            // the timer is set anew, or nothing would ever end this wait.
            if Instant::now() >= instant {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_fires_early_and_can_be_set_anew() {
        let timer = SystemTimer::new().unwrap();
        let far = Instant::now() + Duration::from_hours(1);
        tokio::select! {
            biased;
            result = timer.wait_until(far) => panic!("an hour passed: {result:?}"),
            () = tokio::task::yield_now() => {}
        }
        for ahead in [0, 1, 50, 700] {
            let at = Instant::now() + Duration::from_micros(ahead);
            timer.wait_until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
        let passed = Instant::now();
        timer.wait_until(passed).await.unwrap();
        timer.wait_until(passed).await.unwrap();
    }

    /// As if the thread had been put aside between the two looks at the clock.
    #[tokio::test]
    async fn an_expiration_that_comes_too_soon_is_not_the_last_one() {
        let early = Duration::from_millis(5);
        let mut timer = SystemTimer::new().unwrap();
        timer.monotonic -= early;
        let at = Instant::now() + 2 * early;
        tokio::time::timeout(Duration::from_secs(10), timer.wait_until(at))
            .await
            .expect("it ends")
            .unwrap();
        assert!(Instant::now() >= at);
    }
}
