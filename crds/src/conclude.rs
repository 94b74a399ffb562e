//! The end of a run: from a judgement, or from the reason why there is none, to the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::{Judgement, Reason};

use crate::resolve::Resolved;
use crate::status::LoadTestStatus;

/// What the preflight and the finish said of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetNotes {
    /// What the preflight saw, in a sentence.
    pub preflight: Option<String>,
    /// What was removed from it after the run, or why that failed.
    pub cleanup: Option<String>,
}

/// Writes a judgement into the status and ends the run. A finished status is left as it is.
pub fn conclude_judged(
    _status: &mut LoadTestStatus,
    _judgement: &Judgement,
    _resolved: &Resolved,
    _notes: &TargetNotes,
    _generation: Option<i64>,
    _now: &Time,
    _stalled_on_failure: bool,
) {
    unimplemented!()
}

/// Ends a run that never got as far as a judgement: verdict Errored. What to try is appended to the
/// message. The condition that names the specific cause (PreflightPassed, DynosReady) is set by the
/// caller before. A finished status is left as it is.
pub fn conclude_errored(
    _status: &mut LoadTestStatus,
    _reason: Reason,
    _message: &str,
    _notes: &TargetNotes,
    _generation: Option<i64>,
    _now: &Time,
    _stalled_on_failure: bool,
) {
    unimplemented!()
}
