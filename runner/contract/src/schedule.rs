//! When tasks are due: exact rational arithmetic, no accumulated interval.
//!
//! With N dynos of a type, task n of dyno i is due at (n N + i) / (N rate) after the start of the
//! window. The dynos are staggered by 1 / (N rate), so that together they form one even stream:
//! in phase they would measure the bursts that they make themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const NANOSECONDS: u128 = 1_000_000_000;

/// An exact rate: `tasks` in every `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Tasks, 0 or more.
    tasks: u32,
    /// In this many seconds, 1 to 10,000.
    seconds: std::num::NonZeroU32,
}

impl Rate {
    /// So many tasks every second.
    pub const fn per_second(tasks: u32) -> Self {
        Self {
            tasks,
            seconds: std::num::NonZeroU32::MIN,
        }
    }

    /// This percentage of it, exactly.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        // Reduced first, so that percentages of percentages stay small.
        let tasks = u64::from(self.tasks) * u64::from(percent);
        let seconds = u64::from(self.seconds.get()) * 100;
        let divisor = greatest_common_divisor(tasks, seconds);
        let narrow = |value: u64| u32::try_from(value / divisor).unwrap_or(u32::MAX);
        Self {
            tasks: narrow(tasks),
            seconds: std::num::NonZeroU32::new(narrow(seconds))
                .unwrap_or(std::num::NonZeroU32::MIN),
        }
    }

    /// For showing only; schedules use the exact value.
    pub fn tasks_per_second(self) -> f64 {
        f64::from(self.tasks) / f64::from(self.seconds.get())
    }
}

fn greatest_common_divisor(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.max(1)
}

/// The due times of one dyno in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    rate: Rate,
    index: u32,
    quantity: u32,
    window_seconds: u32,
}

impl Schedule {
    /// The schedule of dyno `index` of `quantity`, each with `rate`, in a window of so many seconds.
    pub const fn new(rate: Rate, index: u32, quantity: u32, window_seconds: u32) -> Self {
        Self {
            rate,
            index,
            quantity,
            window_seconds,
        }
    }

    /// When task `number` (from 0) is due: nanoseconds after the window's start, rounded down.
    /// Rounding down keeps "due before the window's end" the same for the exact and the rounded time.
    /// None if the rate is 0 or the task lies outside the window.
    pub fn due(&self, number: u64) -> Option<u64> {
        if number >= self.count() {
            return None;
        }
        let position = u128::from(number) * u128::from(self.quantity) + u128::from(self.index);
        let nanoseconds = position * u128::from(self.rate.seconds.get()) * NANOSECONDS
            / (u128::from(self.quantity) * u128::from(self.rate.tasks));
        u64::try_from(nanoseconds).ok()
    }

    /// How many tasks are due in the window: the number of n with (n N + i) / (N rate) < length.
    pub fn count(&self) -> u64 {
        if self.rate.tasks == 0 {
            return 0;
        }
        // n N + i < length * N * tasks / seconds, so n < (length * N * tasks - i * seconds) / (N * seconds)
        let seconds = u128::from(self.rate.seconds.get());
        let whole = u128::from(self.window_seconds)
            * u128::from(self.quantity)
            * u128::from(self.rate.tasks);
        let shift = u128::from(self.index) * seconds;
        let count = whole
            .saturating_sub(shift)
            .div_ceil(u128::from(self.quantity) * seconds);
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// How many tasks are due up to and including `nanoseconds` after the window's start.
    pub fn due_until(&self, nanoseconds: u64) -> u64 {
        // Due times never decrease with n, so the answer is a partition point.
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.due(middle).is_some_and(|due| due <= nanoseconds) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Length of the window in nanoseconds.
    pub fn window_nanoseconds(&self) -> u64 {
        u64::from(self.window_seconds) * 1_000_000_000
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
