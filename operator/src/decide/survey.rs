//! What is known of every planned dyno: from its pod, and from what is kept of it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate};
use redyno_contract::plan::DynoName;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::children::RUNNER_CONTAINER;

use super::accept::Accepted;
use super::draft::{Draft, Latch};
use super::pods::{is_condition_true, runner_container};
use crate::collected::Collected;
use crate::evidence;
use crate::fate::{Circumstances, JobFate, PodFacts, fate};
use crate::object_readers::{job_end, past_deadline};
use crate::run_pods::RunPod;

/// One planned dyno.
#[derive(Clone, Debug)]
pub(super) struct Dyno {
    pub(super) name: DynoName,
    /// Its pod, while it is in the cluster.
    pub(super) pod: Option<Arc<Pod>>,
    /// What the platform says of it, or said.
    pub(super) facts: Option<PodFacts>,
    pub(super) fate: Fate,
    pub(super) evidence: Evidence,
    pub(super) stage: Stage,
    /// Another pod of the same dyno was seen.
    pub(super) duplicate: bool,
    /// The operator itself had its Job deleted.
    pub(super) stopped_by_us: bool,
}

/// How far a dyno is, by its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is to come, or is connecting and prefilling.
    Waiting,
    /// Its startup probe has passed: claimed, connected, prefilled.
    Ready,
    /// Its readiness probe has passed: the common start is over.
    Running,
    /// Nothing more will come of it.
    Ended,
}

/// Every planned dyno, in the order of the plan.
pub(super) fn dynos(draft: &Draft<'_>, run: &Accepted, collected: &Collected) -> Vec<Dyno> {
    run.plan
        .dynos()
        .map(|name| dyno(draft, collected, name))
        .collect()
}

fn dyno(draft: &Draft<'_>, collected: &Collected, name: DynoName) -> Dyno {
    let key = name.to_string();
    let entry = collected.entry(&key);
    let pod = draft.pods.get(&key).map(RunPod::shared);
    let evidence = evidence::of_dyno(&entry, draft.uid(), &name);
    let facts = PodFacts::merged(
        entry.facts,
        pod.as_deref()
            .map(|pod| PodFacts::of(pod, RUNNER_CONTAINER)),
    );
    let child = Child::Dynos(name.dyno_type.clone());
    let job = draft.observed.job(&child);
    let circumstances = Circumstances {
        job: if draft.latch(&child) == Latch::Deleting {
            JobFate::DeletedByUs
        } else if job.is_some_and(past_deadline) {
            JobFate::PastDeadline
        } else {
            JobFate::Well
        },
        ended_by_itself: ended_by_itself(&evidence),
        present: pod.is_some(),
    };
    let status = pod.as_deref().and_then(runner_container);
    let ended = match (&facts, &pod) {
        (Some(facts), Some(_)) => facts.is_final() || facts.given_up.is_some(),
        (Some(_), None) => true,
        // A Job that has ended makes no more pods: this one was never seen, or not by us.
        (None, _) => draft.latch(&child) == Latch::Deleting || job.and_then(job_end).is_some(),
    };
    let stage = if ended {
        Stage::Ended
    } else if pod
        .as_deref()
        .is_some_and(|pod| is_condition_true(pod, "Ready"))
    {
        Stage::Running
    } else if status.is_some_and(|status| status.started == Some(true)) {
        Stage::Ready
    } else {
        Stage::Waiting
    };
    let fate = match &facts {
        Some(facts) => fate(facts, circumstances),
        None if job.and_then(job_end).is_some() => Fate::Lost {
            detail: "its pod was gone before it was seen".to_owned(),
        },
        None => Fate::NeverSeen,
    };
    Dyno {
        fate,
        stage,
        pod,
        duplicate: draft.pods.has_twin(&key),
        name,
        facts,
        evidence,
        stopped_by_us: circumstances.job == JobFate::DeletedByUs,
    }
}

fn ended_by_itself(evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Complete(report) => report.end.as_ref().is_some_and(|end| match &end.ending {
            Ending::Completed
            | Ending::BacklogLimit { .. }
            | Ending::ErrorLimit { .. }
            | Ending::LatencyLimit { .. }
            | Ending::Stopped
            | Ending::TargetLost { .. }
            | Ending::ForeignKeysEvicted { .. }
            | Ending::TargetChanged { .. }
            | Ending::TargetRefused { .. }
            | Ending::StartTimeout { .. }
            | Ending::DuplicateDyno { .. }
            | Ending::Internal { .. } => true,
            Ending::Terminated => false,
        }),
        Evidence::Partial(_) | Evidence::Missing { .. } => false,
    }
}

impl Dyno {
    /// Whether nothing more will come of it.
    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether it was there for the common start.
    pub(super) fn has_started(&self) -> bool {
        self.stage == Stage::Running
            || self
                .evidence
                .report()
                .is_some_and(|report| report.start.is_some())
    }

    /// For the judge.
    pub(super) fn into_outcome(self) -> DynoOutcome {
        let has_run = self.facts.as_ref().is_some_and(|facts| facts.started);
        let fate = match self.fate {
            // Stopped by us before it ever ran.
            Fate::Running if self.stopped_by_us && !has_run => Fate::NeverSeen,
            fate => fate,
        };
        let (pod_name, node_name) = match self.facts {
            Some(facts) => (Some(facts.name), facts.node),
            None => (None, None),
        };
        DynoOutcome {
            dyno: self.name,
            pod_name,
            node_name,
            fate,
            report: self.evidence,
        }
    }
}
