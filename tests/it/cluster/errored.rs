//! Errored runs. Each cause is found in bounded time, with its own reason and a sentence that says
//! what to do.

use redyno_tests::installation::{change, quiet, restore, shared};
use redyno_tests::load_test::{Finished, small, with};
use redyno_tests::namespace::Namespace;
use serde_json::{Value, json};

/// A LoadTest that gives up waiting after 15 s.
fn impatient(name: &str) -> Value {
    with(small(name), "/startTimeoutSeconds", 15)
}

fn expect_errored(finished: &Finished, reason: &str, words: &[&str]) {
    finished.expect("Errored", reason);
    for word in words {
        assert!(
            finished.message().contains(word),
            "{word} is not in: {}",
            finished.message()
        );
    }
}

#[test]
fn unknown_size_and_plan() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("size");
    let mut load_test = small("size");
    let dynos = &mut load_test["spec"]["formation"][0];
    dynos
        .as_object_mut()
        .expect("an object")
        .remove("resources");
    dynos["size"] = json!("huge");
    let finished = namespace.run(&load_test, 60);
    expect_errored(&finished, "InvalidSpec", &["huge", "performance-2xl"]);
    assert_eq!(
        finished.condition("Accepted"),
        ("False".to_owned(), "InvalidSpec".to_owned())
    );
    let finished = namespace.run(
        &with(
            small("plan"),
            "/target",
            json!({"managed": {"plan": "premium-99"}}),
        ),
        60,
    );
    expect_errored(&finished, "InvalidSpec", &["premium-99", "premium-14"]);
}

#[test]
fn secret_missing_and_key_missing() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("secret");
    let finished = namespace.run(&impatient("secret"), 90);
    expect_errored(&finished, "SecretNotFound", &["my-redis"]);
    namespace
        .create(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-redis"}, "stringData": {"uri": "redis://nowhere"}}))
        .expect_success("creating a Secret");
    let finished = namespace.run(&impatient("key"), 90);
    expect_errored(&finished, "SecretKeyMissing", &["url"]);
}

/// Targets that the preflight refuses, each with its own reason in PreflightPassed.
fn refused(namespace: &Namespace, name: &str, refusal: &str) -> Finished {
    let finished = namespace.run(&impatient(name), 90);
    finished.expect("Errored", "PreflightFailed");
    assert_eq!(
        finished.condition("PreflightPassed"),
        ("False".to_owned(), refusal.to_owned()),
        "{}",
        finished.message()
    );
    finished
}

#[test]
fn host_unknown_and_port_closed() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("host");
    namespace.secret("my-redis", "redis://no-such-host:6379");
    let finished = refused(&namespace, "host", "HostNotFound");
    assert!(
        finished.message().contains("no-such-host"),
        "{}",
        finished.message()
    );
    namespace
        .kubectl(&["delete", "secret", "my-redis"])
        .expect_success("deleting the Secret");
    namespace.secret("my-redis", "redis://127.0.0.1:6399");
    refused(&namespace, "port", "ConnectionRefused");
    namespace
        .kubectl(&["delete", "secret", "my-redis"])
        .expect_success("deleting the Secret");
    namespace.secret("my-redis", "http://127.0.0.1");
    let finished = refused(&namespace, "scheme", "InvalidUrl");
    assert!(
        finished.message().contains("redis://"),
        "{}",
        finished.message()
    );
}

#[test]
fn wrong_password() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("password");
    namespace.redis(Some("the-right-one"), &[]);
    namespace
        .kubectl(&["delete", "secret", "my-redis"])
        .expect_success("deleting the Secret");
    namespace.secret("my-redis", "redis://:the-wrong-one@target:6379");
    let finished = refused(&namespace, "password", "AuthenticationFailed");
    assert!(!finished.message().contains("the-wrong-one"));
    assert!(
        !namespace.everything().contains("the-wrong-one"),
        "a password was shown"
    );
}

#[test]
fn unschedulable() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("large");
    namespace.redis(None, &[]);
    let load_test = with(
        impatient("large"),
        "/formation/0/resources",
        json!({"cpu": "500", "memory": "64Mi"}),
    );
    let finished = namespace.run(&load_test, 120);
    expect_errored(&finished, "Unschedulable", &["cpu"]);
}

#[test]
fn quota() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("quota");
    namespace.redis(None, &[]);
    namespace
        .kubectl(&["create", "quota", "tight", "--hard=limits.memory=1Mi"])
        .expect_success("creating a quota");
    let finished = namespace.run(&impatient("quota"), 90);
    expect_errored(&finished, "QuotaExceeded", &["tight"]);
}

/// Admission refuses a runtime class that does not exist, whatever the quota.
#[test]
fn admission() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("admission");
    namespace.redis(None, &[]);
    let load_test = with(
        impatient("admission"),
        "/formation/0/pod",
        json!({"runtimeClassName": "no-such-class"}),
    );
    let finished = namespace.run(&load_test, 90);
    expect_errored(&finished, "PodRejected", &["no-such-class"]);
}

/// The runner's image is the administrator's choice, so a wrong one is made by an upgrade of the
/// chart, and mended by a rollback.
#[test]
fn image_that_cannot_be_pulled() {
    let Some(cluster) = quiet() else { return };
    let namespace = Namespace::new("pull");
    namespace.redis(None, &[]);
    change(&cluster, "images.runner.tag=no-such-tag");
    namespace
        .create(&impatient("pull"))
        .expect_success("creating a LoadTest");
    let waited = namespace.kubectl(&[
        "wait",
        "--for=condition=Finished",
        "loadtest/pull",
        "--timeout=90s",
    ]);
    restore(&cluster);
    waited.expect_success("waiting for Finished");
    let finished = namespace.finished("pull", 1);
    expect_errored(&finished, "ImagePullFailed", &["no-such-tag"]);
}

/// Another run holds the target.
#[test]
fn another_runs_lock() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("busy");
    namespace.redis(None, &[]);
    namespace
        .redis_cli(&["SET", "redyno:lock", "11111111-2222-3333-4444-555555555555"])
        .expect_success("redis-cli");
    let finished = namespace.run(&impatient("busy"), 90);
    finished.expect("Errored", "TargetBusy");
    // The lock of the other run was not touched.
    let lock = namespace
        .redis_cli(&["GET", "redyno:lock"])
        .expect_success("redis-cli");
    assert!(lock.contains("11111111"), "{lock}");
}
