//! The LoadTest's spec. The documentation of every field is what `kubectl explain` shows.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, LocalObjectReference, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Redis under test: exactly one of `managed` and `existing`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// A Redis made for this run alone: empty at its start, gone after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedTarget>,
    /// A Redis that is already there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingTarget>,
}

/// A Redis made for this run alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedTarget {
    /// The plan whose memory, connection limit and CPU it gets: mini, premium-0 to premium-14, or
    /// a plan of the administrator's catalogue.
    pub plan: String,
    /// Shrinks the plan's CPU and memory for small clusters, in percent; never below 1 CPU. The
    /// verdict's message then says so.
    #[serde(default = "hundred")]
    pub scale_percent: i32,
}

/// A Redis that is already there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExistingTarget {
    /// The Secret that says where it is, in the LoadTest's namespace. Key `url`: redis:// or
    /// rediss://, with user, password and database. Optional keys ca.crt, tls.crt and tls.key.
    /// Only the pods of the run read it; the operator has no right to.
    pub secret_ref: SecretReference,
    /// How the certificate of a rediss:// server is verified.
    #[serde(default = "Tls::default_value")]
    pub tls: Tls,
    /// What may be removed from it. None: nothing but the run's coordination keys. RunKeys: this
    /// run's own keys, afterwards. Database and AllDatabases: FLUSHDB and FLUSHALL before the run,
    /// refused unless the preflight finds nothing foreign there; they need confirmFlush.
    #[serde(default = "Flush::default_value")]
    pub flush: Flush,
    /// Must equal the Secret's name when flush is Database or AllDatabases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_flush: Option<String>,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Its name.
    pub name: String,
}

/// How a TLS server's certificate is verified. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// The chain and the host name.
    VerifyFull,
    /// The chain only: any host name.
    VerifyCa,
    /// Nothing: anyone in between can read and change the traffic.
    SkipVerification,
}

impl Tls {
    const fn default_value() -> Self {
        Self::VerifyFull
    }
}

/// What may be removed from an existing Redis. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Flush {
    /// Nothing but the run's coordination keys: its data stays.
    None,
    /// This run's own keys, afterwards.
    RunKeys,
    /// FLUSHDB before the run.
    Database,
    /// FLUSHALL before the run.
    AllDatabases,
}

impl Flush {
    const fn default_value() -> Self {
        Self::RunKeys
    }
}

/// One type of dyno.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynoType {
    /// The type's name; its dynos are called web.1, web.2.
    #[serde(rename = "type")]
    pub dyno_type: String,
    /// How many dynos of this type; at most 100 in all types together.
    #[serde(default = "one")]
    pub quantity: i32,
    /// The dynos' size by name: eco, basic, standard-1x, standard-2x, performance-m, -l, -l-ram,
    /// -xl, -2xl, private-*, shield-*, dyno-*, or a size of the administrator's catalogue.
    /// Exactly one of size and resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The dynos' CPU and memory, instead of a named size; workers is then required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<DynoResources>,
    /// Shrinks the size's CPU and memory for small clusters, in percent. The verdict's message
    /// then says so.
    #[serde(default = "hundred")]
    pub scale_percent: i32,
    /// Workers in each dyno, each with a connection of its own. Default: the size's WEB_CONCURRENCY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<i32>,
    /// Tasks per second of each dyno, spread over its workers. Required in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_per_second: Option<i32>,
    /// How arrivals are spaced. Constant: evenly, at exact due times. More values may join.
    #[serde(default = "Arrivals::default_value")]
    pub arrivals: Arrivals,
    /// How a task finds its worker. Random: uniformly, from the seed. More values may join.
    #[serde(default = "Assignment::default_value")]
    pub assignment: Assignment,
    /// Which waiting task a worker takes next. OldestFirst: first in, first out. More values may join.
    #[serde(default = "QueueOrder::default_value")]
    pub queue_order: QueueOrder,
    /// A task that arrives at a worker with this many tasks waiting, the running one excluded,
    /// fails the dyno.
    #[serde(default = "hundred")]
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
pub struct DynoResources {
    /// CPU, such as 500m or 2.
    pub cpu: Quantity,
    /// Memory, such as 512Mi.
    pub memory: Quantity,
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Arrivals {
    /// Evenly, at exact due times.
    Constant,
}

impl Arrivals {
    const fn default_value() -> Self {
        Self::Constant
    }
}

/// How a task finds its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Assignment {
    /// Uniformly at random, from the seed.
    Random,
}

impl Assignment {
    const fn default_value() -> Self {
        Self::Random
    }
}

/// Which waiting task a worker takes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QueueOrder {
    /// First in, first out.
    OldestFirst,
}

impl QueueOrder {
    const fn default_value() -> Self {
        Self::OldestFirst
    }
}

/// What every task does: exactly one of its fields. More may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Fetch, change and save the worker's own object graph, then ping: four round trips, as the
    /// automap benchmark does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_graph: Option<ObjectGraph>,
}

/// One building per worker, whose flats each hold a list of mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectGraph {
    /// Flats of a full building. Every task rewrites all of them.
    #[serde(default = "hundred")]
    pub max_flats: i32,
    /// Size of the mail that every task adds, in bytes.
    #[serde(default = "five_thousand")]
    pub item_payload_bytes: i32,
    /// How the flats are read. Lua: by a script that calls HGETALL. More values may join.
    #[serde(default = "Fetch::default_value")]
    pub fetch: Fetch,
    /// What the building holds at the start. Full: all its flats, so that every task costs the
    /// same. Empty: nothing, as in the automap benchmark; tasks then grow during the run.
    #[serde(default = "Prefill::default_value")]
    pub prefill: Prefill,
}

/// How the flats are read.
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

/// What the building holds at the start.
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

/// Where and how pods are placed: the fields of a pod's spec of the same names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodPlacement {
    /// Only nodes with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Node and pod affinity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over zones and nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// The pods' priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// The pods' runtime class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_class_name: Option<String>,
    /// Secrets for pulling the runner's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Labels to add; not under redyno.dev/ or app.kubernetes.io/.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to add; not under redyno.dev/.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// One limit: exactly one of latency, errors and rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Its name, unique in the LoadTest.
    pub name: String,
    /// Only the dynos of this type; default all of them, merged.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub dyno_type: Option<String>,
    /// Only this step of a task (Fetch, Save, Ping) instead of the whole Task; for latency of
    /// Service only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// A percentile of a latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyThreshold>,
    /// Failed tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<ErrorsThreshold>,
    /// The achieved rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateThreshold>,
}

/// The whole task or one step of it. More values may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// The whole task.
    Task,
    /// Reading the building.
    Fetch,
    /// Writing it.
    Save,
    /// PING.
    Ping,
}

/// A limit on a percentile of a latency. It holds if at most floor((1 - p) N) of the N scheduled
/// tasks took longer; failed tasks always count as longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyThreshold {
    /// Which latency. Response: from due to end, what users feel. Wait: from due to start.
    /// Service: from start to end, what other tools show.
    pub of: LatencyOf,
    /// Which percentile, such as "99" or "99.9".
    pub percentile: String,
    /// At most this long, in microseconds.
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
    /// At most this many per million scheduled tasks, rounded down to whole tasks.
    pub max_per_million: i32,
}

/// A limit on the achieved rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateThreshold {
    /// At least this many tasks that ended without error inside the measured window, per second
    /// of it, summed over the dynos.
    pub min_tasks_per_second: i32,
}

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

/// What is wanted of the run.
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
    /// How long the run's pods are kept after its end, for their logs, in seconds.
    #[serde(default = "six_hundred")]
    pub pod_seconds: i32,
    /// How long the LoadTest itself is kept after its end, in seconds; kept for good if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            pod_seconds: six_hundred(),
            ttl_seconds_after_finished: None,
        }
    }
}

pub(crate) const fn one() -> i32 {
    1
}

pub(crate) const fn five() -> i32 {
    5
}

pub(crate) const fn ten() -> i32 {
    10
}

pub(crate) const fn thirty() -> i32 {
    30
}

pub(crate) const fn hundred() -> i32 {
    100
}

pub(crate) const fn three_hundred() -> i32 {
    300
}

const fn six_hundred() -> i32 {
    600
}

const fn five_thousand() -> i32 {
    5000
}

pub(crate) const fn thirty_thousand() -> i32 {
    30_000
}

pub(crate) const fn default_seed() -> i64 {
    1
}
