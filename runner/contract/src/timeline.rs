//! The course of a run: what happened in each of a few equal parts of the measured window.
//!
//! For showing, never for judging: the 99th percentile of several dynos in a slot is that of the
//! dyno that had the highest, because percentiles do not merge.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most slots.
pub const MOST_SLOTS: usize = 24;

/// What happened in each slot of the measured window, as one dyno saw it. Every list is as long as
/// the window has slots that have begun; None stands where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Length of a slot, in seconds; the last may be shorter.
    pub slot_seconds: u32,
    /// Tasks that ended in the slot without error: over all slots, the tasks in time.
    pub completed: Vec<u64>,
    /// Response p99 of the tasks that were due in the slot, in microseconds, whenever they ended.
    /// One that did not complete counts with its age when it failed, or at the end: it would have
    /// taken at least so long.
    pub response_p99_microseconds: Vec<Option<u64>>,
    /// The longest queue of any worker in the slot.
    pub peak_backlog: Vec<Option<u32>>,
    /// The target's main thread, in thousandths of its core; only from the dyno that samples it.
    pub redis_main_thread_per_mille: Vec<Option<u32>>,
}

/// Length of a slot in a window of so many seconds: whole seconds, so that there are at most
/// [`MOST_SLOTS`].
pub const fn slot_seconds(duration_seconds: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "it is small")]
    let seconds = duration_seconds.div_ceil(MOST_SLOTS as u32);
    if seconds == 0 { 1 } else { seconds }
}

impl Timeline {
    /// Those of several dynos as one: completed tasks added, of everything else the highest. None
    /// without any, or where slots are not of the same length.
    pub fn merge<'a>(timelines: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        timelines
            .into_iter()
            .map(Some)
            .fold(None, |merged: Option<Option<Self>>, next| {
                Some(match (merged, next) {
                    (None, Some(first)) => Some(first.bounded()),
                    (Some(Some(merged)), Some(next)) => merged.with(&next.bounded()),
                    (Some(None), _) | (_, None) => None,
                })
            })
            .flatten()
    }

    /// Slots are few, whoever wrote them.
    fn bounded(&self) -> Self {
        fn first<T: Copy>(list: &[T]) -> Vec<T> {
            list.iter().copied().take(MOST_SLOTS).collect()
        }
        let Self {
            slot_seconds,
            completed,
            response_p99_microseconds,
            peak_backlog,
            redis_main_thread_per_mille,
        } = self;
        Self {
            slot_seconds: *slot_seconds,
            completed: first(completed),
            // A report of a former release says 0 of a slot without a task.
            response_p99_microseconds: first(response_p99_microseconds)
                .into_iter()
                .map(|p99| p99.filter(|microseconds| *microseconds > 0))
                .collect(),
            peak_backlog: first(peak_backlog),
            redis_main_thread_per_mille: first(redis_main_thread_per_mille),
        }
    }

    fn with(self, other: &Self) -> Option<Self> {
        fn each<T: Copy>(left: &[T], right: &[T], both: impl Fn(T, T) -> T) -> Vec<T> {
            (0..left.len().max(right.len()))
                .filter_map(|position| match (left.get(position), right.get(position)) {
                    (Some(left), Some(right)) => Some(both(*left, *right)),
                    (Some(one), None) | (None, Some(one)) => Some(*one),
                    (None, None) => None,
                })
                .collect()
        }
        (self.slot_seconds == other.slot_seconds).then(|| Self {
            slot_seconds: self.slot_seconds,
            completed: each(&self.completed, &other.completed, u64::saturating_add),
            // None is less than any number.
            response_p99_microseconds: each(
                &self.response_p99_microseconds,
                &other.response_p99_microseconds,
                Option::max,
            ),
            peak_backlog: each(&self.peak_backlog, &other.peak_backlog, Option::max),
            redis_main_thread_per_mille: each(
                &self.redis_main_thread_per_mille,
                &other.redis_main_thread_per_mille,
                Option::max,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_too_many_slots() {
        for (duration, seconds) in [(0, 1), (1, 1), (24, 1), (25, 2), (240, 10), (86_400, 3600)] {
            assert_eq!(slot_seconds(duration), seconds, "{duration}");
        }
    }

    #[test]
    fn completed_tasks_add_and_the_rest_is_the_highest() {
        let one = Timeline {
            slot_seconds: 10,
            completed: vec![5, 6],
            response_p99_microseconds: vec![Some(100), Some(900)],
            peak_backlog: vec![Some(1), None],
            redis_main_thread_per_mille: vec![Some(400), None],
        };
        let other = Timeline {
            slot_seconds: 10,
            completed: vec![1, 2, 3],
            response_p99_microseconds: vec![Some(300), Some(200), Some(0)],
            peak_backlog: vec![Some(0), Some(4), Some(1)],
            redis_main_thread_per_mille: vec![],
        };
        assert_eq!(
            Timeline::merge([&one, &other]),
            Some(Timeline {
                slot_seconds: 10,
                completed: vec![6, 8, 3],
                response_p99_microseconds: vec![Some(300), Some(900), None],
                peak_backlog: vec![Some(1), Some(4), Some(1)],
                redis_main_thread_per_mille: vec![Some(400), None],
            })
        );
        assert_eq!(Timeline::merge([]), None);
        let foreign = Timeline {
            slot_seconds: 1,
            ..one.clone()
        };
        assert_eq!(Timeline::merge([&one, &foreign, &other]), None);
        let long = Timeline {
            completed: vec![1; 10_000],
            ..one
        };
        let merged = Timeline::merge([&long]).unwrap();
        assert_eq!(merged.completed.len(), MOST_SLOTS);
    }
}
