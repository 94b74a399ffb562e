//! Time in the world, and who does not run when.

use redyno_engine::Moment;

/// Nanoseconds of the world's own time. 0 is the common start S by Redis' clock, which nobody in
/// the world knows exactly.
pub(super) type Time = u64;

/// Later than everything: what takes until then never ends.
pub(super) const NEVER: Time = u64::MAX / 4;

pub(super) const MICROSECOND: Time = 1_000;
pub(super) const MILLISECOND: Time = 1_000_000;
pub(super) const SECOND: Time = 1_000_000_000;

/// A dyno's clock: when it takes S to be, and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DynoClock {
    /// S as the dyno took it from Redis' clock.
    pub(super) start: Time,
    /// So many parts per million too fast, or too slow.
    pub(super) drift_ppm: i64,
}

impl DynoClock {
    /// The dyno's moment; None before its S.
    pub(super) fn moment(&self, at: Time) -> Option<Moment> {
        let passed = i128::from(at.checked_sub(self.start)?);
        let shown = passed * i128::from(1_000_000 + self.drift_ppm) / 1_000_000;
        Some(Moment::from_nanoseconds(u64::try_from(shown).unwrap_or(0)))
    }

    /// The first time at which the dyno's clock shows this moment.
    pub(super) fn time(&self, moment: Moment) -> Time {
        let rate = i128::from(1_000_000 + self.drift_ppm);
        let passed = (i128::from(moment.nanoseconds()) * 1_000_000 + rate - 1) / rate;
        self.start
            .saturating_add(u64::try_from(passed).unwrap_or(NEVER))
            .min(NEVER)
    }
}

/// When something does not run: disjoint intervals in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Frozen(Vec<(Time, Time)>);

impl Frozen {
    /// Of any intervals.
    pub(super) fn of(mut intervals: Vec<(Time, Time)>) -> Self {
        intervals.retain(|(from, until)| from < until);
        intervals.sort_unstable();
        let mut disjoint: Vec<(Time, Time)> = Vec::new();
        for (from, until) in intervals {
            match disjoint.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => disjoint.push((from, until)),
            }
        }
        Self(disjoint)
    }

    /// The first interval that ends after this time.
    fn from(&self, at: Time) -> usize {
        self.0.partition_point(|(_, until)| *until <= at)
    }

    /// The first time from this one on at which it runs.
    pub(super) fn available(&self, at: Time) -> Time {
        match self.0.get(self.from(at)) {
            Some((from, until)) if *from <= at => *until,
            _ => at,
        }
    }

    /// When it stops next, if it runs now.
    pub(super) fn next_stop(&self, at: Time) -> Time {
        self.0
            .get(self.from(at))
            .map_or(NEVER, |(from, _)| *from.max(&at))
    }

    /// When it has worked for so long, if it begins as soon as it can from this time on.
    pub(super) fn run(&self, at: Time, work: Time) -> Time {
        let (mut now, mut left) = (self.available(at), work);
        for (from, until) in self.0.iter().skip(self.from(now)) {
            let free = from.saturating_sub(now);
            if left <= free {
                break;
            }
            left -= free;
            now = *until;
        }
        now.saturating_add(left).min(NEVER)
    }

    /// How long it could work between two times.
    pub(super) fn worked(&self, from: Time, until: Time) -> Time {
        let frozen: Time = self
            .0
            .iter()
            .skip(self.from(from))
            .take_while(|(begin, _)| *begin < until)
            .map(|(begin, end)| end.min(&until).saturating_sub(*begin.max(&from)))
            .sum();
        until.saturating_sub(from).saturating_sub(frozen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_after_what_stops_it() {
        let frozen = Frozen::of(vec![(30, 40), (10, 20), (15, 25), (50, 50)]);
        assert_eq!(frozen.run(0, 10), 10);
        assert_eq!(frozen.run(0, 11), 26);
        assert_eq!(frozen.run(12, 5), 30);
        assert_eq!(frozen.run(12, 6), 41);
        assert_eq!(frozen.run(45, 100), 145);
        assert_eq!((frozen.available(9), frozen.available(10)), (9, 25));
        assert_eq!((frozen.next_stop(0), frozen.next_stop(41)), (10, NEVER));
        assert_eq!(frozen.worked(5, 35), 10);
        assert_eq!(Frozen::default().run(3, 4), 7);
        assert_eq!(Frozen::of(vec![(5, NEVER)]).run(0, 6), NEVER);
    }

    #[test]
    fn a_clock_shows_no_moment_before_its_time() {
        for drift_ppm in [-200, 0, 1, 200] {
            let clock = DynoClock {
                start: 1_000_003,
                drift_ppm,
            };
            assert_eq!(clock.moment(1_000_002), None);
            for nanoseconds in [0, 1, 999_999_999, 5_000_000_001] {
                let moment = Moment::from_nanoseconds(nanoseconds);
                let time = clock.time(moment);
                assert!(
                    clock.moment(time) >= Some(moment),
                    "{drift_ppm} {nanoseconds}"
                );
                if nanoseconds > 0 {
                    assert!(clock.moment(time - 1) < Some(moment), "{drift_ppm}");
                }
            }
        }
    }
}
