//! The operator's own metrics, and the results of LoadTests as gauges.
//!
//! The gauges are made anew from the LoadTests of the cluster at every scrape: they are there as
//! long as their LoadTest is, also after a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use redyno_crds::status::LatencyStatus;
use redyno_crds::{LoadTest, LoadTestStatus};

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    reconciliations: IntCounter,
    errors: IntCounterVec,
    duration: Histogram,
    verdicts: IntCounterVec,
    stores: Arc<Mutex<Vec<Store<DeserializeGuard<LoadTest>>>>>,
}

const STATES: [&str; 6] = [
    "Pending",
    "Preflight",
    "Starting",
    "Running",
    "Collecting",
    "Finished",
];

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// If a name is not one that Prometheus takes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            reconciliations: IntCounter::new(
                "redyno_operator_reconciliations_total",
                "Reconciliations of LoadTests.",
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "redyno_operator_reconcile_errors_total",
                    "Reconciliations that failed, by category.",
                ),
                &["category"],
            )?,
            duration: Histogram::with_opts(
                HistogramOpts::new(
                    "redyno_operator_reconcile_duration_seconds",
                    "Duration of reconciliations.",
                )
                .buckets(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
                ]),
            )?,
            verdicts: IntCounterVec::new(
                Opts::new(
                    "redyno_verdicts_total",
                    "Verdicts written since the operator started.",
                ),
                &["verdict"],
            )?,
            stores: Arc::default(),
            registry: registry.clone(),
        };
        for collector in [
            Box::new(metrics.reconciliations.clone()) as Box<dyn Collector>,
            Box::new(metrics.errors.clone()),
            Box::new(metrics.duration.clone()),
            Box::new(metrics.verdicts.clone()),
        ] {
            registry.register(collector)?;
        }
        for verdict in ["Passed", "Failed", "Errored", "Inconclusive"] {
            metrics.verdicts.with_label_values(&[verdict]);
        }
        Ok(metrics)
    }

    /// Adds the LoadTests of a watch.
    pub fn watch(&self, store: Store<DeserializeGuard<LoadTest>>) {
        self.stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(store);
    }

    /// Counts and times a reconciliation until it is dropped.
    pub fn reconciling(&self) -> Reconciling {
        self.reconciliations.inc();
        Reconciling {
            started: Instant::now(),
            duration: self.duration.clone(),
        }
    }

    /// Counts an error.
    pub fn failed(&self, category: &str) {
        self.errors.with_label_values(&[category]).inc();
    }

    /// Counts a verdict.
    pub fn verdict(&self, verdict: &str) {
        self.verdicts.with_label_values(&[verdict]).inc();
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    /// If something in it cannot be written so.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let stores: Vec<_> = self
            .stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let load_tests: Vec<LoadTest> = stores
            .iter()
            .flat_map(Store::state)
            .filter_map(|guard| guard.0.clone().ok())
            .collect();
        let mut families = self.registry.gather();
        families.extend(results(&load_tests)?.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// A reconciliation under way.
#[derive(Debug)]
pub struct Reconciling {
    started: Instant,
    duration: Histogram,
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.duration.observe(self.started.elapsed().as_secs_f64());
    }
}

/// The results of these LoadTests as gauges.
fn results(load_tests: &[LoadTest]) -> Result<Registry, prometheus::Error> {
    let gauges = Gauges::new()?;
    for state in STATES {
        gauges.states.with_label_values(&[state]).set(0);
    }
    for load_test in load_tests {
        let status = load_test.status.clone().unwrap_or_default();
        let state = status.state.as_deref().unwrap_or(STATES[0]);
        gauges.states.with_label_values(&[state]).inc();
        gauges.set(
            &load_test.namespace().unwrap_or_default(),
            &load_test.name_any(),
            &status,
        );
    }
    Ok(gauges.registry)
}

struct Gauges {
    registry: Registry,
    states: IntGaugeVec,
    verdict: GaugeVec,
    scheduled: GaugeVec,
    completed: GaugeVec,
    failed: GaugeVec,
    rate: GaugeVec,
    response: GaugeVec,
    service: GaugeVec,
    skew: GaugeVec,
    started: GaugeVec,
    ended: GaugeVec,
}

const LABELS: [&str; 2] = ["namespace", "loadtest"];

impl Gauges {
    fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let states = IntGaugeVec::new(
            Opts::new("redyno_loadtests", "LoadTests, by state."),
            &["state"],
        )?;
        registry.register(Box::new(states.clone()))?;
        let gauge = |name: &str, help: &str, more: &[&str]| {
            let labels: Vec<&str> = LABELS.iter().chain(more).copied().collect();
            let gauge = GaugeVec::new(Opts::new(name, help), &labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            verdict: gauge(
                "redyno_loadtest_verdict",
                "1 for the verdict and reason of a finished LoadTest.",
                &["verdict", "reason"],
            )?,
            scheduled: gauge(
                "redyno_loadtest_scheduled_tasks",
                "Tasks due in the measured window.",
                &[],
            )?,
            completed: gauge(
                "redyno_loadtest_completed_tasks",
                "Tasks that ended without error.",
                &[],
            )?,
            failed: gauge(
                "redyno_loadtest_failed_tasks",
                "Tasks that ended in an error.",
                &[],
            )?,
            rate: gauge(
                "redyno_loadtest_achieved_tasks_per_second",
                "Tasks that ended without error inside the window, per second of it.",
                &[],
            )?,
            response: gauge(
                "redyno_loadtest_response_seconds",
                "Quantiles of the time from due to end.",
                &["quantile"],
            )?,
            service: gauge(
                "redyno_loadtest_service_seconds",
                "Quantiles of the time from start to end.",
                &["quantile"],
            )?,
            skew: gauge(
                "redyno_loadtest_start_skew_seconds",
                "The last dyno's start minus the first one's.",
                &[],
            )?,
            started: gauge(
                "redyno_loadtest_start_timestamp_seconds",
                "Begin of the measured window.",
                &[],
            )?,
            ended: gauge(
                "redyno_loadtest_completion_timestamp_seconds",
                "When the verdict was written.",
                &[],
            )?,
            registry: registry.clone(),
            states,
        })
    }

    fn set(&self, namespace: &str, name: &str, status: &LoadTestStatus) {
        let labels = [namespace, name];
        if let Some(time) = &status.start_time {
            self.started
                .with_label_values(&labels)
                .set(time.0.as_millisecond() as f64 / 1e3);
        }
        let (Some(verdict), Some(time)) = (&status.verdict, &status.completion_time) else {
            return;
        };
        self.ended
            .with_label_values(&labels)
            .set(time.0.as_second() as f64);
        let reason = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == redyno_crds::conditions::SUCCEEDED)
            .map(|condition| condition.reason.as_str())
            .unwrap_or_default();
        self.verdict
            .with_label_values(&[namespace, name, verdict, reason])
            .set(1.0);
        let Some(summary) = &status.summary else {
            return;
        };
        let tasks = &summary.tasks;
        for (gauge, value) in [
            (&self.scheduled, tasks.scheduled_tasks),
            (&self.completed, tasks.completed_tasks),
            (&self.failed, tasks.failed_tasks),
            (&self.rate, tasks.achieved_tasks_per_second),
        ] {
            gauge.with_label_values(&labels).set(value as f64);
        }
        if let Some(skew) = summary.start_skew_microseconds {
            self.skew.with_label_values(&labels).set(skew as f64 / 1e6);
        }
        for (gauge, latency) in [
            (&self.response, &summary.response),
            (&self.service, &summary.service),
        ] {
            if let Some(latency) = latency {
                set_quantiles(
                    |quantile| gauge.with_label_values(&[namespace, name, quantile]),
                    latency,
                );
            }
        }
    }
}

fn set_quantiles(gauge: impl Fn(&str) -> Gauge, latency: &LatencyStatus) {
    let LatencyStatus {
        p50_microseconds,
        p90_microseconds,
        p99_microseconds,
        p999_microseconds,
        max_microseconds,
        mean_microseconds: _,
    } = latency;
    for (quantile, microseconds) in [
        ("0.5", p50_microseconds),
        ("0.9", p90_microseconds),
        ("0.99", p99_microseconds),
        ("0.999", p999_microseconds),
        ("1", max_microseconds),
    ] {
        gauge(quantile).set(*microseconds as f64 / 1e6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Cluster, MANAGED};

    fn text(load_tests: &[LoadTest]) -> String {
        TextEncoder::new()
            .encode_to_string(&results(load_tests).unwrap().gather())
            .unwrap()
    }

    #[test]
    fn a_loadtests_results_are_there_as_long_as_it_is() {
        let mut cluster = Cluster::new(MANAGED);
        let created = cluster.load_test.clone();
        cluster.until_ended();
        let mut unmade = created.clone();
        unmade.metadata.name = Some("monday".to_owned());
        let found = text(&[cluster.load_test.clone(), unmade]);
        for line in [
            "redyno_loadtests{state=\"Finished\"} 1",
            "redyno_loadtests{state=\"Pending\"} 1",
            "redyno_loadtests{state=\"Running\"} 0",
            "redyno_loadtest_verdict{loadtest=\"friday\",namespace=\"shop\",reason=\"Passed\",verdict=\"Passed\"} 1",
            "redyno_loadtest_scheduled_tasks{loadtest=\"friday\",namespace=\"shop\"} 6000",
            "redyno_loadtest_achieved_tasks_per_second{loadtest=\"friday\",namespace=\"shop\"} 300",
            "redyno_loadtest_response_seconds{loadtest=\"friday\",namespace=\"shop\",quantile=\"1\"} 0.009",
        ] {
            assert!(found.contains(line), "no {line} in:\n{found}");
        }
        assert!(!found.contains("monday"), "nothing is known of it yet");
        assert!(!text(&[created]).contains("friday"));
    }

    #[test]
    fn what_the_operator_does_is_counted() {
        let metrics = Metrics::new().unwrap();
        drop(metrics.reconciling());
        metrics.failed("forbidden");
        metrics.verdict("Failed");
        let found = metrics.text().unwrap();
        for line in [
            "redyno_operator_reconciliations_total 1",
            "redyno_operator_reconcile_duration_seconds_count 1",
            "redyno_operator_reconcile_errors_total{category=\"forbidden\"} 1",
            "redyno_verdicts_total{verdict=\"Failed\"} 1",
            "redyno_verdicts_total{verdict=\"Passed\"} 0",
        ] {
            assert!(found.contains(line), "no {line} in:\n{found}");
        }
    }
}
