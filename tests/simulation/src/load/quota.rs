//! A dyno's CPU quota, as the kernel keeps it: so much in every 100 ms, over all threads. The pod's
//! group has the same quota as the container's: in one period of four it is the one that is
//! throttled, and the container's group tells nothing of it.

use std::collections::HashMap;

use redyno_engine::CpuQuota;
use redyno_runner::Throttling;

use super::time::{Frozen, MILLISECOND, Time};

const PERIOD: Time = 100 * MILLISECOND;

/// In one period of so many it is the pod's group that is throttled.
const UNTOLD: Time = 4;

/// A dyno's CPU quota.
#[derive(Debug)]
pub(super) struct Quota {
    /// Per period; None without a limit.
    budget: Option<Time>,
    used: HashMap<Time, Time>,
    used_time: Time,
    throttled: u64,
    held_time: Time,
    last_throttled: Option<Time>,
}

impl Quota {
    /// Of so many thousandths of a core.
    pub(super) fn new(cpu_millis: Option<u32>) -> Self {
        Self {
            budget: cpu_millis.map(|millis| PERIOD * Time::from(millis) / 1000),
            used: HashMap::new(),
            used_time: 0,
            throttled: 0,
            held_time: 0,
            last_throttled: None,
        }
    }

    /// When a thread has used so much CPU time, if it begins as soon as it can from `now` on.
    pub(super) fn run(&mut self, frozen: &Frozen, now: Time, work: Time) -> Time {
        let Some(budget) = self.budget else {
            return frozen.run(now, work);
        };
        let (mut now, mut left) = (frozen.available(now), work);
        while left > 0 {
            let period = now / PERIOD;
            let used = self.used.entry(period).or_default();
            let room = budget.saturating_sub(*used);
            let end = (period + 1) * PERIOD;
            if room == 0 {
                if !period.is_multiple_of(UNTOLD) {
                    if self.last_throttled != Some(period) {
                        self.throttled += 1;
                        self.last_throttled = Some(period);
                    }
                    self.held_time += end - now;
                }
                now = frozen.available(end);
                continue;
            }
            let slice = left
                .min(room)
                .min(frozen.next_stop(now) - now)
                .min(end - now);
            *used += slice;
            self.used_time += slice;
            left -= slice;
            now = frozen.available(now + slice);
        }
        now
    }

    /// For how long it has held threads back, so far as the container's group tells.
    pub(super) const fn held_back(&self) -> Time {
        self.held_time
    }

    /// How much all threads have used of it.
    pub(super) const fn used(&self) -> Time {
        self.used_time
    }

    /// What may be used.
    pub(super) fn quota(&self) -> Option<CpuQuota> {
        self.budget.map(|budget| CpuQuota {
            cpu_nanoseconds: budget,
            period_nanoseconds: PERIOD,
        })
    }

    /// What the control group tells by a time.
    pub(super) fn told(&self, now: Time) -> Throttling {
        Throttling {
            periods: if self.budget.is_some() {
                now / PERIOD
            } else {
                0
            },
            throttled: self.throttled.min(now / PERIOD),
            throttled_microseconds: self.held_time / 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_back_with_the_next_period_and_one_of_four_is_not_told() {
        let mut quota = Quota::new(Some(100));
        let free = Frozen::default();
        let ms = |count: Time| count * MILLISECOND;
        assert_eq!(quota.run(&free, ms(50), ms(10)), ms(60));
        assert_eq!(quota.run(&free, ms(70), ms(1)), ms(101));
        assert_eq!(quota.run(&free, ms(150), ms(25)), ms(306));
        assert_eq!(quota.told(ms(400)).throttled, 2);
        let frozen = Frozen::of(vec![(ms(401), ms(450))]);
        assert_eq!(quota.run(&frozen, ms(400), ms(5)), ms(454));
        assert_eq!(Quota::new(None).run(&free, 5, 7), 12);
    }
}
