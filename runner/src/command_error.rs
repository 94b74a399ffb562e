//! Why a part of a run could not do its work.

use redyno_contract::exit::Exit;
use redyno_target::InvalidTarget;

use crate::configuration::ConfigurationError;
use crate::output::RecordError;

/// Why a part could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The plan.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The target's files.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The HTTP address.
    #[error("cannot listen on {address}: {error}")]
    Http {
        /// As it was given.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// The machine.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
}

impl CommandError {
    /// What the process ends with.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) | Self::Target(_) => Exit::BadPlan,
            Self::Record(_) | Self::Http { .. } | Self::System(_) => Exit::Internal,
        }
    }
}
