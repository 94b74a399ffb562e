//! What the operator itself does.
//!
//! Part of it stands a second time under the names of controllers made with controller-runtime, so
//! that dashboards and alerts made for those show this one, too: those metrics, and only those,
//! whose meaning is the same here. A reconciliation is one call for one LoadTest there and here, a
//! worker is one of those that can be under way at once, a retry is another look after an error.
//! Left out are the depth, the additions and the waiting time of the work queue, which kube's own
//! scheduler does not tell, and terminal errors and panics, which this operator does not know.
//!
//! Names, labels and buckets are those of controller-runtime 0.21 (`pkg/internal/controller/metrics`
//! and `pkg/internal/metrics/workqueue.go`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    Registry, exponential_buckets,
};

use crate::error::{self, Error};

/// The controller's name: there it is the kind in lower case.
const CONTROLLER: &str = "loadtest";

/// The labels of its queue, which has the controller's name.
const QUEUE: [&str; 2] = [CONTROLLER, CONTROLLER];

const SUCCESS: &str = "success";
const REQUEUE_AFTER: &str = "requeue_after";
const ERROR: &str = "error";

/// Upper bounds of `redyno_operator_reconcile_duration_seconds`; a look is given up after a minute.
const DURATIONS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// Upper bounds of `controller_runtime_reconcile_time_seconds`.
const RECONCILE_TIMES: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0,
    25.0, 30.0, 40.0, 50.0, 60.0,
];

/// What the operator does, counted.
#[derive(Clone)]
pub(super) struct Work {
    registry: Registry,
    reconciliations: IntCounter,
    errors: IntCounterVec,
    duration: Histogram,
    verdicts: IntCounterVec,
    results: IntCounterVec,
    failures: IntCounterVec,
    times: HistogramVec,
    workers: GaugeVec,
    most_workers: GaugeVec,
    queue_times: HistogramVec,
    queue_retries: IntCounterVec,
    queue_unfinished: GaugeVec,
    queue_longest: GaugeVec,
    under_way: Arc<Mutex<UnderWay>>,
}

/// The reconciliations that have begun and not ended.
#[derive(Debug, Default)]
struct UnderWay {
    began: BTreeMap<u64, Instant>,
    next: u64,
}

impl Work {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let register = Registered(&registry);
        let by_controller: &[&str] = &["controller"];
        let by_queue: &[&str] = &["name", "controller"];
        let info = register.keep(Gauge::with_opts(
            Opts::new("redyno_operator_info", "1, with the operator's version.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?)?;
        info.set(1.0);
        let work = Self {
            reconciliations: register.keep(IntCounter::new(
                "redyno_operator_reconciliations_total",
                "Reconciliations of LoadTests.",
            )?)?,
            errors: register.counters(
                "redyno_operator_reconcile_errors_total",
                "Reconciliations that failed, by category.",
                &["category"],
            )?,
            duration: register.keep(Histogram::with_opts(
                HistogramOpts::new(
                    "redyno_operator_reconcile_duration_seconds",
                    "Duration of reconciliations.",
                )
                .buckets(DURATIONS.to_vec()),
            )?)?,
            verdicts: register.counters(
                "redyno_verdicts_total",
                "Verdicts written since the operator started.",
                &["verdict"],
            )?,
            results: register.counters(
                "controller_runtime_reconcile_total",
                "Reconciliations, by controller and by what came of them.",
                &["controller", "result"],
            )?,
            failures: register.counters(
                "controller_runtime_reconcile_errors_total",
                "Reconciliations that failed, by controller.",
                by_controller,
            )?,
            times: register.histograms(
                "controller_runtime_reconcile_time_seconds",
                "Duration of reconciliations, by controller.",
                by_controller,
                RECONCILE_TIMES.to_vec(),
            )?,
            workers: register.gauges(
                "controller_runtime_active_workers",
                "Reconciliations under way, by controller.",
                by_controller,
            )?,
            most_workers: register.gauges(
                "controller_runtime_max_concurrent_reconciles",
                "Reconciliations that can be under way at once, by controller.",
                by_controller,
            )?,
            queue_times: register.histograms(
                "workqueue_work_duration_seconds",
                "Time that an item of the work queue took.",
                by_queue,
                exponential_buckets(10e-9, 10.0, 12)?,
            )?,
            queue_retries: register.counters(
                "workqueue_retries_total",
                "Items of the work queue that were taken up again after an error.",
                by_queue,
            )?,
            queue_unfinished: register.gauges(
                "workqueue_unfinished_work_seconds",
                "Time that the items under way have taken so far, all together.",
                by_queue,
            )?,
            queue_longest: register.gauges(
                "workqueue_longest_running_processor_seconds",
                "Time that the longest of the items under way has taken so far.",
                by_queue,
            )?,
            under_way: Arc::default(),
            registry: registry.clone(),
        };
        work.begin_at_zero();
        Ok(work)
    }

    /// Every series is there from the first scrape: the rate of one that appears with its first
    /// event would not show that event.
    fn begin_at_zero(&self) {
        for verdict in ["Passed", "Failed", "Errored", "Inconclusive"] {
            self.verdicts.with_label_values(&[verdict]);
        }
        for category in error::CATEGORIES {
            self.errors.with_label_values(&[category]);
        }
        for result in [SUCCESS, REQUEUE_AFTER, ERROR] {
            self.results.with_label_values(&[CONTROLLER, result]);
        }
        self.failures.with_label_values(&[CONTROLLER]);
        self.times.with_label_values(&[CONTROLLER]);
        self.most_workers.with_label_values(&[CONTROLLER]);
        self.queue_retries.with_label_values(&QUEUE);
        self.queue_times.with_label_values(&QUEUE);
    }

    pub(super) fn add_controller(&self, concurrency: u16) {
        self.most_workers
            .with_label_values(&[CONTROLLER])
            .add(f64::from(concurrency));
    }

    pub(super) fn reconciling(&self) -> Reconciling {
        self.reconciliations.inc();
        let began = Instant::now();
        let mut under_way = self.under_way();
        let number = under_way.next;
        under_way.next += 1;
        under_way.began.insert(number, began);
        drop(under_way);
        Reconciling {
            work: self.clone(),
            number,
            began,
        }
    }

    pub(super) fn failed(&self, category: &str) {
        self.errors.with_label_values(&[category]).inc();
        self.failures.with_label_values(&[CONTROLLER]).inc();
        self.queue_retries.with_label_values(&QUEUE).inc();
    }

    pub(super) fn verdict(&self, verdict: &str) {
        self.verdicts.with_label_values(&[verdict]).inc();
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        let now = Instant::now();
        let running: Vec<Duration> = self
            .under_way()
            .began
            .values()
            .map(|began| now.duration_since(*began))
            .collect();
        let longest = running.iter().max().copied().unwrap_or_default();
        let all: Duration = running.iter().sum();
        self.workers
            .with_label_values(&[CONTROLLER])
            .set(running.len() as f64);
        self.queue_unfinished
            .with_label_values(&QUEUE)
            .set(all.as_secs_f64());
        self.queue_longest
            .with_label_values(&QUEUE)
            .set(longest.as_secs_f64());
        self.registry.gather()
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes collectors and registers them.
struct Registered<'a>(&'a Registry);

impl Registered<'_> {
    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, prometheus::Error> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: Vec<f64>,
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets);
        self.keep(HistogramVec::new(options, labels)?)
    }
}

/// A reconciliation under way.
pub struct Reconciling {
    work: Work,
    number: u64,
    began: Instant,
}

impl Reconciling {
    /// It has ended, and so. One that is dropped without this was interrupted.
    pub fn ended(self, result: Result<&Action, &Error>) {
        let word = match result {
            Ok(action) if *action == Action::await_change() => SUCCESS,
            Ok(_) => REQUEUE_AFTER,
            Err(_) => ERROR,
        };
        self.work
            .results
            .with_label_values(&[CONTROLLER, word])
            .inc();
    }
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.work.under_way().began.remove(&self.number);
        let seconds = self.began.elapsed().as_secs_f64();
        self.work.duration.observe(seconds);
        self.work
            .times
            .with_label_values(&[CONTROLLER])
            .observe(seconds);
        self.work
            .queue_times
            .with_label_values(&QUEUE)
            .observe(seconds);
    }
}
