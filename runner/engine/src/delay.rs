//! The load thread's own delays: how long it did not get on though it should have.

use std::collections::VecDeque;

use redyno_contract::report::{MOST_DELAYS, OwnDelay};

use crate::Moment;

/// What is shorter is within the precision of everything that is measured here: no delay of that
/// length is told, and none is held against the generator.
pub const LEAST_DELAY_NANOSECONDS: u64 = 1_000_000;

/// How many delays are remembered one by one. A task that was due before more of them than this is
/// taken to have been kept from its worker by all of them.
const REMEMBERED: usize = 64;

/// A time in which the load thread did not get on though it should have. CPU time that it used
/// itself, and time in which the dyno's quota held it back, are no part of it: they are the size
/// under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// When the thread had last got on.
    pub from: Moment,
    /// When it got on again.
    pub until: Moment,
    /// How much of the time between was such a delay, in nanoseconds.
    pub own_nanoseconds: u64,
}

/// The own delays of one load thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delays {
    /// All of them together: a clock that runs only while the thread is late.
    total_nanoseconds: u64,
    /// The latest ones: when each ended, and how long it was.
    recent: VecDeque<(Moment, u64)>,
    longest: Vec<OwnDelay>,
}

impl Delays {
    /// Adds one that has just ended.
    pub(crate) fn add(&mut self, delay: Delay) {
        let Delay {
            from,
            until,
            own_nanoseconds,
        } = delay;
        self.total_nanoseconds = self.total_nanoseconds.saturating_add(own_nanoseconds);
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((until, own_nanoseconds));
        if own_nanoseconds > LEAST_DELAY_NANOSECONDS {
            self.longest.push(OwnDelay {
                at_milliseconds: from.milliseconds(),
                microseconds: own_nanoseconds / 1000,
            });
            keep_longest(&mut self.longest);
        }
    }

    /// The clock that runs only while the thread is late, in nanoseconds.
    pub(crate) const fn total_nanoseconds(&self) -> u64 {
        self.total_nanoseconds
    }

    /// How long the thread was late since a moment, in nanoseconds. `at_most` is what is known to be
    /// an upper bound where the moment is further back than single delays are remembered.
    pub(crate) fn since(&self, moment: Moment, at_most: u64) -> u64 {
        if self.recent.back().is_none_or(|(until, _)| *until <= moment) {
            return 0;
        }
        let mut sum = 0_u64;
        for (until, own_nanoseconds) in self.recent.iter().rev() {
            if *until <= moment {
                return sum.min(at_most);
            }
            sum = sum.saturating_add((*own_nanoseconds).min(until.nanoseconds_since(moment)));
        }
        if self.recent.len() < REMEMBERED {
            sum.min(at_most)
        } else {
            at_most
        }
    }

    /// Whether one of them kept a task from its worker that was due then and is handed over now.
    pub(crate) fn kept(&self, due: Moment, now: Moment) -> bool {
        self.since(due, now.nanoseconds_since(due)) > 0
    }

    /// The longest of them, as many as a report tells of.
    pub(crate) fn longest(&self) -> &[OwnDelay] {
        &self.longest
    }
}

/// Leaves as many delays as a report tells of, the longest first.
pub(crate) fn keep_longest(delays: &mut Vec<OwnDelay>) {
    delays.sort_by_key(|delay| (std::cmp::Reverse(delay.microseconds), delay.at_milliseconds));
    delays.truncate(MOST_DELAYS);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    fn at(milliseconds: u64) -> Moment {
        Moment::from_nanoseconds(milliseconds * MILLISECOND)
    }

    fn delay(from: u64, until: u64, own: u64) -> Delay {
        Delay {
            from: at(from),
            until: at(until),
            own_nanoseconds: own * MILLISECOND,
        }
    }

    #[test]
    fn only_the_part_after_a_moment_counts() {
        let mut delays = Delays::default();
        delays.add(delay(10, 30, 20));
        delays.add(delay(40, 60, 5));
        for (moment, expected) in [
            (0, 25),
            (10, 25),
            (20, 15),
            (30, 5),
            (56, 4),
            (60, 0),
            (90, 0),
        ] {
            assert_eq!(
                delays.since(at(moment), u64::MAX),
                expected * MILLISECOND,
                "{moment}"
            );
        }
        assert_eq!(delays.since(at(0), 7), 7);
        assert_eq!(delays.total_nanoseconds(), 25 * MILLISECOND);
    }

    #[test]
    fn what_is_forgotten_is_taken_for_late() {
        let mut delays = Delays::default();
        for number in 0..100 {
            delays.add(delay(number * 10, number * 10 + 2, 2));
        }
        assert_eq!(delays.since(at(0), 200 * MILLISECOND), 200 * MILLISECOND);
        assert_eq!(delays.since(at(980), 200 * MILLISECOND), 4 * MILLISECOND);
    }

    #[test]
    fn the_eight_longest_are_told_the_longest_first() {
        let mut delays = Delays::default();
        for own in [1, 5, 3, 9, 2, 8, 7, 4, 6, 10] {
            delays.add(delay(own * 100, own * 100 + own, own));
        }
        let told: Vec<_> = delays
            .longest()
            .iter()
            .map(|delay| (delay.at_milliseconds, delay.microseconds))
            .collect();
        let expected: Vec<_> = (3..=10).rev().map(|own| (own * 100, own * 1000)).collect();
        assert_eq!(told, expected);
    }
}
