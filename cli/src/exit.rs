//! Exit codes.

use std::process::ExitCode;

use redyno_contract::Verdict;

/// Invalid file or usage, before any run exists: EX_USAGE of sysexits.h.
pub(crate) const USAGE: u8 = 64;

/// The exit code that stands for a verdict.
pub(crate) const fn of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::Errored => 2,
        Verdict::Inconclusive => 3,
    }
}

/// The exit code of a command that a signal ended, as shells say it.
pub(crate) const fn of_signal(number: i32) -> i32 {
    128 + number
}

/// How a command ended without a result to print.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The file or the arguments are at fault, and nothing was started.
    #[error("{0}")]
    Usage(String),
    /// Anything else that went wrong.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => USAGE,
            Self::Other(_) => of(Verdict::Errored),
        })
    }
}
