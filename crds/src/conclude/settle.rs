//! The conditions of a run that is over: none is left open.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use redyno_contract::Verdict;

use crate::conditions::{
    ACCEPTED, ConditionStatus, DYNOS_READY, FINISHED, PREFLIGHT_PASSED, RECONCILING, STALLED,
    STARTED, SUCCEEDED, condition, reasons, set_condition,
};

/// How a run ended.
pub(super) struct Ending {
    pub(super) verdict: Verdict,
    /// The reason of the conditions Finished and Succeeded.
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether the common start ever came.
    pub(super) started: bool,
    /// Whether the spec itself was at fault.
    pub(super) invalid: bool,
    /// Whether a verdict other than Passed makes the object Stalled.
    pub(super) stalled_on_failure: bool,
}

pub(super) fn settle(
    conditions: &mut Vec<Condition>,
    ending: &Ending,
    generation: Option<i64>,
    now: &Time,
) {
    let Ending {
        verdict,
        reason,
        message,
        started,
        invalid,
        stalled_on_failure,
    } = ending;
    let mut set = |type_: &str, status: ConditionStatus, reason: &str, message: &str| {
        set_condition(conditions, type_, status, reason, message, generation, now);
    };
    let passed = *verdict == Verdict::Passed;
    set(FINISHED, ConditionStatus::True, reason, message);
    set(SUCCEEDED, passed.into(), reason, message);
    set(
        RECONCILING,
        ConditionStatus::False,
        reasons::FINISHED,
        "the run is over",
    );
    if *stalled_on_failure && !passed {
        set(STALLED, ConditionStatus::True, reason, message);
    } else {
        set(
            STALLED,
            ConditionStatus::False,
            reasons::FINISHED,
            "the run is over",
        );
    }
    if *invalid {
        set(ACCEPTED, ConditionStatus::False, reason, message);
    }
    for (type_, reached) in [
        (PREFLIGHT_PASSED, reasons::PASSED),
        (DYNOS_READY, reasons::ALL_READY),
        (STARTED, reasons::STARTED),
    ] {
        let (status, reason, message) = match (*started, condition(conditions, type_)) {
            (_, Some(known)) if known.status == "True" => continue,
            // Everything that comes before the common start must have been true for it to come.
            (true, _) => (ConditionStatus::True, reached.to_owned(), String::new()),
            // The condition already says why.
            (false, Some(known)) if !open(known) => (
                ConditionStatus::False,
                known.reason.clone(),
                known.message.clone(),
            ),
            (false, _) => (
                ConditionStatus::False,
                reason.clone(),
                "the run ended before".to_owned(),
            ),
        };
        set_condition(
            conditions, type_, status, &reason, &message, generation, now,
        );
    }
}

/// Whether a condition names no cause.
fn open(condition: &Condition) -> bool {
    let reason = condition.reason.as_str();
    [reasons::PENDING, reasons::WAITING, reasons::IN_PROGRESS].contains(&reason)
}
