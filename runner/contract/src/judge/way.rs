//! How long a task is on the way to Redis and back, whatever both ends do.

use super::run::Dyno;

/// A way that takes so much of a task's time is what it takes its time from.
const MOST_PER_MILLE: u64 = 500;

/// A shorter round trip is as much the work of both ends' kernels as that of anything between.
const LEAST_ROUND_TRIP_MICROSECONDS: u64 = 1_000;

/// The way of a dyno's tasks. The longer part of a task's time is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// Its part of a task's service time, in thousandths, at most all of it.
    per_mille: u64,
    /// One round trip, in microseconds, as it was before there was any load.
    round_trip_microseconds: u64,
    /// All round trips of a task, in microseconds.
    pub(super) task_microseconds: u64,
    /// The mean service time, in microseconds.
    pub(super) service_microseconds: u64,
}

impl Way {
    /// None where the dyno did not measure it, or no measured task ended.
    pub(super) fn of(dyno: &Dyno<'_>) -> Option<Self> {
        let report = dyno.report()?;
        let round_trip_microseconds = report.start.as_ref()?.round_trip_microseconds?;
        let service_microseconds = report.latencies.service.mean_microseconds()?;
        let task_microseconds = round_trip_microseconds
            .saturating_mul(dyno.plan.workload.round_trips().into())
            .min(service_microseconds);
        Some(Self {
            per_mille: task_microseconds
                .saturating_mul(1000)
                .checked_div(service_microseconds)?,
            round_trip_microseconds,
            task_microseconds,
            service_microseconds,
        })
    }

    /// Whether tasks take most of their time from it.
    pub(super) const fn takes_most(&self) -> bool {
        self.per_mille >= MOST_PER_MILLE
            && self.round_trip_microseconds >= LEAST_ROUND_TRIP_MICROSECONDS
    }
}
