//! The preflight: has the target been checked, and did it pass?

use std::ops::ControlFlow;

use jiff::SignedDuration;
use redyno_contract::Reason;
use redyno_contract::message::{PreflightReport, PreflightResult, Refusal, TargetFound};
use redyno_contract::outcome::Fate;
use redyno_contract::report::server_title;
use redyno_crds::children::Child;
use redyno_crds::conclude::status_text;
use redyno_crds::conditions::{ConditionStatus, PREFLIGHT_PASSED, reasons};

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
        Ok(report) => return report_read(draft, report),
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
    refuse(draft, Refusal::Other, message)
}

fn report_read(draft: &mut Draft<'_>, report: PreflightReport) -> ControlFlow<Halt> {
    let PreflightReport {
        run: _,
        result,
        message,
        target,
    } = report;
    draft.target().preflight = Some(status_text(&message));
    if let Some(found) = target {
        let TargetFound {
            server,
            version,
            role,
            maxmemory_bytes,
            maxclients,
            keys: _,
            other_clients: _,
            expected_growth_bytes: _,
            full_after_seconds: _,
            flushed_keys: _,
        } = found;
        let target = draft.target();
        let text = |found: Option<String>| found.map(|found| status_text(&found));
        let number = |found: Option<u64>| found.and_then(|found| i64::try_from(found).ok());
        target.server = Some(status_text(server_title(server.as_deref())));
        target.version = text(version);
        target.role = text(role);
        target.maxmemory_bytes = number(maxmemory_bytes);
        target.maxclients = number(maxclients);
    }
    match result {
        PreflightResult::Passed => {
            draft.condition(
                PREFLIGHT_PASSED,
                ConditionStatus::True,
                reasons::PASSED,
                &message,
            );
            ControlFlow::Continue(())
        }
        PreflightResult::Refused { reason } => ControlFlow::Break(refuse(draft, reason, message)),
    }
}

fn refuse(draft: &mut Draft<'_>, refusal: Refusal, message: String) -> Halt {
    draft.condition(
        PREFLIGHT_PASSED,
        ConditionStatus::False,
        &format!("{refusal:?}"),
        &message,
    );
    let reason = match refusal {
        Refusal::TargetBusy => Reason::TargetBusy,
        Refusal::HostNotFound
        | Refusal::ConnectionRefused
        | Refusal::ConnectionTimeout
        | Refusal::AuthenticationFailed
        | Refusal::PermissionDenied
        | Refusal::TlsVerificationFailed
        | Refusal::TlsNotOffered
        | Refusal::TlsRequired
        | Refusal::TargetIsReplica
        | Refusal::ClusterModeUnsupported
        | Refusal::TooFewConnections
        | Refusal::TooLittleMemory
        | Refusal::WouldEvictForeignKeys
        | Refusal::FlushNotAllowed
        | Refusal::FlushOtherClients
        | Refusal::FlushForeignData
        | Refusal::InvalidUrl
        | Refusal::Other => Reason::PreflightFailed,
    };
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
        return ControlFlow::Break(refuse(draft, Refusal::Other, message.to_owned()));
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
