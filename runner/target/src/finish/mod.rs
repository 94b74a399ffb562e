//! What is done after a run: everything that is the run's own is removed, the lock is released.

use redyno_contract::{FinishReport, Plan};

use crate::target::Target;

/// Removes what the run made. Takes at most a minute.
pub async fn run(_plan: &Plan, _target: &Target) -> FinishReport {
    unimplemented!()
}
