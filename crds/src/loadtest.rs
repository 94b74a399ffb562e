//! The LoadTest itself.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::{DesiredState, DynoType, OnDynoFailure, Retention, Target, Threshold};
use crate::status::LoadTestStatus;

/// A load test of Redis by a formation of dynos. Its spec cannot be changed after creation, but
/// for desiredState and retention: a rerun is a new LoadTest.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "redyno.dev",
    version = "v1alpha1",
    kind = "LoadTest",
    plural = "loadtests",
    namespaced,
    category = "redyno",
    status = "LoadTestStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct LoadTestSpec {
    /// The Redis under test: exactly one of managed and existing.
    pub target: Target,
    /// Length of the measured window, in seconds.
    pub duration_seconds: i32,
    /// Length of the warm-up before it, in seconds. It counts nowhere, but its backlog and errors
    /// do end the run.
    #[serde(default = "crate::spec::five")]
    pub warmup_seconds: i32,
    /// Rate during the warm-up, in percent of the measured rate.
    #[serde(default = "crate::spec::ten")]
    pub warmup_percent: i32,
    /// The dyno types of the test.
    pub formation: Vec<DynoType>,
    /// Scales every type's rate, in percent, keeping their mix.
    #[serde(default = "crate::spec::hundred")]
    pub load_percent: i32,
    /// What counts as a pass. An errors threshold of 0 per million is added unless one is given;
    /// backlog limits and the delivered rate are always checked.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// What the other dynos do when one fails its own limit.
    #[serde(default = "OnDynoFailure::default_value")]
    pub on_dyno_failure: OnDynoFailure,
    /// A task that has run this long fails as timed out, in milliseconds.
    #[serde(default = "crate::spec::thirty_thousand")]
    pub task_timeout_milliseconds: i32,
    /// How long unfinished tasks may go on after the window, in seconds.
    #[serde(default = "crate::spec::thirty")]
    pub drain_seconds: i32,
    /// How long each wait before the start may take (managed Redis, preflight, dynos), in seconds.
    #[serde(default = "crate::spec::three_hundred")]
    pub start_timeout_seconds: i32,
    /// The seed of every random choice: the same seed draws the same workers, keys and sizes.
    #[serde(default = "crate::spec::default_seed")]
    pub seed: i64,
    /// Running, or Cancelled to end the run for good.
    #[serde(default = "DesiredState::default_value")]
    pub desired_state: DesiredState,
    /// How long pods and the LoadTest are kept after the end.
    #[serde(default)]
    pub retention: Retention,
}
