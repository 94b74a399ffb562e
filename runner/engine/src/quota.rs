//! Whether a CPU quota held the dyno back, told by how much of it was used.
//!
//! The kernel tells of a group how long its quota held it back, but a quota may hold a group back
//! that cannot be seen from within: a pod's own group, above that of its container, has the same
//! quota, and the kernel throttles whichever of the two is used up first. Either way the dyno has used
//! its quota, and that shows from within.

use std::collections::VecDeque;

use crate::Moment;

/// How much CPU time may be used in each period, by all threads together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuQuota {
    /// So much CPU time, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// In each period of this length, in nanoseconds.
    pub period_nanoseconds: u64,
}

/// When a quota is used up, at least this share of it shows as used: the kernel hands it to the CPUs
/// in slices, and the rest of a slice may get lost.
const USED_UP_PERCENT: u64 = 80;

/// How many looks are remembered. Some hundred a second make this several periods of 100 ms.
const REMEMBERED: usize = 256;

/// The CPU time that the whole dyno had used by some moments, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Uses(VecDeque<(Moment, u64)>);

impl Uses {
    /// So much was used by now.
    pub(crate) fn add(&mut self, now: Moment, used_nanoseconds: u64) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((now, used_nanoseconds));
    }

    /// Whether the quota was used up in the periods that a delay of this length spans, counted back
    /// from the last look: then the delay ended because a new period began. A period may begin in debt,
    /// because the one before used more than its quota. So the same is asked of one period more.
    pub(crate) fn used_up(&self, quota: CpuQuota, delay_nanoseconds: u64) -> bool {
        let periods = delay_nanoseconds.div_ceil(quota.period_nanoseconds.max(1));
        [periods, periods + 1].into_iter().any(|periods| {
            self.used_in(quota.period_nanoseconds.saturating_mul(periods))
                .is_some_and(|used| {
                    let allowed = quota.cpu_nanoseconds.saturating_mul(periods);
                    used.saturating_mul(100) >= allowed.saturating_mul(USED_UP_PERCENT)
                })
        })
    }

    /// What was used in so long before the last look; None if nobody looked so long ago.
    fn used_in(&self, nanoseconds: u64) -> Option<u64> {
        let (now, used) = *self.0.back()?;
        let since = now.nanoseconds().checked_sub(nanoseconds)?;
        let after = self
            .0
            .partition_point(|(moment, _)| moment.nanoseconds() <= since);
        let (before, used_before) = *self.0.get(after.checked_sub(1)?)?;
        let (next, used_next) = *self.0.get(after)?;
        // Between two looks it was used evenly, as far as anybody knows.
        let share = u128::from(used_next.saturating_sub(used_before))
            * u128::from(since - before.nanoseconds())
            / u128::from(next.nanoseconds_since(before).max(1));
        let used_then = used_before.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
        Some(used.saturating_sub(used_then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// A tenth of a core.
    const TENTH: CpuQuota = CpuQuota {
        cpu_nanoseconds: 10 * MILLISECOND,
        period_nanoseconds: 100 * MILLISECOND,
    };

    fn uses(looks: &[(u64, u64)]) -> Uses {
        let mut uses = Uses::default();
        for (milliseconds, used) in looks {
            let moment = Moment::from_nanoseconds(milliseconds * MILLISECOND);
            uses.add(moment, used * MILLISECOND);
        }
        uses
    }

    #[test]
    fn a_quota_that_was_used_up_explains_what_came_before_a_new_period() {
        for (name, looks, delay, expected) in [
            (
                "used up",
                &[(0, 0), (100, 0), (110, 10), (200, 10)][..],
                90,
                true,
            ),
            (
                "in debt",
                &[(0, 0), (14, 14), (100, 14), (106, 20), (200, 20)],
                94,
                true,
            ),
            (
                "half used",
                &[(0, 0), (100, 2), (150, 7), (200, 7)],
                44,
                false,
            ),
            (
                "idle before a stop",
                &[(0, 0), (300, 1), (344, 1)],
                44,
                false,
            ),
            (
                "two periods",
                &[(0, 0), (100, 0), (110, 10), (300, 20)],
                190,
                true,
            ),
            (
                "nobody looked so long ago",
                &[(190, 0), (200, 10)],
                9,
                false,
            ),
            ("nobody looked", &[], 9, false),
        ] {
            let delay = delay * MILLISECOND;
            assert_eq!(uses(looks).used_up(TENTH, delay), expected, "{name}");
        }
    }

    #[test]
    fn what_was_used_between_two_looks_was_used_evenly() {
        let uses = uses(&[(0, 0), (100, 50), (200, 60)]);
        for (milliseconds, used) in [
            (100, Some(10)),
            (150, Some(35)),
            (200, Some(60)),
            (201, None),
        ] {
            assert_eq!(
                uses.used_in(milliseconds * MILLISECOND),
                used.map(|used| used * MILLISECOND),
                "{milliseconds}"
            );
        }
    }

    #[test]
    fn old_looks_are_forgotten() {
        let mut uses = Uses::default();
        for milliseconds in 0..1000 {
            uses.add(Moment::from_nanoseconds(milliseconds * MILLISECOND), 0);
        }
        assert_eq!(uses.0.len(), REMEMBERED);
    }
}
