//! Dynos that are killed for their memory, deleted, or started twice.

use redyno_tests::command::eventually;
use redyno_tests::installation::{quiet, shared};
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use serde_json::json;

/// Far more workers than its memory carries.
#[test]
fn out_of_memory() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("oom");
    namespace.redis(None, &[]);
    let mut dynos = web(1, 20);
    dynos["workers"] = json!(6000);
    dynos["workload"]["objectGraph"]["maxFlats"] = json!(1);
    let finished = namespace.run(&with(small("oom"), "/formation/0", dynos), 90);
    finished.expect("Errored", "DynoOutOfMemory");
    assert!(
        finished.message().contains("web."),
        "{}",
        finished.message()
    );
}

#[test]
fn deleted_in_mid_run() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("deleted");
    namespace.redis(None, &[]);
    let load_test = with(
        with(small("deleted"), "/durationSeconds", 60),
        "/formation/0",
        web(2, 20),
    );
    namespace.start(&load_test, 60);
    let pod = dyno_pod(&namespace, "deleted", 1);
    namespace
        .kubectl(&["delete", "pod", &pod, "--wait=false"])
        .expect_success("deleting a dyno");
    let finished = namespace.finished("deleted", 60);
    finished.expect("Errored", "DynoLost");
    assert!(
        finished.message().contains("web.2"),
        "{}",
        finished.message()
    );
}

#[test]
fn a_managed_redis_taken_away() {
    let Some(_cluster) = quiet() else { return };
    let namespace = Namespace::new("taken");
    let load_test = with(
        with(small("taken"), "/durationSeconds", 60),
        "/target",
        json!({"managed": {"plan": "mini", "scalePercent": 50}}),
    );
    namespace.start(&load_test, 90);
    namespace
        .kubectl(&["delete", "pod", "taken-redis", "--wait=false"])
        .expect_success("deleting the Redis");
    namespace
        .finished("taken", 90)
        .expect("Errored", "TargetLost");
}

/// The pod of a dyno by its completion index.
pub(crate) fn dyno_pod(namespace: &Namespace, load_test: &str, index: u32) -> String {
    let index = index.to_string();
    eventually("the dyno's pod", 30, || {
        namespace
            .list(
                "pods",
                &format!("redyno.dev/loadtest={load_test},redyno.dev/dyno-type=web"),
            )
            .iter()
            .find(|pod| {
                pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]
                    .as_str()
                    .is_some_and(|found| found == index)
            })
            .and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
    })
}
