//! The course of the run: a few equal slots of the measured window.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::Percentile;
use redyno_contract::timeline::{MOST_SLOTS, Timeline, slot_seconds};
use redyno_engine::{Interval, Moment, SlotGrid};

/// Slots as they fill. What happened belongs to the slot in which it happened, and a task's
/// response time to the slot in which it was due, however late anybody looks.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    grid: SlotGrid,
    slot_seconds: u32,
    /// How far the run has come.
    reached: Moment,
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
        let from = Moment::from_seconds(warmup_seconds);
        Self {
            grid: SlotGrid::between(from, from.plus(u64::from(duration_seconds) * 1_000_000_000)),
            slot_seconds: slot_seconds(duration_seconds),
            reached: Moment::default(),
            slots: Vec::new(),
        }
    }

    /// Adds what was recorded since the last look. The run has come as far as `reached`: of a run
    /// that has ended, as far as its end.
    pub(crate) fn add(&mut self, reached: Moment, interval: &Interval) {
        self.reached = reached;
        for seen in interval.slots.iter() {
            let redyno_engine::Slot {
                position,
                completed,
                response,
                peak_backlog,
            } = seen;
            if let Some(slot) = self.slot(*position) {
                slot.completed += completed;
                slot.response.add(response);
                slot.peak_backlog = slot.peak_backlog.max(*peak_backlog);
            }
        }
    }

    /// Adds how busy the target's main thread was in the second before `at`, in thousandths.
    pub(crate) fn add_redis(&mut self, at: Moment, per_mille: u32) {
        let middle = Moment::from_nanoseconds(at.nanoseconds().saturating_sub(500_000_000));
        if let Some(position) = self.grid.slot(middle)
            && let Some(slot) = self.slot(position)
        {
            let mean = slot.redis.get_or_insert_default();
            mean.sum += u64::from(per_mille);
            mean.count += 1;
        }
    }

    fn slot(&mut self, position: usize) -> Option<&mut Slot> {
        while self.slots.len() <= position.min(MOST_SLOTS - 1) {
            self.slots.push(Slot {
                completed: 0,
                response: Histogram::new(Digits::Two),
                peak_backlog: 0,
                redis: None,
            });
        }
        self.slots.get_mut(position)
    }

    /// For the report: every slot that has begun.
    pub(crate) fn timeline(&self) -> Timeline {
        let begun = self.grid.begun(self.reached).min(MOST_SLOTS);
        let mut whole = self.clone();
        if let Some(last) = begun.checked_sub(1) {
            whole.slot(last);
        }
        whole.slots.truncate(begun);
        let slots = &whole.slots;
        Timeline {
            slot_seconds: self.slot_seconds,
            completed: slots.iter().map(|slot| slot.completed).collect(),
            response_p99_microseconds: slots
                .iter()
                .map(|slot| {
                    (slot.response.count() > 0).then(|| slot.response.percentile(Percentile::P99))
                })
                .collect(),
            peak_backlog: slots.iter().map(|slot| Some(slot.peak_backlog)).collect(),
            redis_main_thread_per_mille: if slots.iter().any(|slot| slot.redis.is_some()) {
                slots
                    .iter()
                    .map(|slot| slot.redis.map(Mean::value))
                    .collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl Mean {
    fn value(self) -> u32 {
        let mean = self.sum.checked_div(self.count).unwrap_or(0);
        u32::try_from(mean).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(slots: &[(usize, u64, u64, u32)]) -> Interval {
        let mut interval = Interval::new(3);
        for (position, completed, response, backlog) in slots {
            let slot = Some(*position);
            interval.slots.response(slot, *response);
            interval.slots.backlog(slot, *backlog);
            for _ in 0..*completed {
                interval.slots.completed(slot);
            }
        }
        interval
    }

    #[test]
    fn slots_fill_as_things_happen_and_not_as_somebody_looks() {
        let mut course = Course::new(2, 48);
        course.add(Moment::from_seconds(2), &seen(&[]));
        assert_eq!(course.timeline().completed, [0_u64; 0]);
        course.add(Moment::from_seconds(3), &seen(&[(0, 10, 100, 1)]));
        // The look that sees the first slot's end comes in the second one.
        let late = Moment::from_nanoseconds(5_030_000_000);
        course.add(late, &seen(&[(0, 10, 5000, 3), (1, 7, 100, 0)]));
        course.add_redis(Moment::from_seconds(3), 400);
        course.add_redis(Moment::from_seconds(4), 600);
        let timeline = course.timeline();
        assert_eq!(timeline.slot_seconds, 2);
        assert_eq!(timeline.completed, [20, 7]);
        assert_eq!(timeline.peak_backlog, [Some(3), Some(0)]);
        assert_eq!(timeline.redis_main_thread_per_mille, [Some(500), None]);
        let p99 = timeline.response_p99_microseconds;
        assert!(p99[0].unwrap() >= 5000 && p99[1].unwrap() < 110, "{p99:?}");
    }

    #[test]
    fn the_last_cut_slot_is_told_and_nothing_is_known_of_a_slot_without_a_task() {
        let mut course = Course::new(1, 3);
        course.add(Moment::from_seconds(2), &seen(&[(0, 10, 100, 0)]));
        // Redis stands still for the second slot, and the run ends in the third.
        let end = Moment::from_nanoseconds(3_400_000_000);
        course.add(end, &seen(&[(2, 0, 1_040_000, 5)]));
        let timeline = course.timeline();
        assert_eq!(timeline.completed, [10, 0, 0]);
        let p99 = timeline.response_p99_microseconds;
        assert_eq!(p99[1], None);
        assert!(p99[2].unwrap() >= 1_040_000);
        // What the drain still brings makes no slot of its own.
        course.add(end, &seen(&[(2, 0, 1_900_000, 0)]));
        course.add_redis(Moment::from_seconds(5), 900);
        assert_eq!(course.timeline().completed.len(), 3);
        assert_eq!(course.timeline().redis_main_thread_per_mille, []);
    }
}
