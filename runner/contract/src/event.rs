//! What a dyno prints while it runs: one JSON object a line on standard output.
//!
//! Pods print them into their log; without a cluster they take the place of the probes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::histogram::EncodedHistogram;
use crate::report::Report;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "event"
)]
pub enum Event {
    /// Its HTTP server listens here.
    Listening {
        /// `127.0.0.1:41234`.
        address: String,
    },
    /// Not ready yet, or not started: what has been waited for, for more than two seconds.
    Waiting {
        /// What for.
        detail: String,
    },
    /// Claimed, all workers connected, prefilled: waiting for the others.
    Ready,
    /// S has passed.
    Started {
        /// S in microseconds since the epoch, by the clock of Redis.
        at_microseconds: u64,
    },
    /// How it goes.
    Progress(Progress),
    /// The end, at full precision. The last line.
    Report {
        /// The final report.
        report: Box<Report>,
    },
}

/// How it goes: counts since S (warm-up included), and the latencies since the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Milliseconds since S.
    pub at_milliseconds: u64,
    /// Whether t0 is still to come.
    pub warming_up: bool,
    /// Tasks due so far.
    pub scheduled: u64,
    /// Completed so far.
    pub completed: u64,
    /// Failed so far.
    pub failed: u64,
    /// Waiting now, over all workers.
    pub waiting: u64,
    /// The longest queue now.
    pub max_backlog: u32,
    /// Response times of the tasks that ended since the last line, warm-up included.
    pub response: EncodedHistogram,
    /// Service times of the same.
    pub service: EncodedHistogram,
    /// The target's main thread since the last line, in thousandths of its core; only from the sampler.
    pub redis_main_thread_per_mille: Option<u32>,
}
