//! What is mounted for the runner: the plan, and the target beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redyno_contract::plan::InvalidPlan;
use redyno_contract::{Plan, files};

/// The longest plan that is read: one of the largest formation has a few kilobytes.
const LONGEST_PLAN: u64 = 1024 * 1024;

/// A plan that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// The file.
    #[error("cannot read {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is too long to be a plan.
    #[error("{path} has {bytes} bytes, a plan has at most {LONGEST_PLAN}")]
    TooLong {
        /// Which.
        path: PathBuf,
        /// Found.
        bytes: u64,
    },
    /// What is in it.
    #[error("{path}: {error}")]
    Plan {
        /// Which.
        path: PathBuf,
        /// Why.
        error: InvalidPlan,
    },
    /// The dyno is not in the plan.
    #[error("the plan has no dyno {name}; it has {planned}")]
    NoSuchDyno {
        /// As the environment has it, counted from 1.
        name: String,
        /// What the plan has.
        planned: String,
    },
}

/// Reads `plan.json`.
pub(crate) fn read_plan(directory: &Path) -> Result<Plan, ConfigurationError> {
    let path = directory.join(files::PLAN);
    let failed = |error| ConfigurationError::File {
        path: path.clone(),
        error,
    };
    let bytes = fs::metadata(&path).map_err(failed)?.len();
    if bytes > LONGEST_PLAN {
        return Err(ConfigurationError::TooLong { path, bytes });
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    Plan::to_carry_out(&text).map_err(|error| ConfigurationError::Plan { path, error })
}
