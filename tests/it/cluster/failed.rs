//! Failed runs: a stated limit was breached.

use redyno_tests::installation::measuring;
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use serde_json::json;

/// One worker on a Redis that runs for 5 ms in every 100: what falls due meanwhile has to wait.
#[test]
fn backlog() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("backlog");
    namespace.slow_redis("50m");
    let mut dynos = web(2, 200);
    dynos["workers"] = json!(1);
    dynos["workload"]["objectGraph"]["maxFlats"] = json!(100);
    // Of so many that wait, some wait whatever delays the generator itself has.
    dynos["maxWorkerBacklog"] = json!(20);
    let finished = namespace.run(
        &with(
            with(small("backlog"), "/formation/0", dynos),
            "/warmupSeconds",
            0,
        ),
        120,
    );
    finished.expect("Failed", "BacklogLimitReached");
    let status = finished.status();
    let failed = status
        .dynos
        .iter()
        .find(|dyno| dyno.result == "Failed")
        .expect("a failed dyno");
    assert_eq!(failed.failed_worker, Some(0));
    assert_eq!(failed.failed_worker_backlog, Some(20));
    assert!(failed.ended_after_milliseconds.is_some());
    assert!(status.bottleneck.is_some());
    assert!(
        finished.message().contains("worker 0") && finished.message().contains("Try"),
        "{}",
        finished.message()
    );
    // The other one was stopped, not blamed.
    assert!(
        status
            .dynos
            .iter()
            .all(|dyno| ["Failed", "Stopped"].contains(&dyno.result.as_str()))
    );
    assert!(status.dynos.iter().all(|dyno| dyno.report == "Complete"));
}

/// With a ladder of limits, the counts over a limit fall as limits rise, and they agree with the
/// printed percentiles.
#[test]
fn latency_ladder() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("ladder");
    namespace.redis(None, &[]);
    let limits = [
        50, 100, 200, 400, 800, 1600, 3200, 6400, 100_000, 10_000_000,
    ];
    // The percentiles are so low that no breach is final before the end, since only the counts
    // matter here.
    let mut thresholds: Vec<_> = limits
        .iter()
        .map(|limit| json!({"name": format!("l{limit}"), "latency": {"of": "Response", "percentile": "0.001", "maxMicroseconds": limit}}))
        .collect();
    thresholds.push(json!({"name": "strict", "step": "Fetch", "latency": {"of": "Service", "percentile": "50", "maxMicroseconds": 10}}));
    let load_test = with(
        with(small("ladder"), "/formation/0", web(2, 200)),
        "/thresholds",
        thresholds,
    );
    let finished = namespace.run(&load_test, 120);
    finished.expect("Failed", "ThresholdsBreached");
    let status = finished.status();
    let ladder: Vec<_> = status
        .thresholds
        .iter()
        .filter(|threshold| threshold.name.starts_with('l'))
        .collect();
    let counts: Vec<i64> = ladder
        .iter()
        .map(|threshold| threshold.over_count.expect("a count"))
        .collect();
    assert!(
        counts.is_sorted_by(|higher, lower| higher >= lower),
        "{counts:?}"
    );
    assert_eq!(counts[9], 0, "nothing takes ten seconds here");
    let strict = status
        .thresholds
        .iter()
        .find(|threshold| threshold.name == "strict")
        .expect("the threshold");
    assert_eq!(strict.result, "Breached");
    assert!(strict.over_count > strict.allowed_count);
}

/// A full Redis: every save fails with OOM.
#[test]
fn errors() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("errors");
    namespace.redis(
        None,
        &["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"],
    );
    let mut dynos = web(1, 200);
    dynos["workload"]["objectGraph"]["itemPayloadBytes"] = json!(20_000);
    let finished = namespace.run(&with(small("errors"), "/formation/0", dynos), 120);
    finished.expect("Failed", "ErrorLimitReached");
    assert_eq!(
        finished.status().bottleneck.as_deref(),
        Some("RedisMemory"),
        "{}",
        finished.message()
    );
    assert!(
        finished.message().to_lowercase().contains("oom"),
        "{}",
        finished.message()
    );
}

/// The rate is more than one worker can do, so the run ends with work undone, however short it was.
#[test]
fn not_keeping_up() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("behind");
    // Redis itself is slow because it gets a twentieth of a core.
    namespace.slow_redis("50m");
    let mut dynos = web(1, 300);
    dynos["maxWorkerBacklog"] = json!(10_000);
    dynos["workload"]["objectGraph"]["maxFlats"] = json!(200);
    let load_test = with(small("behind"), "/formation/0", dynos);
    let finished = namespace.run(&with(load_test, "/drainSeconds", 60), 180);
    finished.expect("Failed", "RateNotSustained");
    let tasks = &finished.status().summary.as_ref().expect("a summary").tasks;
    assert_eq!(tasks.scheduled_tasks, 300 * 4);
    assert!(tasks.in_time_tasks * 100 < tasks.scheduled_tasks * 99);
}
