//! Waiting for pods, and giving up.
//!
//! A cause is named after 10 s. It ends the run at once where waiting cannot help, and after
//! `startTimeoutSeconds` where it can heal.

use jiff::{SignedDuration, Timestamp};
use redyno_contract::Reason;
use redyno_crds::LoadTest;
use redyno_crds::conditions::{ConditionStatus, DYNOS_READY, PREFLIGHT_PASSED, condition, reasons};

use super::cause::{WaitCause, Waited, cause};
use super::decision::Halt;
use super::draft::{Draft, later};
use super::pods::is_unschedulable;
use crate::collected::Cause;
use crate::object_readers::created;
use crate::observed::Observed;
use crate::run_pods::{RunPod, RunPods};

/// A cause is named after this long.
pub(super) const NAMED_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// How often events are looked at again while something is waited for.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Waits: names the cause after a while, gives up in the end.
pub(super) fn step(draft: &mut Draft<'_>, waited: &Waited<'_>) -> Halt {
    let cause = cause(waited, draft.observed);
    let is_over = draft.now >= waited.until && !waited.is_partial;
    let is_named = draft.now >= later(waited.since, NAMED_AFTER) && !waited.is_partial;
    let seconds = waited.until.duration_since(waited.since).as_secs();
    match cause {
        Some(cause) if cause.hopeless || is_over => {
            let WaitCause {
                reason,
                message,
                hopeless: _,
            } = cause;
            let message = if is_over {
                format!("{message} (given up after {seconds} s)")
            } else {
                message
            };
            return Halt::GiveUp(Cause::NotStarted { reason, message });
        }
        None if is_over => {
            return Halt::GiveUp(Cause::NotStarted {
                reason: waited.timeout_reason,
                message: format!("{} was not ready after {seconds} s", waited.what),
            });
        }
        Some(cause) if is_named => name_cause(draft, cause.reason, &cause.message),
        None if is_named => forget_cause(draft, waited.what),
        Some(_) | None => {}
    }
    if draft.now < later(waited.since, NAMED_AFTER) {
        draft.wake_at(later(waited.since, NAMED_AFTER));
    } else {
        draft.wake_in(LOOK_AGAIN);
    }
    draft.wake_at(waited.until);
    Halt::Wait
}

/// Says that something is being waited for, unless more is known already.
pub(super) fn begin(draft: &mut Draft<'_>, type_: &str, message: &str) {
    let is_unknown = condition(&draft.status.conditions, type_)
        .is_none_or(|condition| condition.status == ConditionStatus::Unknown.as_str());
    if is_unknown {
        draft.condition(type_, ConditionStatus::False, reasons::WAITING, message);
    }
}

/// Names a cause in the condition that is waited for. One that is True stays so.
pub(super) fn name_cause(draft: &mut Draft<'_>, reason: Reason, message: &str) {
    let type_ = waited_for(draft);
    if !draft.is_true(type_) {
        draft.condition(type_, ConditionStatus::False, reason.as_str(), message);
    }
}

/// Takes a cause back that has healed.
fn forget_cause(draft: &mut Draft<'_>, what: &str) {
    let type_ = waited_for(draft);
    let names_one = condition(&draft.status.conditions, type_).is_some_and(|condition| {
        condition.status == ConditionStatus::False.as_str() && condition.reason != reasons::WAITING
    });
    if names_one {
        let message = format!("waiting for {what}");
        draft.condition(type_, ConditionStatus::False, reasons::WAITING, &message);
    }
}

/// The condition that is waited for.
fn waited_for(draft: &Draft<'_>) -> &'static str {
    if draft.is_true(PREFLIGHT_PASSED) {
        DYNOS_READY
    } else {
        PREFLIGHT_PASSED
    }
}

/// The uids of objects whose events have to be looked at, at most a few; and whether something
/// does not fit. Called before events are read.
pub(crate) fn questions(load_test: &LoadTest, observed: &Observed, now: Timestamp) -> Questions {
    const MOST: usize = 6;
    let old_enough = |at: Option<Timestamp>| at.is_some_and(|at| now >= later(at, NAMED_AFTER));
    let mut questions = Questions::default();
    let jobs = observed.preflight.iter().chain(observed.dynos.values());
    for job in jobs {
        let status = job.status.as_ref();
        let pods = status.map_or(0, |status| {
            status.active.unwrap_or(0) + status.succeeded.unwrap_or(0) + status.failed.unwrap_or(0)
        });
        let wanted = job
            .spec
            .as_ref()
            .and_then(|spec| spec.completions)
            .unwrap_or(1);
        if pods < wanted && old_enough(created(&job.metadata)) {
            questions.uids.extend(job.metadata.uid.clone());
        }
    }
    let latched = load_test
        .status
        .as_ref()
        .map_or(&[][..], |status| status.pods.as_slice());
    let of_run = RunPods::proven(load_test, latched, &observed.candidates);
    let pods = of_run
        .present()
        .map(RunPod::pod)
        .chain(observed.redis_pod.as_ref());
    for pod in pods {
        let has_started = pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref())
            .is_some_and(|statuses| {
                statuses.iter().any(|status| {
                    status
                        .state
                        .as_ref()
                        .is_some_and(|state| state.waiting.is_none())
                })
            });
        if has_started || !old_enough(created(&pod.metadata)) {
            continue;
        }
        if is_unschedulable(pod) {
            questions.nodes = true;
        } else {
            questions.uids.extend(pod.metadata.uid.clone());
        }
    }
    questions.uids.truncate(MOST);
    questions
}

/// What has to be read besides to name a cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions {
    /// Uids of the objects whose events say more.
    pub uids: Vec<String>,
    /// Whether the nodes' sizes say more.
    pub nodes: bool,
}
