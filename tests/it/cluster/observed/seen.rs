//! What Prometheus holds of a run, compared with the run's status.

use std::collections::BTreeMap;

use redyno_crds::status::{DynoStatus, LatencyStatus, TaskTotals};
use redyno_tests::command::eventually;
use redyno_tests::dashboards::{Evaluation, Expression, Variables, alerts, expressions};
use redyno_tests::load_test::Finished;
use redyno_tests::prometheus::Prometheus;
use redyno_tests::promql::contents;

use super::LIMIT_MICROSECONDS;

/// What Prometheus holds of the run, and the differences from the status. All differences are
/// reported together, at the end.
pub(crate) struct Seen<'a> {
    prometheus: &'a Prometheus,
    namespace: String,
    name: String,
    /// What selects the run's series.
    labels: String,
    wrong: Vec<String>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(prometheus: &'a Prometheus, namespace: &str, name: &str) -> Self {
        Self {
            prometheus,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: format!("namespace=\"{namespace}\",loadtest=\"{name}\""),
            wrong: Vec::new(),
        }
    }

    /// Fails with all that was wrong.
    pub(crate) fn expect_nothing_wrong(&self) {
        assert!(self.wrong.is_empty(), "\n{}", self.wrong.join("\n"));
    }

    /// The only value of an expression; anything else is wrong.
    fn value(&mut self, expression: &str) -> Option<f64> {
        let answer = self.prometheus.query(expression, None);
        if let Ok([series]) = answer.as_deref()
            && let [(_, value)] = series.points[..]
        {
            return Some(value);
        }
        self.wrong.push(format!(
            "{expression}: one value was expected, not {answer:?}"
        ));
        None
    }

    /// The value of an expression is this number of the status.
    fn expect(&mut self, expression: &str, expected: f64) {
        if let Some(found) = self.value(expression)
            && (found - expected).abs() > 1e-9
        {
            self.wrong.push(format!(
                "{expression}: {found}, but the status says {expected}"
            ));
        }
    }

    /// The last numbers of every dyno are those of its report: none was lost with its pod.
    pub(crate) fn dynos(&mut self, finished: &Finished) {
        assert_eq!(finished.status().dynos.len(), 2);
        for DynoStatus { name, tasks, .. } in &finished.status().dynos {
            let TaskTotals {
                scheduled_tasks,
                delivered_tasks,
                rejected_tasks,
                undispatched_tasks: _,
                completed_tasks,
                in_time_tasks: _,
                failed_tasks,
                timed_out_tasks: _,
                abandoned_tasks,
                achieved_tasks_per_second: _,
            } = tasks;
            for (metric, expected) in [
                ("redyno_tasks_scheduled_total", scheduled_tasks),
                ("redyno_tasks_delivered_total", delivered_tasks),
                ("redyno_tasks_completed_total", completed_tasks),
                ("redyno_tasks_failed_total", failed_tasks),
                ("redyno_tasks_rejected_total", rejected_tasks),
                ("redyno_tasks_abandoned_total", abandoned_tasks),
                ("redyno_task_response_seconds_count", completed_tasks),
                ("redyno_task_wait_seconds_count", completed_tasks),
                ("redyno_task_service_seconds_count", completed_tasks),
                ("redyno_schedule_lag_seconds_count", delivered_tasks),
            ] {
                let labels = &self.labels;
                let last =
                    format!("sum(last_over_time({metric}{{{labels},dyno=\"{name}\"}}[10m]))");
                self.expect(&last, as_number(*expected));
            }
        }
    }

    /// Quantiles made from the dynos' summed buckets lie in the same bucket as those of the status,
    /// and the limit of the test is a bound.
    pub(crate) fn quantiles(&mut self, finished: &Finished) {
        let summary = finished.status().summary.as_ref().expect("a summary");
        for (metric, latency) in [
            ("redyno_task_response_seconds", &summary.response),
            ("redyno_task_service_seconds", &summary.service),
            ("redyno_task_wait_seconds", &summary.wait),
        ] {
            let LatencyStatus {
                p50_microseconds,
                p90_microseconds,
                p99_microseconds,
                p999_microseconds: _,
                max_microseconds: _,
                mean_microseconds: _,
                p50_is_lower_bound: _,
                p90_is_lower_bound: _,
                p99_is_lower_bound: _,
                p999_is_lower_bound: _,
                max_is_lower_bound: _,
                significant_digits: _,
            } = latency.as_ref().expect("a latency of a common workload");
            let buckets = format!(
                "sum by (le) (last_over_time({metric}_bucket{{{}}}[10m]))",
                self.labels
            );
            let bounds = self.bounds(&buckets);
            let limit = f64::from(LIMIT_MICROSECONDS) / 1e6;
            if metric == "redyno_task_response_seconds" && !bounds.contains(&limit) {
                self.wrong
                    .push(format!("{metric}: the limit is no bound: {bounds:?}"));
            }
            for (quantile, microseconds) in [
                (0.5, p50_microseconds),
                (0.9, p90_microseconds),
                (0.99, p99_microseconds),
            ] {
                let expected = as_number(*microseconds) / 1e6;
                let expression = format!("histogram_quantile({quantile}, {buckets})");
                let Some(found) = self.value(&expression) else {
                    continue;
                };
                let above = bounds.partition_point(|bound| *bound < found);
                let below = above.checked_sub(1).map_or(0.0, |index| bounds[index]);
                let above = bounds.get(above).copied().unwrap_or(f64::INFINITY);
                // The report, and so the status, may hold one significant digit of a histogram.
                if !(below * 0.9..=above * 1.1).contains(&expected) {
                    self.wrong.push(format!(
                        "{expression}: {found}, between {below} and {above}, but the status says {expected}"
                    ));
                }
            }
        }
    }

    /// Every expression is executed, and has a result unless it says why it may have none. Those of
    /// which the status holds the same number have that one.
    pub(crate) fn dashboards(&mut self, finished: &Finished) {
        let start = finished.status().start_time.as_ref().expect("a start");
        let end = self.prometheus.value("time()");
        // The range includes the dynos' first scrapes, before the window, and has a step at the
        // end.
        let range = (end - as_number(start.0.as_second())).ceil() + 3.0;
        let begin = end - range;
        let variables = Variables {
            // Grafana's rate interval for scrapes of a second: four of them.
            rate_interval: "4s".to_owned(),
            range: format!("{range}s"),
            interval: "1s".to_owned(),
            ..Variables::new(&self.namespace, &self.name)
        };
        let all = expressions(&variables);
        let mut known = panels(finished);
        for expression in &all {
            let text = &expression.expression;
            let answer = match expression.evaluation {
                Evaluation::Instant if !expression.reference.is_empty() => {
                    self.prometheus.query(text, Some(end))
                }
                // Grafana looks for the values of a variable in all of the time range.
                Evaluation::Instant | Evaluation::Range | Evaluation::Alert => {
                    self.prometheus.query_range(text, begin, end)
                }
            };
            let expected =
                known.remove(&(expression.place.as_str(), expression.reference.as_str()));
            let complaint = match (answer, expected) {
                (Err(error), _) => error,
                (Ok(series), None) if series.is_empty() && expression.may_be_empty.is_none() => {
                    "no result".to_owned()
                }
                (Ok(_), None) => continue,
                (Ok(series), Some((expected, tolerance))) => {
                    let points = series.iter().flat_map(|series| &series.points);
                    let found = points.map(|point| point.1).fold(f64::NAN, f64::max);
                    if (found - expected).abs() <= tolerance {
                        continue;
                    }
                    format!("{found}, but the status says {expected}")
                }
            };
            let Expression {
                file,
                place,
                reference,
                ..
            } = expression;
            self.wrong.push(format!(
                "{file}, {place} {reference}: {complaint}\n    {text}"
            ));
        }
        assert!(known.is_empty(), "these panels are no more: {known:?}");
    }

    /// Prometheus has the chart's alerts and can evaluate them, every metric that they speak of is
    /// there, and none fires of a run that passed.
    pub(crate) fn alerts(&mut self, finished: &Finished) {
        let rules = self.prometheus.rules();
        for alert in alerts() {
            let name = &alert.name;
            match rules.iter().find(|rule| rule.name == *name) {
                Some(rule) if rule.health == "ok" => {}
                other => self
                    .wrong
                    .push(format!("the alert {name} is not evaluated: {other:?}")),
            }
            let contents = contents(&alert.expression).expect("an expression");
            for metric in contents
                .selectors
                .iter()
                .flat_map(|selector| &selector.metrics)
            {
                // There may have been no errors.
                if metric != "redyno_operator_reconcile_errors_total" {
                    self.value(&format!("count(last_over_time({metric}[10m]))"));
                }
            }
        }
        if finished.status().verdict.as_deref() == Some("Passed") {
            let firing = format!("ALERTS{{alertstate=\"firing\",{}}}", self.labels);
            let firing = self.prometheus.query(&firing, None);
            if firing != Ok(Vec::new()) {
                self.wrong.push(format!("firing: {firing:?}"));
            }
        }
    }

    /// The finite bounds of these buckets, ascending.
    fn bounds(&self, buckets: &str) -> Vec<f64> {
        let series = self.prometheus.query(buckets, None).expect("buckets");
        let mut bounds: Vec<f64> = series
            .iter()
            .filter_map(|series| series.labels["le"].parse().ok())
            .filter(|bound: &f64| bound.is_finite())
            .collect();
        bounds.sort_by(f64::total_cmp);
        bounds
    }

    /// The operator's gauges of the LoadTest are its status.
    pub(crate) fn results(&mut self, finished: &Finished) {
        let verdict = finished.status().verdict.as_deref().unwrap_or_default();
        let labels = self.labels.clone();
        let verdict = format!(
            "redyno_loadtest_verdict{{{labels},verdict=\"{verdict}\",reason=\"{}\"}}",
            finished.reason()
        );
        eventually("the operator was scraped after the end", 30, || {
            let series = self.prometheus.query(&verdict, None).expect("a verdict");
            (!series.is_empty()).then_some(())
        });
        let summary = finished.status().summary.as_ref().expect("a summary");
        let tasks = &summary.tasks;
        for (metric, expected) in [
            ("redyno_loadtest_scheduled_tasks", tasks.scheduled_tasks),
            ("redyno_loadtest_delivered_tasks", tasks.delivered_tasks),
            ("redyno_loadtest_completed_tasks", tasks.completed_tasks),
            ("redyno_loadtest_failed_tasks", tasks.failed_tasks),
            ("redyno_loadtest_abandoned_tasks", tasks.abandoned_tasks),
            ("redyno_loadtest_dynos_planned", 2),
            ("redyno_loadtest_verdict", 1),
            ("redyno_loadtest_info", 1),
        ] {
            self.expect(&format!("sum({metric}{{{labels}}})"), as_number(expected));
        }
        let p99 = summary.response.as_ref().expect("a response time");
        let p99 = as_number(p99.p99_microseconds) / 1e6;
        for (metric, more, expected) in [
            ("redyno_loadtest_response_seconds", "quantile=\"0.99\"", p99),
            ("redyno_loadtest_state", "state=\"Finished\"", 1.0),
            ("redyno_loadtest_threshold_result", "threshold=\"p99\"", 1.0),
            ("redyno_loadtest_dyno_result", "dyno=\"web.2\"", 1.0),
        ] {
            self.expect(&format!("sum({metric}{{{labels},{more}}})"), expected);
        }
    }
}

/// What the status says of the value of a panel's query, or of its greatest, by title and
/// reference: and how far from that it may be.
fn panels(finished: &Finished) -> BTreeMap<(&'static str, &'static str), (f64, f64)> {
    let summary = finished.status().summary.as_ref().expect("a summary");
    let tasks = &summary.tasks;
    let scheduled = as_number(tasks.scheduled_tasks);
    let response = summary.response.as_ref().expect("a response time");
    let service = summary.service.as_ref().expect("a service time");
    let limit = finished
        .status()
        .thresholds
        .iter()
        .find(|threshold| threshold.name == "p99")
        .expect("the threshold");
    BTreeMap::from([
        (
            ("Delivered", "A"),
            (as_number(tasks.delivered_tasks) / scheduled, 0.01),
        ),
        (
            ("Kept up", "A"),
            (as_number(tasks.completed_tasks) / scheduled, 0.01),
        ),
        (
            ("Start skew", "A"),
            (
                as_number(summary.start_skew_microseconds.expect("a skew")) / 1e6,
                1e-9,
            ),
        ),
        (("Dynos ready", "A"), (1.0, 1e-9)),
        (
            ("Limits", "C"),
            (as_number(limit.allowed_count.expect("a count")), 1e-9),
        ),
        (("Offered and achieved", "A"), (100.0, 1e-9)),
        (("Fullest worker so far", "B"), (100.0, 1e-9)),
        (
            ("Runs", "C"),
            (as_number(tasks.achieved_tasks_per_second), 1e-9),
        ),
        (
            ("Runs", "D"),
            (as_number(response.p99_microseconds) / 1e6, 1e-9),
        ),
        (
            ("Runs", "E"),
            (as_number(service.p99_microseconds) / 1e6, 1e-9),
        ),
        (("Runs", "F"), (as_number(tasks.failed_tasks), 1e-9)),
    ])
}

/// A count or a duration of the status; none of them is beyond what a float holds exactly.
fn as_number(count: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    {
        count as f64
    }
}
