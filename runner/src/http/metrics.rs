//! Metrics of the measured tasks, made from the recorded numbers whenever somebody asks.
//!
//! Like the status, they leave out the warm-up. Every series is there from the beginning, so that
//! a rate over the start is right.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as HistogramProto, LabelPair, Metric, MetricFamily,
    MetricType,
};
use prometheus::{Encoder, Registry, TextEncoder};
use redyno_contract::report::Times;
use redyno_contract::{Histogram, Plan};

use super::Shown;
use crate::dyno::{Identity, Totals};
use crate::engine::{FailureClass, Snapshot};

/// 1, 2 and 5 of every power of ten, in microseconds, from 100 us to 60 s.
const LADDER: [u64; 18] = [
    100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000,
];

/// The metrics of one dyno.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// The metrics of a dyno, read from what is `shown`.
    pub(crate) fn new(
        plan: &Plan,
        identity: &Identity,
        shown: Arc<Shown>,
    ) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(DynoCollector::new(plan, identity, shown)?))?;
        Ok(Self { registry })
    }

    /// The text format.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

struct DynoCollector {
    labels: Vec<(&'static str, String)>,
    bounds: Vec<u64>,
    shown: Arc<Shown>,
    descriptions: Vec<Desc>,
}

/// Name and help of every metric.
const SCHEDULED: (&str, &str) = (
    "redyno_tasks_scheduled_total",
    "Tasks due in the measured window so far.",
);
const DELIVERED: (&str, &str) = (
    "redyno_tasks_delivered_total",
    "Tasks of the measured window handed to a worker.",
);
const COMPLETED: (&str, &str) = (
    "redyno_tasks_completed_total",
    "Tasks of the measured window that ended without error.",
);
const FAILED: (&str, &str) = (
    "redyno_tasks_failed_total",
    "Tasks of the measured window that ended in an error or ran out of time.",
);
const REJECTED: (&str, &str) = (
    "redyno_tasks_rejected_total",
    "Tasks of the measured window that found the backlog limit waiting at their worker.",
);
const RESPONSE: (&str, &str) = (
    "redyno_task_response_seconds",
    "From the moment a task was due until its end, measured window.",
);
const SERVICE: (&str, &str) = (
    "redyno_task_service_seconds",
    "From the moment a task was begun until its end, measured window.",
);
const BACKLOG: (&str, &str) = (
    "redyno_backlog_tasks",
    "Tasks that wait now, over all workers; those running are not among them.",
);

impl DynoCollector {
    fn new(plan: &Plan, identity: &Identity, shown: Arc<Shown>) -> Result<Self, prometheus::Error> {
        let labels = vec![
            ("namespace", plan.run.namespace.clone()),
            ("loadtest", plan.run.name.clone()),
            ("dyno_type", identity.dyno.dyno_type.clone()),
            ("dyno", identity.dyno.to_string()),
        ];
        let mut bounds: Vec<u64> = plan
            .latency_limits(&identity.dyno.dyno_type)
            .map(|(_, limit)| limit.max_microseconds)
            .chain(LADDER)
            .collect();
        bounds.sort_unstable();
        bounds.dedup();
        let descriptions = [
            SCHEDULED, DELIVERED, COMPLETED, FAILED, REJECTED, RESPONSE, SERVICE, BACKLOG,
        ]
        .into_iter()
        .map(|(name, help)| {
            let constant = labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            let variable = if name == FAILED.0 {
                vec!["reason".to_owned()]
            } else {
                vec![]
            };
            Desc::new(name.to_owned(), help.to_owned(), variable, constant)
        })
        .collect::<Result<_, _>>()?;
        Ok(Self {
            labels,
            bounds,
            shown,
            descriptions,
        })
    }

    fn metric(&self, reason: Option<FailureClass>) -> Metric {
        let mut labels: Vec<LabelPair> = self
            .labels
            .iter()
            .map(|(name, value)| label(name, value))
            .collect();
        labels.extend(reason.map(|class| label("reason", class.as_str())));
        labels.sort_by(|left, right| left.name().cmp(right.name()));
        Metric::from_label(labels)
    }

    fn count(&self, reason: Option<FailureClass>, value: u64) -> Metric {
        let mut metric = self.metric(reason);
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        metric.set_counter(counter);
        metric
    }

    fn gauge(&self, value: u64) -> Metric {
        let mut metric = self.metric(None);
        let mut gauge = Gauge::default();
        gauge.set_value(value as f64);
        metric.set_gauge(gauge);
        metric
    }

    fn histogram(&self, histogram: &Histogram, times: Times) -> Metric {
        let mut metric = self.metric(None);
        let mut filled = HistogramProto::default();
        filled.set_sample_count(histogram.count());
        filled.set_sample_sum(seconds(times.sum_microseconds));
        filled.set_bucket(
            self.bounds
                .iter()
                .zip(cumulative(histogram, &self.bounds))
                .map(|(bound, count)| {
                    let mut bucket = Bucket::default();
                    bucket.set_upper_bound(seconds(*bound));
                    bucket.set_cumulative_count(count);
                    bucket
                })
                .collect(),
        );
        metric.set_histogram(filled);
        metric
    }

    fn families(&self, totals: &Totals) -> Vec<MetricFamily> {
        let snapshot = totals.snapshot();
        let books = snapshot
            .map(|snapshot| snapshot.measured)
            .unwrap_or_default();
        let latencies = snapshot
            .map(|snapshot| snapshot.latencies)
            .unwrap_or_default();
        let failures = snapshot
            .map(|snapshot| *snapshot.limits.failures())
            .unwrap_or_default();
        let waiting = snapshot.map_or(0, Snapshot::waiting);
        let counter =
            |name, value| family(name, MetricType::COUNTER, vec![self.count(None, value)]);
        let failed = FailureClass::ALL
            .into_iter()
            .map(|class| self.count(Some(class), failures.of(class)))
            .collect();
        let distributions = totals.measured();
        vec![
            counter(SCHEDULED, books.scheduled),
            counter(DELIVERED, books.delivered),
            counter(COMPLETED, books.completed),
            family(FAILED, MetricType::COUNTER, failed),
            counter(REJECTED, books.rejected),
            family(
                RESPONSE,
                MetricType::HISTOGRAM,
                vec![self.histogram(&distributions.response, latencies.response)],
            ),
            family(
                SERVICE,
                MetricType::HISTOGRAM,
                vec![self.histogram(&distributions.service, latencies.service)],
            ),
            family(BACKLOG, MetricType::GAUGE, vec![self.gauge(waiting)]),
        ]
    }
}

impl Collector for DynoCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.shown.totals(|totals| self.families(totals))
    }
}

fn family((name, help): (&str, &str), kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000_000.0
}

/// How many samples are at or below each of the rising bounds. A sample whose bucket of the
/// recording reaches over a bound counts as above it.
fn cumulative(histogram: &Histogram, bounds: &[u64]) -> Vec<u64> {
    let mut counts = vec![0; bounds.len()];
    for (microseconds, count) in histogram.buckets() {
        let first = bounds.partition_point(|bound| *bound < microseconds);
        if let Some(slot) = counts.get_mut(first) {
            *slot += count;
        }
    }
    let mut sum = 0;
    for count in &mut counts {
        sum += *count;
        *count = sum;
    }
    counts
}

#[cfg(test)]
mod tests {
    use redyno_contract::histogram::Digits;

    use super::*;

    #[test]
    fn buckets_are_cumulative_and_bounds_are_inclusive() {
        let mut histogram = Histogram::new(Digits::Three);
        for microseconds in [1, 100, 101, 200, 1_000_000, 70_000_000] {
            histogram.record(microseconds);
        }
        assert_eq!(cumulative(&histogram, &[100, 200, 60_000_000]), [2, 4, 5]);
        assert_eq!(cumulative(&Histogram::new(Digits::Three), &[1, 2]), [0, 0]);
    }
}
