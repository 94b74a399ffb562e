//! What a Prometheus would find.

use std::io::Write;
use std::process::{Command, Stdio};

use kube::runtime::controller::Action;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use redyno_contract::report::Ending;

use super::*;
use crate::error::Error;
use crate::fixtures::{Cluster, EXISTING, MANAGED};

fn text(load_tests: &[LoadTest]) -> String {
    TextEncoder::new()
        .encode_to_string(&results::of(load_tests))
        .unwrap()
}

fn assert_lines(found: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            found.lines().any(|found| found == *line),
            "no {line} in:\n{found}"
        );
    }
}

/// A run that failed by the backlog of one of its two dynos.
fn failed() -> Cluster {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_running().wait(5);
    let ending = Ending::BacklogLimit {
        worker: 3,
        backlog: 100,
        on_time: Some(100),
    };
    cluster.dyno_ends("web.1", 0, ending);
    cluster.dyno_ends("web.2", 0, Ending::Stopped);
    cluster.look();
    cluster
}

#[test]
fn a_loadtests_results_are_there_as_long_as_it_is() {
    let mut cluster = Cluster::new(MANAGED);
    let created = cluster.load_test.clone();
    cluster.until_ended();
    let mut unmade = created.clone();
    unmade.metadata.name = Some("monday".to_owned());
    let found = text(&[cluster.load_test.clone(), unmade]);
    assert_lines(
        &found,
        &[
            r#"redyno_loadtests{state="Finished"} 1"#,
            r#"redyno_loadtests{state="Pending"} 1"#,
            r#"redyno_loadtests{state="Running"} 0"#,
            r#"redyno_loadtest_state{loadtest="friday",namespace="shop",state="Finished"} 1"#,
            r#"redyno_loadtest_state{loadtest="monday",namespace="shop",state="Pending"} 1"#,
            r#"redyno_loadtest_created_timestamp_seconds{loadtest="monday",namespace="shop"} 1767225600"#,
            r#"redyno_loadtest_info{bottleneck="",loadtest="monday",message="",namespace="shop",target="managed premium-1"} 1"#,
            r#"redyno_loadtest_verdict{loadtest="friday",namespace="shop",reason="Passed",verdict="Passed"} 1"#,
            r#"redyno_loadtest_scheduled_tasks{loadtest="friday",namespace="shop"} 6000"#,
            r#"redyno_loadtest_delivered_tasks{loadtest="friday",namespace="shop"} 6000"#,
            r#"redyno_loadtest_completed_tasks{loadtest="friday",namespace="shop"} 6000"#,
            r#"redyno_loadtest_failed_tasks{loadtest="friday",namespace="shop"} 0"#,
            r#"redyno_loadtest_abandoned_tasks{loadtest="friday",namespace="shop"} 0"#,
            r#"redyno_loadtest_achieved_tasks_per_second{loadtest="friday",namespace="shop"} 300"#,
            "# TYPE redyno_loadtest_response_seconds summary",
            r#"redyno_loadtest_response_seconds{loadtest="friday",namespace="shop",quantile="1"} 0.009"#,
            r#"redyno_loadtest_response_seconds_sum{loadtest="friday",namespace="shop"} 12"#,
            r#"redyno_loadtest_response_seconds_count{loadtest="friday",namespace="shop"} 6000"#,
            r#"redyno_loadtest_service_seconds{loadtest="friday",namespace="shop",quantile="0.99"} 0.002"#,
            r#"redyno_loadtest_start_skew_seconds{loadtest="friday",namespace="shop"} 0"#,
            r#"redyno_loadtest_start_timestamp_seconds{loadtest="friday",namespace="shop"} 1767225665"#,
            r#"redyno_loadtest_dynos_ready{loadtest="friday",namespace="shop"} 2"#,
            r#"redyno_loadtest_dynos_planned{loadtest="friday",namespace="shop"} 2"#,
            r#"redyno_loadtest_threshold_result{limit="response p99 250 ms",loadtest="friday",namespace="shop",observed="2 ms",result="Held",threshold="p99"} 1"#,
            r#"redyno_loadtest_threshold_over_tasks{loadtest="friday",namespace="shop",threshold="p99"} 0"#,
            r#"redyno_loadtest_threshold_allowed_tasks{loadtest="friday",namespace="shop",threshold="p99"} 60"#,
            r#"redyno_loadtest_dyno_result{dyno="web.2",loadtest="friday",namespace="shop",reason="",result="Passed"} 1"#,
            r#"redyno_loadtest_dyno_ended_seconds{dyno="web.2",loadtest="friday",namespace="shop"} 25.01"#,
        ],
    );
    assert!(
        !found.contains(r#"_tasks{loadtest="monday""#),
        "nothing is known of it yet:\n{found}"
    );
    assert!(!text(&[]).contains("friday"));
}

#[test]
fn the_target_is_called_as_it_is_in_the_status() {
    for yaml in [MANAGED, EXISTING] {
        let mut cluster = Cluster::new(yaml);
        cluster.until_ended();
        if yaml == EXISTING {
            cluster.finish_ends();
        }
        let title = cluster.status().summary.clone().unwrap().target.unwrap();
        let found = text(&[cluster.load_test]);
        assert!(
            found.contains(&format!("target=\"{title}\"")),
            "no {title} in:\n{found}"
        );
    }
}

#[test]
fn why_a_loadtest_failed_is_told_and_bounded() {
    let mut cluster = failed();
    let found = text(std::slice::from_ref(&cluster.load_test));
    for words in [
        r#"reason="BacklogLimitReached",verdict="Failed"} 1"#,
        r#"dyno="web.1",loadtest="friday",namespace="shop",reason="BacklogLimit",result="Failed"} 1"#,
        "message=\"web.1 FAILED after 25.0 s: worker 3 had 100 waiting.",
    ] {
        assert!(found.contains(words), "no {words} in:\n{found}");
    }
    let status = cluster.load_test.status.as_mut().unwrap();
    status.message = Some(format!(
        "a \"quote\",\na new line, and {}",
        "ä".repeat(4000)
    ));
    let found = text(&[cluster.load_test]);
    let line = found
        .lines()
        .find(|line| line.starts_with("redyno_loadtest_info"))
        .unwrap();
    assert!(line.contains(r#"a \"quote\",\na new line"#), "{line}");
    assert!(line.len() < 700 && line.contains("ä...\""), "{line}");
}

#[test]
fn what_the_operator_does_is_counted() {
    let metrics = Metrics::new().unwrap();
    let (store, _) = reflector::store::<DeserializeGuard<LoadTest>>();
    metrics.watch(store, 16);
    metrics.reconciling().ended(Ok(&Action::await_change()));
    let wait = std::time::Duration::from_secs(5);
    metrics.reconciling().ended(Ok(&Action::requeue(wait)));
    metrics.reconciling().ended(Err(&Error::Timeout(wait)));
    drop(metrics.reconciling());
    metrics.failed("timeout");
    metrics.verdict("Failed");
    let under_way = metrics.reconciling();
    assert_lines(
        &metrics.text().unwrap(),
        &[
            &format!(
                "redyno_operator_info{{version=\"{}\"}} 1",
                env!("CARGO_PKG_VERSION")
            ),
            "redyno_operator_reconciliations_total 5",
            "redyno_operator_reconcile_duration_seconds_count 4",
            r#"redyno_operator_reconcile_errors_total{category="timeout"} 1"#,
            r#"redyno_operator_reconcile_errors_total{category="server"} 0"#,
            r#"redyno_verdicts_total{verdict="Failed"} 1"#,
            r#"redyno_verdicts_total{verdict="Passed"} 0"#,
            r#"controller_runtime_reconcile_total{controller="loadtest",result="success"} 1"#,
            r#"controller_runtime_reconcile_total{controller="loadtest",result="requeue_after"} 1"#,
            r#"controller_runtime_reconcile_total{controller="loadtest",result="error"} 1"#,
            r#"controller_runtime_reconcile_errors_total{controller="loadtest"} 1"#,
            r#"controller_runtime_reconcile_time_seconds_count{controller="loadtest"} 4"#,
            r#"controller_runtime_active_workers{controller="loadtest"} 1"#,
            r#"controller_runtime_max_concurrent_reconciles{controller="loadtest"} 16"#,
            r#"workqueue_work_duration_seconds_count{controller="loadtest",name="loadtest"} 4"#,
            r#"workqueue_retries_total{controller="loadtest",name="loadtest"} 1"#,
        ],
    );
    drop(under_way);
    assert_lines(
        &metrics.text().unwrap(),
        &[
            r#"controller_runtime_active_workers{controller="loadtest"} 0"#,
            r#"workqueue_longest_running_processor_seconds{controller="loadtest",name="loadtest"} 0"#,
        ],
    );
}

/// A scrape as it is served, with everything in it that there can be.
fn scrape() -> String {
    let metrics = Metrics::new().unwrap();
    let (store, mut writer) = reflector::store::<DeserializeGuard<LoadTest>>();
    metrics.watch(store, 16);
    metrics.failed("server");
    let mut running = Cluster::new(EXISTING);
    running.until_running();
    running.load_test.metadata.name = Some("monday".to_owned());
    for load_test in [failed().load_test, running.load_test] {
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(load_test))));
    }
    let with = metrics.text().unwrap();
    assert!(with.contains("loadtest=\"friday\"") && with.contains("loadtest=\"monday\""));
    let gone = failed().load_test;
    writer.apply_watcher_event(&Event::Delete(DeserializeGuard(Ok(gone))));
    let without = metrics.text().unwrap();
    assert!(!without.contains("loadtest=\"friday\""), "{without}");
    with
}

#[test]
fn prometheus_own_linter_has_nothing_to_say() {
    let mut linter = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed; in Debian it is in the package prometheus");
    let text = scrape();
    let mut input = linter.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = linter.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
