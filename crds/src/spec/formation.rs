//! One type of dyno.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PodPlacement, SIZE_NAME, TYPE_NAME, Workload, number};
use crate::{quantity, rules};

/// One type of dyno.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::DYNO_TYPE)))]
pub struct DynoType {
    /// The type's name; its dynos are called web.1, web.2. A letter, then at most 14 letters and
    /// digits, all lower case; not preflight, finish, redis, report or plan.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 15), regex(pattern = TYPE_NAME))]
    pub dyno_type: String,
    /// How many dynos of this type, 1 to 100; at most 100 in all types together. Default 1.
    #[serde(default = "number::<1>")]
    #[schemars(range(min = 1, max = 100))]
    pub quantity: i32,
    /// The dynos' size by name: eco, basic, standard-1x, standard-2x, performance-m, -l, -l-ram,
    /// -xl, -2xl, private- and shield-s, -m, -l, -l-ram, -xl, -2xl, the Fir sizes dyno-1c-0.5gb to
    /// dyno-16c-128gb, or a size of the administrator's catalogue. Exactly one of size and
    /// resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = SIZE_NAME))]
    pub size: Option<String>,
    /// The dynos' CPU and memory instead of a named size; workers is then required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<DynoResources>,
    /// Shrinks the size's CPU and memory for small clusters, in percent, 1 to 100; never below 50m
    /// and 64Mi, and never the workers. The verdict's message then says so. Default 100.
    #[serde(default = "number::<100>")]
    #[schemars(range(min = 1, max = 100))]
    pub scale_percent: i32,
    /// Workers in each dyno, 1 to 20000, each with a connection of its own. At most the size's
    /// process limit. Default: the size's WEB_CONCURRENCY, 63 for performance-2xl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20_000))]
    pub workers: Option<i32>,
    /// Tasks per second of each dyno, 1 to 1000000, spread over its workers. Required in this
    /// version: other ways of stating load may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub tasks_per_second: Option<i32>,
    /// How arrivals are spaced. Constant: evenly, at exact due times. Poisson: at random, by
    /// exponential gaps drawn from the seed, as independent users arrive; the number of tasks is
    /// the same. More values may join. Default Constant.
    #[serde(default = "Arrivals::default_value")]
    pub arrivals: Arrivals,
    /// How a task finds its worker. Random: uniformly, drawn from the seed.
    /// RoundRobin: one worker after the other. More values may join. Default Random.
    #[serde(default = "Assignment::default_value")]
    pub assignment: Assignment,
    /// Which waiting task a worker takes next. OldestFirst: first in, first out. NewestFirst: last
    /// in, first out, which serves most tasks sooner and a few very late once there is a queue.
    /// More values may join. Default OldestFirst.
    #[serde(default = "QueueOrder::default_value")]
    pub queue_order: QueueOrder,
    /// A task that arrives at a worker with this many tasks waiting, the running one excluded,
    /// fails the dyno; 1 to 1000000 tasks. Default 100.
    #[serde(default = "number::<100>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_worker_backlog: i32,
    /// What every task does.
    pub workload: Workload,
    /// Where and how the pods of these dynos are placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodPlacement>,
}

/// CPU and memory of a dyno: requests and limits alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::RESOURCES)))]
pub struct DynoResources {
    /// CPU, such as 500m or 2; 50m to 1024.
    #[schemars(schema_with = "quantity::cpu_schema")]
    pub cpu: Quantity,
    /// Memory, such as 512Mi or 2Gi; 64Mi to 16Ti.
    #[schemars(schema_with = "quantity::memory_schema")]
    pub memory: Quantity,
}

/// How arrivals are spaced. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Arrivals {
    /// Evenly, at exact due times.
    Constant,
    /// At random, by exponential gaps.
    Poisson,
}

impl Arrivals {
    const fn default_value() -> Self {
        Self::Constant
    }
}

/// How a task finds its worker. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Assignment {
    /// Uniformly at random, from the seed.
    Random,
    /// One worker after the other.
    RoundRobin,
}

impl Assignment {
    const fn default_value() -> Self {
        Self::Random
    }
}

/// Which waiting task a worker takes next. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QueueOrder {
    /// First in, first out.
    OldestFirst,
    /// Last in, first out.
    NewestFirst,
}

impl QueueOrder {
    const fn default_value() -> Self {
        Self::OldestFirst
    }
}
