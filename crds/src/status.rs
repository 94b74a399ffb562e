//! The LoadTest's status: what is known of the run. Nothing in it changes without a reason.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What is known of the run. Read the conditions; state and verdict are for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::without_null, transform = schema::bounded)]
pub struct LoadTestStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the run is: Pending, Preflight, Starting, Running, Collecting, Finished. Derived from
    /// the conditions, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Passed, Failed, Errored or Inconclusive, once the run is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What happened and what to try, in a sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// What held the run back, or would next: RedisCpu, RedisMemory, RedisConnections, DynoCpu,
    /// Network, Generator, Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<String>,
    /// Dynos that are ready, of all: "2/2".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynos_ready: Option<String>,
    /// Digest (SHA-256) of the plan that was accepted: the ConfigMap of the plan and of the pods'
    /// specifications. One that differs is another plan, and ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<String>,
    /// The objects made for this run: written before each is created, its uid after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub children: Vec<ChildReference>,
    /// The pods that speak for this run: of each name the first one that was seen. What another
    /// pod of the name says is no evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 102),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub pods: Vec<PodReference>,
    /// Accepted, PreflightPassed, DynosReady, Started, Finished, Succeeded, after a run on an
    /// existing target TargetCleaned, and Reconciling and Stalled for tools that read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
        transform = schema::conditions
    )]
    pub conditions: Vec<Condition>,
    /// t0: the begin of the measured window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the verdict was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// Results of each dyno type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub formation: Vec<TypeStatus>,
    /// Results over all types; latencies only where their workloads are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryStatus>,
    /// What became of each threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 17),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub thresholds: Vec<ThresholdStatus>,
    /// What became of each dyno.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub dynos: Vec<DynoStatus>,
    /// What the target was and said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetStatus>,
}

/// An object made for this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildReference {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid, once it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Deleting, once the operator itself decided to delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
}

/// A pod of this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodReference {
    /// What it is: web.1, preflight, finish.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Totals of the tasks of the measured window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskTotals {
    /// Due in the window.
    pub scheduled_tasks: i64,
    /// Handed to a worker.
    pub delivered_tasks: i64,
    /// Refused because the worker's backlog was at its limit.
    pub rejected_tasks: i64,
    /// Due, but never handed over.
    pub undispatched_tasks: i64,
    /// Finished without error.
    pub completed_tasks: i64,
    /// Finished without error inside the window.
    pub in_time_tasks: i64,
    /// Ended in an error, timed-out ones included.
    pub failed_tasks: i64,
    /// Failed by running out of time.
    pub timed_out_tasks: i64,
    /// Never ended.
    pub abandoned_tasks: i64,
    /// Tasks that ended without error inside the window, per second of it, rounded down.
    pub achieved_tasks_per_second: i64,
}

/// A latency, in microseconds, over all tasks that were due. Percentiles are rounded to
/// `significantDigits`.
///
/// A percentile that lies among tasks that did not complete is not known: it is at least the number
/// that stands there, and the field beside it says so.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each speaks of the number above it"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyStatus {
    /// 50th percentile.
    pub p50_microseconds: i64,
    /// It is at least this: it lies among tasks that did not complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub p50_is_lower_bound: bool,
    /// 90th percentile.
    pub p90_microseconds: i64,
    /// It is at least this: it lies among tasks that did not complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub p90_is_lower_bound: bool,
    /// 99th percentile.
    pub p99_microseconds: i64,
    /// It is at least this: it lies among tasks that did not complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub p99_is_lower_bound: bool,
    /// 99.9th percentile.
    pub p999_microseconds: i64,
    /// It is at least this: it lies among tasks that did not complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub p999_is_lower_bound: bool,
    /// The highest.
    pub max_microseconds: i64,
    /// It is at least this: tasks did not complete that might have taken longer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub max_is_lower_bound: bool,
    /// The mean of the tasks that completed.
    pub mean_microseconds: i64,
    /// Significant decimal digits of the percentiles, 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub significant_digits: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Results of one dyno type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeStatus {
    /// The type's name.
    #[serde(rename = "type")]
    pub dyno_type: String,
    /// Its tasks.
    #[serde(flatten)]
    pub tasks: TaskTotals,
    /// From due to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LatencyStatus>,
    /// From due to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<LatencyStatus>,
    /// From start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<LatencyStatus>,
    /// Where the time of a task went that ended without error: means that add up to the response
    /// time's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_spent: Option<TimeSpentStatus>,
    /// What was in the replies to each command of a mix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub commands: Vec<CommandStatus>,
    /// Failed tasks by class, the commonest class first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["class"])
    )]
    pub failures: Vec<FailureStatus>,
}

/// Where the time of a task went, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeSpentStatus {
    /// It waited for its worker.
    pub waiting_microseconds: i64,
    /// The dyno worked on it: CPU time of its load threads.
    pub dyno_microseconds: i64,
    /// Redis executed its commands. Left out where Redis does not say, and then it is in
    /// elsewhereMicroseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executing_microseconds: Option<i64>,
    /// The rest: it waited at Redis for its turn, was on the way, or its reply waited in the dyno for
    /// CPU, which under a CPU quota that is used up is most of it.
    pub elsewhere_microseconds: i64,
}

/// What was in the replies to a command of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandStatus {
    /// The command's name in the mix.
    pub name: String,
    /// Replies that held something.
    pub hits: i64,
    /// Replies that held nothing: nil, an empty list, a list of nothing but nils.
    pub misses: i64,
}

/// Failed tasks of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// The class: oom, timeout, lost and so on. More may join.
    pub class: String,
    /// Tasks of the measured window.
    pub tasks: i64,
    /// Tasks of the warm-up.
    pub warmup_tasks: i64,
    /// What was said of the first of them, by an error reply the target's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// Results over all types; latencies only where their workloads are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryStatus {
    /// All tasks.
    #[serde(flatten)]
    pub tasks: TaskTotals,
    /// From due to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LatencyStatus>,
    /// From due to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<LatencyStatus>,
    /// From start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<LatencyStatus>,
    /// The last dyno's true start minus the first one's, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_skew_microseconds: Option<i64>,
    /// How much of the measured window was run, in milliseconds: all of it, or until a dyno ended
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_milliseconds: Option<i64>,
    /// Achieved of scheduled, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub achieved_per_mille: Option<i64>,
    /// The achieved rate, printable: "2000 /s".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// The response time's 99th percentile, printable: "4.8 ms".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<String>,
    /// The target, printable: "managed premium-14", "managed premium-14 (Valkey)".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What became of one threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdStatus {
    /// Its name.
    pub name: String,
    /// Held, Breached or Unknown.
    pub result: String,
    /// What was seen.
    pub observed: String,
    /// The limit.
    pub limit: String,
    /// Tasks that were over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_count: Option<i64>,
    /// Tasks that may be over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_count: Option<i64>,
}

/// What became of one dyno.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynoStatus {
    /// Its name, web.1.
    pub name: String,
    /// Its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// The node it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Passed, Failed, Stopped, Errored or Missing.
    pub result: String,
    /// Why, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Complete, Partial or Missing.
    pub report: String,
    /// When it ended, in milliseconds since the common start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_after_milliseconds: Option<i64>,
    /// The worker that had the backlog limit waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_worker: Option<i64>,
    /// How many were waiting there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_worker_backlog: Option<i64>,
    /// Its tasks.
    #[serde(flatten)]
    pub tasks: TaskTotals,
    /// The highest backlog of any of its workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_worker_backlog: Option<i64>,
    /// Its response time's 99th percentile, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p99_microseconds: Option<i64>,
    /// It is at least this: it lies among tasks that did not complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub response_p99_is_lower_bound: bool,
    /// Its schedule lag's 99th percentile, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_lag_p99_microseconds: Option<i64>,
    /// Its true start minus the first dyno's, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_offset_microseconds: Option<i64>,
    /// Scheduling periods in which its CPU quota ended its turn, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_throttled_per_mille: Option<i64>,
}

/// What the target was and said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// What it is: Redis, Valkey, or what it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How the connections to it were encrypted: Plain, TlsVerifyFull, TlsVerifyCa or
    /// TlsSkipVerification, by which nothing of its certificate was looked at. More may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Its memory limit in bytes, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxmemory_bytes: Option<i64>,
    /// Its connection limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxclients: Option<i64>,
    /// Main-thread CPU over the measured window, in thousandths of a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_thread_cpu_per_mille: Option<i64>,
    /// How many bytes its memory grew by during the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_growth_bytes: Option<i64>,
    /// Its highest number of connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<i64>,
    /// Keys that it evicted during the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted_keys: Option<i64>,
    /// Connections that it rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_connections: Option<i64>,
    /// The node that the managed Redis runs on, or ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// What the preflight saw, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<String>,
    /// What was removed from it after the run, or why that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<String>,
}
