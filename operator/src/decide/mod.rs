//! Decides what to do for a LoadTest: from the LoadTest, what is seen of it in the cluster and the
//! time, to effects and a status. Never reads a clock, never fails, does no IO.
//!
//! The steps of a run stand in the order of its life, and none calls a later one. A step either lets
//! the next one go on or answers why not ([`Halt`]); only this file acts on that answer.
//!
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
use redyno_contract::Reason;
use redyno_crds::LoadTest;
use redyno_crds::children::Child;
use redyno_crds::spec::DesiredState;

use crate::build::report_config_map;
use crate::collected::{Cause, Collected, GivenUp};
use crate::observed::Observed;
use crate::settings::Settings;
use accept::Accepted;
pub(crate) use decision::{Decision, Effect};
use decision::{Halt, Wait};
use draft::Draft;
use survey::Dyno;
pub(crate) use waiting::questions;

/// Decides.
pub(crate) fn decide(
    load_test: &LoadTest,
    observed: &Observed,
    now: Timestamp,
    settings: &Settings,
) -> Decision {
    let mut draft = Draft::new(load_test, observed, now, settings);
    if load_test.is_finished() {
        retention::step(&mut draft);
    } else {
        match accept::step(&mut draft) {
            // A run that is waited for is looked at again: the draft knows when.
            Ok(run) => {
                let (ControlFlow::Continue(()) | ControlFlow::Break(Wait)) =
                    run_on(&mut draft, &run);
            }
            Err(problems) => draft.conclude(Reason::InvalidSpec, &problems, None),
        }
    }
    draft.into_decision()
}

/// How a run came to its end.
enum End {
    /// All of its dynos have ended.
    Ended,
    /// Nothing was started.
    Refused { reason: Reason, message: String },
    /// It was ended before.
    GivenUp(GivenUp),
}

/// From what was accepted to the verdict: the run ends, or is stopped; its target is cleaned up; it
/// is judged.
fn run_on(draft: &mut Draft<'_>, run: &Accepted) -> ControlFlow<Wait> {
    let collected = &collect(draft);
    let end = match &collected.given_up {
        Some(given_up) => End::GivenUp(given_up.clone()),
        None => match until_ended(draft, run, collected) {
            ControlFlow::Continue(()) => End::Ended,
            ControlFlow::Break(Halt::Wait) => return ControlFlow::Break(Wait),
            ControlFlow::Break(Halt::Refused { reason, message }) => {
                End::Refused { reason, message }
            }
            ControlFlow::Break(Halt::GiveUp(cause)) => {
                End::GivenUp(stop::give_up(draft, run, collected, cause))
            }
        },
    };
    if let End::GivenUp(given_up) = &end {
        stop::step(draft, run, given_up)?;
    }
    let cleanup = finish::step(draft, run, collected)?;
    match end {
        End::Ended => verdict::judged(draft, run, collected, None, cleanup),
        End::Refused { reason, message } => draft.conclude(reason, &message, cleanup),
        End::GivenUp(GivenUp { cause, at: _ }) => {
            verdict::given_up(draft, run, collected, &cause, cleanup);
        }
    }
    ControlFlow::Continue(())
}

/// Leads a run to the end of its dynos.
fn until_ended(draft: &mut Draft<'_>, run: &Accepted, collected: &Collected) -> ControlFlow<Halt> {
    let cause = run
        .broken
        .clone()
        .or_else(|| stop::forgotten(draft, collected))
        .or_else(|| cancelled(draft, run, collected));
    if let Some(cause) = cause {
        return ControlFlow::Break(Halt::GiveUp(cause));
    }
    config_maps(draft, run)?;
    managed_redis::step(draft, run, collected)?;
    preflight::step(draft, run, collected)?;
    dynos::step(draft, run, collected)
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

/// Whether somebody wants the run to end now. One that has ended by itself is not cancelled.
fn cancelled(draft: &Draft<'_>, run: &Accepted, collected: &Collected) -> Option<Cause> {
    match draft.load_test.spec.desired_state {
        DesiredState::Running => None,
        DesiredState::Cancelled => {
            let dynos = survey::dynos(draft, run, collected);
            (!dynos.iter().all(Dyno::has_ended)).then_some(Cause::Cancelled)
        }
    }
}

/// Both ConfigMaps of every run.
fn config_maps(draft: &mut Draft<'_>, run: &Accepted) -> ControlFlow<Halt> {
    children::ensure(draft, run.start_timeout(), &Child::Plan, || {
        let accepted = run.config_map.clone().unwrap_or_default();
        Effect::CreateConfigMap(Child::Plan, Box::new(accepted))
    })?;
    children::ensure(draft, run.start_timeout(), &Child::Report, || {
        let report = report_config_map::build(&run.plan.run);
        Effect::CreateConfigMap(Child::Report, Box::new(report))
    })
}

#[cfg(test)]
mod tests;
