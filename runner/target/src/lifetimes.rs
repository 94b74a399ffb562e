//! How long coordination keys live, so that a run that dies leaves nothing for ever. Its data has no
//! time to live, but an [`crate::Inventory`].

use redyno_contract::Plan;
use redyno_contract::plan::{Flush, RESERVED_BEYOND_START_TIMEOUT_SECONDS, TargetKind};

/// Beyond the end of the dynos' Jobs, in seconds, for keys of a run that has started.
const AFTER_THE_END: u64 = 3600;

/// For the finish, from when it is wanted to its last step, in seconds: it has a minute of its own,
/// and its pod has to be placed.
const FOR_THE_FINISH: u64 = 120;

/// Between all dynos being ready and the common start, in seconds: every dyno polls ten times a
/// second and must hear of it well before.
pub const START_MARGIN_SECONDS: u64 = 3;

/// Until the common start: startTimeout + 60 s.
pub fn until_start_seconds(plan: &Plan) -> u64 {
    u64::from(plan.start_timeout_seconds) + u64::from(RESERVED_BEYOND_START_TIMEOUT_SECONDS)
}

/// From the common start on: what is left of the dynos' lives, and an hour. Nothing is renewed.
pub fn from_start_seconds(plan: &Plan) -> u64 {
    START_MARGIN_SECONDS
        + u64::from(plan.warmup_seconds)
        + u64::from(plan.duration_seconds)
        + u64::from(plan.drain_seconds)
        + u64::from(plan.linger_seconds)
        + AFTER_THE_END
}

/// How long the lock outlives the last dyno: until the finish has removed the run's data, which the
/// next run would otherwise measure. If no finish comes, the lock goes by itself.
pub fn lock_after_dynos_seconds(plan: &Plan) -> u64 {
    if removes_data(plan) {
        u64::from(plan.linger_seconds) + FOR_THE_FINISH
    } else {
        0
    }
}

/// How long the finish holds the lock on to, from its begin.
pub const LOCK_IN_FINISH_SECONDS: u64 = FOR_THE_FINISH;

/// Whether the finish removes data keys.
pub fn removes_data(plan: &Plan) -> bool {
    matches!(
        plan.target.kind,
        TargetKind::Existing {
            flush: Flush::RunKeys
        }
    )
}
