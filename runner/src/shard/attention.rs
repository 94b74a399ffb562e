//! Whether a load thread gets on: what the system tells of it, and when it slept.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use redyno_engine::{Clocks, CpuQuota};
use rustix::time::{ClockId, clock_gettime};

use crate::observe::control_group::ControlGroup;

/// What a load thread can know of how it gets on. Used on that thread alone.
pub trait Attention: Clocks {
    /// When the thread slept since this was last asked, if it did.
    fn slept(&self) -> Option<Sleep>;
}

/// A sleep of a load thread: nothing was there for it to do. Whatever woke it in between, such as a
/// signal or a part of a reply, gave it nothing to look at.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// When it began.
    pub from: Instant,
    /// When it ended.
    pub until: Instant,
}

/// The thread that asks for it, in this process.
#[derive(Debug)]
pub(crate) struct ThisThread {
    /// Tells of the time that the thread was on a CPU, and that it waited for one.
    scheduler: Option<File>,
    group: ControlGroup,
}

impl ThisThread {
    /// Whose process is in this control group.
    pub(crate) fn new(group: ControlGroup) -> Self {
        let scheduler = File::open("/proc/thread-self/schedstat")
            .inspect_err(|error| tracing::debug!(%error, "the scheduler does not tell who waits"))
            .ok();
        Self { scheduler, group }
    }
}

impl Clocks for ThisThread {
    fn cpu_nanoseconds(&self) -> u64 {
        used_nanoseconds(ClockId::ThreadCPUTime)
    }

    fn waited_nanoseconds(&self) -> Option<u64> {
        let mut text = [0; 96];
        let read = self.scheduler.as_ref()?.read_at(&mut text, 0).ok()?;
        waited(std::str::from_utf8(text.get(..read)?).ok()?)
    }

    fn throttled_nanoseconds(&self) -> u64 {
        let throttling = self.group.throttling();
        throttling.throttled_microseconds.saturating_mul(1000)
    }

    fn quota(&self) -> Option<CpuQuota> {
        self.group.cpu_quota
    }

    /// Nothing else than this process runs in a dyno.
    fn dyno_cpu_nanoseconds(&self) -> u64 {
        used_nanoseconds(ClockId::ProcessCPUTime)
    }
}

/// CPU time that a clock has counted, in nanoseconds.
fn used_nanoseconds(clock: ClockId) -> u64 {
    let cpu = clock_gettime(clock);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(cpu.tv_nsec).unwrap_or(0)
}

impl Attention for ThisThread {
    fn slept(&self) -> Option<Sleep> {
        SLEEPS.with(Sleeps::take)
    }
}

/// The second number of `schedstat`: on a CPU, waiting for one, turns.
fn waited(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().nth(1)?.parse().ok()
}

thread_local! {
    static SLEEPS: Sleeps = const { Sleeps::new() };
}

/// To be called whenever the runtime of this thread goes to sleep.
pub(crate) fn falls_asleep() {
    SLEEPS.with(Sleeps::begin);
}

/// To be called whenever it has woken up.
pub(crate) fn wakes_up() {
    SLEEPS.with(Sleeps::end);
}

/// When a thread slept.
#[derive(Debug)]
struct Sleeps {
    /// When the one that is going on began.
    began: Cell<Option<Instant>>,
    /// Those that are over since somebody has asked.
    over: Cell<Option<Sleep>>,
}

impl Sleeps {
    const fn new() -> Self {
        Self {
            began: Cell::new(None),
            over: Cell::new(None),
        }
    }

    fn begin(&self) {
        self.began.set(Some(Instant::now()));
    }

    fn end(&self) {
        let Some(began) = self.began.take() else {
            return;
        };
        self.over.set(Some(Sleep {
            from: self.over.get().map_or(began, |before| before.from),
            until: Instant::now(),
        }));
    }

    fn take(&self) -> Option<Sleep> {
        self.over.take()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_scheduler_s_second_number_is_read() {
        assert_eq!(waited("477244910 1080149513 148\n"), Some(1_080_149_513));
        assert_eq!(waited("477244910"), None);
        assert_eq!(waited("1 x 2"), None);
    }

    #[test]
    fn this_thread_s_clocks_go() {
        let clocks = ThisThread::new(ControlGroup::default());
        let before = clocks.cpu_nanoseconds();
        let begun = Instant::now();
        while clocks.cpu_nanoseconds() == before {
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
        assert_eq!(clocks.throttled_nanoseconds(), 0);
    }

    /// A process that is told to go on after it was stopped wakes up twice: by the signal, and by
    /// what has come meanwhile.
    #[test]
    fn a_sleep_is_told_once_whatever_disturbed_it() {
        let sleeps = Sleeps::new();
        assert!(sleeps.take().is_none());
        for milliseconds in [3, 2] {
            sleeps.begin();
            std::thread::sleep(Duration::from_millis(milliseconds));
            sleeps.end();
        }
        let sleep = sleeps.take().unwrap();
        assert!(sleep.until - sleep.from >= Duration::from_millis(5));
        assert!(sleeps.take().is_none());
    }
}
