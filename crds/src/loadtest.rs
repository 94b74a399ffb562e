//! The LoadTest itself.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{self, FINISHED};
use crate::spec::{
    DesiredState, DynoType, OnDynoFailure, Retention, Target, Threshold, number, seed,
};
use crate::status::LoadTestStatus;
use crate::{rules, schema};

/// What to run: which Redis, which dynos, how much load for how long, and what counts as a pass.
/// It cannot be changed after creation, but for desiredState and retention: a rerun is a new
/// LoadTest.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "redyno.dev",
    version = "v1alpha1",
    kind = "LoadTest",
    plural = "loadtests",
    namespaced,
    category = "redyno",
    status = "LoadTestStatus",
    derive = "PartialEq",
    doc = "A load test of a Redis by a formation of dynos, run once. Its verdict stands in its status.",
    validation = Rule::new(rules::NAME.cel).message(rules::NAME.message),
    selectable = ".status.state",
    selectable = ".status.verdict",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state",
        description = "Where the run is"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict",
        description = "How it ended"),
    printcolumn(name = "Dynos", type_ = "string", json_path = ".status.dynosReady",
        description = "Dynos that were ready, of all"),
    printcolumn(name = "Rate", type_ = "string", json_path = ".status.summary.rate",
        description = "Tasks per second that ended in time"),
    printcolumn(name = "P99", type_ = "string", json_path = ".status.summary.p99",
        description = "99th percentile of the response time"),
    printcolumn(name = "Reason", type_ = "string", priority = 1,
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].reason",
        description = "Why it ended as it did"),
    printcolumn(name = "Target", type_ = "string", priority = 1,
        json_path = ".status.summary.target",
        description = "The Redis under test"),
    printcolumn(name = "Duration", type_ = "integer", priority = 1,
        json_path = ".spec.durationSeconds",
        description = "Length of the measured window in seconds"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp",
        description = "Time since its creation")
)]
#[serde(rename_all = "camelCase")]
#[schemars(
    extend("x-kubernetes-validations" = rules::cel(rules::SPEC)),
    transform = schema::without_null,
    transform = rules::immutable
)]
pub struct LoadTestSpec {
    /// The Redis under test: exactly one of managed and existing.
    pub target: Target,
    /// Length of the measured window, in seconds, 1 to 604800 (a week).
    #[schemars(range(min = 1, max = 604_800))]
    pub duration_seconds: i32,
    /// Length of the warm-up before it, in seconds, 0 to 3600. It counts nowhere, but its backlog
    /// and errors do end the run. Default 5.
    #[serde(default = "number::<5>")]
    #[schemars(range(min = 0, max = 3600))]
    pub warmup_seconds: i32,
    /// Rate during the warm-up, in percent of the measured rate, 1 to 100. Default 10.
    #[serde(default = "number::<10>")]
    #[schemars(range(min = 1, max = 100))]
    pub warmup_percent: i32,
    /// The dyno types of the test, at most 16, with at most 100 dynos in all.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub formation: Vec<DynoType>,
    /// Scales every type's rate, in percent, 1 to 1000, keeping their mix. Default 100.
    #[serde(default = "number::<100>")]
    #[schemars(range(min = 1, max = 1000))]
    pub load_percent: i32,
    /// What counts as a pass, at most 16 limits. An errors threshold of 0 per million is added
    /// unless one is given; backlog limits and the delivered rate are always checked.
    #[serde(default)]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub thresholds: Vec<Threshold>,
    /// What the other dynos do when one fails its own limit. StopAll: they stop, drain and report.
    /// Continue: they go on to their planned end, on a relieved target, as in the automap
    /// benchmark. More values may join. Default StopAll.
    #[serde(default = "OnDynoFailure::default_value")]
    pub on_dyno_failure: OnDynoFailure,
    /// A task that has run this long fails as timed out, in milliseconds, 1 to 600000. Default
    /// 30000.
    #[serde(default = "number::<30_000>")]
    #[schemars(range(min = 1, max = 600_000))]
    pub task_timeout_milliseconds: i32,
    /// How long unfinished tasks may go on after the window, in seconds, 0 to 3600. Default 30.
    #[serde(default = "number::<30>")]
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: i32,
    /// How long each wait before the start may take (managed Redis, preflight, dynos), in seconds,
    /// 5 to 3600. Default 300.
    #[serde(default = "number::<300>")]
    #[schemars(range(min = 5, max = 3600))]
    pub start_timeout_seconds: i32,
    /// The seed of every random choice, 0 to 9007199254740991: the same seed draws the same
    /// workers, keys and sizes. Default 1.
    #[serde(default = "seed")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub seed: i64,
    /// What is wanted of the run. Running: that it runs to its end. Cancelled: that it ends now,
    /// which cannot be undone. May be changed. More values may join. Default Running.
    #[serde(default = "DesiredState::default_value")]
    pub desired_state: DesiredState,
    /// How long pods and the LoadTest are kept after the end. May be changed.
    #[serde(default)]
    pub retention: Retention,
}

impl LoadTest {
    /// Whether the run is over for good: it has its verdict.
    pub fn is_finished(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| conditions::is_true(&status.conditions, FINISHED))
    }
}
