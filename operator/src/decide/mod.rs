//! Decides what to do for a LoadTest: from the LoadTest, what is seen of it in the cluster and the
//! time, to effects and a status. Never reads a clock, never fails, does no IO.
//!
//! Each step either lets the next one go on or ends the decision: it waits, or it has concluded.
//! Where the run is follows from what is there; from the status only its one-way latches are read:
//! `children` (what was ever created or deleted on purpose) and `Finished`.

mod accept;
mod cause;
mod children;
mod decision;
mod draft;
mod dynos;
mod finish;
mod managed_redis;
mod pods;
mod preflight;
mod reservation;
mod retention;
mod stop;
mod survey;
mod verdict;
mod waiting;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use redyno_crds::LoadTest;
use redyno_crds::spec::DesiredState;

use crate::cluster::Observed;
use crate::collected::{Cause, Collected};
use crate::settings::Settings;
use accept::Accepted;
pub use decision::{Decision, Effect};
use draft::Draft;
pub use waiting::{Questions, questions};

/// Decides.
pub fn decide(
    load_test: &LoadTest,
    observed: &Observed,
    now: Timestamp,
    settings: &Settings,
) -> Decision {
    let mut draft = Draft::new(load_test, observed, now, settings);
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) = steps(&mut draft);
    draft.into_decision()
}

fn steps(draft: &mut Draft<'_>) -> ControlFlow<()> {
    if draft.load_test.is_finished() {
        return retention::step(draft);
    }
    let run = &accept::step(draft)?;
    let collected = collect(draft);
    if let Some(given_up) = &collected.given_up {
        return stop::step(draft, run, &collected, given_up);
    }
    if let Some(cause) = &run.broken {
        return stop::give_up(draft, run, &collected, cause.clone());
    }
    stop::forgotten(draft, run, &collected)?;
    cancelled(draft, run, &collected)?;
    children::config_maps(draft, run, &collected)?;
    managed_redis::step(draft, run, &collected)?;
    preflight::step(draft, run, &collected)?;
    dynos::step(draft, run, &collected)?;
    let cleanup = finish::step(draft, run, &collected)?;
    verdict::judged(draft, run, &collected, cleanup);
    ControlFlow::Break(())
}

/// What is kept of the run, and what pods that ended a moment ago add to it: that is stored by
/// this very decision, before its status is written. Without a ConfigMap of this run nothing can be
/// stored; it is not there yet, or it was deleted and the run is lost. One that a former LoadTest of
/// the same name left says nothing of this run.
fn collect(draft: &mut Draft<'_>) -> Collected {
    let mut collected = draft.kept();
    let mut store = BTreeMap::new();
    for pod in draft.pods.all() {
        let additions = collected.additions(pod);
        collected.add(&additions);
        store.extend(additions);
    }
    if draft.report().is_some() {
        draft.store(store);
    }
    collected
}

/// Gives the run up if that is wanted, unless it has ended by itself.
fn cancelled(draft: &mut Draft<'_>, run: &Accepted, collected: &Collected) -> ControlFlow<()> {
    match draft.load_test.spec.desired_state {
        DesiredState::Running => ControlFlow::Continue(()),
        DesiredState::Cancelled => {
            let dynos = survey::dynos(draft, run, collected);
            if dynos.iter().all(survey::Dyno::has_ended) {
                return ControlFlow::Continue(());
            }
            stop::give_up(draft, run, collected, Cause::Cancelled)
        }
    }
}

#[cfg(test)]
mod tests;
