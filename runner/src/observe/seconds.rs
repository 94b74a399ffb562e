//! The last seconds before the end: what the bottleneck is judged by.

use std::collections::VecDeque;

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::Percentile;
use redyno_contract::report::LastSeconds;

use super::own::OwnSample;
use crate::engine::{Interval, Moment};

/// How far back the last seconds reach.
pub(crate) const LAST_NANOSECONDS: u64 = 5_000_000_000;

/// One look at the dyno, and what was recorded before it.
#[derive(Clone, Debug)]
struct Second {
    at: Moment,
    own: OwnSample,
    response: Histogram,
    schedule_lag: Histogram,
}

/// The last seconds, warm-up included.
#[derive(Clone, Debug)]
pub(crate) struct Seconds {
    /// What the oldest second is compared with.
    before: (Moment, OwnSample),
    seconds: VecDeque<Second>,
}

impl Seconds {
    /// Nothing yet; `own` is of the start.
    pub(crate) fn new(own: OwnSample) -> Self {
        Self {
            before: (Moment::default(), own),
            seconds: VecDeque::new(),
        }
    }

    /// Adds what was recorded up to `at`, and forgets what is too long ago.
    pub(crate) fn add(&mut self, at: Moment, own: OwnSample, interval: &Interval) {
        let merged = |warmup: &Histogram, measured: &Histogram| {
            // Two digits are plenty here, and take a ninth of the memory.
            let mut merged = Histogram::new(Digits::Two);
            merged.add(warmup);
            merged.add(measured);
            merged
        };
        let Interval {
            warmup,
            measured,
            peak_backlog: _,
        } = interval;
        self.seconds.push_back(Second {
            at,
            own,
            response: merged(&warmup.response, &measured.response),
            schedule_lag: merged(&warmup.schedule_lag, &measured.schedule_lag),
        });
        while let Some(oldest) = self.seconds.front()
            && at.nanoseconds_since(oldest.at) >= LAST_NANOSECONDS
        {
            self.before = (oldest.at, oldest.own);
            self.seconds.pop_front();
        }
    }

    /// What the last seconds were like; the target's side is for others to add.
    pub(crate) fn summary(&self) -> LastSeconds {
        let (before_at, before) = self.before;
        let Some(newest) = self.seconds.back() else {
            return LastSeconds::default();
        };
        let mut response = Histogram::new(Digits::Two);
        let mut schedule_lag = Histogram::new(Digits::Two);
        for second in &self.seconds {
            response.add(&second.response);
            schedule_lag.add(&second.schedule_lag);
        }
        let cpu = newest
            .own
            .cpu_microseconds
            .saturating_sub(before.cpu_microseconds);
        LastSeconds {
            throttled_per_mille: newest.own.throttling.per_mille_since(before.throttling),
            schedule_lag_p99_microseconds: schedule_lag.percentile(Percentile::P99),
            response_p99_microseconds: response.percentile(Percentile::P99),
            cpu_per_mille: per_mille(cpu, newest.at.microseconds_since(before_at)),
            load_thread_busy_per_mille: 0,
            redis_main_thread_per_mille: None,
        }
    }
}

/// A part in thousandths of the whole; 0 of nothing.
pub(crate) fn per_mille(part: u64, whole: u64) -> u32 {
    (u128::from(part) * 1000)
        .checked_div(u128::from(whole))
        .map_or(0, |share| u32::try_from(share).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::control_group::Throttling;

    #[test]
    fn only_the_last_five_seconds_count() {
        let own = |second: u64| OwnSample {
            // Half a core in the first ten seconds, a tenth afterwards.
            cpu_microseconds: second.min(10) * 500_000 + second.saturating_sub(10) * 100_000,
            throttling: Throttling {
                periods: second * 10,
                throttled: second.min(10) * 5 + second.saturating_sub(10),
            },
            ..OwnSample::default()
        };
        let mut seconds = Seconds::new(own(0));
        assert_eq!(seconds.summary(), LastSeconds::default());
        for second in 1..=15_u32 {
            let mut interval = Interval::new(3);
            let microseconds = if second <= 10 { 90_000 } else { 1000 };
            interval.measured.response.record(microseconds);
            interval.warmup.schedule_lag.record(microseconds / 10);
            seconds.add(
                Moment::from_seconds(second),
                own(u64::from(second)),
                &interval,
            );
            if second == 10 {
                let summary = seconds.summary();
                assert_eq!(summary.cpu_per_mille, 500);
                assert_eq!(summary.throttled_per_mille, 500);
                assert!(summary.response_p99_microseconds >= 90_000);
            }
        }
        let summary = seconds.summary();
        assert_eq!(summary.cpu_per_mille, 100);
        assert_eq!(summary.throttled_per_mille, 100);
        assert!((1000..1010).contains(&summary.response_p99_microseconds));
        assert!((100..102).contains(&summary.schedule_lag_p99_microseconds));
    }
}
