//! One run as Prometheus sees it, behind the chart's NetworkPolicies. A real Prometheus, which the
//! real prometheus-operator configures from the chart's monitors, scrapes two dynos and the
//! operator while the policies are enforced. Its numbers are those of the status.

use redyno_tests::command::{eventually, kubectl, run_with_input};
use redyno_tests::installation::{self, NAMESPACE, Quiet};
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use redyno_tests::prometheus::{self, Prometheus};
use redyno_tests::tools::Tool;
use serde_json::json;

use super::network_policy::{Attempts, StandIn};
use super::node::Node;
use seen::Seen;

mod seen;

/// The LoadTest's name.
const NAME: &str = "observed";

/// The limit of its threshold. It is a bound of a histogram only because it is a limit.
const LIMIT_MICROSECONDS: u32 = 1_234_000;

#[test]
fn a_run_behind_network_policies_is_seen_in_full() {
    measured_alone(|cluster| {
        if !Tool::Prometheus.is_there() {
            return Ok(());
        }
        let namespace = Namespace::new(NAME);
        let _installation = Monitored::new(cluster, &namespace);
        let prometheus = Prometheus::start();
        // Somebody's Redis in the same namespace, which is not the target of this run.
        namespace.redis(None, &[]);

        let load_test = with(
            small(NAME),
            "/target",
            json!({"managed": {"plan": "mini", "scalePercent": 50}}),
        );
        let load_test = with(load_test, "/durationSeconds", 12);
        let load_test = with(load_test, "/formation/0", web(2, 50));
        let load_test = with(
            load_test,
            "/thresholds",
            json!([{"name": "p99", "latency": {"of": "Response", "percentile": "99", "maxMicroseconds": LIMIT_MICROSECONDS}}]),
        );
        let node = Node::local();
        let enforced = node.as_ref().map(StandIn::start);
        namespace
            .create(&load_test)
            .expect_success("creating a LoadTest");
        let reaches = |condition: &str| {
            eventually(&format!("{condition}, or the end"), 120, || {
                if let Some(enforced) = &enforced {
                    enforced.follow();
                }
                let conditions = namespace.load_test(NAME).status?.conditions;
                let is_true = |name: &str| {
                    conditions
                        .iter()
                        .any(|condition| condition.type_ == name && condition.status == "True")
                };
                (is_true(condition) || is_true("Finished")).then(|| is_true(condition))
            })
        };
        assert!(reaches("DynosReady"), "the dynos were not ready");
        let dynos = namespace.list("pods", "redyno.dev/dyno-type=web");
        assert_eq!(dynos.len(), 2);
        let attempts = node
            .as_ref()
            .map(|node| Attempts::from_dyno(&namespace, node, &dynos));
        assert!(reaches("Started"), "the dynos have not started");
        for dyno in &dynos {
            let name = dyno["metadata"]["name"].as_str().expect("a name");
            let text = pod_metrics(namespace.name(), name, 9090);
            let series = text.lines().filter(|line| !line.starts_with('#')).count();
            eprintln!("series of {name}: {series}");
            assert!(series < 400, "{series} series of one dyno");
            lint(&text);
        }
        if let (Some(node), Some(enforced), Some(attempts)) = (&node, &enforced, &attempts) {
            attempts.make(node, enforced);
        }

        let finished = namespace.finished(NAME, 120);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(2 * 50 * 12);
        lint(&operator_metrics());
        let mut seen = Seen::new(&prometheus, namespace.name(), NAME);
        seen.dynos(&finished);
        seen.quantiles(&finished);
        seen.results(&finished);
        seen.dashboards(&finished);
        seen.alerts(&finished);

        namespace
            .kubectl(&["delete", "loadtest", NAME])
            .expect_success("kubectl delete");
        eventually("the operator's metrics know nothing of it", 30, || {
            (!operator_metrics().contains(namespace.name())).then_some(())
        });
        seen.expect_nothing_wrong();
        Ok(())
    });
}

/// The operator with everything on that this test looks at, for as long as this lives.
struct Monitored<'a>(&'a Quiet);

impl<'a> Monitored<'a> {
    fn new(cluster: &'a Quiet, namespace: &Namespace) -> Self {
        let policies = json!({
            "namespaces": [namespace.name()],
            // The target is a managed one.
            "runs": {"targets": []},
            "scrapers": {"from": [{"namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": prometheus::NAMESPACE,
            }}}]},
        });
        installation::change_with(
            cluster,
            &[
                "--set=lingerSeconds=auto",
                "--set=metrics.podMonitor.interval=1s",
                "--set=metrics.serviceMonitor.interval=1s",
                "--set-json",
                &format!("networkPolicy={policies}"),
            ],
        );
        Self(cluster)
    }
}

impl Drop for Monitored<'_> {
    fn drop(&mut self) {
        installation::restore(self.0);
    }
}

/// Asserts that the linter of Prometheus has nothing to say.
fn lint(text: &str) {
    let outcome = run_with_input("promtool", &["check", "metrics"], text);
    assert_eq!(
        (outcome.code, outcome.errors.as_str()),
        (Some(0), ""),
        "promtool check metrics: {}",
        outcome.output
    );
}

fn pod_metrics(namespace: &str, pod: &str, port: u16) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics");
    kubectl(&["get", "--raw", &path]).expect_success("reading a pod's metrics")
}

fn operator_metrics() -> String {
    let name = kubectl(&[
        "--namespace",
        NAMESPACE,
        "get",
        "pods",
        "--selector=app.kubernetes.io/component=operator",
        "--field-selector=status.phase=Running",
        "--output=jsonpath={.items[0].metadata.name}",
    ])
    .expect_success("finding the operator");
    pod_metrics(NAMESPACE, name.trim(), 8080)
}
