//! The end: judged by the evidence.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate};
use redyno_contract::report::Ending;
use redyno_contract::{Reason, RunFacts, judge};
use redyno_crds::conclude::{Cleanup, Notes, conclude_judged};

use super::accept::Accepted;
use super::draft::Draft;
use super::managed_redis::{self, Redis};
use super::reservation;
use super::survey::{self, Dyno};
use crate::collected::{Cause, Collected};

/// Judges a run that was given up. There is nothing to judge if none of its dynos ever ran, or if
/// what they left is not what it was.
pub(super) fn given_up(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
    cause: &Cause,
    cleanup: Option<Cleanup>,
) {
    let can_be_judged = match cause {
        Cause::NotStarted { .. } | Cause::EvidenceChanged { .. } => false,
        Cause::Cancelled
        | Cause::Dyno { .. }
        | Cause::Duplicate { .. }
        | Cause::ChildLost { .. }
        | Cause::Deadline => survey::dynos(draft, run, collected)
            .iter()
            .any(|dyno| dyno.facts.as_ref().is_some_and(|facts| facts.started)),
    };
    if can_be_judged {
        judged(draft, run, collected, Some(cause), cleanup);
    } else {
        draft.conclude(cause.reason(), &cause.title(), cleanup);
    }
}

/// Judges a run by what its dynos left: all of them have ended, or it was given up for this cause.
pub(super) fn judged(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
    cause: Option<&Cause>,
    cleanup: Option<Cleanup>,
) {
    let outcomes: Vec<DynoOutcome> = survey::dynos(draft, run, collected)
        .into_iter()
        .map(|dyno| outcome(dyno, cause))
        .collect();
    let redis_node = draft.status.target.as_ref();
    let mut facts = RunFacts {
        managed_redis_node: redis_node.and_then(|target| target.node_name.clone()),
        ..RunFacts::default()
    };
    match cause {
        Some(Cause::Cancelled) => facts.cancelled = true,
        Some(Cause::ChildLost { child }) => facts.child_lost = Some(child.clone()),
        Some(Cause::Duplicate { dyno }) => facts.duplicate = Some(dyno.clone()),
        // Here the dynos' fates tell.
        None
        | Some(
            Cause::Deadline
            | Cause::Dyno { .. }
            | Cause::NotStarted { .. }
            | Cause::EvidenceChanged { .. },
        ) => {}
    }
    // A Redis that goes after the dynos have ended well is none of the run's business.
    if !outcomes.iter().all(ran_to_its_end) {
        match managed_redis::state(draft) {
            Redis::Well => {}
            Redis::Taken(detail) => facts.managed_redis_taken = Some(detail),
            Redis::Ended(detail) => facts.managed_redis_ended = Some(detail),
        }
    }
    let mut judgement = judge(&run.plan, &facts, &outcomes);
    if judgement.reason == Reason::TargetChanged
        && let Some(note) = reservation::of_preflight(draft, run, collected)
            .and_then(|reservation| reservation.late_release(draft))
    {
        judgement.message = format!("{} {note}", judgement.message);
    }
    let notes = Notes {
        cleanup,
        scale: run.objects.scale_note.clone(),
    };
    conclude_judged(
        &mut draft.status,
        &judgement,
        &run.plan,
        &notes,
        draft.load_test.metadata.generation,
        &Time(draft.now),
        draft.settings.failed_verdict_is_stalled,
    );
    draft.wake_at(draft.now);
}

/// What became of a dyno, by what the operator knows and the dyno cannot: whose SIGTERM it was.
fn outcome(dyno: Dyno, cause: Option<&Cause>) -> DynoOutcome {
    let stopped_by_us = dyno.stopped_by_us;
    let mut outcome = dyno.into_outcome();
    if !stopped_by_us || !matches!(outcome.fate, Fate::Running | Fate::Exited { code: 128.. }) {
        return outcome;
    }
    if cause == Some(&Cause::Deadline) {
        outcome.fate = Fate::DeadlineExceeded;
    } else if let Evidence::Complete(report) = &mut outcome.report
        && let Some(end) = &mut report.end
        && end.ending == Ending::Terminated
    {
        // It was well, and stopped for another's sake.
        end.ending = Ending::Stopped;
    }
    outcome
}

fn ran_to_its_end(outcome: &DynoOutcome) -> bool {
    match &outcome.report {
        Evidence::Complete(report) => report
            .end
            .as_ref()
            .is_some_and(|end| end.ending == Ending::Completed),
        Evidence::Partial(_) | Evidence::Missing { .. } => false,
    }
}
