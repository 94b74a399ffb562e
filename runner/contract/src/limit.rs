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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitCount {
    /// Tasks over the limit: completed ones that took longer, all failed and timed-out ones, and
    /// unfinished ones whose age at the end was already over it.
    pub over: u64,
    /// Unfinished tasks that might still have ended in time: nobody can say.
    pub unknown: u64,
    /// N: tasks scheduled in the window, or, for a step, tasks whose step began.
    pub total: u64,
}

impl LimitCount {
    /// Adds what another dyno counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            over: self.over.saturating_add(other.over),
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
