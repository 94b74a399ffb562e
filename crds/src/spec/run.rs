//! How a run goes on and what is kept of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number;

/// What the other dynos do when one fails its own limit. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnDynoFailure {
    /// They stop, drain and report.
    StopAll,
    /// They go on to their planned end, as in the automap benchmark.
    Continue,
}

impl OnDynoFailure {
    pub(crate) const fn default_value() -> Self {
        Self::StopAll
    }
}

/// What is wanted of the run. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// That it runs to its end.
    Running,
    /// That it ends now. Cannot be undone.
    Cancelled,
}

impl DesiredState {
    pub(crate) const fn default_value() -> Self {
        Self::Running
    }
}

/// How long things are kept after the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How long the run's pods are kept after its end, for their logs, in seconds, 0 to 604800 (a
    /// week). Default 600.
    #[serde(default = "number::<600>")]
    #[schemars(range(min = 0, max = 604_800))]
    pub pod_seconds: i32,
    /// How long the LoadTest itself is kept after its end, in seconds, 0 to 31536000 (a year).
    /// Default: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<i32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            pod_seconds: number::<600>(),
            ttl_seconds_after_finished: None,
        }
    }
}
