//! What became of a run's dynos: the evidence that a verdict rests on.
//!
//! The operator fills these from pods and collected reports, the command line from its processes.

use crate::plan::DynoName;
use crate::report::Report;

/// What became of one planned dyno.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynoOutcome {
    /// Which dyno.
    pub dyno: DynoName,
    /// The pod that ran it, if one was ever seen; the process without a cluster.
    pub pod_name: Option<String>,
    /// Where it ran.
    pub node_name: Option<String>,
    /// What the platform says of it.
    pub fate: Fate,
    /// What it says of itself.
    pub report: Evidence,
}

/// What the platform says of a dyno: read from its pod, never from Job counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// No pod of it was ever seen.
    NeverSeen,
    /// It is still there and was given up.
    Running,
    /// It exited by itself with this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// It was killed for using more memory than its limit.
    OutOfMemory,
    /// It was evicted, preempted or drained.
    Evicted {
        /// Why, as the platform says it.
        detail: String,
    },
    /// Its pod was deleted, or its node is gone.
    Lost {
        /// What was seen.
        detail: String,
    },
    /// Its Job's deadline ended it.
    DeadlineExceeded,
}

/// What a dyno says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its final report.
    Complete(Box<Report>),
    /// Only a checkpoint: the last numbers before it died.
    Partial(Box<Report>),
    /// Nothing that can be read.
    Missing {
        /// What was found instead.
        detail: String,
    },
}

impl Evidence {
    /// The numbers, complete or not.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Complete(report) | Self::Partial(report) => Some(report),
            Self::Missing { .. } => None,
        }
    }
}

/// What is known of the run as a whole, beside its dynos.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Somebody asked for the run to be cancelled before it ended by itself.
    pub cancelled: bool,
    /// A child object that had been created was gone: its kind and name.
    pub child_lost: Option<String>,
    /// The managed Redis was deleted, evicted or lost with its node: what was seen.
    pub managed_redis_taken: Option<String>,
    /// The managed Redis ended by itself (exited, out of memory): what was seen.
    pub managed_redis_ended: Option<String>,
    /// The node that the managed Redis ran on, if there was one and that was seen.
    pub managed_redis_node: Option<String>,
    /// Two pods ran the same dyno: which.
    pub duplicate: Option<DynoName>,
}
