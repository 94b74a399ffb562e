//! Inconclusive runs: they ran to their end, but the evidence does not carry a verdict.

use redyno_tests::command::eventually;
use redyno_tests::installation::measuring;
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured;

use super::dynos_lost::dyno_pod;
use super::node::Node;

/// The report of a dyno cannot be read, because the file that it writes to is deleted.
#[test]
fn a_report_is_missing() {
    let Some(_cluster) = measuring() else { return };
    let Some(node) = Node::local() else { return };
    let namespace = Namespace::new("wiped");
    namespace.redis(None, &[]);
    let load_test = with(
        with(small("wiped"), "/durationSeconds", 15),
        "/formation/0",
        web(2, 20),
    );
    namespace.start(&load_test, 60);
    let pod = namespace
        .get("pod", &dyno_pod(&namespace, "wiped", 0))
        .expect("the dyno's pod");
    let uid = pod["metadata"]["uid"].as_str().expect("a uid");
    // The kubelet keeps the file at .../pods/<uid>/containers/runner/<id>; unlinked, the dyno
    // goes on writing to a file that nobody will find.
    let folder = node.pod_folder(uid);
    let wiped = node.shell(&format!(
        "find {folder}/containers/runner -type f -print -delete"
    ));
    assert!(wiped.output.contains(uid), "{wiped:?}");
    let finished = namespace.finished("wiped", 90);
    finished.expect("Inconclusive", "ReportMissing");
    let reports: Vec<&str> = finished
        .status()
        .dynos
        .iter()
        .map(|dyno| dyno.report.as_str())
        .collect();
    assert_eq!(reports, ["Missing", "Complete"]);
    assert!(
        finished.message().contains("web.1"),
        "{}",
        finished.message()
    );
}

/// A dyno that is frozen across the start begins late, and says so.
#[test]
fn start_skew() {
    measured(|| {
        let Some(node) = Node::local() else {
            return Ok(());
        };
        let namespace = Namespace::new("skew");
        namespace.redis(None, &[]);
        let load_test = with(
            with(small("skew"), "/durationSeconds", 8),
            "/formation/0",
            web(2, 20),
        );
        let load_test = with(load_test, "/warmupSeconds", 3);
        namespace
            .create(&load_test)
            .expect_success("creating a LoadTest");
        let pod = dyno_pod(&namespace, "skew", 1);
        let process = eventually("the dyno's process", 60, || {
            node.process(&namespace, &pod, "runner")
        });
        // The start is known 3 s before it comes; the dyno is frozen over it for a moment.
        eventually("the start is known", 60, || {
            let keys = namespace.redis_cli(&["--scan", "--pattern", "redyno:*:start"]);
            keys.output.contains(":start").then_some(())
        });
        node.shell(&format!(
            "sleep 1; kill -STOP {process}; sleep 3; kill -CONT {process}"
        ))
        .expect_success("freezing a dyno");
        let finished = namespace.finished("skew", 90);
        finished.expect_on_time("Inconclusive", "StartSkew")?;
        let skew = finished
            .status()
            .summary
            .as_ref()
            .and_then(|summary| summary.start_skew_microseconds)
            .expect("a skew");
        assert!(skew > 100_000, "{skew}");
        Ok(())
    });
}
