//! What every task does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number;
use crate::rules;

/// What every task does: exactly one of its fields. More may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::WORKLOAD)))]
pub struct Workload {
    /// Fetch, change and save the worker's own object graph, then ping: four round trips, as the
    /// automap benchmark does. Required in this version: other workloads may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_graph: Option<ObjectGraph>,
}

/// One building per worker, whose flats each hold a list of mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectGraph {
    /// Flats of a full building, 1 to 10000. Every task rewrites all of them. Default 100.
    #[serde(default = "number::<100>")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_flats: i32,
    /// Size of the mail that every task adds, in bytes, 1 to 1048576. Default 5000.
    #[serde(default = "number::<5000>")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub item_payload_bytes: i32,
    /// How the flats are read. Lua: by a script that calls HGETALL. More values may join. Default
    /// Lua.
    #[serde(default = "Fetch::default_value")]
    pub fetch: Fetch,
    /// What the building holds at the start. Full: all its flats, so that every task costs the
    /// same. Empty: nothing, as in the automap benchmark; tasks then grow during the run. More
    /// values may join. Default Full.
    #[serde(default = "Prefill::default_value")]
    pub prefill: Prefill,
}

/// How the flats are read. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fetch {
    /// By a script that calls HGETALL.
    Lua,
}

impl Fetch {
    const fn default_value() -> Self {
        Self::Lua
    }
}

/// What the building holds at the start. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Prefill {
    /// All its flats.
    Full,
    /// Nothing.
    Empty,
}

impl Prefill {
    const fn default_value() -> Self {
        Self::Full
    }
}
