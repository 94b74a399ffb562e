//! A dyno that is too small for its load.

use redyno_tests::installation::measuring;
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use serde_json::json;

/// The dyno has a tenth of a core, and the application's own work needs half a core. The dyno's
/// size is the cause, and Redis has nothing to do with it.
#[test]
fn a_dyno_without_enough_cpu_says_so_and_never_blames_redis() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("throttled");
    namespace.redis(None, &[]);
    let mut dynos = web(1, 100);
    dynos["workload"]["applicationCpuMicroseconds"] = json!(5000);
    dynos["maxWorkerBacklog"] = json!(60);
    let load_test = with(small("throttled"), "/formation/0", dynos);
    let finished = namespace.run(&with(load_test, "/durationSeconds", 30), 120);
    finished.expect("Failed", "BacklogLimitReached");
    let status = finished.status();
    assert_eq!(status.bottleneck.as_deref(), Some("DynoCpu"));
    let message = finished.message();
    assert!(
        message.contains("the dyno's CPU quota throttled it in") && !message.contains("Redis"),
        "{message}"
    );
    let throttled = status.dynos[0].cpu_throttled_per_mille;
    assert!(throttled >= Some(100), "{throttled:?}");
}
