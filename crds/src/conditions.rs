//! The LoadTest's conditions: their types, what each status means, and their reasons.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

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

/// Sets one condition. Its transition time changes only with its status; other conditions stay.
pub fn set_condition(
    _conditions: &mut Vec<Condition>,
    _type_: &str,
    _status: ConditionStatus,
    _reason: &str,
    _message: &str,
    _generation: Option<i64>,
    _now: &Time,
) {
    unimplemented!()
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
pub fn initial_conditions(_generation: Option<i64>, _now: &Time) -> Vec<Condition> {
    unimplemented!()
}

/// Where the run is, derived from its conditions: Pending, Preflight, Starting, Running,
/// Collecting or Finished.
pub fn state(_conditions: &[Condition]) -> &'static str {
    unimplemented!()
}
