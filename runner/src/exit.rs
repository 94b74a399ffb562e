//! How the process ends: the codes that the operator and the command line know.

use std::process::ExitCode;

use redyno_contract::report::Ending;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Exit {
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
    /// The code, after sysexits.h where it has one.
    pub(crate) const fn code(self) -> u8 {
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
    pub(crate) const fn of(ending: &Ending) -> Self {
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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
