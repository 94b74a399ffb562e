//! What happened in equal parts of the measured window, each by the moment at which it happened,
//! whoever looks when.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::timeline::slot_seconds;

use super::Windows;
use super::moment::Moment;

/// The slots of a window.
#[derive(Clone, Copy, Debug)]
pub struct SlotGrid {
    from: Moment,
    until: Moment,
    slot_nanoseconds: u64,
}

impl SlotGrid {
    /// Those of the measured window.
    pub fn of(windows: &Windows) -> Self {
        Self::between(windows.measured_from(), windows.measured_until())
    }

    /// Those of the window between two moments.
    pub fn between(from: Moment, until: Moment) -> Self {
        let seconds = until.nanoseconds_since(from).div_ceil(1_000_000_000);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self {
            from,
            until,
            slot_nanoseconds: u64::from(slot_seconds(seconds)) * 1_000_000_000,
        }
    }

    /// The slot in which a moment lies; None before the window and after it.
    pub fn slot(&self, at: Moment) -> Option<usize> {
        if at < self.from || at >= self.until {
            return None;
        }
        usize::try_from(at.nanoseconds_since(self.from) / self.slot_nanoseconds).ok()
    }

    /// How many slots have begun at a moment.
    pub fn begun(&self, at: Moment) -> usize {
        let run = at.min(self.until).nanoseconds_since(self.from);
        usize::try_from(run.div_ceil(self.slot_nanoseconds)).unwrap_or(usize::MAX)
    }
}

/// What happened in one slot.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Which, from 0.
    pub position: usize,
    /// Tasks of the window that ended in it without error.
    pub completed: u64,
    /// Response times of the tasks that were due in it; of those that did not complete the age
    /// that they had reached.
    pub response: Histogram,
    /// The longest queue of any worker in it.
    pub peak_backlog: u32,
}

/// What happened in the slots of a window in which anything happened.
#[derive(Clone, Debug, Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// Each slot in which anything happened, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }

    /// Notes that a task of the window ended without error.
    pub fn completed(&mut self, slot: Option<usize>) {
        if let Some(slot) = self.slot(slot) {
            slot.completed += 1;
        }
    }

    /// Notes how long a task took that was due in the slot, or how old it was when it was given up.
    pub fn response(&mut self, slot: Option<usize>, microseconds: u64) {
        if let Some(slot) = self.slot(slot) {
            slot.response.record(microseconds);
        }
    }

    /// Notes that so many tasks wait at a worker.
    pub fn backlog(&mut self, slot: Option<usize>, waiting: u32) {
        if waiting > 0
            && let Some(slot) = self.slot(slot)
        {
            slot.peak_backlog = slot.peak_backlog.max(waiting);
        }
    }

    /// Adds what another load thread noted.
    pub fn add(&mut self, other: &Self) {
        for others in &other.0 {
            let Slot {
                position,
                completed,
                response,
                peak_backlog,
            } = others;
            if let Some(mine) = self.slot(Some(*position)) {
                mine.completed += completed;
                mine.response.add(response);
                mine.peak_backlog = mine.peak_backlog.max(*peak_backlog);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn slot(&mut self, position: Option<usize>) -> Option<&mut Slot> {
        let position = position?;
        // What happens next happens nearly always where the last thing happened.
        let known = self.0.iter().rposition(|slot| slot.position == position);
        let index = known.unwrap_or_else(|| {
            self.0.push(Slot {
                position,
                completed: 0,
                response: Histogram::new(Digits::Two),
                peak_backlog: 0,
            });
            self.0.len() - 1
        });
        self.0.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_in_one_slot() {
        let grid = SlotGrid::between(Moment::from_seconds(2), Moment::from_seconds(50));
        let at = |nanoseconds| Moment::from_nanoseconds(nanoseconds);
        for (moment, slot, begun) in [
            (at(1_999_999_999), None, 0),
            (at(2_000_000_000), Some(0), 0),
            (at(2_000_000_001), Some(0), 1),
            (at(3_999_999_999), Some(0), 1),
            (at(4_000_000_000), Some(1), 1),
            (at(49_999_999_999), Some(23), 24),
            (at(50_000_000_000), None, 24),
            (at(500_000_000_000), None, 24),
        ] {
            assert_eq!(grid.slot(moment), slot, "{moment:?}");
            assert_eq!(grid.begun(moment), begun, "{moment:?}");
        }
    }

    #[test]
    fn slots_of_two_threads_add_up() {
        let mut one = Slots::default();
        one.completed(Some(3));
        one.response(Some(2), 500);
        one.backlog(Some(3), 4);
        let mut other = Slots::default();
        other.completed(Some(3));
        other.backlog(Some(3), 7);
        other.completed(None);
        one.add(&other);
        let seen: Vec<(usize, u64, u64, u32)> = one
            .iter()
            .map(|slot| {
                (
                    slot.position,
                    slot.completed,
                    slot.response.count(),
                    slot.peak_backlog,
                )
            })
            .collect();
        assert_eq!(seen, [(3, 2, 0, 7), (2, 0, 1, 0)]);
    }
}
