//! The preflight: has the target been checked, and did it pass?

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_contract::Reason;
use redyno_contract::outcome::Fate;
use redyno_crds::children::Child;
use redyno_crds::conditions::PREFLIGHT_PASSED;

use super::accept::Accepted;
use super::cause::Waited;
use super::children::{self, Standing};
use super::decision::{Effect, Halt};
use super::draft::{Draft, later};
use super::pods::pods_of;
use super::waiting;
use crate::collected::{Cause, Collected};
use crate::evidence;
use crate::fate::{Circumstances, JobFate, PodFacts, fate};
use crate::object_readers::{created, job_end, past_deadline};

/// How long the pod of a Job that has ended may take to be seen.
const SIGHT: SignedDuration = SignedDuration::from_secs(10);

/// Waits until the preflight has passed.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> ControlFlow<Halt> {
    if draft.pods.has_twin(Child::Preflight.token()) {
        let cause = Cause::NotStarted {
            reason: Reason::PreflightFailed,
            message: "two pods ran the preflight: nobody knows which of them checked the target"
                .to_owned(),
        };
        return ControlFlow::Break(Halt::GiveUp(cause));
    }
    let entry = collected.entry(Child::Preflight.token());
    let detail = match evidence::of_preflight(&entry, draft.uid()) {
        Ok(report) => {
            return match draft.preflight(&report) {
                None => ControlFlow::Continue(()),
                Some(reason) => ControlFlow::Break(Halt::Refused {
                    reason,
                    message: report.message,
                }),
            };
        }
        Err(detail) => detail,
    };
    match entry.facts {
        Some(facts) if children::standing(draft, &Child::Preflight) == Standing::Present => {
            ControlFlow::Break(failed(draft, &facts, &detail))
        }
        Some(_) | None => wait(draft, run),
    }
}

/// A preflight that ended without a report.
fn failed(draft: &mut Draft<'_>, facts: &PodFacts, detail: &str) -> Halt {
    let is_past_deadline = draft
        .observed
        .job(&Child::Preflight)
        .is_some_and(past_deadline);
    let circumstances = Circumstances {
        job: if is_past_deadline {
            JobFate::PastDeadline
        } else {
            JobFate::Well
        },
        ..Circumstances::default()
    };
    let what = match fate(facts, circumstances) {
        Fate::OutOfMemory => "it was killed for want of memory".to_owned(),
        Fate::Evicted { detail } | Fate::Lost { detail } => detail,
        Fate::DeadlineExceeded => "it was not done by its deadline".to_owned(),
        Fate::Exited { code } => format!("it exited with code {code}, and {detail}"),
        Fate::NeverSeen | Fate::Running => detail.to_owned(),
    };
    let message = format!("the preflight failed: {what}");
    failed_because(draft, message)
}

/// Ends the run without a word of the preflight's own.
fn failed_because(draft: &mut Draft<'_>, message: String) -> Halt {
    let reason = draft.preflight_failed(&message);
    Halt::Refused { reason, message }
}

fn wait(draft: &mut Draft<'_>, run: &Accepted) -> ControlFlow<Halt> {
    // Its report is what is needed of it, and that is not there.
    if children::standing(draft, &Child::Preflight) == Standing::ToCreate {
        waiting::begin(
            draft,
            PREFLIGHT_PASSED,
            "waiting for the check of the target",
        );
    }
    children::ensure(draft, run.start_timeout(), &Child::Preflight, || {
        let job = run.objects.preflight.clone();
        Effect::CreateJob(Child::Preflight, Box::new(job))
    })?;
    let Some(job) = draft.observed.job(&Child::Preflight) else {
        return ControlFlow::Break(Halt::Wait);
    };
    let pods = pods_of(draft, &Child::Preflight);
    if let Some(end) = job_end(job)
        && pods.is_empty()
    {
        let until = later(end.at.unwrap_or(draft.now), SIGHT);
        if draft.now < until {
            draft.wake_at(until);
            return ControlFlow::Break(Halt::Wait);
        }
        let message = "the preflight failed: its pod was gone before its report could be read";
        return ControlFlow::Break(failed_because(draft, message.to_owned()));
    }
    let since = created(&job.metadata).unwrap_or(draft.now);
    let waited = Waited {
        what: "the preflight",
        since,
        until: later(since, run.start_timeout()),
        // Once there is a pod, what kept the Job from making one has healed.
        job: pods.is_empty().then_some(job),
        pods: pods
            .iter()
            .map(|pod| ("the preflight".to_owned(), pod.as_ref()))
            .collect(),
        timeout_reason: Reason::StartTimeout,
        is_partial: false,
    };
    ControlFlow::Break(waiting::step(draft, &waited))
}
