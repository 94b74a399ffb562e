//! The plan: everything a preflight, a dyno or a finish needs to know about the run.
//!
//! One plan serves the whole run; a dyno finds itself in it by its type and index. The plan holds
//! no credential: the target's URL is mounted beside it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::dyno_name::DynoName;
use crate::random::Seed;
use crate::schedule::{Rate, Schedule, Spacing, Window};
use crate::unknown_fields;

pub use crate::known_commands::{Effect, Holds};
pub use crate::percentile::{InvalidPercentile, Percentile};
pub use crate::workload::{
    Commands, Distribution, Expectation, Fetch, InvalidStep, Keyspace, MOST_COMMANDS,
    MOST_STEPS_OF_A_TASK, MixedCommand, ObjectGraph, Prefill, Step, Workload,
};

/// The version of the plan format that this code writes; it reads this and all before it.
///
/// A field that is added later is an `Option`, or has a default under which the plan means what it
/// meant without it: an operator judges a run that a former release began by that release's plan.
/// The version rises only when a plan's meaning changes in another way.
pub const PLAN_VERSION: u32 = 1;

/// Most dynos of all types together.
pub const MOST_DYNOS: u64 = 100;

/// How long what a preflight reserves on the target lasts beyond startTimeout, in seconds: without
/// its lock and phase no dyno starts.
pub const RESERVED_BEYOND_START_TIMEOUT_SECONDS: u32 = 60;

/// Everything about one run, resolved: no name of a size or plan is left to look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Format version, [`PLAN_VERSION`].
    pub version: u32,
    /// Which run this is.
    pub run: RunIdentity,
    /// The Redis under test.
    pub target: TargetPlan,
    /// Length of the measured window [t0, t0 + duration), in seconds, 1 or more.
    pub duration_seconds: u32,
    /// Length of the warm-up [S, t0) before it, in seconds; S is the common start.
    pub warmup_seconds: u32,
    /// Rate during the warm-up, in percent of the measured rate, 1 to 100.
    pub warmup_percent: u32,
    /// How long unfinished tasks may go on after the window, in seconds.
    pub drain_seconds: u32,
    /// How long a dyno waits for the common start before it gives up, in seconds.
    pub start_timeout_seconds: u32,
    /// After this long a task counts as timed out, in milliseconds since its start.
    pub task_timeout_milliseconds: u32,
    /// What the others do when a dyno fails its own limit.
    pub on_dyno_failure: OnDynoFailure,
    /// Seed of every random choice.
    pub seed: u64,
    /// The dyno types, in the order of the LoadTest. Type names are unique.
    pub formation: Vec<DynoTypePlan>,
    /// What counts as a pass, in the order of the LoadTest, the implied `errors` included.
    pub thresholds: Vec<ThresholdPlan>,
    /// How long a dyno stays after its report was written, to be scraped once more, in seconds.
    pub linger_seconds: u32,
}

/// Which run this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunIdentity {
    /// The LoadTest's namespace; `local` without a cluster.
    pub namespace: String,
    /// The LoadTest's name.
    pub name: String,
    /// The LoadTest's `metadata.uid`. Every key of the run in Redis contains it or its first eight characters.
    pub uid: String,
}

/// The Redis under test. Its URL and certificates are mounted beside the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetPlan {
    /// How people call it: `managed premium-14`, `managed premium-14 (Valkey)` or `existing my-redis`. Never an address.
    pub title: String,
    /// Whether the Redis was made for this run alone or belongs to somebody.
    pub kind: TargetKind,
    /// How a `rediss://` server's certificate is verified. No meaning for `redis://`.
    pub tls: TlsVerification,
    /// Connections that the run opens at its peak: the sum of quantity x (workers + 1), plus 2.
    pub connections: u32,
    /// Hosts that may be flushed, as the URL names them, if `flush` is Database or AllDatabases:
    /// names and addresses, `*.` and a domain for all below it, `*` for any. Says the
    /// administrator, not who wrote the LoadTest.
    pub flush_hosts: Vec<String>,
    /// CPU that a managed Redis may use, in thousandths of a core; None for an existing one, and
    /// where sizes are not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
}

/// Whether the Redis was made for this run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TargetKind {
    /// Made for this run alone; empty at its start, gone after it.
    Managed,
    /// Somebody's Redis, with what may be removed from it.
    Existing {
        /// What may be flushed before, or removed after the run.
        flush: Flush,
    },
}

/// What of an existing Redis may be flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Flush {
    /// Nothing is removed but the run's coordination keys: its data stays.
    None,
    /// Only this run's own keys, afterwards.
    RunKeys,
    /// FLUSHDB before the run, if the preflight finds it safe.
    Database,
    /// FLUSHALL before the run, if the preflight finds it safe.
    AllDatabases,
}

/// How a TLS server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TlsVerification {
    /// The chain and the host name.
    VerifyFull,
    /// The chain only: any host name.
    VerifyCa,
    /// Nothing: anyone in between can read and change the traffic.
    SkipVerification,
}

/// What the other dynos do when one fails its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnDynoFailure {
    /// They drain and report.
    StopAll,
    /// They go on to their planned end, on a relieved target.
    Continue,
}

/// One type of dyno.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynoTypePlan {
    /// The type's name, `web`.
    #[serde(rename = "type")]
    pub dyno_type: String,
    /// How many dynos of it, 1 or more.
    pub quantity: u32,
    /// Workers in each, 1 or more.
    pub workers: u32,
    /// Tasks per second of each dyno, exact.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// How a task finds its worker.
    pub assignment: Assignment,
    /// Which waiting task a worker takes next.
    pub queue_order: QueueOrder,
    /// A task that arrives at a worker with this many waiting is rejected and fails the dyno.
    pub max_worker_backlog: u32,
    /// What a task does.
    pub workload: Workload,
    /// CPU time that every task uses as the application would, on its worker's load thread, in
    /// microseconds; part of the service time, of no step.
    pub application_cpu_microseconds: u32,
    /// The CPU that the dyno has, in thousandths of a core; None where sizes are not enforced.
    pub cpu_millis: Option<u32>,
    /// The memory that the dyno has, in bytes; None where sizes are not enforced.
    pub memory_bytes: Option<u64>,
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Arrivals {
    /// Evenly, by the exact due times of [`Schedule`].
    Constant,
    /// At random, by seeded exponential gaps; see [`Spacing::Poisson`].
    Poisson,
}

/// How a task finds its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Assignment {
    /// Uniformly at random, drawn from the seed.
    Random,
    /// One worker after the other, by the task's number.
    RoundRobin,
}

/// Which waiting task a worker takes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QueueOrder {
    /// First in, first out.
    OldestFirst,
    /// Last in, first out.
    NewestFirst,
}

/// One threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdPlan {
    /// Its name, unique in the plan.
    pub name: String,
    /// Only the dynos of this type; all of them if None.
    #[serde(rename = "type")]
    pub dyno_type: Option<String>,
    /// What it limits.
    pub limit: Limit,
}

/// What a threshold limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Limit {
    /// A percentile of a latency.
    Latency(LatencyLimit),
    /// Failed tasks, timed-out ones included, per million scheduled, rounded down to whole tasks.
    Errors {
        /// At most this many.
        max_per_million: u32,
    },
    /// The achieved rate: tasks that ended without error inside the window, per second of it.
    Rate {
        /// At least this many, summed over the dynos it applies to.
        min_tasks_per_second: u32,
    },
}

/// A limit on a percentile of a latency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyLimit {
    /// Which latency.
    pub of: Latency,
    /// Of the whole task or of one of its steps; a step has service time only.
    pub step: Step,
    /// Which percentile.
    pub percentile: Percentile,
    /// At most this long, in microseconds.
    pub max_microseconds: u64,
}

/// The three latencies of a task: wait = start - due, service = end - start, response = end - due.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Latency {
    /// end - due: what a user feels.
    Response,
    /// start - due: the queue, and how late the generator was.
    Wait,
    /// end - start: what other tools show.
    Service,
}

impl Plan {
    /// Reads a plan to carry it out: every field must be one that this release knows, since what
    /// it passed over would be asked for and not done.
    ///
    /// # Errors
    /// [`InvalidPlan`] names the field, what was found and what is allowed.
    pub fn to_carry_out(text: &str) -> Result<Self, InvalidPlan> {
        let plan = Self::from_json(text)?;
        let written = |error: serde_json::Error| InvalidPlan(error.to_string());
        let found = serde_json::from_str(text).map_err(written)?;
        let known = serde_json::to_value(&plan).map_err(written)?;
        match unknown_fields::first(&found, &known) {
            None => Ok(plan),
            Some(path) => Err(InvalidPlan(format!(
                "{path} is no field that this release knows: plan and runner are of different \
                 releases"
            ))),
        }
    }

    /// Reads a plan to judge by it or to show it. Fields of a later release are passed over.
    ///
    /// # Errors
    /// [`InvalidPlan`] names the field, what was found and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, InvalidPlan> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let plan: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            // A plan of a later version differs in fields; what helps is to say that it is one.
            match serde_json::from_str::<VersionAlone>(text) {
                Ok(VersionAlone { version }) if !is_read(version) => other_version(version),
                _ => InvalidPlan(error.to_string()),
            }
        })?;
        reader
            .end()
            .map_err(|error| InvalidPlan(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// The rules that the types cannot state. Whoever makes a plan may rely on validation of the
    /// LoadTest; whoever reads one from a file calls this.
    fn check(&self) -> Result<(), InvalidPlan> {
        let fail = |field: &str, found: &dyn fmt::Display, allowed: &str| {
            Err(InvalidPlan(format!(
                "{field} is {found}, must be {allowed}"
            )))
        };
        if !is_read(self.version) {
            return Err(other_version(self.version));
        }
        if self.run.uid.len() < 8
            || !self
                .run
                .uid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return fail(
                "run.uid",
                &format!("{:?}", self.run.uid),
                "8 or more letters, digits and dashes",
            );
        }
        if self.duration_seconds == 0 {
            return fail("durationSeconds", &0, "1 or more");
        }
        if !(1..=100).contains(&self.warmup_percent) {
            return fail("warmupPercent", &self.warmup_percent, "1 to 100");
        }
        if self.formation.is_empty() {
            return fail("formation", &"empty", "at least one dyno type");
        }
        let dynos: u64 = self
            .formation
            .iter()
            .map(|dynos| u64::from(dynos.quantity))
            .sum();
        if dynos > MOST_DYNOS {
            return fail(
                "formation",
                &format!("of {dynos} dynos"),
                &format!("of at most {MOST_DYNOS}"),
            );
        }
        for (position, dynos) in self.formation.iter().enumerate() {
            let field = |name: &str| format!("formation[{position}].{name}");
            if self.formation[..position]
                .iter()
                .any(|other| other.dyno_type == dynos.dyno_type)
            {
                return fail(&field("type"), &dynos.dyno_type, "unique");
            }
            for (name, value) in [
                ("quantity", dynos.quantity),
                ("workers", dynos.workers),
                ("maxWorkerBacklog", dynos.max_worker_backlog),
            ] {
                if value == 0 {
                    return fail(&field(name), &0, "1 or more");
                }
            }
            dynos
                .workload
                .check()
                .or_else(|(name, found, allowed)| fail(&field(name), &found, allowed))?;
        }
        for (position, threshold) in self.thresholds.iter().enumerate() {
            let field = |name: &str| format!("thresholds[{position}].{name}");
            if self.thresholds[..position]
                .iter()
                .any(|other| other.name == threshold.name)
            {
                return fail(&field("name"), &threshold.name, "unique");
            }
            if let Some(dyno_type) = &threshold.dyno_type
                && !self
                    .formation
                    .iter()
                    .any(|dynos| dynos.dyno_type == *dyno_type)
            {
                return fail(&field("type"), dyno_type, "a type of the formation");
            }
            if let Limit::Latency(limit) = &threshold.limit
                && limit.step != Step::Task
                && limit.of != Latency::Service
            {
                return fail(
                    &field("limit.latency.of"),
                    &format!("{:?}", limit.of),
                    "Service: a step has service time only",
                );
            }
        }
        Ok(())
    }

    /// The plan of a type.
    pub fn dyno_type(&self, name: &str) -> Option<&DynoTypePlan> {
        self.formation.iter().find(|dynos| dynos.dyno_type == name)
    }

    /// Every planned dyno, in the order of the formation.
    pub fn dynos(&self) -> impl Iterator<Item = DynoName> + '_ {
        self.formation.iter().flat_map(|dynos| {
            (0..dynos.quantity).map(|index| DynoName {
                dyno_type: dynos.dyno_type.clone(),
                index,
            })
        })
    }

    /// The dyno that samples INFO of the target: the first of the first type.
    pub fn sampler(&self) -> Option<DynoName> {
        self.dynos().next()
    }

    /// The measured schedule of a dyno of `dynos`: due times as offsets from t0.
    pub fn schedule(&self, dynos: &DynoTypePlan, index: u32) -> Schedule {
        Schedule::new(dynos.rate, index, dynos.quantity, self.duration_seconds)
            .spaced(self.spacing(dynos, index, Window::Measured))
    }

    /// The warm-up schedule of a dyno of `dynos`: due times as offsets from S.
    pub fn warmup_schedule(&self, dynos: &DynoTypePlan, index: u32) -> Schedule {
        Schedule::new(
            dynos.rate.percent(self.warmup_percent),
            index,
            dynos.quantity,
            self.warmup_seconds,
        )
        .spaced(self.spacing(dynos, index, Window::Warmup))
    }

    fn spacing(&self, dynos: &DynoTypePlan, index: u32, window: Window) -> Spacing {
        match dynos.arrivals {
            Arrivals::Constant => Spacing::Constant,
            Arrivals::Poisson => {
                let name = DynoName {
                    dyno_type: dynos.dyno_type.clone(),
                    index,
                };
                Spacing::Poisson {
                    seed: Seed::of(self.seed, &name),
                    window,
                }
            }
        }
    }

    /// Tasks due in the window of all dynos that a threshold of this type applies to.
    pub fn scheduled(&self, dyno_type: Option<&str>) -> u64 {
        self.formation
            .iter()
            .filter(|dynos| dyno_type.is_none_or(|name| name == dynos.dyno_type))
            .flat_map(|dynos| (0..dynos.quantity).map(|index| self.schedule(dynos, index).count()))
            .fold(0, u64::saturating_add)
    }

    /// The latency limits that a dyno of this type counts, with their threshold's position, in
    /// the order of the plan. A report's `over` is in this order.
    pub fn latency_limits<'a>(
        &'a self,
        dyno_type: &'a str,
    ) -> impl Iterator<Item = (usize, &'a LatencyLimit)> + 'a {
        self.thresholds
            .iter()
            .enumerate()
            .filter_map(move |(position, threshold)| match &threshold.limit {
                Limit::Latency(limit)
                    if threshold
                        .dyno_type
                        .as_deref()
                        .is_none_or(|name| name == dyno_type) =>
                {
                    Some((position, limit))
                }
                Limit::Latency(_) | Limit::Errors { .. } | Limit::Rate { .. } => None,
            })
    }
}

/// What can be read of a plan of any version.
#[derive(Deserialize)]
struct VersionAlone {
    version: u32,
}

const fn is_read(version: u32) -> bool {
    version >= 1 && version <= PLAN_VERSION
}

fn other_version(version: u32) -> InvalidPlan {
    InvalidPlan(format!(
        "version is {version}, must be 1 to {PLAN_VERSION}: the plan is of a later release"
    ))
}

/// A plan that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid plan: {0}")]
pub struct InvalidPlan(String);

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
