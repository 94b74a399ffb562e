//! The last seconds before the end: what the bottleneck is judged by.

use std::collections::VecDeque;

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::Percentile;
use redyno_contract::report::LastSeconds;

use super::own::OwnSample;
use redyno_engine::{Interval, Moment, ThreadTime};

/// How far back the last seconds reach.
pub(crate) const LAST_NANOSECONDS: u64 = 5_000_000_000;

/// Counters of one moment: differences of two tell of the time between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: Moment,
    /// The process.
    pub(crate) own: OwnSample,
    /// Its load threads.
    pub(crate) threads: Vec<ThreadTime>,
    /// Time that tasks were in workers' hands, over all workers.
    pub(crate) served_nanoseconds: u64,
}

impl Look {
    /// How busy the busiest load thread was since an earlier look, in thousandths.
    pub(crate) fn busiest_thread_since(&self, earlier: &Self) -> u32 {
        let nanoseconds = self.at.nanoseconds_since(earlier.at);
        ThreadTime::busiest(&self.threads, &earlier.threads, nanoseconds)
    }

    /// CPU time that the load threads used since an earlier look; None if there was none yet.
    pub(crate) fn load_threads_cpu_microseconds_since(&self, earlier: &Self) -> Option<u64> {
        let sum = |threads: &[ThreadTime]| -> u64 {
            threads.iter().map(|thread| thread.cpu_nanoseconds).sum()
        };
        (!self.threads.is_empty())
            .then(|| sum(&self.threads).saturating_sub(sum(&earlier.threads)) / 1000)
    }
}

/// One look at the dyno, and what was recorded before it.
#[derive(Clone, Debug)]
struct Second {
    look: Look,
    response: Histogram,
    schedule_lag: Histogram,
}

/// The last seconds, warm-up included.
#[derive(Clone, Debug)]
pub(crate) struct Seconds {
    workers: u32,
    /// What the oldest second is compared with.
    before: Look,
    recent: VecDeque<Second>,
}

impl Seconds {
    /// Nothing yet of so many workers; `own` is of the start.
    pub(crate) fn new(workers: u32, own: OwnSample) -> Self {
        Self {
            workers,
            before: Look {
                own,
                ..Look::default()
            },
            recent: VecDeque::new(),
        }
    }

    /// S has come: what was before it counts no more.
    pub(crate) fn begin(&mut self, own: OwnSample) {
        *self = Self::new(self.workers, own);
    }

    /// Adds what was recorded up to a look, and forgets what is too long ago.
    pub(crate) fn add(&mut self, look: Look, interval: &Interval) {
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
            slots: _,
        } = interval;
        let at = look.at;
        self.recent.push_back(Second {
            look,
            response: merged(&warmup.response, &measured.response),
            schedule_lag: merged(&warmup.schedule_lag, &measured.schedule_lag),
        });
        while self
            .recent
            .front()
            .is_some_and(|oldest| at.nanoseconds_since(oldest.look.at) >= LAST_NANOSECONDS)
            && let Some(oldest) = self.recent.pop_front()
        {
            self.before = oldest.look;
        }
    }

    /// The latest look.
    pub(crate) fn latest(&self) -> &Look {
        self.recent
            .back()
            .map_or(&self.before, |second| &second.look)
    }

    /// How busy the busiest load thread was before the latest look, in thousandths.
    pub(crate) fn busiest_thread(&self) -> u32 {
        let before = self.recent.len().checked_sub(2);
        let before = before
            .and_then(|position| self.recent.get(position))
            .map_or(&self.before, |second| &second.look);
        self.latest().busiest_thread_since(before)
    }

    /// What the last seconds were like; the target's side is for others to add.
    pub(crate) fn summary(&self) -> LastSeconds {
        if self.recent.is_empty() {
            return LastSeconds::default();
        }
        let mut response = Histogram::new(Digits::Two);
        let mut schedule_lag = Histogram::new(Digits::Two);
        for second in &self.recent {
            response.add(&second.response);
            schedule_lag.add(&second.schedule_lag);
        }
        let (before, newest) = (&self.before, self.latest());
        let cpu = newest
            .own
            .cpu_microseconds
            .saturating_sub(before.own.cpu_microseconds);
        let served = newest
            .served_nanoseconds
            .saturating_sub(before.served_nanoseconds);
        let nanoseconds = newest.at.nanoseconds_since(before.at);
        LastSeconds {
            throttled_per_mille: newest.own.throttling.per_mille_since(before.own.throttling),
            schedule_lag_p99_microseconds: schedule_lag.percentile(Percentile::P99),
            response_p99_microseconds: response.percentile(Percentile::P99),
            cpu_per_mille: per_mille(cpu, nanoseconds / 1000),
            load_thread_busy_per_mille: newest.busiest_thread_since(before),
            workers_busy_per_mille: per_mille(
                served,
                nanoseconds.saturating_mul(self.workers.into()),
            )
            .min(1000),
            ..LastSeconds::default()
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
                throttled_microseconds: 0,
            },
            ..OwnSample::default()
        };
        let mut seconds = Seconds::new(4, own(0));
        assert_eq!(seconds.summary(), LastSeconds::default());
        for second in 1..=15_u32 {
            let mut interval = Interval::new(3);
            let microseconds = if second <= 10 { 90_000 } else { 1000 };
            interval.measured.response.record(microseconds);
            interval.warmup.schedule_lag.record(microseconds / 10);
            let count = u64::from(second);
            let look = Look {
                at: Moment::from_seconds(second),
                own: own(count),
                // One thread is idle, the other more and more busy.
                threads: vec![
                    ThreadTime::default(),
                    ThreadTime {
                        awake_nanoseconds: count * count * 10_000_000,
                        cpu_nanoseconds: 0,
                    },
                ],
                // Two of four workers have a task all the time.
                served_nanoseconds: count * 2_000_000_000,
            };
            seconds.add(look, &interval);
            if second == 10 {
                let summary = seconds.summary();
                assert_eq!(summary.cpu_per_mille, 500);
                assert_eq!(summary.throttled_per_mille, 500);
                assert!(summary.response_p99_microseconds >= 90_000);
                // From 5 s to 10 s: 750 ms of 5 s.
                assert_eq!(summary.load_thread_busy_per_mille, 150);
            }
        }
        let summary = seconds.summary();
        assert_eq!(summary.cpu_per_mille, 100);
        assert_eq!(summary.throttled_per_mille, 100);
        assert_eq!(summary.load_thread_busy_per_mille, 250);
        assert_eq!(seconds.busiest_thread(), 290);
        assert_eq!(summary.workers_busy_per_mille, 500);
        assert!((1000..1010).contains(&summary.response_p99_microseconds));
        assert!((100..102).contains(&summary.schedule_lag_p99_microseconds));
    }
}
