//! When tasks are due: exact rational arithmetic, no accumulated interval.
//!
//! With N dynos of a type, task n of dyno i is due at (n N + i) / (N rate) after the start of the
//! window. The dynos are staggered by 1 / (N rate), so that together they form one even stream:
//! in phase they would measure the bursts that they make themselves.
//!
//! Poisson arrivals keep these counts. In every block of [`BLOCK`] tasks the times are those of a
//! Poisson process of which it is known that it has so many arrivals between the block's ends:
//! sums of exponential gaps, divided by their total. Over a longer time than a block's the rate is
//! therefore exact, so that what is scheduled, and what a percentile allows, follows from the plan
//! alone; a queue that empties at all does so many times within a block, and cannot tell.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::random::{Purpose, Random, Seed};

const NANOSECONDS: u128 = 1_000_000_000;

/// An exact rate: `tasks` in every `seconds`. Strict, unlike the rest of the plan: with a part that
/// nobody knows it would be another rate.
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

/// Tasks of which the times are drawn together, where they are random.
pub const BLOCK: u64 = 1024;

/// How the tasks of a window are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly.
    Constant,
    /// By exponential gaps.
    Poisson {
        /// The dyno's seed.
        seed: Seed,
        /// Which of its windows this is: each has gaps of its own.
        window: Window,
    },
}

/// The two windows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// [S, t0).
    Warmup,
    /// [t0, t0 + duration).
    Measured,
}

/// The due times of one dyno in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    rate: Rate,
    index: u32,
    quantity: u32,
    window_seconds: u32,
    spacing: Spacing,
}

impl Schedule {
    /// The schedule of dyno `index` of `quantity`, each with `rate`, in a window of so many
    /// seconds, evenly spaced.
    pub const fn new(rate: Rate, index: u32, quantity: u32, window_seconds: u32) -> Self {
        Self {
            rate,
            index,
            quantity,
            window_seconds,
            spacing: Spacing::Constant,
        }
    }

    /// The same, spaced so.
    #[must_use]
    pub const fn spaced(self, spacing: Spacing) -> Self {
        Self { spacing, ..self }
    }

    /// When task `number` (from 0) is due: nanoseconds after the window's start, rounded down.
    /// Rounding down keeps "due before the window's end" the same for the exact and the rounded time.
    /// None if the rate is 0 or the task lies outside the window.
    pub fn due(&self, number: u64) -> Option<u64> {
        if number >= self.count() {
            return None;
        }
        match self.spacing {
            Spacing::Constant => self.evenly(number),
            Spacing::Poisson { seed, window } => {
                let place = usize::try_from(number % BLOCK).ok()?;
                self.block(number / BLOCK, seed, window).get(place).copied()
            }
        }
    }

    /// All due times, in their order.
    pub fn due_times(self) -> DueTimes {
        DueTimes {
            schedule: self,
            next: 0,
            block: Vec::new(),
        }
    }

    /// When task `number` would be due, evenly spaced.
    fn evenly(&self, number: u64) -> Option<u64> {
        let position = u128::from(number) * u128::from(self.quantity) + u128::from(self.index);
        let nanoseconds = position * u128::from(self.rate.seconds.get()) * NANOSECONDS
            / (u128::from(self.quantity) * u128::from(self.rate.tasks));
        u64::try_from(nanoseconds).ok()
    }

    /// The due times of all tasks of a block.
    fn block(&self, block: u64, seed: Seed, window: Window) -> Vec<u64> {
        let (first, count) = (block * BLOCK, self.count());
        let tasks = count.saturating_sub(first).min(BLOCK);
        let starts = |number| self.evenly(number).unwrap_or_default();
        let start = if block == 0 { 0 } else { starts(first) };
        let end = if first + BLOCK < count {
            starts(first + BLOCK)
        } else {
            self.window_nanoseconds()
        };
        let purpose = match window {
            Window::Warmup => Purpose::WarmupArrivals,
            Window::Measured => Purpose::MeasuredArrivals,
        };
        among(seed.stream(purpose, block), tasks, start, end)
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

/// So many arrivals of a Poisson process between two times, `end` excluded.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a block's length, far below 2^53 nanoseconds"
)]
fn among(mut random: Random, tasks: u64, start: u64, end: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let mut sums: Vec<f64> = Vec::new();
    for _ in 0..tasks {
        sum += random.exponential();
        sums.push(sum);
    }
    let total = sum + random.exponential();
    let length = end.saturating_sub(start);
    let last = length.saturating_sub(1);
    sums.into_iter()
        .map(|sum| start + ((length as f64 * (sum / total)) as u64).min(last))
        .collect()
}

/// All due times of a [`Schedule`], in their order.
#[derive(Clone, Debug)]
pub struct DueTimes {
    schedule: Schedule,
    next: u64,
    /// The block that the last one was taken from, where times are random.
    block: Vec<u64>,
}

impl Iterator for DueTimes {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = self.next;
        let due = match self.schedule.spacing {
            Spacing::Constant => self.schedule.due(number),
            Spacing::Poisson { .. } if number >= self.schedule.count() => None,
            Spacing::Poisson { seed, window } => {
                if number.is_multiple_of(BLOCK) {
                    self.block = self.schedule.block(number / BLOCK, seed, window);
                }
                let place = usize::try_from(number % BLOCK).ok()?;
                self.block.get(place).copied()
            }
        }?;
        self.next += 1;
        Some(due)
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
