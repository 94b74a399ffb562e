//! How a runner's process ends: the exit codes, by which the judge and the operator know it.

use crate::report::Ending;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// As planned, or by a limit of its own, whatever the verdict: a failed test is no broken Job.
    Done,
    /// The plan, or what stands beside it, cannot be used.
    BadPlan,
    /// The preflight refused the target.
    PreflightRefused,
    /// The target went away, is another one, or must not be loaded any more.
    TargetLost,
    /// A mistake of ours.
    Internal,
    /// The common start did not come in time.
    StartTimeout,
    /// Another pod is this dyno.
    Duplicate,
    /// The target refused what it would refuse again.
    TargetRefused,
    /// Told to go.
    Terminated,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::BadPlan,
        Self::PreflightRefused,
        Self::TargetLost,
        Self::Internal,
        Self::StartTimeout,
        Self::Duplicate,
        Self::TargetRefused,
        Self::Terminated,
    ];

    /// The one of this code; None if no runner ends with that by itself.
    pub fn of_code(code: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|exit| i32::from(exit.code()) == code)
    }

    /// The code, after sysexits.h where it has one.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::BadPlan => 64,
            Self::PreflightRefused => 65,
            Self::TargetLost => 69,
            Self::Internal => 70,
            Self::StartTimeout => 75,
            Self::Duplicate => 76,
            Self::TargetRefused => 77,
            Self::Terminated => 143,
        }
    }

    /// The exit that goes with a dyno's ending.
    pub const fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Completed
            | Ending::BacklogLimit { .. }
            | Ending::ErrorLimit { .. }
            | Ending::LatencyLimit { .. }
            | Ending::Stopped => Self::Done,
            Ending::Terminated => Self::Terminated,
            Ending::TargetLost { .. }
            | Ending::TargetChanged { .. }
            | Ending::ForeignKeysEvicted { .. } => Self::TargetLost,
            Ending::StartTimeout { .. } => Self::StartTimeout,
            Ending::DuplicateDyno { .. } => Self::Duplicate,
            Ending::TargetRefused { .. } => Self::TargetRefused,
            Ending::Internal { .. } => Self::Internal,
        }
    }
}
