//! Ends a run before its own end: cancelled, a dyno lost, a child lost, or never started.
//!
//! What led to it is stored first, then the deletions are latched in the status, then made; then
//! the pods' last words are waited for, the target is cleaned up, and the verdict is written.

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_crds::children::Child;
use redyno_crds::children::RUNNER_CONTAINER;
use redyno_crds::conditions::{ConditionStatus, FINISHED, condition, reasons};

use super::accept::Accepted;
use super::decision::{Effect, Wait};
use super::draft::{Draft, Latch, later};
use super::pods::pods_of;
use super::waiting::name_cause;
use crate::build::runner_pod::GRACE_SECONDS;
use crate::collected::{Cause, Collected, GivenUp};
use crate::events::Notice;
use crate::fate::PodFacts;
use crate::object_readers::{is_controlled_by, job_end};

/// How long after its grace period a pod may still be there. On a node whose kubelet died it stays
/// for ever.
const AFTER_GRACE: SignedDuration = SignedDuration::from_secs(15);

/// How long the garbage collector may take to get to the pods of a deleted Job.
const COLLECTION: SignedDuration = SignedDuration::from_secs(30);

/// Gives the run up: nothing more is made for it, and why is kept before anything is deleted.
pub(super) fn give_up(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
    cause: Cause,
) -> GivenUp {
    draft.create_nothing();
    let given_up = GivenUp {
        cause,
        at: draft.now,
    };
    if draft.report().is_some() {
        draft.store(collected.given_up_data(&given_up));
    }
    if jobs_to_delete(draft, run).next().is_some() {
        draft.notice(Notice::stopping(&given_up.cause.title()));
    }
    given_up
}

/// Why to give a run up once more that has lost why it was: nothing that it did since counts.
pub(super) fn forgotten(draft: &Draft<'_>, collected: &Collected) -> Option<Cause> {
    let former = condition(&draft.status.conditions, FINISHED)
        .filter(|condition| condition.reason == reasons::STOPPING)
        .map(|condition| condition.message.clone())?;
    // Without the whole ConfigMap it is a child that was lost.
    if collected.given_up.is_some() || draft.report().is_none() {
        return None;
    }
    let missing = format!(
        "{} does not say that the run was given up",
        Child::Report.title(draft.name())
    );
    let message = if former.starts_with(&missing) {
        former
    } else {
        format!("{missing}: {former}")
    };
    Some(Cause::EvidenceChanged { message })
}

/// Stops what is under way of a run that was given up, and waits for its last words.
pub(super) fn step(draft: &mut Draft<'_>, run: &Accepted, given_up: &GivenUp) -> ControlFlow<Wait> {
    let cause = &given_up.cause;
    let message = cause.title();
    // The condition that names a run's trouble carries a terminal cause, too.
    name_cause(draft, cause.reason(), &message);
    draft.condition(
        FINISHED,
        ConditionStatus::False,
        reasons::STOPPING,
        &message,
    );
    let to_delete: Vec<Child> = jobs_to_delete(draft, run).collect();
    for child in to_delete {
        draft.latch_deleting(&child);
        let ours = draft
            .observed
            .metadata(&child)
            .filter(|metadata| is_controlled_by(metadata, draft.load_test))
            .filter(|metadata| metadata.deletion_timestamp.is_none())
            .and_then(|metadata| metadata.uid.clone());
        if let Some(uid) = ours {
            draft.effect(Effect::Delete { child, uid });
            draft.wake_in(SignedDuration::from_secs(5));
        }
    }
    last_words(draft, run, given_up)
}

/// The Jobs whose pods must not go on. One that has ended is left alone, for its pods' logs.
fn jobs_to_delete<'a>(draft: &'a Draft<'_>, run: &'a Accepted) -> impl Iterator<Item = Child> + 'a {
    let observed = draft.observed;
    working_jobs(run).filter(move |child| {
        let was_created = draft.latch(child) != Latch::None;
        let has_ended = observed
            .job(child)
            .is_some_and(|job| job_end(job).is_some());
        was_created && !has_ended
    })
}

/// The Jobs that use the target; the finish is not one of them.
fn working_jobs(run: &Accepted) -> impl Iterator<Item = Child> + '_ {
    std::iter::once(Child::Preflight).chain(
        run.plan
            .formation
            .iter()
            .map(|dynos| Child::Dynos(dynos.dyno_type.clone())),
    )
}

/// Waits until every pod that used the target has ended, or will not any more.
fn last_words(draft: &mut Draft<'_>, run: &Accepted, given_up: &GivenUp) -> ControlFlow<Wait> {
    let grace = SignedDuration::from_secs(GRACE_SECONDS);
    let latest = later(given_up.at, COLLECTION + grace + AFTER_GRACE);
    let mut until = None;
    for child in working_jobs(run) {
        for pod in pods_of(draft, &child) {
            if PodFacts::of(&pod, RUNNER_CONTAINER).is_final() {
                continue;
            }
            // The deletion timestamp already contains the grace period.
            let pod_until = match &pod.metadata.deletion_timestamp {
                Some(deleted) => later(deleted.0, AFTER_GRACE).min(latest),
                None => latest,
            };
            until = until.max(Some(pod_until));
        }
    }
    // The pods of a Job that is still there may be still to come.
    let has_jobs = jobs_to_delete(draft, run).any(|child| draft.observed.job(&child).is_some());
    if has_jobs {
        until = until.max(Some(latest));
    }
    match until {
        Some(until) if draft.now < until => {
            draft.wake_at(until);
            ControlFlow::Break(Wait)
        }
        _ => ControlFlow::Continue(()),
    }
}
