//! What is looked at before a run: whether the target can carry it, and whether it may.

use redyno_contract::{Plan, PreflightReport};

use crate::target::Target;

/// Looks at the target and, if nothing speaks against the run, takes the lock, flushes what was
/// asked for and sets the run's phase.
pub async fn run(_plan: &Plan, _target: &Target, _pod_uid: &str) -> PreflightReport {
    unimplemented!()
}
