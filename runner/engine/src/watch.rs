//! Telling a load thread's own delays from what it did and from what it waited for.
//!
//! Three things show that a thread did not get on though it should have. It slept, and a timer that
//! should have woken it was over 1 ms late. Or it was awake, and between two of its looks at the
//! clock more than 1 ms passed that it was not on a CPU. From both is taken what the dyno's CPU
//! quota kept it from, so far as the kernel tells or the quota was used up: that is the size under
//! test.
//!
//! How much of a sleep with a late timer was a delay, the scheduler tells, where it does: the time
//! for which the thread could have run and others did. Where that does not explain it, because the
//! process or its machine was stopped, the whole sleep counts: whatever came in it was not read.

use crate::Moment;
use crate::delay::{Delay, LEAST_DELAY_NANOSECONDS};
use crate::quota::{CpuQuota, Uses};

/// What the system tells of a thread. Asking costs a system call or more.
pub trait Clocks {
    /// CPU time that the thread has used, in nanoseconds.
    fn cpu_nanoseconds(&self) -> u64;

    /// How long the thread could have run and did not, in nanoseconds; None where nobody tells.
    fn waited_nanoseconds(&self) -> Option<u64>;

    /// How long the dyno's CPU quota has held it back, so far as its own group tells, in nanoseconds.
    fn throttled_nanoseconds(&self) -> u64;

    /// The dyno's CPU quota; None without one.
    fn quota(&self) -> Option<CpuQuota>;

    /// CPU time that all threads of the dyno have used, in nanoseconds.
    fn dyno_cpu_nanoseconds(&self) -> u64;
}

impl<C: Clocks + ?Sized> Clocks for Box<C> {
    fn cpu_nanoseconds(&self) -> u64 {
        self.as_ref().cpu_nanoseconds()
    }

    fn waited_nanoseconds(&self) -> Option<u64> {
        self.as_ref().waited_nanoseconds()
    }

    fn throttled_nanoseconds(&self) -> u64 {
        self.as_ref().throttled_nanoseconds()
    }

    fn quota(&self) -> Option<CpuQuota> {
        self.as_ref().quota()
    }

    fn dyno_cpu_nanoseconds(&self) -> u64 {
        self.as_ref().dyno_cpu_nanoseconds()
    }
}

/// Watches one load thread.
#[derive(Debug)]
pub struct Watch<C> {
    clocks: C,
    /// When the thread last got on.
    last: Moment,
    /// How long it has slept, in nanoseconds.
    asleep_nanoseconds: u64,
    looked: Looked,
    throttled_nanoseconds: u64,
    quota: Option<CpuQuota>,
    uses: Uses,
}

/// The last look at the clocks.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the unit belongs to each of them"
)]
struct Looked {
    awake_nanoseconds: u64,
    cpu_nanoseconds: u64,
    waited_nanoseconds: Option<u64>,
}

impl<C: Clocks> Watch<C> {
    /// Of a thread that is awake.
    pub fn new(clocks: C, now: Moment) -> Self {
        let looked = Looked {
            awake_nanoseconds: now.nanoseconds(),
            cpu_nanoseconds: clocks.cpu_nanoseconds(),
            waited_nanoseconds: clocks.waited_nanoseconds(),
        };
        let mut watch = Self {
            throttled_nanoseconds: clocks.throttled_nanoseconds(),
            quota: clocks.quota(),
            clocks,
            last: now,
            asleep_nanoseconds: 0,
            looked,
            uses: Uses::default(),
        };
        watch.look_at_quota(now);
        watch
    }

    /// What tells of the thread.
    pub const fn clocks(&self) -> &C {
        &self.clocks
    }

    /// The thread gets on, awake since its last look. The delay that this shows, if any.
    #[inline]
    pub fn gets_on(&mut self, now: Moment) -> Option<Delay> {
        let from = self.last;
        self.last = from.max(now);
        if now.nanoseconds_since(from) <= LEAST_DELAY_NANOSECONDS {
            return None;
        }
        let own = self.off_cpu(from, now);
        self.held_back(from, now, own)
    }

    /// The thread has slept from then until now, and should have been woken by a timer at the
    /// latest at that moment. The delay that this shows, if any.
    pub fn wakes(&mut self, slept: Moment, now: Moment, timer: Option<Moment>) -> Option<Delay> {
        let from = self.last;
        // Between its last look and its sleep it may have been kept as well.
        let awake = if slept.nanoseconds_since(from) > LEAST_DELAY_NANOSECONDS {
            self.off_cpu(from, slept)
        } else {
            0
        };
        self.asleep_nanoseconds += now.nanoseconds_since(slept);
        self.last = now;
        let late = timer.map_or(0, |timer| now.nanoseconds_since(timer));
        let asleep = if late > LEAST_DELAY_NANOSECONDS {
            self.kept_asleep(now.nanoseconds_since(slept), late)
        } else {
            0
        };
        let since = if awake > 0 { from } else { slept };
        self.held_back(since, now, awake + asleep)
    }

    /// Looks at the clocks, so that what they tell next is about what comes now. To be called some
    /// hundred times a second.
    pub fn look(&mut self, now: Moment) {
        self.looked = Looked {
            awake_nanoseconds: self.awake(now),
            cpu_nanoseconds: self.clocks.cpu_nanoseconds(),
            waited_nanoseconds: self.clocks.waited_nanoseconds(),
        };
        self.look_at_quota(now);
    }

    fn look_at_quota(&mut self, now: Moment) {
        if self.quota.is_some() {
            self.uses.add(now, self.clocks.dyno_cpu_nanoseconds());
        }
    }

    fn awake(&self, now: Moment) -> u64 {
        now.nanoseconds().saturating_sub(self.asleep_nanoseconds)
    }

    /// How much of a time in which the thread was awake it was not on a CPU.
    fn off_cpu(&mut self, from: Moment, now: Moment) -> u64 {
        let before = self.looked;
        self.look(now);
        let awake = self
            .looked
            .awake_nanoseconds
            .saturating_sub(before.awake_nanoseconds);
        let cpu = self
            .looked
            .cpu_nanoseconds
            .saturating_sub(before.cpu_nanoseconds);
        awake.saturating_sub(cpu).min(now.nanoseconds_since(from))
    }

    /// How much of a sleep that a timer should have ended so long ago was a delay.
    fn kept_asleep(&mut self, asleep: u64, late: u64) -> u64 {
        let before = self.looked.waited_nanoseconds;
        self.looked.waited_nanoseconds = self.clocks.waited_nanoseconds();
        let waited = self
            .looked
            .waited_nanoseconds
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        match waited {
            Some(waited) if waited.saturating_add(LEAST_DELAY_NANOSECONDS) >= late => {
                waited.min(asleep)
            }
            Some(_) | None => asleep,
        }
    }

    /// The delay without what the dyno's quota held back; None if there is little left.
    fn held_back(&mut self, from: Moment, until: Moment, own_nanoseconds: u64) -> Option<Delay> {
        if own_nanoseconds <= LEAST_DELAY_NANOSECONDS {
            return None;
        }
        let throttled = self.clocks.throttled_nanoseconds();
        let before = std::mem::replace(&mut self.throttled_nanoseconds, throttled);
        let own_nanoseconds = own_nanoseconds.saturating_sub(throttled.saturating_sub(before));
        if own_nanoseconds <= LEAST_DELAY_NANOSECONDS {
            return None;
        }
        self.look_at_quota(until);
        let used_up = self
            .quota
            .is_some_and(|quota| self.uses.used_up(quota, own_nanoseconds));
        (!used_up).then_some(Delay {
            from,
            until,
            own_nanoseconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, Default)]
    struct Told {
        cpu: Cell<u64>,
        waited: Cell<Option<u64>>,
        throttled: Cell<u64>,
        quota: Option<CpuQuota>,
    }

    impl Clocks for &Told {
        fn cpu_nanoseconds(&self) -> u64 {
            self.cpu.get()
        }

        fn waited_nanoseconds(&self) -> Option<u64> {
            self.waited.get()
        }

        fn throttled_nanoseconds(&self) -> u64 {
            self.throttled.get()
        }

        fn quota(&self) -> Option<CpuQuota> {
            self.quota
        }

        fn dyno_cpu_nanoseconds(&self) -> u64 {
            self.cpu.get()
        }
    }

    /// Tenths of a millisecond, in nanoseconds.
    const TENTH: u64 = 100_000;

    fn at(tenths: u64) -> Moment {
        Moment::from_nanoseconds(tenths * TENTH)
    }

    fn delay(from: u64, until: u64, own: u64) -> Delay {
        Delay {
            from: at(from),
            until: at(until),
            own_nanoseconds: own * TENTH,
        }
    }

    #[test]
    fn what_was_not_on_a_cpu_between_two_looks_is_a_delay() {
        for (name, passes, cpu, throttled, expected) in [
            ("short", 10, 0, 0, None),
            ("at work", 100, 95, 0, None),
            ("others ran", 100, 20, 0, Some(delay(1000, 1100, 80))),
            ("others ran for long", 11, 0, 0, Some(delay(1000, 1011, 11))),
            ("throttled", 100, 20, 75, None),
            ("partly throttled", 100, 20, 50, Some(delay(1000, 1100, 30))),
        ] {
            let told = Told::default();
            let mut watch = Watch::new(&told, at(1000));
            told.cpu.set(cpu * TENTH);
            told.throttled.set(throttled * TENTH);
            assert_eq!(watch.gets_on(at(1000 + passes)), expected, "{name}");
            // Nothing is told twice.
            assert_eq!(watch.gets_on(at(1000 + passes + 1)), None, "{name}");
        }
    }

    #[test]
    fn a_sleep_with_a_late_timer_is_a_delay_and_one_without_is_none() {
        for (name, timer, waited, throttled, expected) in [
            ("no timer", None, None, 0, None),
            ("woken by others", Some(200), None, 0, None),
            ("in time", Some(95), None, 0, None),
            (
                "late, and nobody tells",
                Some(60),
                None,
                0,
                Some(delay(0, 100, 100)),
            ),
            (
                "late, others ran",
                Some(60),
                Some(45),
                0,
                Some(delay(0, 100, 45)),
            ),
            (
                "stopped: others ran for a little of it",
                Some(60),
                Some(20),
                0,
                Some(delay(0, 100, 100)),
            ),
            ("throttled", Some(60), Some(45), 40, None),
        ] {
            let told = Told::default();
            told.waited.set(waited.map(|_| 7));
            let mut watch = Watch::new(&told, at(0));
            told.waited
                .set(waited.map(|waited: u64| 7 + waited * TENTH));
            told.throttled.set(throttled * TENTH);
            let timer = timer.map(at);
            assert_eq!(watch.wakes(at(0), at(100), timer), expected, "{name}");
            assert_eq!(watch.gets_on(at(101)), None, "{name}");
        }
    }

    #[test]
    fn what_came_between_the_last_look_and_the_sleep_counts() {
        let told = Told::default();
        let mut watch = Watch::new(&told, at(0));
        assert_eq!(watch.wakes(at(50), at(100), None), Some(delay(0, 100, 50)));
        assert_eq!(watch.wakes(at(105), at(300), None), None);
    }

    #[test]
    fn what_is_long_past_is_not_held_against_what_comes() {
        let told = Told::default();
        let mut watch = Watch::new(&told, at(0));
        // A little is lost in each turn, and others run while it could, but it is looked at.
        for turn in 1..=100 {
            assert_eq!(watch.gets_on(at(turn * 10)), None);
            told.cpu.set(turn * 8 * TENTH);
            told.waited.set(Some(turn * 2 * TENTH));
            watch.look(at(turn * 10));
        }
        told.cpu.set(800 * TENTH + 45 * TENTH);
        assert_eq!(watch.gets_on(at(1050)), None);
    }

    /// The group above has the same quota, and nobody tells that it was throttled.
    #[test]
    fn a_quota_that_was_used_up_is_no_delay_whoever_tells_of_it() {
        for (name, used, expected) in [
            ("used up", 100, None),
            ("a third used", 30, Some(delay(1100, 2000, 900))),
        ] {
            let told = Told {
                quota: Some(CpuQuota {
                    cpu_nanoseconds: 100 * TENTH,
                    period_nanoseconds: 1000 * TENTH,
                }),
                ..Told::default()
            };
            let mut watch = Watch::new(&told, at(0));
            assert_eq!(watch.wakes(at(0), at(1000), None), None);
            watch.look(at(1000));
            told.cpu.set(used * TENTH);
            watch.look(at(1100));
            let own = watch.wakes(at(1100), at(2000), Some(at(1120)));
            assert_eq!(own, expected, "{name}");
        }
    }
}
