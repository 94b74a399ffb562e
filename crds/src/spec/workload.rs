//! What every task does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Commands, number};
use crate::rules;

/// What every task does: exactly one of objectGraph and commands, and the application's own CPU
/// beside it. More may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::WORKLOAD)))]
pub struct Workload {
    /// Fetch, change and save the worker's own object graph, then ping: four round trips, as the
    /// automap benchmark does. Write {} for all its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_graph: Option<ObjectGraph>,
    /// One Redis command per task, drawn from a weighted mix: one round trip. Nine GETs to one SET
    /// are {mix: [{name: get, weight: 9, command: [GET, "{key}"]}, {name: set, command: [SET,
    /// "{key}", "{value}"]}]}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Commands>,
    /// CPU time that every task uses up in the dyno, as your application would for a request, in
    /// microseconds, 0 to 10000000. It counts as service time, of no step. Tasks of one dyno share
    /// its CPU: 1000 tasks per second of 2000 microseconds each keep two cores busy, and a dyno
    /// with less falls behind. Default 0.
    #[serde(default = "number::<0>")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub application_cpu_microseconds: i32,
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
    /// How the flats are read. Lua: by a script that calls HGETALL, as the automap benchmark does.
    /// Hgetall: by HGETALL itself, which costs Redis less. More values may join. Default Lua.
    #[serde(default = "Fetch::default_value")]
    pub fetch: Fetch,
    /// What the building holds at the start. Full: all its flats, so that every task costs the
    /// same. Empty: nothing, as in the automap benchmark; tasks then grow during the run. More
    /// values may join. Default Full.
    #[serde(default = "Prefill::full")]
    pub prefill: Prefill,
}

/// How the flats are read. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fetch {
    /// By a script that calls HGETALL.
    Lua,
    /// By HGETALL itself.
    Hgetall,
}

impl Fetch {
    const fn default_value() -> Self {
        Self::Lua
    }
}

/// What is there at the start. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Prefill {
    /// All of it.
    Full,
    /// Nothing.
    Empty,
}

impl Prefill {
    pub(super) const fn full() -> Self {
        Self::Full
    }

    pub(super) const fn empty() -> Self {
        Self::Empty
    }
}
