//! Cleans up an existing target. It comes before the verdict, so that the next run finds the
//! target free; it changes none, and it has a minute.

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_contract::message::PreflightResult;

use super::Effect;
use super::children::{self, Standing};
use super::draft::{Draft, Latch, later};
use super::survey::pods_of;
use crate::build::names::Child;
use crate::build::{Run, finish_job};
use crate::cluster::created;
use crate::collected::{Cause, Collected, GivenUp};
use crate::evidence;
use crate::fate::PodFacts;

/// Time for its pod to be placed and to be seen.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// What was removed from the target, or why that failed; None if there was nothing to do.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: Run<'_>,
    collected: &Collected,
) -> ControlFlow<(), Option<String>> {
    if !is_needed(draft, run, collected) {
        return ControlFlow::Continue(None);
    }
    let failed =
        |why: &str| ControlFlow::Continue(Some(format!("the target was not cleaned up: {why}")));
    let entry = collected.entry(Child::Finish.token());
    if entry.facts.is_some() {
        return match evidence::of_finish(&entry, draft.uid()) {
            Ok(report) => ControlFlow::Continue(Some(report.message)),
            Err(why) => failed(&why),
        };
    }
    if draft.observed.plan.is_none() {
        return failed("the plan was deleted");
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
            draft.effect(Effect::CreateJob(
                Child::Finish,
                Box::new(finish_job::build(&run)),
            ));
            return ControlFlow::Break(());
        }
        Standing::Lost | Standing::Deleting => return failed("its Job was deleted"),
        Standing::Taken(_) | Standing::Conflict => {
            return failed("its Job's name belongs to somebody else");
        }
    }
    let Some(job) = draft.observed.job(&Child::Finish) else {
        return ControlFlow::Break(());
    };
    let limit = SignedDuration::from_secs(finish_job::DEADLINE_SECONDS) + MARGIN;
    let until = created(&job.metadata).map_or(draft.now, |since| later(since, limit));
    if draft.now >= until {
        return failed("its Job did not end in time");
    }
    draft.wake_at(until);
    ControlFlow::Break(())
}

/// Whether a preflight may have left anything on a target that is not the run's own. One that
/// refused has not: lock, phase and flush are its very last step.
fn is_needed(draft: &Draft<'_>, run: Run<'_>, collected: &Collected) -> bool {
    if run.secret().is_none() || draft.latch(&Child::Preflight) == Latch::None {
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
        .map(|pod| PodFacts::of(pod))
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
