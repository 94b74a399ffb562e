//! What can go wrong between the operator and the API server. Users' mistakes are no errors: they
//! become conditions.

use std::time::Duration;

use redyno_crds::children::Child;

/// A fault of the API server, the network, or of our own rights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("failed to read {what}")]
    Read {
        /// What was read.
        what: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// Creating failed.
    #[error("failed to create {}", .child.kind())]
    Create {
        /// What was created.
        child: Child,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// Deleting failed.
    #[error("failed to delete {what}")]
    Delete {
        /// What was deleted.
        what: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// Writing the status failed.
    #[error("failed to write the status")]
    Status {
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// Keeping reports failed.
    #[error("failed to store reports")]
    Store {
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("no end after {} s", .0.as_secs())]
    Timeout(Duration),
}

/// Every [`Error::category`].
pub(crate) const CATEGORIES: [&str; 8] = [
    "timeout",
    "forbidden",
    "not_found",
    "conflict",
    "throttled",
    "rejected",
    "server",
    "connection",
];

impl Error {
    /// In a word, for metrics and logs.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Read { source, .. }
            | Self::Create { source, .. }
            | Self::Delete { source, .. }
            | Self::Status { source }
            | Self::Store { source } => match source.as_ref() {
                kube::Error::Api(status) => match status.code {
                    401 | 403 => "forbidden",
                    404 => "not_found",
                    409 => "conflict",
                    429 => "throttled",
                    400..=499 => "rejected",
                    _ => "server",
                },
                _ => "connection",
            },
        }
    }
}

/// An error with all its causes, for logs.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
