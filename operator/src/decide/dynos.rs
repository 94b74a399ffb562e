//! The dynos: released, ready, started, ended.

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_contract::Reason;
use redyno_contract::exit::Exit;
use redyno_contract::outcome::Fate;
use redyno_crds::children::Child;
use redyno_crds::conditions::{ConditionStatus, DYNOS_READY, FINISHED, STARTED, reasons};

use super::accept::Accepted;
use super::cause::Waited;
use super::children::{self, Standing};
use super::decision::{Effect, Halt};
use super::draft::{Draft, later};
use super::pods::{NODE_LOST_AFTER, lost_node_since};
use super::survey::{self, Dyno, Stage};
use super::{reservation, waiting};
use crate::build::dyno_job;
use crate::collected::{Cause, Collected};
use crate::object_readers::{created, job_end};

/// Dynos that run get this long beyond the start timeout to give up by themselves: they know why.
const OWN_WORDS: SignedDuration = SignedDuration::from_secs(30);

/// The others notice a lost target by themselves within a few seconds; then they are stopped.
const TARGET_LOST_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How long the pod of a Job that has ended may take to be seen.
const SIGHT: SignedDuration = SignedDuration::from_secs(10);

/// How long after its deadline a Job may still be going, in case nobody keeps deadlines.
const AFTER_DEADLINE: SignedDuration = SignedDuration::from_secs(60);

/// How often running dynos are looked at if nothing is heard of them.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// Releases the dynos and waits until all of them have ended.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> ControlFlow<Halt> {
    // In the order of the plan.
    for dynos in &run.plan.formation {
        let Some(job) = run.objects.dynos.get(&dynos.dyno_type) else {
            continue;
        };
        let child = Child::Dynos(dynos.dyno_type.clone());
        still_in_time(draft, run, collected, &child)?;
        children::ensure(draft, run.start_timeout(), &child, || {
            Effect::CreateJob(child.clone(), Box::new(job.clone()))
        })?;
    }
    let dynos = survey::dynos(draft, run, collected);
    progress(draft, &dynos);
    if let Some(cause) = broken(draft, &dynos) {
        if let Cause::Dyno { dyno, detail } = &cause {
            keep(draft, collected, &dynos, dyno, detail);
        }
        return ControlFlow::Break(Halt::GiveUp(cause));
    }
    if dynos.iter().all(Dyno::has_ended) {
        sight(draft, run, &dynos)?;
        draft.condition(
            FINISHED,
            ConditionStatus::False,
            reasons::COLLECTING,
            "all dynos have ended",
        );
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(if draft.is_true(DYNOS_READY) {
        watch(draft, run)
    } else {
        wait(draft, run, &dynos)
    })
}

/// Gives up if these dynos are still to be made and the preflight is too long ago.
fn still_in_time(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
    child: &Child,
) -> ControlFlow<Halt> {
    let expired = reservation::of_preflight(draft, run, collected)
        .and_then(|reservation| reservation.expired(draft.now));
    match expired {
        Some(message) if children::standing(draft, child) == Standing::ToCreate => {
            let reason = Reason::StartTimeout;
            ControlFlow::Break(Halt::GiveUp(Cause::NotStarted { reason, message }))
        }
        Some(_) | None => ControlFlow::Continue(()),
    }
}

/// Says how far the dynos are. What was reached once stays so.
fn progress(draft: &mut Draft<'_>, dynos: &[Dyno]) {
    let has_started = dynos.iter().any(Dyno::has_started);
    let ready = if has_started {
        dynos.len()
    } else {
        dynos
            .iter()
            .filter(|dyno| dyno.stage == Stage::Ready)
            .count()
    };
    if draft.is_true(DYNOS_READY) {
        // Said already.
    } else if ready == dynos.len() {
        draft.status.dynos_ready = Some(format!("{ready}/{ready}"));
        draft.condition(
            DYNOS_READY,
            ConditionStatus::True,
            reasons::ALL_READY,
            &format!("all dynos are ready: {ready} of {ready}"),
        );
    } else {
        draft.status.dynos_ready = Some(format!("{ready}/{}", dynos.len()));
        waiting::begin(draft, DYNOS_READY, "waiting for the dynos to be ready");
    }
    if has_started {
        draft.condition(
            STARTED,
            ConditionStatus::True,
            reasons::STARTED,
            "all dynos have started together",
        );
    }
}

/// What ends the run before its end: the evidence of the others would not be of the run that was
/// asked for.
fn broken(draft: &Draft<'_>, dynos: &[Dyno]) -> Option<Cause> {
    if let Some(dyno) = dynos.iter().find(|dyno| dyno.duplicate) {
        return Some(Cause::Duplicate {
            dyno: dyno.name.clone(),
        });
    }
    // Once all have ended there is nobody left to stop, and their evidence says it all.
    if dynos.iter().all(Dyno::has_ended) {
        return None;
    }
    dynos.iter().find_map(|dyno| {
        Some(Cause::Dyno {
            dyno: dyno.name.clone(),
            detail: trouble(draft, dyno)?,
        })
    })
}

/// What is wrong with a dyno.
fn trouble(draft: &Draft<'_>, dyno: &Dyno) -> Option<String> {
    match &dyno.fate {
        Fate::NeverSeen => dyno
            .has_ended()
            .then(|| "its pod was never seen and is gone".to_owned()),
        Fate::Exited { code } => match Exit::of_code(*code) {
            Some(Exit::Done) => None,
            Some(Exit::TargetLost) => {
                let finished_at = dyno.facts.as_ref()?.exit.as_ref()?.finished_at?;
                (draft.now >= later(finished_at, TARGET_LOST_GRACE))
                    .then(|| "it lost the target a minute ago".to_owned())
            }
            Some(Exit::Duplicate) => Some("another pod had claimed it".to_owned()),
            Some(
                Exit::BadPlan
                | Exit::PreflightRefused
                | Exit::Internal
                | Exit::StartTimeout
                | Exit::TargetRefused
                | Exit::Terminated,
            )
            | None => Some(format!("it exited with code {code}")),
        },
        Fate::OutOfMemory => Some("it was killed for want of memory".to_owned()),
        Fate::Evicted { detail } => Some(format!("it was evicted: {detail}")),
        Fate::Lost { detail } => Some(detail.clone()),
        Fate::DeadlineExceeded => Some("its Job passed its deadline".to_owned()),
        Fate::Running => {
            let since = lost_node_since(dyno.pod.as_ref()?)?;
            (draft.now >= later(since, NODE_LOST_AFTER)).then(|| {
                format!(
                    "its node {} has not been heard of since {since:.0}",
                    dyno.facts
                        .as_ref()
                        .and_then(|facts| facts.node.as_deref())
                        .unwrap_or("of unknown name")
                )
            })
        }
    }
}

/// Keeps why a dyno that has not ended was given up: when its Job is deleted for that, its pod
/// looks like all the others.
fn keep(
    draft: &mut Draft<'_>,
    collected: &Collected,
    dynos: &[Dyno],
    name: &redyno_contract::plan::DynoName,
    detail: &str,
) {
    let Some(dyno) = dynos.iter().find(|dyno| dyno.name == *name) else {
        return;
    };
    let is_lost = matches!(dyno.fate, Fate::Running | Fate::Lost { .. });
    if let Some(facts) = &dyno.facts
        && is_lost
        && facts.given_up.is_none()
        && draft.report().is_some()
    {
        let mut facts = facts.clone();
        facts.given_up = Some(detail.to_owned());
        draft.store(collected.facts_data(&name.to_string(), &facts));
    }
}

/// Pods of a Job that has ended may not have been seen yet.
fn sight(draft: &mut Draft<'_>, run: &Accepted, dynos: &[Dyno]) -> ControlFlow<Halt> {
    let until = run
        .plan
        .formation
        .iter()
        .filter(|planned| {
            dynos
                .iter()
                .any(|dyno| dyno.name.dyno_type == planned.dyno_type && dyno.facts.is_none())
        })
        .filter_map(|planned| {
            let child = Child::Dynos(planned.dyno_type.clone());
            let end = job_end(draft.observed.job(&child)?)?;
            Some(later(end.at.unwrap_or(draft.now), SIGHT))
        })
        .max();
    match until {
        Some(until) if draft.now < until => {
            draft.wake_at(until);
            ControlFlow::Break(Halt::Wait)
        }
        _ => ControlFlow::Continue(()),
    }
}

/// Waits for dynos that are not ready.
fn wait(draft: &mut Draft<'_>, run: &Accepted, dynos: &[Dyno]) -> Halt {
    let observed = draft.observed;
    let Some(since) = observed
        .dynos
        .values()
        .filter_map(|job| created(&job.metadata))
        .max()
    else {
        return Halt::Wait;
    };
    let timeout = run.start_timeout();
    let all_run = dynos
        .iter()
        .all(|dyno| dyno.facts.as_ref().is_some_and(|facts| facts.started));
    let until = later(
        since,
        if all_run {
            timeout + OWN_WORDS
        } else {
            timeout
        },
    );
    let late: Vec<&Dyno> = dynos
        .iter()
        .filter(|dyno| dyno.stage == Stage::Waiting)
        .collect();
    let what = match late.as_slice() {
        [] => "the common start".to_owned(),
        [only] => only.name.to_string(),
        [first, others @ ..] => format!("{} and {} more dynos", first.name, others.len()),
    };
    let unmade = observed
        .dynos
        .iter()
        .find(|(dyno_type, _)| {
            late.iter()
                .any(|dyno| dyno.name.dyno_type == **dyno_type && dyno.pod.is_none())
        })
        .map(|(_, job)| job);
    let waited = Waited {
        what: &what,
        since,
        until,
        job: unmade,
        pods: late
            .iter()
            .filter_map(|dyno| Some((dyno.name.to_string(), dyno.pod.as_deref()?)))
            .collect(),
        timeout_reason: Reason::StartTimeout,
        is_partial: observed.dynos.len() < run.plan.formation.len(),
    };
    waiting::step(draft, &waited)
}

/// Watches dynos that are on their way.
fn watch(draft: &mut Draft<'_>, run: &Accepted) -> Halt {
    let deadline = SignedDuration::from_secs(dyno_job::deadline_seconds(&run.plan));
    let until = draft
        .observed
        .dynos
        .values()
        .filter_map(|job| created(&job.metadata))
        .max()
        .map(|since| later(since, deadline + AFTER_DEADLINE));
    if until.is_some_and(|until| draft.now >= until) {
        return Halt::GiveUp(Cause::Deadline);
    }
    let lost_at = draft
        .pods
        .present()
        .filter_map(|pod| lost_node_since(pod.pod()))
        .min()
        .map(|since| later(since, NODE_LOST_AFTER));
    if let Some(at) = lost_at {
        draft.wake_at(at);
    }
    draft.wake_in(LOOK_AGAIN);
    Halt::Wait
}
