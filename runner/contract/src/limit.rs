//! Limits are counted, not read off histograms.
//!
//! Every dyno counts exactly how many of its tasks were over each latency limit. A percentile p
//! holds if and only if the sum of those counts is at most floor((1 - p) N), where N is the number
//! of tasks scheduled in the window (for a step: of tasks whose step began). Counts merge by
//! addition over any number of dynos and are exact to the microsecond.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Percentile;

/// How many of `total` may be over the limit while the percentile still holds: floor((1 - p) N).
pub fn allowed_over(percentile: Percentile, total: u64) -> u64 {
    let share = u128::from(100_000 - percentile.thousandths());
    u64::try_from(share * u128::from(total) / 100_000).unwrap_or(u64::MAX)
}

/// How many failures an errors limit allows of `total` scheduled tasks, rounded down.
pub fn allowed_errors(max_per_million: u32, total: u64) -> u64 {
    u64::try_from(u128::from(max_per_million) * u128::from(total) / 1_000_000).unwrap_or(u64::MAX)
}

/// What a dyno counted of one latency limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitCount {
    /// Tasks over the limit: completed ones that took longer, all failed and timed-out ones, and
    /// unfinished ones whose age at the end was already over it.
    pub over: u64,
    /// Those of them that would not have been over it had the dyno's own load threads never been
    /// late: at most `over`. Left out where it is 0; whether it was counted at all, the report's
    /// [`crate::report::Lateness`] tells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excused: u64,
    /// Unfinished tasks that might still have ended in time: nobody can say.
    pub unknown: u64,
    /// N: tasks scheduled in the window, or, for a step, tasks whose step began.
    pub total: u64,
}

/// The signature is serde's.
#[expect(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LimitCount {
    /// Tasks that were over the limit and would have been so with the dyno's own load threads on
    /// time: the target's doing.
    pub const fn on_time(&self) -> u64 {
        self.over.saturating_sub(self.excused)
    }

    /// Adds what another dyno counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            over: self.over.saturating_add(other.over),
            excused: self.excused.saturating_add(other.excused),
            unknown: self.unknown.saturating_add(other.unknown),
            total: self.total.saturating_add(other.total),
        }
    }
}

/// Whether a limit held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Holding {
    /// It held, whatever became of the unfinished tasks.
    Held,
    /// It is broken, whatever became of the unfinished tasks.
    Breached,
    /// The unfinished tasks decide, and nobody knows what became of them.
    Unknown,
}

/// Whether a count holds against what is allowed.
pub const fn holding(count: LimitCount, allowed: u64) -> Holding {
    if count.over > allowed {
        Holding::Breached
    } else if count.over.saturating_add(count.unknown) > allowed {
        Holding::Unknown
    } else {
        Holding::Held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_allowed_is_rounded_down() {
        for (percentile, total, allowed) in [
            (Percentile::P99, 0, 0),
            (Percentile::P99, 99, 0),
            (Percentile::P99, 100, 1),
            (Percentile::P99, 480_000, 4_800),
            (Percentile::P999, 999, 0),
            (Percentile::P999, 1_999, 1),
            (Percentile::P50, 3, 1),
            (Percentile::P99, u64::MAX, u64::MAX / 100),
        ] {
            assert_eq!(
                allowed_over(percentile, total),
                allowed,
                "{percentile} of {total}"
            );
        }
        for (max_per_million, total, allowed) in [
            (0, u64::MAX, 0),
            (1, 999_999, 0),
            (1, 1_000_000, 1),
            (100, 480_000, 48),
            (u32::MAX, u64::MAX, u64::MAX),
        ] {
            assert_eq!(allowed_errors(max_per_million, total), allowed);
        }
    }

    #[test]
    fn unfinished_tasks_decide_only_where_they_can() {
        let count = |over, unknown| LimitCount {
            over,
            excused: 0,
            unknown,
            total: 1000,
        };
        for (over, unknown, expected) in [
            (0, 0, Holding::Held),
            (10, 0, Holding::Held),
            (9, 1, Holding::Held),
            (10, 1, Holding::Unknown),
            (0, 11, Holding::Unknown),
            (11, 0, Holding::Breached),
            (11, u64::MAX, Holding::Breached),
            (1, u64::MAX, Holding::Unknown),
        ] {
            assert_eq!(
                holding(count(over, unknown), 10),
                expected,
                "{over} {unknown}"
            );
        }
    }

    proptest! {
        /// Counting against a limit says the same as sorting and looking.
        #[test]
        fn counting_agrees_with_sorting(
            mut samples in prop::collection::vec(1_u64..1000, 1..300),
            at in 0_usize..300,
            aside in -1_i64..=1,
            thousandths in 1_u32..100_000,
        ) {
            let percentile = Percentile::try_from(thousandths).unwrap();
            let limit = samples[at % samples.len()].saturating_add_signed(aside);
            let total = samples.len() as u64;
            let count = |samples: &[u64]| LimitCount {
                over: samples.iter().filter(|sample| **sample > limit).count() as u64,
                excused: 0,
                unknown: 0,
                total: samples.len() as u64,
            };
            // Whoever counted how many of them.
            let (left, right) = samples.split_at(at % samples.len());
            let merged = count(left).plus(count(right));
            prop_assert_eq!(merged, count(&samples));
            let allowed = allowed_over(percentile, total);
            samples.sort_unstable();
            let at_most = usize::try_from(total - allowed).unwrap();
            let expected = if samples[at_most - 1] <= limit { Holding::Held } else { Holding::Breached };
            prop_assert_eq!(holding(merged, allowed), expected);
        }

        #[test]
        fn no_number_panics(over: u64, unknown: u64, total: u64, allowed: u64, max_per_million: u32, thousandths in 1_u32..100_000) {
            let count = LimitCount { over, excused: over / 2, unknown, total };
            holding(count.plus(count), allowed);
            prop_assert!(allowed_over(Percentile::try_from(thousandths).unwrap(), total) <= total);
            allowed_errors(max_per_million, total);
        }
    }
}
