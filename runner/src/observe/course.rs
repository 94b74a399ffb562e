//! The course of the run: a few equal slots of the measured window.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::Percentile;
use redyno_contract::timeline::{MOST_SLOTS, Timeline, slot_seconds};

use crate::engine::{Interval, Moment};

/// Slots as they fill. What was recorded between two looks belongs to the slot in which that time
/// ended: looks are a second apart, so no slot is wrong by more than that.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    measured_from: Moment,
    slot_seconds: u32,
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
            in_time: 0,
            slots: Vec::new(),
        }
    }

    /// Adds what was recorded up to `at`: `in_time` tasks of the window have ended in time since
    /// it began.
    pub(crate) fn add(&mut self, at: Moment, in_time: u64, interval: &Interval) {
        let Some(slot) = self.slot(at) else {
            return;
        };
        let Interval {
            warmup: _,
            measured,
            peak_backlog,
        } = interval;
        slot.response.add(&measured.response);
        slot.peak_backlog = slot.peak_backlog.max(*peak_backlog);
        let before = std::mem::replace(&mut self.in_time, in_time);
        if let Some(slot) = self.slot(at) {
            slot.completed += in_time.saturating_sub(before);
        }
    }

    /// Adds how busy the target's main thread was in the second before `at`, in thousandths.
    pub(crate) fn add_redis(&mut self, at: Moment, per_mille: u32) {
        if let Some(slot) = self.slot(at) {
            let mean = slot.redis.get_or_insert_default();
            mean.sum += u64::from(per_mille);
            mean.count += 1;
        }
    }

    /// The slot that the time before `at` belongs to; None in the warm-up. Who ends late ends in
    /// the last one.
    fn slot(&mut self, at: Moment) -> Option<&mut Slot> {
        let since = at.nanoseconds_since(self.measured_from).checked_sub(1)?;
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
        let each = |of: fn(&Slot) -> u32| self.slots.iter().map(of).collect();
        let sampled = self.slots.iter().any(|slot| slot.redis.is_some());
        Timeline {
            slot_seconds: self.slot_seconds,
            completed: self.slots.iter().map(|slot| slot.completed).collect(),
            response_p99_microseconds: self
                .slots
                .iter()
                .map(|slot| slot.response.percentile(Percentile::P99))
                .collect(),
            peak_backlog: each(|slot| slot.peak_backlog),
            redis_main_thread_per_mille: if sampled {
                each(|slot| {
                    let Mean { sum, count } = slot.redis.unwrap_or_default();
                    let mean = sum.checked_div(count).unwrap_or(0);
                    u32::try_from(mean).unwrap_or(u32::MAX)
                })
            } else {
                Vec::new()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(timeline.redis_main_thread_per_mille, [500, 0]);
        assert!(timeline.response_p99_microseconds[0] >= 5000);
        assert!(timeline.response_p99_microseconds[1] < 110);
        // Late ones do not make slots of their own.
        look(&mut course, 500, 31, 100, 0);
        assert_eq!(course.timeline().completed.len(), MOST_SLOTS);
    }
}
