//! The judgement: a verdict with all of its evidence, merged over the dynos.

use std::fmt;

use crate::failure::ClassFailures;
use crate::figures;
use crate::limit::Holding;
use crate::outcome::Fate;
use crate::plan::{DynoName, Latency, Step, TlsVerification};
use crate::report::{Books, BusyWorker, End, OwnVitals, StepTimes, TargetVitals, Times};
use crate::timeline::Timeline;
use crate::verdict::{Bottleneck, Reason, Verdict};

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub reason: Reason,
    /// The deciding event came before t0.
    pub during_warmup: bool,
    /// What held the run back, or would next; None if it never got to a load.
    pub bottleneck: Option<Bottleneck>,
    /// One or two sentences for people: what happened, and what to try.
    pub message: String,
    /// The common start S by the clock of Redis, in microseconds since the epoch, if there was one.
    pub start_microseconds: Option<u64>,
    /// Largest minus smallest true start over all dynos, in microseconds; None unless every dyno told.
    pub start_skew_microseconds: Option<u64>,
    /// One row per dyno type, in the order of the plan.
    pub formation: Vec<TypeResult>,
    /// The same over all types. Latencies only where all types have the same workload.
    pub summary: Totals,
    /// One row per threshold, in the order of the plan.
    pub thresholds: Vec<ThresholdResult>,
    /// One row per backlog limit, in the order of the plan's types.
    pub backlogs: Vec<BacklogResult>,
    /// One row per planned dyno, in the order of the plan.
    pub dynos: Vec<DynoResult>,
    /// How the connections to the target were encrypted; None if no dyno told.
    pub encryption: Option<Encryption>,
    /// What the target said of itself, from the dyno that sampled it.
    pub target: Option<TargetVitals>,
    /// The course of the run, merged over the dynos that told of theirs.
    pub timeline: Option<Timeline>,
}

impl Judgement {
    /// The one word for the reason that the status and every report say.
    pub fn reason_word(&self) -> String {
        self.reason.word(self.during_warmup)
    }
}

/// How a connection to the target is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// Not at all.
    Plain,
    /// By TLS; chain and host name of the server's certificate were verified.
    TlsVerifyFull,
    /// By TLS; only the chain was verified.
    TlsVerifyCa,
    /// By TLS; nothing was verified.
    TlsSkipVerification,
}

impl Encryption {
    /// By TLS with the server's certificate verified so, or not at all.
    pub const fn of(tls: Option<TlsVerification>) -> Self {
        match tls {
            None => Self::Plain,
            Some(TlsVerification::VerifyFull) => Self::TlsVerifyFull,
            Some(TlsVerification::VerifyCa) => Self::TlsVerifyCa,
            Some(TlsVerification::SkipVerification) => Self::TlsSkipVerification,
        }
    }

    /// As it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "Plain",
            Self::TlsVerifyFull => "TlsVerifyFull",
            Self::TlsVerifyCa => "TlsVerifyCa",
            Self::TlsSkipVerification => "TlsSkipVerification",
        }
    }
}

/// Totals of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeResult {
    /// The type's name.
    pub dyno_type: String,
    /// The totals of its dynos.
    pub totals: Totals,
    /// The course of its dynos' run, merged over those that told of theirs.
    pub timeline: Option<Timeline>,
    /// Where its tasks' time went; None where it was not measured.
    pub time_spent: Option<TimeSpent>,
}

/// Where the time of a task went that ended without error: means in microseconds, measured apart,
/// that add up to its response time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpent {
    /// It waited for its worker.
    pub waiting_microseconds: u64,
    /// The dyno worked on it: CPU time of the load threads.
    pub dyno_microseconds: u64,
    /// Redis executed its commands; None where Redis does not say, and then it is in what follows.
    pub executing_microseconds: Option<u64>,
    /// The rest: it waited at Redis for its turn, was on the way, or its reply waited in the dyno for
    /// CPU: under a quota that is used up this is most of it.
    pub elsewhere_microseconds: u64,
}

impl TimeSpent {
    /// All of it: the mean response time.
    pub fn all_microseconds(&self) -> u64 {
        let Self {
            waiting_microseconds,
            dyno_microseconds,
            executing_microseconds,
            elsewhere_microseconds,
        } = *self;
        [
            waiting_microseconds,
            dyno_microseconds,
            executing_microseconds.unwrap_or(0),
            elsewhere_microseconds,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// Totals of some dynos.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Tasks that the plan schedules for them.
    pub planned: u64,
    /// The sum of their books.
    pub books: Books,
    /// How much of the measured window was run, in milliseconds: by the dyno that ran most of it.
    pub measured_milliseconds: u64,
    /// Tasks that were due, per second of the window actually run.
    pub asked_tasks_per_second: f64,
    /// Tasks that ended without error inside the window, per second of the window actually run.
    pub achieved_tasks_per_second: f64,
    /// achieved / scheduled, in thousandths, rounded down; None if nothing was scheduled.
    pub achieved_per_mille: Option<u32>,
    /// Latencies merged from the dynos' histograms; None if a dyno's is missing or workloads differ.
    pub response: Option<Distribution>,
    /// start - due.
    pub wait: Option<Distribution>,
    /// end - start.
    pub service: Option<Distribution>,
    /// Means and maxima of the steps, and what was in their replies.
    pub steps: Vec<StepTimes>,
    /// Distributions of the steps, of those that are known at full precision.
    pub step_distributions: Vec<StepDistribution>,
    /// Failed tasks by class, the commonest class first.
    pub failures: Vec<ClassFailures>,
}

/// A latency, merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// 50th percentile.
    pub p50: Quantile,
    /// 90th percentile.
    pub p90: Quantile,
    /// 99th percentile.
    pub p99: Quantile,
    /// 99.9th percentile.
    pub p999: Quantile,
    /// The highest: the true maximum, or a bound if any task did not complete.
    pub max: Quantile,
    /// Samples, mean and true maximum of the tasks that completed.
    pub times: Times,
    /// Significant digits of the quantiles: those of the coarsest histogram merged.
    pub digits: u8,
}

/// The distribution of one step's service time, over all tasks in which it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDistribution {
    /// Which step.
    pub step: Step,
    /// Its service time.
    pub service: Distribution,
}

/// A quantile over all scheduled tasks, those that never ended included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// It is this, in microseconds, rounded to the histogram's significant digits.
    At(u64),
    /// It lies among the tasks that did not complete: this or more, in microseconds.
    AtLeast(u64),
    /// There are too few samples for it (N < 1 / (1 - p)): this is the maximum.
    Maximum(u64),
}

impl Quantile {
    /// The number, whatever it means.
    pub const fn microseconds(self) -> u64 {
        match self {
            Self::At(value) | Self::AtLeast(value) | Self::Maximum(value) => value,
        }
    }

    /// Whether it is only known to be at least so long.
    pub const fn is_lower_bound(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }

    /// The number as people are shown it: a maximum is known to the microsecond, which is more
    /// than is worth reading.
    pub fn shown_microseconds(self) -> u64 {
        match self {
            Self::At(value) | Self::AtLeast(value) => value,
            Self::Maximum(value) => figures::brief(value),
        }
    }
}

/// `4.8 ms`, `>= 250 ms`, `31.2 ms (maximum)`.
impl fmt::Display for Quantile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = figures::milliseconds(self.shown_microseconds());
        match self {
            Self::At(_) => formatter.write_str(&value),
            Self::AtLeast(_) => write!(formatter, ">= {value}"),
            Self::Maximum(_) => write!(formatter, "{value} (maximum)"),
        }
    }
}

/// What became of one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdResult {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub holding: Holding,
    /// What was seen, printable: `4.8 ms`, `> 250 ms (counted)`, `0`, `2000 /s`.
    pub observed: String,
    /// The limit, printable: `response p99 250 ms`, `0 per million`, `1990 /s`.
    pub limit: String,
    /// Tasks over it; None for a rate.
    pub over_count: Option<u64>,
    /// Tasks that may be over it; None for a rate.
    pub allowed_count: Option<u64>,
}

/// What became of a backlog limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogResult {
    /// A task that arrives at a worker with this many waiting is rejected.
    pub max_worker_backlog: u32,
    /// The types that have this limit.
    pub dyno_types: Vec<String>,
    /// The highest backlog of any of their workers: of a limit that was breached the one that
    /// breached it first. None if nothing was told of it.
    pub peak: Option<u32>,
    /// Where and when that was, if it was told.
    pub place: Option<BacklogPlace>,
    /// Whether no task was rejected.
    pub holding: Holding,
}

/// Where a backlog was, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogPlace {
    /// The dyno.
    pub dyno: DynoName,
    /// Its worker, from 0.
    pub worker: u32,
    /// In milliseconds since the common start.
    pub at_milliseconds: u64,
}

/// One dyno's row.
#[derive(Clone, Debug, PartialEq)]
pub struct DynoResult {
    /// Which dyno.
    pub dyno: DynoName,
    /// Its pod.
    pub pod_name: Option<String>,
    /// Its node.
    pub node_name: Option<String>,
    /// What became of it.
    pub result: DynoVerdict,
    /// Why, as a word: an ending's or a fate's name; None for Passed.
    pub reason: Option<String>,
    /// What the platform says.
    pub fate: Fate,
    /// How it ended by its own word.
    pub end: Option<End>,
    /// How much of its report there is.
    pub report: ReportState,
    /// Its numbers; None if its report is missing.
    pub numbers: Option<DynoNumbers>,
}

/// What became of one dyno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DynoVerdict {
    /// It ran to its planned end.
    Passed,
    /// It breached a limit of its own.
    Failed,
    /// It was stopped because another failed, or the run ended.
    Stopped,
    /// It was lost, killed, or never got to run.
    Errored,
    /// Nothing is known of it.
    Missing,
}

/// How much of a dyno's report there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportState {
    /// Its final report.
    Complete,
    /// Only a checkpoint.
    Partial,
    /// Nothing.
    Missing,
}

/// One dyno's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct DynoNumbers {
    /// Its books of the measured window.
    pub books: Books,
    /// Completions inside the window per second of the window that it ran.
    pub achieved_tasks_per_second: f64,
    /// The highest backlog of any of its workers.
    pub max_worker_backlog: u32,
    /// Its response p99 in microseconds, if its histogram is there.
    pub response_p99: Option<Quantile>,
    /// The dyno seen by itself.
    pub own: OwnVitals,
    /// Its true start minus the smallest of all dynos, in microseconds, if it started.
    pub start_offset_microseconds: Option<i64>,
    /// Its busiest workers.
    pub busiest: Vec<BusyWorker>,
    /// The highest backlog of its other workers.
    pub other_workers_backlog: u32,
}

impl Totals {
    /// The distribution of a latency.
    pub const fn distribution(&self, latency: Latency) -> Option<&Distribution> {
        match latency {
            Latency::Response => self.response.as_ref(),
            Latency::Wait => self.wait.as_ref(),
            Latency::Service => self.service.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_say_what_they_are() {
        assert_eq!(Quantile::At(4_800).to_string(), "4.8 ms");
        assert_eq!(Quantile::AtLeast(250_000).to_string(), ">= 250 ms");
        assert_eq!(Quantile::Maximum(932_417).to_string(), "932 ms (maximum)");
    }
}
