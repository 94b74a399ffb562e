//! Runs that are cancelled, before the start and in the middle.

use redyno_crds::status::ChildReference;
use redyno_tests::command::eventually;
use redyno_tests::installation::shared;
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use serde_json::json;

const CANCEL: &str = r#"{"spec":{"desiredState":"Cancelled"}}"#;

#[test]
fn before_the_start() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("cancel");
    // The run waits, since there is no Secret.
    namespace
        .create(&small("waiting"))
        .expect_success("creating a LoadTest");
    // Of a Job that the operator has not noted yet nobody knows whether it has touched the target: a
    // finish looks, for as long as it may wait for the Secret.
    eventually("the preflight waits and is noted", 60, || {
        let job = namespace.get("job", "waiting-preflight")?;
        let status = namespace.load_test("waiting").status?;
        let uid = job["metadata"]["uid"].as_str();
        let is_noted = |child: &ChildReference| child.uid.as_deref() == uid;
        status.children.iter().any(is_noted).then_some(())
    });
    namespace
        .kubectl(&["patch", "loadtest", "waiting", "--type=merge", "-p", CANCEL])
        .expect_success("kubectl patch");
    namespace
        .finished("waiting", 60)
        .expect("Errored", "Cancelled");
}

#[test]
fn in_mid_run() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("midrun");
    namespace.redis(None, &[]);
    namespace.start(&with(small("midrun"), "/durationSeconds", 120), 60);
    namespace
        .kubectl(&["patch", "loadtest", "midrun", "--type=merge", "-p", CANCEL])
        .expect_success("kubectl patch");
    let finished = namespace.finished("midrun", 60);
    finished.expect("Errored", "Cancelled");
    assert!(
        namespace
            .list("jobs", "redyno.dev/dyno-type=web")
            .is_empty(),
        "the dynos' Job is gone"
    );
    // Its keys are gone, and the next run finds the target free.
    let keys = namespace.redis_cli(&["DBSIZE"]).expect_success("redis-cli");
    assert_eq!(
        keys.trim(),
        "0",
        "{:?}",
        namespace.redis_cli(&["--scan"]).output
    );
    // The cancellation cannot be undone.
    let refusal = namespace
        .kubectl(&[
            "patch",
            "loadtest",
            "midrun",
            "--type=merge",
            "-p",
            &json!({"spec": {"desiredState": "Running"}}).to_string(),
        ])
        .expect_failure("undoing a cancellation");
    assert!(refusal.contains("cancelled"), "{refusal}");
}
