//! The LoadTest's conditions: their types, what each status means, and their reasons.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use redyno_contract::text;

/// True: the spec is valid, all sizes and plans are known.
/// False: it is not, see the message; the run is over (reason InvalidSpec).
/// Unknown: not looked at yet.
pub const ACCEPTED: &str = "Accepted";

/// True: the target is reachable and fit for the run.
/// False: the preflight refused it (the reason says why; the run is over), or it cannot be run yet
/// or could not be run (the reason names what it waits or waited for).
/// Unknown: not done yet.
pub const PREFLIGHT_PASSED: &str = "PreflightPassed";

/// True: all dynos were ready at once: placed, running, all workers connected and prefilled.
/// False: they are not, and the reason says what they wait or waited for.
/// Unknown: not asked for yet.
pub const DYNOS_READY: &str = "DynosReady";

/// True: the common start has passed. It stays True to the end.
/// False: the run ended before it.
/// Unknown: not yet.
pub const STARTED: &str = "Started";

/// True: the run is over, whatever its verdict; nothing changes any more.
/// False: it is not. Never Unknown once the LoadTest was seen.
pub const FINISHED: &str = "Finished";

/// True: the verdict is Passed.
/// False: it is Failed, Errored or Inconclusive; the reason says why.
/// Unknown: the run is not over.
pub const SUCCEEDED: &str = "Succeeded";

/// True: nothing of the run is left on the target but what the LoadTest wants kept.
/// False: the finish failed, and some of it may still be there; the message says why.
/// Not there: the run is not over, or had nothing to clean up.
pub const TARGET_CLEANED: &str = "TargetCleaned";

/// True: the run is not over. False: it is. For tools that wait by kstatus (Helm 4, Flux, Argo CD).
pub const RECONCILING: &str = "Reconciling";

/// True: the run is over and did not pass, and the administrator wants that to count as a failure
/// of the object. False: anything else. For tools that wait by kstatus.
pub const STALLED: &str = "Stalled";

/// Reasons of conditions while the run is not over. Terminal ones are [`redyno_contract::Reason`],
/// the preflight's refusals [`redyno_contract::message::Refusal`].
pub mod reasons {
    /// Nothing has happened yet.
    pub const PENDING: &str = "Pending";
    /// Under way, and nothing is wrong.
    pub const WAITING: &str = "Waiting";
    /// Finished is False and all dynos have ended: reports are collected, the target is cleaned up.
    pub const COLLECTING: &str = "Collecting";
    /// Finished is False and the run was given up: its pods are stopped, the target is cleaned up.
    pub const STOPPING: &str = "Stopping";
    /// TargetCleaned is True.
    pub const CLEANED: &str = "Cleaned";
    /// TargetCleaned is False.
    pub const CLEANUP_FAILED: &str = "CleanupFailed";
    /// Accepted is False: this release cannot read the LoadTest.
    pub const UNREADABLE: &str = "Unreadable";
    /// Finished is False, Reconciling is True: the run is under way.
    pub const IN_PROGRESS: &str = "InProgress";
    /// Accepted is True.
    pub const VALID: &str = "Valid";
    /// PreflightPassed is True.
    pub const PASSED: &str = "Passed";
    /// DynosReady is True.
    pub const ALL_READY: &str = "AllReady";
    /// Started is True.
    pub const STARTED: &str = "Started";
    /// Reconciling or Stalled is False because the run is over.
    pub const FINISHED: &str = "Finished";
    /// A pod does not fit any node at the moment.
    pub const UNSCHEDULABLE: &str = "Unschedulable";
    /// An image cannot be pulled at the moment.
    pub const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
    /// The target's Secret is not there yet.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The target's Secret has no key `url` yet.
    pub const SECRET_KEY_MISSING: &str = "SecretKeyMissing";
    /// A quota of the namespace refuses a pod at the moment.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// The API server's admission refuses a pod.
    pub const POD_REJECTED: &str = "PodRejected";
    /// The managed Redis is not ready yet.
    pub const MANAGED_REDIS_NOT_READY: &str = "ManagedRedisNotReady";
    /// A container cannot be started by its node at the moment.
    pub const CONTAINER_NOT_STARTED: &str = "ContainerNotStarted";
    /// Dynos run, but not all of them are ready.
    pub const DYNOS_NOT_READY: &str = "DynosNotReady";
}

/// The three statuses of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not.
    False,
    /// Nobody knows yet.
    Unknown,
}

impl ConditionStatus {
    /// As it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Longest message of a condition; the schema allows no longer one.
pub(crate) const MESSAGE_LENGTH: usize = 4096;

/// Sets one condition. Its transition time changes only with its status; other conditions stay,
/// ours and those that others have added.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) {
    let mut condition = Condition {
        last_transition_time: now.clone(),
        message: text::shortened(message, MESSAGE_LENGTH),
        observed_generation: generation,
        reason: reason.to_owned(),
        status: status.as_str().to_owned(),
        type_: type_.to_owned(),
    };
    match conditions
        .iter_mut()
        .find(|condition| condition.type_ == type_)
    {
        Some(old) => {
            if old.status == condition.status {
                condition.last_transition_time = old.last_transition_time.clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
}

/// The condition of this type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type is True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    condition(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// All of our conditions as they stand before anything has happened.
pub fn initial_conditions(generation: Option<i64>, now: &Time) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for type_ in [
        ACCEPTED,
        PREFLIGHT_PASSED,
        DYNOS_READY,
        STARTED,
        FINISHED,
        SUCCEEDED,
        RECONCILING,
        STALLED,
    ] {
        let (status, reason) = match type_ {
            FINISHED => (ConditionStatus::False, reasons::PENDING),
            RECONCILING => (ConditionStatus::True, reasons::PENDING),
            STALLED => (ConditionStatus::False, reasons::IN_PROGRESS),
            _ => (ConditionStatus::Unknown, reasons::PENDING),
        };
        set_condition(&mut conditions, type_, status, reason, "", generation, now);
    }
    conditions
}

/// Where the run is, derived from its conditions: Pending, Preflight, Starting, Running,
/// Collecting or Finished.
pub fn state(conditions: &[Condition]) -> &'static str {
    let collecting = condition(conditions, FINISHED)
        .is_some_and(|finished| finished.reason == reasons::COLLECTING);
    if is_true(conditions, FINISHED) {
        "Finished"
    } else if collecting {
        "Collecting"
    } else if is_true(conditions, STARTED) {
        "Running"
    } else if is_true(conditions, PREFLIGHT_PASSED) {
        "Starting"
    } else if is_true(conditions, ACCEPTED) {
        "Preflight"
    } else {
        "Pending"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_transition_time_changes_only_with_the_status() {
        let mut conditions = initial_conditions(Some(1), &at(10));
        set_condition(
            &mut conditions,
            DYNOS_READY,
            ConditionStatus::Unknown,
            reasons::UNSCHEDULABLE,
            "0 of 2 nodes fit",
            Some(2),
            &at(20),
        );
        let ready = condition(&conditions, DYNOS_READY).unwrap();
        assert_eq!(ready.last_transition_time, at(10));
        assert_eq!(ready.reason, "Unschedulable");
        assert_eq!(ready.message, "0 of 2 nodes fit");
        assert_eq!(ready.observed_generation, Some(2));
        set_condition(
            &mut conditions,
            DYNOS_READY,
            ConditionStatus::True,
            reasons::ALL_READY,
            "",
            Some(2),
            &at(30),
        );
        let ready = condition(&conditions, DYNOS_READY).unwrap();
        assert_eq!(ready.last_transition_time, at(30));
        assert_eq!(conditions.len(), 8);
    }

    #[test]
    fn foreign_conditions_stay() {
        let mut conditions = initial_conditions(None, &at(1));
        let foreign = Condition {
            type_: "example.com/Noted".to_owned(),
            ..conditions[0].clone()
        };
        conditions.insert(0, foreign.clone());
        set_condition(
            &mut conditions,
            ACCEPTED,
            ConditionStatus::True,
            reasons::VALID,
            "",
            None,
            &at(2),
        );
        assert_eq!(conditions[0], foreign);
        assert_eq!(conditions.len(), 9);
    }

    #[test]
    fn the_state_follows_the_conditions() {
        let mut conditions = Vec::new();
        assert_eq!(state(&conditions), "Pending");
        conditions = initial_conditions(None, &at(1));
        assert_eq!(state(&conditions), "Pending");
        for (type_, status, reason, expected) in [
            (ACCEPTED, ConditionStatus::True, reasons::VALID, "Preflight"),
            (
                PREFLIGHT_PASSED,
                ConditionStatus::Unknown,
                reasons::SECRET_NOT_FOUND,
                "Preflight",
            ),
            (
                PREFLIGHT_PASSED,
                ConditionStatus::True,
                reasons::PASSED,
                "Starting",
            ),
            (
                DYNOS_READY,
                ConditionStatus::True,
                reasons::ALL_READY,
                "Starting",
            ),
            (STARTED, ConditionStatus::True, reasons::STARTED, "Running"),
            (
                FINISHED,
                ConditionStatus::False,
                reasons::COLLECTING,
                "Collecting",
            ),
            (FINISHED, ConditionStatus::True, "Passed", "Finished"),
        ] {
            set_condition(&mut conditions, type_, status, reason, "", None, &at(2));
            assert_eq!(state(&conditions), expected, "{type_}");
        }
    }
}
