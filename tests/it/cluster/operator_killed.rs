//! The operator is killed during a run, and the run still comes to its verdict.

use redyno_tests::command::{eventually, kubectl};
use redyno_tests::installation::NAMESPACE;
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use serde_json::Value;

/// Kills the operator with SIGKILL, whatever it is doing.
fn kill_operator() {
    kubectl(&[
        "--namespace",
        NAMESPACE,
        "delete",
        "pods",
        "--selector=app.kubernetes.io/component=operator",
        "--grace-period=0",
        "--force",
        "--wait=false",
    ])
    .expect_success("killing the operator");
}

fn scale_operator(replicas: u32) {
    kubectl(&[
        "--namespace",
        NAMESPACE,
        "scale",
        "deployment",
        "--selector=app.kubernetes.io/component=operator",
        &format!("--replicas={replicas}"),
    ])
    .expect_success("scaling the operator");
}

/// The operator is dead while the preflight ends, and comes back to find it done.
#[test]
fn between_preflight_and_dynos() {
    measured_alone(|_| {
        let namespace = Namespace::new("killed");
        namespace.redis(None, &[]);
        namespace
            .create(&small("killed"))
            .expect_success("creating a LoadTest");
        eventually("the preflight's Job", 60, || {
            namespace.get("job", "killed-preflight")
        });
        scale_operator(0);
        kill_operator();
        namespace
            .kubectl(&[
                "wait",
                "--for=condition=Complete",
                "job/killed-preflight",
                "--timeout=60s",
            ])
            .expect_success("waiting for the preflight");
        let before = namespace.made("killed");
        scale_operator(1);
        let finished = namespace.finished("killed", 120);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 4);
        namespace.expect_kept("killed", &before);
        let jobs: Vec<Value> = namespace.list("jobs", "redyno.dev/loadtest=killed");
        let mut names: Vec<&str> = jobs
            .iter()
            .filter_map(|job| job["metadata"]["name"].as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["killed-finish", "killed-preflight", "killed-web"]);
        Ok(())
    });
}

#[test]
fn while_running() {
    measured_alone(|_| {
        let namespace = Namespace::new("running");
        namespace.redis(None, &[]);
        namespace.start(&with(small("running"), "/durationSeconds", 10), 60);
        let before = namespace.made("running");
        kill_operator();
        let finished = namespace.finished("running", 120);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 10);
        let after = namespace.made("running");
        assert!(
            before.iter().all(|uid| after.contains(uid)),
            "no dyno was started again"
        );
        assert_eq!(namespace.list("pods", "redyno.dev/dyno-type=web").len(), 1);
        Ok(())
    });
}
