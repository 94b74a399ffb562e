//! Whether a load thread gets on: what the system tells of it, and when it slept.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use redyno_engine::Clocks;
use rustix::time::{ClockId, clock_gettime};

use crate::observe::control_group::ControlGroup;

/// What a load thread can know of how it gets on. Used on that thread alone.
pub trait Attention: Clocks {
    /// The last sleep of the thread, if there was any since this was last asked.
    fn slept(&self) -> Option<Sleep>;
}

/// A sleep of a load thread: nothing was there for it to do.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// When it began.
    pub from: Instant,
    /// When it ended.
    pub until: Instant,
    /// How long those were that came before it and were not told of, in nanoseconds.
    pub before_nanoseconds: u64,
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
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(cpu.tv_nsec).unwrap_or(0)
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
    began: Cell<Option<Instant>>,
    /// The last one that is over, unless somebody has asked since.
    last: Cell<Option<(Instant, Instant)>>,
    /// How long those before it were, in nanoseconds.
    before_nanoseconds: Cell<u64>,
}

impl Sleeps {
    const fn new() -> Self {
        Self {
            began: Cell::new(None),
            last: Cell::new(None),
            before_nanoseconds: Cell::new(0),
        }
    }

    fn begin(&self) {
        self.began.set(Some(Instant::now()));
    }

    fn end(&self) {
        let Some(began) = self.began.take() else {
            return;
        };
        if let Some((from, until)) = self.last.replace(Some((began, Instant::now()))) {
            let nanoseconds = u64::try_from((until - from).as_nanos()).unwrap_or(u64::MAX);
            let before = self.before_nanoseconds.get();
            self.before_nanoseconds
                .set(before.saturating_add(nanoseconds));
        }
    }

    fn take(&self) -> Option<Sleep> {
        let (from, until) = self.last.take()?;
        Some(Sleep {
            from,
            until,
            before_nanoseconds: self.before_nanoseconds.take(),
        })
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

    #[test]
    fn a_sleep_is_told_once_and_those_before_it_with_it() {
        let sleeps = Sleeps::new();
        assert!(sleeps.take().is_none());
        for milliseconds in [3, 2] {
            sleeps.begin();
            std::thread::sleep(Duration::from_millis(milliseconds));
            sleeps.end();
        }
        let sleep = sleeps.take().unwrap();
        assert!(sleep.until - sleep.from >= Duration::from_millis(2));
        assert!(sleep.before_nanoseconds >= 3_000_000);
        assert!(sleeps.take().is_none());
    }
}
