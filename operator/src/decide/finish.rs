//! Cleans up an existing target. It comes before the verdict, so that the next run finds the
//! target free; it changes none, and it has a minute.

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_contract::message::PreflightResult;
use redyno_crds::children::Child;
use redyno_crds::children::RUNNER_CONTAINER;
use redyno_crds::conclude::Cleanup;

use super::accept::Accepted;
use super::children::{self, Standing};
use super::decision::{Effect, Wait};
use super::draft::{Draft, Latch, later};
use super::pods::pods_of;
use crate::build::finish_job;
use crate::collected::{Cause, Collected, GivenUp};
use crate::evidence;
use crate::fate::PodFacts;
use crate::object_readers::created;

/// Time for its pod to be placed and to be seen.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// What was removed from the target, or why that failed; None if there was nothing to do.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> ControlFlow<Wait, Option<Cleanup>> {
    let Some(job) = &run.objects.finish else {
        return ControlFlow::Continue(None);
    };
    if !is_needed(draft, collected) {
        return ControlFlow::Continue(None);
    }
    let failed = |why: &str| {
        let text = format!("the target was not cleaned up: {why}");
        ControlFlow::Continue(Some(Cleanup::Failed(text)))
    };
    let entry = collected.entry(Child::Finish.token());
    if entry.facts.is_some() {
        return match evidence::of_finish(&entry, draft.uid()) {
            Ok(report) if report.complete => {
                ControlFlow::Continue(Some(Cleanup::Done(report.message)))
            }
            Ok(report) => failed(&report.message),
            Err(why) => failed(&why),
        };
    }
    if draft.observed.plan.is_none() {
        return failed("the plan was deleted");
    }
    // A finish does what the plan says, with the target's own credentials.
    if matches!(run.broken, Some(Cause::EvidenceChanged { .. })) {
        return failed("the plan was changed by somebody else");
    }
    match children::standing(draft, &Child::Finish) {
        Standing::Present => {}
        Standing::ToCreate => {
            let refused = draft
                .observed
                .refused
                .as_ref()
                .filter(|refused| refused.child == Child::Finish);
            if let Some(refused) = refused {
                return failed(&refused.message);
            }
            draft.latch_intended(&Child::Finish);
            draft.effect(Effect::CreateJob(Child::Finish, Box::new(job.clone())));
            return ControlFlow::Break(Wait);
        }
        Standing::Lost | Standing::Deleting => return failed("its Job was deleted"),
        Standing::Taken(_) | Standing::Conflict => {
            return failed("its Job's name belongs to somebody else");
        }
    }
    let Some(job) = draft.observed.job(&Child::Finish) else {
        return ControlFlow::Break(Wait);
    };
    let limit = SignedDuration::from_secs(finish_job::DEADLINE_SECONDS) + MARGIN;
    let until = created(&job.metadata).map_or(draft.now, |since| later(since, limit));
    if draft.now >= until {
        return failed("its Job did not end in time");
    }
    draft.wake_at(until);
    ControlFlow::Break(Wait)
}

/// Whether a preflight may have left anything on a target that is not the run's own. One that
/// refused has not: lock, phase and flush are its very last step.
fn is_needed(draft: &Draft<'_>, collected: &Collected) -> bool {
    if draft.latch(&Child::Preflight) == Latch::None {
        return false;
    }
    let entry = collected.entry(Child::Preflight.token());
    if let Ok(report) = evidence::of_preflight(&entry, draft.uid()) {
        return match report.result {
            PreflightResult::Passed => true,
            PreflightResult::Refused { .. } => false,
        };
    }
    // It was waited for all the time, and no pod of it was ever seen: a quota or admission refused.
    let never_seen = matches!(
        &collected.given_up,
        Some(GivenUp {
            cause: Cause::NotStarted { .. },
            ..
        })
    );
    let pods = pods_of(draft, &Child::Preflight);
    let was_made =
        draft.observed.preflight.is_some() || draft.latch(&Child::Preflight) != Latch::Intended;
    let facts: Vec<PodFacts> = pods
        .iter()
        .map(|pod| PodFacts::of(pod, RUNNER_CONTAINER))
        .chain(entry.facts)
        .collect();
    // A pod that is gone without a trace may have done anything.
    was_made
        && if facts.is_empty() {
            !never_seen
        } else {
            facts.iter().any(|facts| facts.started)
        }
}
