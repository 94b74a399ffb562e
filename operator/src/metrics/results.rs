//! What the LoadTests of the cluster are and came to, as gauges read off their status.

use kube::ResourceExt;
use prometheus::proto::MetricFamily;
use redyno_crds::spec::Target;
use redyno_crds::status::{DynoStatus, LatencyStatus, SummaryStatus, TaskTotals, ThresholdStatus};
use redyno_crds::{LoadTest, LoadTestStatus, conditions};

use super::families::Families;

/// Every state, in the order of a run.
const STATES: [&str; 6] = [
    "Pending",
    "Preflight",
    "Starting",
    "Running",
    "Collecting",
    "Finished",
];

/// Longest message in a label, in bytes: the first sentence or two. The status has all of it.
const LONGEST_MESSAGE: usize = 512;

/// All of it.
pub(super) fn of(load_tests: &[LoadTest]) -> Vec<MetricFamily> {
    let mut families = Families::default();
    for state in STATES {
        let count = load_tests
            .iter()
            .filter(|load_test| state_of(load_test) == state)
            .count();
        families.gauge(
            "redyno_loadtests",
            "LoadTests, by state.",
            &[("state", state)],
            count as f64,
        );
    }
    for load_test in load_tests {
        One {
            families: &mut families,
            namespace: &load_test.namespace().unwrap_or_default(),
            name: &load_test.name_any(),
        }
        .load_test(load_test);
    }
    families.into_vec()
}

fn state_of(load_test: &LoadTest) -> &str {
    load_test
        .status
        .as_ref()
        .and_then(|status| status.state.as_deref())
        .unwrap_or(STATES[0])
}

/// One LoadTest.
struct One<'a> {
    families: &'a mut Families,
    namespace: &'a str,
    name: &'a str,
}

impl One<'_> {
    fn gauge(&mut self, name: &'static str, help: &str, more: &[(&str, &str)], value: f64) {
        let labels = [
            &[("namespace", self.namespace), ("loadtest", self.name)],
            more,
        ]
        .concat();
        self.families.gauge(name, help, &labels, value);
    }

    fn load_test(&mut self, load_test: &LoadTest) {
        self.gauge(
            "redyno_loadtest_state",
            "1 for the state that the LoadTest is in.",
            &[("state", state_of(load_test))],
            1.0,
        );
        if let Some(created) = &load_test.metadata.creation_timestamp {
            self.gauge(
                "redyno_loadtest_created_timestamp_seconds",
                "When the LoadTest was created.",
                &[],
                created.0.as_second() as f64,
            );
        }
        let status = load_test.status.clone().unwrap_or_default();
        let message = status.message.as_deref().unwrap_or_default();
        self.gauge(
            "redyno_loadtest_info",
            "1, with the target, and once the LoadTest is finished with its bottleneck and what happened, in a sentence.",
            &[
                ("target", &target(&load_test.spec.target)),
                ("bottleneck", status.bottleneck.as_deref().unwrap_or_default()),
                ("message", &bounded(message)),
            ],
            1.0,
        );
        self.status(&status);
    }

    fn status(&mut self, status: &LoadTestStatus) {
        if let Some((ready, planned)) = status.dynos_ready.as_deref().and_then(fraction) {
            self.gauge(
                "redyno_loadtest_dynos_ready",
                "Dynos that are or were ready for the common start.",
                &[],
                ready,
            );
            self.gauge(
                "redyno_loadtest_dynos_planned",
                "Dynos that the LoadTest asks for.",
                &[],
                planned,
            );
        }
        if let Some(time) = &status.start_time {
            self.gauge(
                "redyno_loadtest_start_timestamp_seconds",
                "Begin of the measured window.",
                &[],
                time.0.as_millisecond() as f64 / 1e3,
            );
        }
        let (Some(verdict), Some(time)) = (&status.verdict, &status.completion_time) else {
            return;
        };
        let reason = conditions::condition(&status.conditions, conditions::SUCCEEDED)
            .map(|condition| condition.reason.as_str())
            .unwrap_or_default();
        self.gauge(
            "redyno_loadtest_verdict",
            "1 for the verdict and reason of a finished LoadTest.",
            &[("verdict", verdict), ("reason", reason)],
            1.0,
        );
        self.gauge(
            "redyno_loadtest_completion_timestamp_seconds",
            "When the verdict was written.",
            &[],
            time.0.as_second() as f64,
        );
        if let Some(summary) = &status.summary {
            self.summary(summary);
        }
        for threshold in &status.thresholds {
            self.threshold(threshold);
        }
        for dyno in &status.dynos {
            self.dyno(dyno);
        }
    }

    fn summary(&mut self, summary: &SummaryStatus) {
        let TaskTotals {
            scheduled_tasks,
            delivered_tasks,
            // Their books are in the status; here are those that a verdict turns on.
            rejected_tasks: _,
            undispatched_tasks: _,
            completed_tasks,
            in_time_tasks: _,
            failed_tasks,
            timed_out_tasks: _,
            abandoned_tasks,
            achieved_tasks_per_second,
        } = &summary.tasks;
        for (name, help, value) in [
            (
                "redyno_loadtest_scheduled_tasks",
                "Tasks due in the measured window.",
                scheduled_tasks,
            ),
            (
                "redyno_loadtest_delivered_tasks",
                "Tasks that were handed to a worker.",
                delivered_tasks,
            ),
            (
                "redyno_loadtest_completed_tasks",
                "Tasks that ended without error.",
                completed_tasks,
            ),
            (
                "redyno_loadtest_failed_tasks",
                "Tasks that ended in an error.",
                failed_tasks,
            ),
            (
                "redyno_loadtest_abandoned_tasks",
                "Tasks that never ended.",
                abandoned_tasks,
            ),
            (
                "redyno_loadtest_achieved_tasks_per_second",
                "Tasks that ended without error inside the window, per second of it.",
                achieved_tasks_per_second,
            ),
        ] {
            self.gauge(name, help, &[], *value as f64);
        }
        if let Some(skew) = summary.start_skew_microseconds {
            self.gauge(
                "redyno_loadtest_start_skew_seconds",
                "The last dyno's start minus the first one's.",
                &[],
                seconds(skew),
            );
        }
        for (name, help, latency) in [
            (
                "redyno_loadtest_response_seconds",
                "Time from due to end: quantiles over all completed tasks, 1 for the highest.",
                &summary.response,
            ),
            (
                "redyno_loadtest_service_seconds",
                "Time from start to end: quantiles over all completed tasks, 1 for the highest.",
                &summary.service,
            ),
        ] {
            if let Some(latency) = latency {
                self.latency(name, help, latency, *completed_tasks);
            }
        }
    }

    fn latency(&mut self, name: &'static str, help: &str, latency: &LatencyStatus, completed: i64) {
        let LatencyStatus {
            p50_microseconds,
            p90_microseconds,
            p99_microseconds,
            p999_microseconds,
            max_microseconds,
            mean_microseconds,
            // A sample has a number; what is only a bound of it says the status.
            p50_is_lower_bound: _,
            p90_is_lower_bound: _,
            p99_is_lower_bound: _,
            p999_is_lower_bound: _,
            max_is_lower_bound: _,
            significant_digits: _,
        } = latency;
        let quantiles = [
            (0.5, p50_microseconds),
            (0.9, p90_microseconds),
            (0.99, p99_microseconds),
            (0.999, p999_microseconds),
            (1.0, max_microseconds),
        ]
        .map(|(quantile, microseconds)| (quantile, seconds(*microseconds)));
        let completed = u64::try_from(completed).unwrap_or(0);
        self.families.summary(
            name,
            help,
            &[("namespace", self.namespace), ("loadtest", self.name)],
            &quantiles,
            completed,
            seconds(*mean_microseconds) * completed as f64,
        );
    }

    fn threshold(&mut self, threshold: &ThresholdStatus) {
        let ThresholdStatus {
            name,
            result,
            observed,
            limit,
            over_count,
            allowed_count,
        } = threshold;
        self.gauge(
            "redyno_loadtest_threshold_result",
            "1 for what became of a threshold, with its limit and what was seen.",
            &[
                ("threshold", name),
                ("result", result),
                ("limit", limit),
                ("observed", observed),
            ],
            1.0,
        );
        for (metric, help, count) in [
            (
                "redyno_loadtest_threshold_over_tasks",
                "Tasks over a threshold's limit.",
                over_count,
            ),
            (
                "redyno_loadtest_threshold_allowed_tasks",
                "Tasks that may be over a threshold's limit.",
                allowed_count,
            ),
        ] {
            if let Some(count) = count {
                self.gauge(metric, help, &[("threshold", name)], *count as f64);
            }
        }
    }

    fn dyno(&mut self, dyno: &DynoStatus) {
        let reason = dyno.reason.as_deref().unwrap_or_default();
        self.gauge(
            "redyno_loadtest_dyno_result",
            "1 for what became of a dyno, and why.",
            &[
                ("dyno", &dyno.name),
                ("result", &dyno.result),
                ("reason", reason),
            ],
            1.0,
        );
        if let Some(milliseconds) = dyno.ended_after_milliseconds {
            self.gauge(
                "redyno_loadtest_dyno_ended_seconds",
                "When a dyno ended, after the common start.",
                &[("dyno", &dyno.name)],
                milliseconds as f64 / 1e3,
            );
        }
    }
}

fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e6
}

/// The target as the status calls it in the end.
fn target(target: &Target) -> String {
    let Target { managed, existing } = target;
    match (managed, existing) {
        (Some(managed), _) => format!("managed {}", managed.plan),
        (None, Some(existing)) => format!("existing {}", existing.secret_ref.name),
        (None, None) => String::new(),
    }
}

/// `1/2`.
fn fraction(text: &str) -> Option<(f64, f64)> {
    let (part, whole) = text.split_once('/')?;
    Some((part.parse().ok()?, whole.parse().ok()?))
}

fn bounded(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(LONGEST_MESSAGE - 3);
    format!("{}...", &message[..end])
}
