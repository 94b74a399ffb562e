//! The report: what one dyno says of itself, at checkpoints and at its end.
//!
//! It crosses to the operator as the payload of a [`crate::record`] of at most 3,000 bytes, so the
//! histograms in it are only as precise as fits; the same report at full precision is the last
//! event that the dyno prints ([`crate::Event::Report`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::ClassFailures;
use crate::histogram::EncodedHistogram;
use crate::limit::LimitCount;
use crate::plan::{DynoName, Step, TlsVerification};
use crate::timeline::Timeline;

/// The version of the report format that this code writes; it reads this and all before it, and
/// passes over fields that it does not know.
///
/// A field that is added later is an `Option`: a report of a former release has none, and unknown
/// is not 0. The version rises only when a field changes its meaning.
pub const REPORT_VERSION: u32 = 1;

/// Whether reports of this version are read.
pub const fn is_read(version: u32) -> bool {
    version >= 1 && version <= REPORT_VERSION
}

/// What one dyno says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Format version, [`REPORT_VERSION`].
    pub version: u32,
    /// The run's uid, as in the plan.
    pub run: String,
    /// Which dyno this is.
    pub dyno: DynoName,
    /// The pod's uid, or a stand-in without a cluster.
    pub pod: String,
    /// How it ended; None in a checkpoint.
    pub end: Option<End>,
    /// The common start as this dyno saw it; None before it.
    pub start: Option<Start>,
    /// The books of the measured window.
    pub books: Books,
    /// The books of the warm-up.
    pub warmup: Books,
    /// Counts of every latency limit that applies to this dyno's type, in the order of
    /// [`crate::Plan::latency_limits`].
    pub over: Vec<LimitCount>,
    /// Failed tasks by class, the commonest class first; the sum of each column is what the books
    /// of its window call failed. None of a release that did not tell, and where the record had
    /// no room.
    #[serde(default)]
    pub failures: Option<Vec<ClassFailures>>,
    /// What the steps took, in the order of [`crate::plan::Workload::steps`].
    pub steps: Vec<StepTimes>,
    /// The mean and true maximum latencies of the tasks that completed.
    pub latencies: Latencies,
    /// What is known of the measured tasks that did not complete; None where all did, where the
    /// record had no room, and in reports of former releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
    /// The five workers with the highest backlog, the highest first; ties by worker number.
    pub busiest: Vec<BusyWorker>,
    /// The highest backlog of any other worker.
    pub other_workers_backlog: u32,
    /// How the target's certificate was verified; None if connections to it are not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsVerification>,
    /// The dyno seen by itself, over the measured window.
    pub own: OwnVitals,
    /// How late the dyno's own load threads were, and what that excuses; None where nobody looked,
    /// as in reports of former releases.
    pub lateness: Option<Lateness>,
    /// Whether the queues grew; None unless the dyno ran its whole window, and in reports of former
    /// releases.
    pub queues: Option<Queues>,
    /// The 5 s before the end (or before now, in a checkpoint): what the bottleneck is judged by.
    pub last: LastSeconds,
    /// What the target said of itself; only from the dyno that samples it.
    pub target: Option<TargetVitals>,
    /// The course of the run; None before the start, and where the record had no room.
    pub timeline: Option<Timeline>,
    /// Latency distributions, as precise as fits.
    pub histograms: Histograms,
}

/// How a dyno ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// Why.
    pub ending: Ending,
    /// When, in milliseconds since S; 0 if S never came.
    pub after_milliseconds: u64,
    /// Whether this was before t0, in the warm-up.
    pub during_warmup: bool,
}

/// Why a dyno ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Ending {
    /// It ran its whole window and drained.
    Completed,
    /// A task arrived at a worker that already had the limit waiting.
    BacklogLimit {
        /// The worker, from 0.
        worker: u32,
        /// Tasks waiting there, the running one excluded.
        backlog: u32,
        /// How many of them would have been waiting when the task was due, had the dyno's own load
        /// threads never been late: `backlog` or more is the target's doing, fewer the generator's.
        /// It is counted in the drain; None where the dyno did not come to count it.
        on_time: Option<u32>,
    },
    /// More tasks failed than the errors threshold of this name allows of the whole run's plan.
    ErrorLimit {
        /// The threshold's name.
        threshold: String,
        /// The commonest error class and how often it came, `oom 17`.
        cause: String,
    },
    /// More tasks were over a latency limit than its percentile allows of the whole run's plan.
    LatencyLimit {
        /// The threshold's name.
        threshold: String,
    },
    /// Another dyno failed, or the run was ended: `stop` was set.
    Stopped,
    /// SIGTERM, or the end of standard input without a cluster.
    Terminated,
    /// The target went away: connections did not come back within 5 s, or its run_id changed.
    TargetLost {
        /// What was seen.
        detail: String,
    },
    /// The target evicted keys while others than the run's stood in it, on a target that had evicted
    /// none before: the dyno ended the run for all, to spare them.
    ForeignKeysEvicted {
        /// How many keys it had evicted since the preflight when that was seen, 1 or more.
        keys: u64,
    },
    /// The phase of this run was not there: the target is not the one that the preflight saw.
    TargetChanged {
        /// What was seen.
        detail: String,
    },
    /// Before the common start the target refused what it would refuse again: waiting cannot heal it.
    TargetRefused {
        /// What was refused, in the target's own words.
        detail: String,
    },
    /// The others were not ready in time, or this dyno could not get ready itself.
    StartTimeout {
        /// What was missing.
        detail: String,
    },
    /// Another pod had claimed this dyno first.
    DuplicateDyno {
        /// The pod that holds the claim.
        holder: String,
    },
    /// A mistake of ours.
    Internal {
        /// What happened.
        detail: String,
    },
}

/// The common start as one dyno saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// S by the clock of Redis, in microseconds since the epoch.
    pub at_microseconds: u64,
    /// This dyno's true start minus S, in microseconds, by its mapping of Redis' clock.
    pub offset_microseconds: i64,
    /// How wrong that mapping can be: half of the smallest round trip, plus the drift seen
    /// between the mapping before ready and the one after the start was known.
    pub error_microseconds: u64,
    /// The smallest round trip to Redis before the start, when there was no load, in microseconds:
    /// what the way alone takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_microseconds: Option<u64>,
}

/// What became of the tasks. Two laws hold in every final report:
/// scheduled = delivered + rejected + undispatched, and
/// delivered = completed + failed + abandoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Books {
    /// Due in the window, or until the end if that came first.
    pub scheduled: u64,
    /// Handed to a worker.
    pub delivered: u64,
    /// Refused because the worker had the backlog limit waiting.
    pub rejected: u64,
    /// Due, but never handed over before the end.
    pub undispatched: u64,
    /// Finished without error, at any time until the end of the drain.
    pub completed: u64,
    /// Completed tasks that ended inside the window: the achieved ones.
    pub in_time: u64,
    /// Ended in an error, timed-out ones included.
    pub failed: u64,
    /// Failed by running out of their time.
    pub timed_out: u64,
    /// Handed over, but neither finished nor failed at the end.
    pub abandoned: u64,
}

impl Books {
    /// Adds the books of another dyno.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let Self {
            scheduled,
            delivered,
            rejected,
            undispatched,
            completed,
            in_time,
            failed,
            timed_out,
            abandoned,
        } = other;
        Self {
            scheduled: self.scheduled.saturating_add(scheduled),
            delivered: self.delivered.saturating_add(delivered),
            rejected: self.rejected.saturating_add(rejected),
            undispatched: self.undispatched.saturating_add(undispatched),
            completed: self.completed.saturating_add(completed),
            in_time: self.in_time.saturating_add(in_time),
            failed: self.failed.saturating_add(failed),
            timed_out: self.timed_out.saturating_add(timed_out),
            abandoned: self.abandoned.saturating_add(abandoned),
        }
    }

    /// Whether both laws hold, and the parts do not exceed their wholes.
    pub const fn balanced(&self) -> bool {
        let Self {
            scheduled,
            delivered,
            rejected,
            undispatched,
            completed,
            in_time,
            failed,
            timed_out,
            abandoned,
        } = *self;
        scheduled as u128 == delivered as u128 + rejected as u128 + undispatched as u128
            && delivered as u128 == completed as u128 + failed as u128 + abandoned as u128
            && in_time <= completed
            && timed_out <= failed
    }
}

/// What one step took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepTimes {
    /// Which step.
    pub step: Step,
    /// Mean and maximum of its service time.
    pub service: Times,
    /// What was in its replies, of a command of a mix; None of a step of another workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<Replies>,
}

/// What was in the replies to a command, of measured tasks; errors are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replies {
    /// Replies that held something.
    pub hits: u64,
    /// Replies that held nothing: nil, an empty list, a list of nothing but nils.
    pub misses: u64,
}

impl Replies {
    /// Adds the replies of another dyno.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits.saturating_add(other.hits),
            misses: self.misses.saturating_add(other.misses),
        }
    }
}

/// The latencies of the whole task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// end - due.
    pub response: Times,
    /// start - due.
    pub wait: Times,
    /// end - start.
    pub service: Times,
}

/// What is known of the measured tasks that did not complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incomplete {
    /// The longest time from due until a task failed, in microseconds; 0 without a failed task.
    pub failed_response_max_microseconds: u64,
    /// The longest wait of a failed task, in microseconds.
    pub failed_wait_max_microseconds: u64,
    /// The longest time from start until a task failed, in microseconds.
    pub failed_service_max_microseconds: u64,
    /// Counts of each step, in the order of the report's; only at full precision.
    pub steps: Option<Vec<StepCount>>,
    /// Ages of the tasks that had neither completed nor failed at the end. None where there are
    /// none, and where the record had no room.
    pub ages: Option<Ages>,
}

/// In how many tasks a step began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepCount {
    /// Tasks in which it began, whatever became of them.
    pub begun: u64,
    /// Those of them that failed.
    pub failed: u64,
}

/// How old tasks were at the end that had neither completed nor failed: each would have taken at
/// least so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ages {
    /// Since they were due.
    pub response: EncodedHistogram,
    /// From due to start, or to the end if they had not started.
    pub wait: EncodedHistogram,
    /// Since they started, of those that had started.
    pub service: EncodedHistogram,
}

/// Samples, their sum (so that means merge exactly) and their true maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// How many samples.
    pub count: u64,
    /// Their sum, in microseconds.
    pub sum_microseconds: u64,
    /// The highest, in microseconds.
    pub max_microseconds: u64,
}

impl Times {
    /// Adds one sample.
    pub fn record(&mut self, microseconds: u64) {
        self.count = self.count.saturating_add(1);
        self.sum_microseconds = self.sum_microseconds.saturating_add(microseconds);
        self.max_microseconds = self.max_microseconds.max(microseconds);
    }

    /// Adds the samples of another dyno.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum_microseconds: self.sum_microseconds.saturating_add(other.sum_microseconds),
            max_microseconds: self.max_microseconds.max(other.max_microseconds),
        }
    }

    /// The mean in microseconds, rounded; None without samples.
    pub const fn mean_microseconds(&self) -> Option<u64> {
        match self.sum_microseconds.checked_add(self.count / 2) {
            Some(sum) => sum.checked_div(self.count),
            None => self.sum_microseconds.checked_div(self.count),
        }
    }
}

/// One of the busiest workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BusyWorker {
    /// The worker, from 0.
    pub worker: u32,
    /// Tasks it completed.
    pub tasks: u64,
    /// Its highest backlog, and when that was, in milliseconds since S.
    pub peak_backlog: u32,
    /// When the highest backlog was first reached, in milliseconds since S.
    pub peak_at_milliseconds: u64,
    /// Share of the window in which it had a task running, in thousandths.
    pub busy_per_mille: u32,
    /// Its response times.
    pub response: Times,
    /// Mean service time of each step, in microseconds, in the order of the report's; 0 for a step
    /// that it never took.
    pub step_means_microseconds: Vec<u64>,
}

/// A dyno seen by itself, over the measured window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnVitals {
    /// Schedule lag (handed over - due), 99th percentile, in microseconds.
    pub schedule_lag_p99_microseconds: u64,
    /// Schedule lag: mean and maximum.
    pub schedule_lag: Times,
    /// How late a 10 ms timer of the workers' loops was.
    pub loop_lag: Times,
    /// Load threads, which the workers are spread over.
    pub load_threads: u32,
    /// Share of the window in which the busiest load thread was not waiting for anything, in
    /// thousandths.
    pub load_thread_busy_per_mille: u32,
    /// CPU time used, in microseconds.
    pub cpu_microseconds: u64,
    /// Scheduling periods in which the CPU quota ended the dyno's turn, in thousandths of all; 0
    /// without a quota.
    pub throttled_per_mille: u32,
    /// Highest resident memory, in bytes.
    pub memory_bytes: u64,
    /// Bytes written to the target by the workers.
    pub bytes_out: u64,
    /// Bytes read from it.
    pub bytes_in: u64,
    /// Connections made anew after a failure.
    pub reconnects: u64,
    /// Coordination writes that failed after the start; noted, never fatal.
    pub coordination_failures: u64,
    /// CPU time that its load threads used, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_threads_cpu_microseconds: Option<u64>,
    /// CPU that its control group really allows, in thousandths of a core; None where the kernel
    /// does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_allowance_millis: Option<Allowance>,
    /// Memory that its control group really allows, in bytes; None where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_allowance_bytes: Option<Allowance>,
}

/// How much of something a control group allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Allowance {
    /// There is no limit.
    Unlimited,
    /// So much.
    Limited(u64),
}

/// How late a dyno's own load threads were. CPU time that they used themselves and periods in
/// which the dyno's quota held them back are not lateness: they are the size under test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lateness {
    /// The longest delays of over 1 ms since S, at most [`MOST_DELAYS`], the longest first.
    pub longest: Vec<OwnDelay>,
    /// Measured tasks that timed out while such a delay disturbed them: they failed, but that is
    /// not the target's doing.
    pub timed_out: u64,
    /// The same of the warm-up.
    pub timed_out_in_warmup: u64,
}

/// How many of its own delays a report tells of.
pub const MOST_DELAYS: usize = 8;

/// A time in which a load thread did not get on though it should have. It travels as an array of
/// its two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
#[schemars(with = "[u64; 2]")]
pub struct OwnDelay {
    /// When it began, in milliseconds since S.
    pub at_milliseconds: u64,
    /// How long it was, in microseconds.
    pub microseconds: u64,
}

impl From<[u64; 2]> for OwnDelay {
    fn from([at_milliseconds, microseconds]: [u64; 2]) -> Self {
        Self {
            at_milliseconds,
            microseconds,
        }
    }
}

impl From<OwnDelay> for [u64; 2] {
    fn from(delay: OwnDelay) -> Self {
        [delay.at_milliseconds, delay.microseconds]
    }
}

/// Tasks that were due and would not have begun, had the dyno's own load threads never been late:
/// over all workers, those of the warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Queues {
    /// In the middle of the measured window.
    pub at_middle: u64,
    /// At its end.
    pub at_end: u64,
}

impl Queues {
    /// Adds the queues of another dyno.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let Self { at_middle, at_end } = other;
        Self {
            at_middle: self.at_middle.saturating_add(at_middle),
            at_end: self.at_end.saturating_add(at_end),
        }
    }
}

/// The 5 s before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSeconds {
    /// Throttled periods, in thousandths of all; 0 without a quota.
    pub throttled_per_mille: u32,
    /// Schedule lag, 99th percentile, in microseconds.
    pub schedule_lag_p99_microseconds: u64,
    /// Response p99, in microseconds.
    pub response_p99_microseconds: u64,
    /// CPU that this dyno used, in thousandths of one core.
    pub cpu_per_mille: u32,
    /// The busiest load thread, in thousandths of the time.
    pub load_thread_busy_per_mille: u32,
    /// Share of the time in which a worker had a task in its hands, in thousandths: the mean over
    /// all workers.
    pub workers_busy_per_mille: u32,
    /// The target's main thread, in thousandths of its core; None if this dyno does not sample it,
    /// or the target does not say.
    pub redis_main_thread_per_mille: Option<u32>,
    /// Keys that the target evicted; None if this dyno does not sample it, or the target does not
    /// say.
    pub redis_evicted_keys: Option<u64>,
    /// Connections that the target refused; None if nobody knows.
    pub redis_rejected_connections: Option<u64>,
    /// `used_memory` at the end of them, in bytes; None if this dyno does not sample it, or the
    /// target does not say.
    pub redis_memory_bytes: Option<u64>,
    /// What else the target's threads did.
    #[serde(default, skip_serializing_if = "TargetWork::is_unknown")]
    pub redis_work: TargetWork,
}

/// What a target's threads did over some time, each by the target's own word, in thousandths of
/// that time. None is what it does not say: which of these a server tells depends on its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetWork {
    /// CPU time of all its threads, of one core: more than 1,000 where several are busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_per_mille: Option<u32>,
    /// Time for which its event loop had something to do, whether or not it got a CPU for it
    /// (`used_active_time_main_thread`, else `eventloop_duration_sum`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_loop_per_mille: Option<u32>,
    /// Time for which it was executing commands, at least, whether or not it got a CPU for it
    /// (`eventloop_duration_cmd_sum`, else from the times of its commands).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executing_per_mille: Option<u32>,
    /// Time for which the busiest of its I/O threads had something to do
    /// (`used_active_time_io_thread_<n>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_thread_per_mille: Option<u32>,
    /// Whether I/O threads read or wrote for clients: then the CPU time of the main thread says
    /// little, because threads that wait for each other may spin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_threads: Option<bool>,
}

impl TargetWork {
    /// Whether the target said nothing of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What the target spent on one command, in the measured window and for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandWork {
    /// Its name as the target writes it: `get`, `config|get`.
    pub name: String,
    /// How often it was executed.
    pub calls: u64,
    /// Time for which it was executing, in microseconds.
    pub microseconds: u64,
}

/// What the target said of itself: samples of INFO, once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetVitals {
    /// Samples taken.
    pub samples: u32,
    /// What it calls itself where that is not Redis: `server_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its own version: `valkey_version` of a Valkey, else `redis_version`.
    pub version: Option<String>,
    /// `role`, `master`.
    pub role: Option<String>,
    /// `maxmemory` in bytes, 0 for none.
    pub maxmemory_bytes: Option<u64>,
    /// `maxmemory_policy`.
    pub maxmemory_policy: Option<String>,
    /// `maxclients`.
    pub maxclients: Option<u64>,
    /// Main-thread CPU over the measured window, in thousandths of a core.
    pub main_thread_per_mille: Option<u32>,
    /// `used_memory` at t0, in bytes.
    pub memory_at_start_bytes: Option<u64>,
    /// `used_memory` at the last sample, in bytes.
    pub memory_at_end_bytes: Option<u64>,
    /// Highest `connected_clients`.
    pub connections_max: Option<u64>,
    /// `evicted_keys` during the window.
    pub evicted_keys: Option<u64>,
    /// `rejected_connections` during the run.
    pub rejected_connections: Option<u64>,
    /// Whether Redis persists to an append-only file (`aof_enabled`).
    pub append_only_file: Option<bool>,
    /// `connected_slaves`.
    pub replicas: Option<u64>,
    /// What else its threads did over the measured window.
    #[serde(default, skip_serializing_if = "TargetWork::is_unknown")]
    pub work: TargetWork,
    /// The commands that took most of its time in the measured window, at most
    /// [`MOST_COMMANDS_OF_TARGET`]; empty where it does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandWork>,
}

/// Most commands that a report lists of a target.
pub const MOST_COMMANDS_OF_TARGET: usize = 12;

impl TargetVitals {
    /// What it is: `Valkey 9.1.2`, `Redis 7.0.15`, `Redis of unknown version`.
    pub fn software(&self) -> String {
        software(self.server.as_deref(), self.version.as_deref())
    }
}

/// What a server is, by what it calls itself and its version.
pub fn software(server: Option<&str>, version: Option<&str>) -> String {
    format!(
        "{} {}",
        server_title(server),
        version.unwrap_or("of unknown version")
    )
}

/// How people write what a server calls itself; one that does not say is a Redis.
pub fn server_title(server: Option<&str>) -> &str {
    match server {
        None => "Redis",
        Some(name) if name.eq_ignore_ascii_case("redis") => "Redis",
        Some(name) if name.eq_ignore_ascii_case("valkey") => "Valkey",
        Some(name) => name,
    }
}

/// Latency distributions of the measured tasks. None where the record had no room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Histograms {
    /// end - due.
    pub response: Option<EncodedHistogram>,
    /// start - due.
    pub wait: Option<EncodedHistogram>,
    /// end - start.
    pub service: Option<EncodedHistogram>,
    /// Service times of the steps, in the order of the report's; only at full precision.
    pub steps: Option<Vec<EncodedHistogram>>,
    /// Schedule lag; only at full precision.
    pub schedule_lag: Option<EncodedHistogram>,
}
