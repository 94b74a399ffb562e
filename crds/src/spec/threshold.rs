//! What counts as a pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{STEP_NAME, THRESHOLD_NAME, TYPE_NAME};
use crate::rules;

/// One limit: exactly one of latency, errors and rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::THRESHOLD)))]
pub struct Threshold {
    /// Its name, unique in the LoadTest: a letter, then letters, digits and dashes, at most 40, all
    /// lower case.
    #[schemars(length(min = 1, max = 40), regex(pattern = THRESHOLD_NAME))]
    pub name: String,
    /// Only the dynos of this type, one of the formation's. Default: all of them, merged.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15), regex(pattern = TYPE_NAME))]
    pub dyno_type: Option<String>,
    /// Only this step of a task instead of the whole Task: Fetch, Save or Ping of an objectGraph, or
    /// the name of a command of a mix, such as get. It must be a step of a type that the threshold
    /// applies to, is only for a latency, and has Service time only. More values may join. Default:
    /// Task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = STEP_NAME))]
    pub step: Option<String>,
    /// A limit on a percentile of a latency. It holds if at most floor((1 - p) N) of the N
    /// scheduled tasks took longer; failed tasks always count as longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyThreshold>,
    /// A limit on failed tasks, timed-out ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<ErrorsThreshold>,
    /// A limit on the achieved rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateThreshold>,
}

/// A limit on a percentile of a latency. It holds if at most floor((1 - p) N) of the N scheduled
/// tasks took longer; failed tasks always count as longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::LATENCY)))]
pub struct LatencyThreshold {
    /// Which latency. Response: from due to end, what users feel. Wait: from due to start. Service:
    /// from start to end, what other tools show. More values may join.
    pub of: LatencyOf,
    /// Which percentile, in quotes, such as "99" or "99.9": above 0 and below 100, with at most
    /// three decimals.
    #[schemars(length(min = 1, max = 6), regex(pattern = r"^\d{1,2}(\.\d{1,3})?$"))]
    pub percentile: String,
    /// At most this long, in microseconds, 1 to 3600000000 (an hour).
    #[schemars(range(min = 1, max = 3_600_000_000_i64))]
    pub max_microseconds: i64,
}

/// Which latency. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LatencyOf {
    /// From due to end.
    Response,
    /// From due to start.
    Wait,
    /// From start to end.
    Service,
}

/// A limit on failed tasks, timed-out ones included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorsThreshold {
    /// At most this many per million scheduled tasks, 0 to 1000000, rounded down to whole tasks.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_per_million: i32,
}

/// A limit on the achieved rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateThreshold {
    /// At least this many tasks that ended without error inside the measured window, per second of
    /// it, 1 to 100000000, summed over the dynos.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub min_tasks_per_second: i32,
}
