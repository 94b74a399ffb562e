//! Histograms of latencies, and the limits on them.

use redyno_contract::Histogram;
use redyno_contract::histogram::Bucket;
use redyno_contract::plan::{DynoTypePlan, Latency, LatencyLimit, Plan, Step};
use redyno_contract::report::Times;

use super::families::{Buckets, Families, Label, seconds};
use crate::dyno::Totals;
use redyno_engine::LimitCounters;

/// 1, 2 and 5 of every power of ten, in microseconds, from 100 us to 60 s.
const LADDER: [u64; 18] = [
    100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000,
];

/// The powers of ten among them, for the steps of a large mix: a dyno has no more than 400 series.
const COARSE_LADDER: [u64; 7] = [
    100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 60_000_000,
];

/// Most steps that have all bounds of the ladder.
const MOST_FINE_STEPS: usize = 8;

/// The bounds of every latency, and the limits of the plan.
#[derive(Debug)]
pub(super) struct Latencies {
    response: Vec<Bound>,
    wait: Vec<Bound>,
    service: Vec<Bound>,
    steps: Vec<(String, Vec<Bound>)>,
    schedule_lag: Vec<Bound>,
    limits: Vec<Limit>,
}

/// A bound of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    microseconds: u64,
    /// Which of the plan's latency limits it is: how many tasks took longer is then counted, not
    /// read off a histogram.
    limit: Option<usize>,
}

/// A latency limit, as its labels have it.
#[derive(Debug)]
struct Limit {
    threshold: String,
    of: &'static str,
    step: String,
    percentile: String,
    max_microseconds: u64,
}

impl Latencies {
    /// Those of a dyno of this type.
    pub(super) fn of(plan: &Plan, dynos: &DynoTypePlan) -> Self {
        let limits: Vec<(usize, &LatencyLimit)> = plan.latency_limits(&dynos.dyno_type).collect();
        let bounds = |ladder: &[u64], step: &Step, of| {
            let mut bounds: Vec<Bound> = limits
                .iter()
                .enumerate()
                .filter(|(_, (_, limit))| limit.step == *step && limit.of == of)
                .map(|(position, (_, limit))| Bound {
                    microseconds: limit.max_microseconds,
                    limit: Some(position),
                })
                .chain(ladder.iter().map(|microseconds| Bound {
                    microseconds: *microseconds,
                    limit: None,
                }))
                .collect();
            // Stable: of equals the limit stays.
            bounds.sort_by_key(|bound| bound.microseconds);
            bounds.dedup_by_key(|bound| bound.microseconds);
            bounds
        };
        let task = |of| bounds(&LADDER, &Step::Task, of);
        let steps = dynos.workload.steps();
        let ladder: &[u64] = if steps.len() > MOST_FINE_STEPS {
            &COARSE_LADDER
        } else {
            &LADDER
        };
        Self {
            response: task(Latency::Response),
            wait: task(Latency::Wait),
            service: task(Latency::Service),
            steps: steps
                .iter()
                .map(|step| {
                    let bounds = bounds(ladder, step, Latency::Service);
                    (step.as_str().to_owned(), bounds)
                })
                .collect(),
            schedule_lag: LADDER
                .map(|microseconds| Bound {
                    microseconds,
                    limit: None,
                })
                .to_vec(),
            limits: limits
                .iter()
                .map(|(position, limit)| Limit {
                    threshold: plan.thresholds[*position].name.clone(),
                    of: match limit.of {
                        Latency::Response => "Response",
                        Latency::Wait => "Wait",
                        Latency::Service => "Service",
                    },
                    step: limit.step.as_str().to_owned(),
                    percentile: limit.percentile.to_string(),
                    max_microseconds: limit.max_microseconds,
                })
                .collect(),
        }
    }

    pub(super) fn add(&self, families: &mut Families<'_>, totals: &Totals) {
        let Self {
            response,
            wait,
            service,
            steps,
            schedule_lag,
            limits,
        } = self;
        let snapshot = totals.snapshot();
        let times = snapshot
            .map(|snapshot| snapshot.counted.latencies)
            .unwrap_or_default();
        let counters = snapshot.map(|snapshot| &snapshot.counted.limits);
        let measured = totals.measured();
        for (name, help, bounds, histogram, times) in [
            (
                "redyno_task_response_seconds",
                "From the moment a task was due until its end, measured window.",
                response,
                &measured.response,
                times.response,
            ),
            (
                "redyno_task_wait_seconds",
                "From the moment a task was due until it was begun, measured window.",
                wait,
                &measured.wait,
                times.wait,
            ),
            (
                "redyno_task_service_seconds",
                "From the moment a task was begun until its end, measured window.",
                service,
                &measured.service,
                times.service,
            ),
            (
                "redyno_schedule_lag_seconds",
                "From the moment a task was due until it was handed over, measured window.",
                schedule_lag,
                &measured.schedule_lag,
                snapshot
                    .map(|snapshot| snapshot.counted.schedule_lag)
                    .unwrap_or_default(),
            ),
        ] {
            let buckets = filled(bounds, histogram, times, counters);
            families.histograms(name, help, vec![(vec![], buckets)]);
        }
        let of_steps = steps.iter().zip(&measured.steps).enumerate();
        let series = of_steps.map(|(position, ((step, bounds), histogram))| {
            let times = snapshot
                .and_then(|snapshot| snapshot.counted.steps.get(position).copied())
                .unwrap_or_default();
            let labels: Vec<Label<'_>> = vec![("step", step)];
            (labels, filled(bounds, histogram, times, counters))
        });
        families.histograms(
            "redyno_step_service_seconds",
            "From the begin of a step of a task until its end, measured window.",
            series.collect(),
        );
        let series: Vec<_> = limits
            .iter()
            .map(|limit| {
                let labels = vec![
                    ("threshold", limit.threshold.as_str()),
                    ("of", limit.of),
                    ("step", &limit.step),
                    ("percentile", &limit.percentile),
                ];
                (labels, seconds(limit.max_microseconds))
            })
            .collect();
        families.gauges(
            "redyno_latency_limit_seconds",
            "The limits that the LoadTest states on latencies of this type of dyno.",
            &series,
        );
    }
}

/// A histogram with these rising bounds. A sample whose bucket of the recording reaches over a
/// bound counts as above it, but for limits: what is over them was counted exactly.
fn filled(
    bounds: &[Bound],
    histogram: &Histogram,
    times: Times,
    counters: Option<&LimitCounters>,
) -> Buckets {
    let slow: Vec<u64> = counters
        .map(|counters| counters.slow().collect())
        .unwrap_or_default();
    let mut recorded = vec![0; bounds.len()];
    for Bucket {
        lowest: _,
        highest: microseconds,
        count,
    } in histogram.buckets()
    {
        let first = bounds.partition_point(|bound| bound.microseconds < microseconds);
        if let Some(slot) = recorded.get_mut(first) {
            *slot += count;
        }
    }
    let (mut sum, mut highest) = (0, 0);
    let cumulative = bounds.iter().zip(recorded).map(|(bound, count)| {
        sum += count;
        let counted = bound
            .limit
            .and_then(|limit| slow.get(limit))
            .map_or(sum, |slow| histogram.count().saturating_sub(*slow));
        // A limit and a bound of the ladder may share a bucket of the recording.
        highest = counted.max(highest);
        (seconds(bound.microseconds), highest)
    });
    Buckets {
        cumulative: cumulative.collect(),
        count: histogram.count(),
        sum: seconds(times.sum_microseconds),
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::histogram::Digits;

    use super::*;

    fn bounds(microseconds: &[u64]) -> Vec<Bound> {
        microseconds
            .iter()
            .map(|microseconds| Bound {
                microseconds: *microseconds,
                limit: None,
            })
            .collect()
    }

    fn counts(bounds: &[Bound], histogram: &Histogram) -> Vec<u64> {
        let buckets = filled(bounds, histogram, Times::default(), None);
        buckets.cumulative.iter().map(|(_, count)| *count).collect()
    }

    #[test]
    fn buckets_are_cumulative_and_bounds_are_inclusive() {
        let mut histogram = Histogram::new(Digits::Three);
        for microseconds in [1, 100, 101, 200, 1_000_000, 70_000_000] {
            histogram.record(microseconds);
        }
        assert_eq!(
            counts(&bounds(&[100, 200, 60_000_000]), &histogram),
            [2, 4, 5]
        );
        assert_eq!(
            counts(&bounds(&[1, 2]), &Histogram::new(Digits::Three)),
            [0, 0]
        );
    }
}
