//! The course of the run: a few equal slots of the measured window.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::Percentile;
use redyno_contract::timeline::{MOST_SLOTS, Timeline, slot_seconds};

use redyno_engine::{Interval, Moment};

/// Slots as they fill. What was recorded between two looks belongs to the slot in which the middle
/// of that time lies: looks are a second apart and a little late, so no slot is wrong by more than
/// a second's half.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    measured_from: Moment,
    slot_seconds: u32,
    /// The last look.
    looked: Moment,
    /// Tasks that had ended in time at the last look.
    in_time: u64,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    completed: u64,
    response: Histogram,
    peak_backlog: u32,
    redis: Option<Mean>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Course {
    /// Of a run with this warm-up and this window.
    pub(crate) fn new(warmup_seconds: u32, duration_seconds: u32) -> Self {
        Self {
            measured_from: Moment::from_seconds(warmup_seconds),
            slot_seconds: slot_seconds(duration_seconds),
            looked: Moment::from_seconds(warmup_seconds),
            in_time: 0,
            slots: Vec::new(),
        }
    }

    /// Adds what was recorded up to `at`: `in_time` tasks of the window have ended in time since
    /// it began.
    pub(crate) fn add(&mut self, at: Moment, in_time: u64, interval: &Interval) {
        // Of a look across the window's begin, the part that is in the window.
        let since = at.nanoseconds_since(self.looked);
        if since == 0 {
            return;
        }
        let middle = self.looked.plus(since / 2);
        self.looked = at;
        let before = std::mem::replace(&mut self.in_time, in_time);
        let Some(slot) = self.slot(middle) else {
            return;
        };
        let Interval {
            warmup: _,
            measured,
            peak_backlog,
        } = interval;
        slot.response.add(&measured.response);
        slot.peak_backlog = slot.peak_backlog.max(*peak_backlog);
        slot.completed += in_time.saturating_sub(before);
    }

    /// Adds how busy the target's main thread was in the second before `at`, in thousandths.
    pub(crate) fn add_redis(&mut self, at: Moment, per_mille: u32) {
        let middle = at.nanoseconds().saturating_sub(500_000_000);
        if let Some(slot) = self.slot(Moment::from_nanoseconds(middle)) {
            let mean = slot.redis.get_or_insert_default();
            mean.sum += u64::from(per_mille);
            mean.count += 1;
        }
    }

    /// The slot of a moment; None in the warm-up. Who ends late ends in the last one.
    fn slot(&mut self, at: Moment) -> Option<&mut Slot> {
        let since = at
            .nanoseconds()
            .checked_sub(self.measured_from.nanoseconds())?;
        let length = u64::from(self.slot_seconds) * 1_000_000_000;
        let position = usize::try_from(since / length)
            .unwrap_or(usize::MAX)
            .min(MOST_SLOTS - 1);
        while self.slots.len() <= position {
            self.slots.push(Slot {
                completed: 0,
                response: Histogram::new(Digits::Two),
                peak_backlog: 0,
                redis: None,
            });
        }
        self.slots.get_mut(position)
    }

    /// For the report.
    pub(crate) fn timeline(&self) -> Timeline {
        let sampled = self.slots.iter().any(|slot| slot.redis.is_some());
        Timeline {
            slot_seconds: self.slot_seconds,
            completed: self.slots.iter().map(|slot| slot.completed).collect(),
            response_p99_microseconds: self
                .slots
                .iter()
                .map(|slot| slot.response.percentile(Percentile::P99))
                .collect(),
            peak_backlog: self.slots.iter().map(|slot| slot.peak_backlog).collect(),
            redis_main_thread_per_mille: if sampled {
                self.slots
                    .iter()
                    .map(|slot| {
                        let Mean { sum, count } = slot.redis?;
                        let mean = sum.checked_div(count)?;
                        Some(u32::try_from(mean).unwrap_or(u32::MAX))
                    })
                    .collect()
            } else {
                Vec::new()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second's look comes a few milliseconds late, and is of that second all the same.
    #[test]
    fn late_looks_shift_nothing() {
        let mut course = Course::new(1, 3);
        for second in 1..=4_u64 {
            let at = Moment::from_nanoseconds(second * 1_000_000_000 + 3_000_000);
            course.add(at, (second - 1) * 10, &Interval::new(3));
            course.add_redis(at, 100);
        }
        let timeline = course.timeline();
        assert_eq!(timeline.completed, [10, 10, 10]);
        assert_eq!(timeline.redis_main_thread_per_mille, [Some(100); 3]);
    }

    #[test]
    fn slots_fill_one_after_the_other() {
        let mut course = Course::new(2, 48);
        let look = |course: &mut Course, second: u32, in_time, response, backlog| {
            let mut interval = Interval::new(3);
            interval.measured.response.record(response);
            interval.peak_backlog = backlog;
            course.add(Moment::from_seconds(second), in_time, &interval);
        };
        look(&mut course, 1, 0, 900_000, 50);
        look(&mut course, 2, 0, 900_000, 50);
        assert_eq!(course.timeline().completed, [0_u64; 0]);
        look(&mut course, 3, 10, 100, 1);
        look(&mut course, 4, 20, 5000, 3);
        look(&mut course, 5, 30, 100, 0);
        course.add_redis(Moment::from_seconds(3), 400);
        course.add_redis(Moment::from_seconds(4), 600);
        let timeline = course.timeline();
        assert_eq!(timeline.slot_seconds, 2);
        assert_eq!(timeline.completed, [20, 10]);
        assert_eq!(timeline.peak_backlog, [3, 0]);
        assert_eq!(timeline.redis_main_thread_per_mille, [Some(500), None]);
        assert!(timeline.response_p99_microseconds[0] >= 5000);
        assert!(timeline.response_p99_microseconds[1] < 110);
        // Late ones do not make slots of their own.
        look(&mut course, 500, 31, 100, 0);
        assert_eq!(course.timeline().completed.len(), MOST_SLOTS);
    }
}
