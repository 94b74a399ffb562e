//! What the platform says of a pod: the facts worth keeping, and the fate they add up to.
//!
//! A Job's counters are never looked at: an evicted pod that exits 0 counts as succeeded there.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use redyno_contract::outcome::Fate;
use serde::{Deserialize, Serialize};

/// Longest text of the platform that is kept.
const LONGEST_DETAIL: usize = 500;

/// What is worth knowing of a pod once it is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The node it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether its container ever ran.
    #[serde(default)]
    pub started: bool,
    /// How its container ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// `status.phase` is Failed or Succeeded.
    #[serde(default)]
    pub ended: bool,
    /// `status.reason`, such as `Evicted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `status.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The condition DisruptionTarget, if it is True.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Disruption>,
    /// It had a deletion timestamp.
    #[serde(default)]
    pub deleted: bool,
    /// The operator gave it up, and why: what is true of it does not change any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exit {
    /// Its exit code.
    pub code: i32,
    /// The node's word for it, such as `OOMKilled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// Why the platform ended a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Disruption {
    /// `EvictionByEvictionAPI`, `PreemptionByScheduler`, ...
    pub reason: String,
    /// In the platform's words.
    pub message: String,
}

/// What else decides a pod's fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// What became of its Job.
    pub job: JobFate,
    /// By its own final report it ended as planned or by its own limit, and not by SIGTERM.
    pub ended_by_itself: bool,
    /// It is still in the cluster.
    pub present: bool,
}

/// What became of a pod's Job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JobFate {
    /// Nothing that would end its pods.
    #[default]
    Well,
    /// The operator itself had it deleted.
    DeletedByUs,
    /// It passed its deadline.
    PastDeadline,
}

impl PodFacts {
    /// What the pod is like now, by its only container, of this name.
    pub(crate) fn of(pod: &Pod, container: &str) -> Self {
        let status = pod.status.as_ref();
        let container = container_status(pod, container);
        let terminated = container
            .and_then(|container| container.state.as_ref())
            .and_then(|state| state.terminated.as_ref());
        let phase = status.and_then(|status| status.phase.as_deref());
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            started: container
                .is_some_and(|container| container.state.as_ref().is_some_and(has_run)),
            exit: terminated.map(|terminated| Exit {
                code: terminated.exit_code,
                reason: terminated.reason.clone(),
                finished_at: terminated.finished_at.as_ref().map(|time| time.0),
            }),
            ended: matches!(phase, Some("Failed" | "Succeeded")),
            reason: status.and_then(|status| status.reason.clone()),
            detail: status
                .and_then(|status| status.message.as_deref())
                .map(shortened),
            disruption: status
                .and_then(|status| status.conditions.as_ref())
                .and_then(|conditions| {
                    conditions.iter().find(|condition| {
                        condition.type_ == "DisruptionTarget" && condition.status == "True"
                    })
                })
                .map(|condition| Disruption {
                    reason: condition.reason.clone().unwrap_or_default(),
                    message: condition
                        .message
                        .as_deref()
                        .map(shortened)
                        .unwrap_or_default(),
                }),
            deleted: pod.metadata.deletion_timestamp.is_some(),
            given_up: None,
        }
    }

    /// Whether the pod has said and done all that it ever will.
    pub(crate) const fn is_final(&self) -> bool {
        self.exit.is_some() || self.ended
    }

    /// Whether `now` says more of the pod's end than this.
    const fn is_outdone_by(&self, now: &Self) -> bool {
        !self.is_final() || (self.exit.is_none() && now.exit.is_some())
    }

    /// The former facts with what is known now. What a container's end was does not change by what
    /// happens to its pod afterwards, and a pod that was given up stays so.
    #[must_use]
    pub(crate) fn merged(former: Option<Self>, now: Option<Self>) -> Option<Self> {
        match (former, now) {
            (Some(former), None) => Some(former),
            (None, now) => now,
            (Some(former), Some(now)) if !former.is_outdone_by(&now) => Some(former),
            (Some(former), Some(now)) => Some(Self {
                given_up: former.given_up,
                ..now
            }),
        }
    }
}

/// The status of a pod's container of this name.
pub(crate) fn container_status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == container)
}

fn has_run(state: &ContainerState) -> bool {
    state.running.is_some()
        || state.terminated.as_ref().is_some_and(|terminated| {
            // A container that could not even be started also counts as terminated.
            terminated.started_at.is_some()
                && terminated.reason.as_deref() != Some("ContainerCannotRun")
        })
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_DETAIL).collect()
}

/// The fate of a pod.
pub(crate) fn fate(facts: &PodFacts, circumstances: Circumstances) -> Fate {
    let Circumstances {
        job,
        ended_by_itself,
        present,
    } = circumstances;
    let deleted_by_us = job == JobFate::DeletedByUs;
    if let Some(detail) = &facts.given_up {
        return Fate::Lost {
            detail: detail.clone(),
        };
    }
    if let Some(exit) = &facts.exit {
        if exit.reason.as_deref() == Some("OOMKilled") {
            return Fate::OutOfMemory;
        }
        // Below 128 it chose its exit code itself. 0 needs a second look: whatever makes a process
        // leave with 0 on SIGTERM would make an eviction look like a success.
        if (1..128).contains(&exit.code) || (exit.code == 0 && ended_by_itself) {
            return Fate::Exited { code: exit.code };
        }
    }
    if let Some(fate) = disrupted(facts) {
        return fate;
    }
    if facts.reason.as_deref() == Some("DeadlineExceeded")
        || (job == JobFate::PastDeadline && facts.exit.as_ref().is_none_or(|exit| exit.code != 0))
    {
        return Fate::DeadlineExceeded;
    }
    match &facts.exit {
        Some(exit) if exit.code == 0 || deleted_by_us || !facts.deleted => {
            Fate::Exited { code: exit.code }
        }
        Some(exit) => Fate::Lost {
            detail: format!("its pod was deleted (exit code {})", exit.code),
        },
        None if facts.deleted && !deleted_by_us => Fate::Lost {
            detail: "its pod was deleted".to_owned(),
        },
        None if !present && !deleted_by_us => Fate::Lost {
            detail: "its pod is gone".to_owned(),
        },
        None if facts.ended && !deleted_by_us => Fate::Lost {
            detail: facts
                .detail
                .clone()
                .or_else(|| facts.reason.clone())
                .unwrap_or_else(|| "its pod failed before its container ran".to_owned()),
        },
        None => Fate::Running,
    }
}

/// The fate of a pod that the platform itself took away.
fn disrupted(facts: &PodFacts) -> Option<Fate> {
    if let Some(Disruption { reason, message }) = &facts.disruption {
        let detail = match (reason.as_str(), message.as_str()) {
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        };
        return Some(match reason.as_str() {
            // Both mean that the node is gone, or has not been heard of for minutes.
            "DeletionByTaintManager" | "DeletionByPodGC" => Fate::Lost { detail },
            _ => Fate::Evicted { detail },
        });
    }
    let detail = || {
        facts
            .detail
            .clone()
            .or_else(|| facts.reason.clone())
            .unwrap_or_default()
    };
    match facts.reason.as_deref() {
        // Terminated and NodeShutdown: the node was shut down with grace.
        Some("Evicted" | "Preempting" | "Terminated" | "NodeShutdown") => {
            Some(Fate::Evicted { detail: detail() })
        }
        Some("NodeLost") => Some(Fate::Lost { detail: detail() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::JobFate::{DeletedByUs, PastDeadline, Well};
    use super::*;

    fn gone() -> PodFacts {
        PodFacts {
            started: true,
            ..PodFacts::default()
        }
    }

    fn exited(code: i32) -> PodFacts {
        PodFacts {
            exit: Some(Exit {
                code,
                reason: None,
                finished_at: None,
            }),
            ended: true,
            ..gone()
        }
    }

    fn disrupted(reason: &str, facts: PodFacts) -> PodFacts {
        PodFacts {
            disruption: Some(Disruption {
                reason: reason.to_owned(),
                message: String::new(),
            }),
            deleted: true,
            ..facts
        }
    }

    fn deleted(facts: PodFacts) -> PodFacts {
        PodFacts {
            deleted: true,
            ..facts
        }
    }

    fn of(facts: &PodFacts, job: JobFate) -> Fate {
        fate(
            facts,
            Circumstances {
                job,
                ended_by_itself: false,
                present: true,
            },
        )
    }

    fn word(fate: &Fate) -> String {
        match fate {
            Fate::NeverSeen => "never seen".to_owned(),
            Fate::Running => "running".to_owned(),
            Fate::Exited { code } => format!("exited {code}"),
            Fate::OutOfMemory => "out of memory".to_owned(),
            Fate::Evicted { .. } => "evicted".to_owned(),
            Fate::Lost { .. } => "lost".to_owned(),
            Fate::DeadlineExceeded => "deadline".to_owned(),
        }
    }

    /// Fingerprints as Kubernetes leaves them: KEP-3329, and what a real cluster showed.
    #[test]
    fn what_the_platform_leaves_tells_the_cause() {
        let oom = PodFacts {
            exit: Some(Exit {
                code: 137,
                reason: Some("OOMKilled".to_owned()),
                finished_at: None,
            }),
            ended: true,
            ..gone()
        };
        let with_reason = |reason: &str, facts: PodFacts| PodFacts {
            reason: Some(reason.to_owned()),
            ended: true,
            ..facts
        };
        for (facts, job, expected) in [
            (gone(), Well, "running"),
            (exited(0), Well, "exited 0"),
            (exited(64), Well, "exited 64"),
            (exited(137), Well, "exited 137"),
            (oom.clone(), Well, "out of memory"),
            (deleted(oom), Well, "out of memory"),
            // Deleted by somebody.
            (deleted(gone()), Well, "lost"),
            (deleted(exited(143)), Well, "lost"),
            (deleted(exited(137)), Well, "lost"),
            // One that had ended before it was deleted, or that chose its own exit code.
            (deleted(exited(0)), Well, "exited 0"),
            (deleted(exited(69)), Well, "exited 69"),
            // By us.
            (deleted(gone()), DeletedByUs, "running"),
            (deleted(exited(143)), DeletedByUs, "exited 143"),
            (exited(143), DeletedByUs, "exited 143"),
            // Drained, preempted, pushed out by its node; an exit code of 0 must not hide it.
            (
                disrupted("EvictionByEvictionAPI", exited(143)),
                Well,
                "evicted",
            ),
            (
                disrupted("EvictionByEvictionAPI", exited(0)),
                Well,
                "evicted",
            ),
            (disrupted("PreemptionByScheduler", gone()), Well, "evicted"),
            (
                disrupted("TerminationByKubelet", exited(137)),
                Well,
                "evicted",
            ),
            (with_reason("Evicted", gone()), Well, "evicted"),
            (with_reason("Evicted", exited(143)), Well, "evicted"),
            (with_reason("Terminated", exited(143)), Well, "evicted"),
            // Also while we delete: the disruption came first.
            (
                disrupted("EvictionByEvictionAPI", exited(143)),
                DeletedByUs,
                "evicted",
            ),
            // Its node went.
            (disrupted("DeletionByPodGC", gone()), Well, "lost"),
            (disrupted("DeletionByTaintManager", gone()), Well, "lost"),
            (with_reason("NodeLost", gone()), Well, "lost"),
            // Its Job's deadline.
            (deleted(exited(143)), PastDeadline, "deadline"),
            (exited(0), PastDeadline, "exited 0"),
            (with_reason("DeadlineExceeded", gone()), Well, "deadline"),
            // It failed before its container ran.
            (
                with_reason("UnexpectedAdmissionError", gone()),
                Well,
                "lost",
            ),
        ] {
            assert_eq!(word(&of(&facts, job)), expected, "{facts:?} {job:?}");
        }
    }

    #[test]
    fn one_that_ended_by_itself_is_not_made_a_victim_by_what_came_after() {
        let facts = disrupted("EvictionByEvictionAPI", exited(0));
        let circumstances = Circumstances {
            ended_by_itself: true,
            ..Circumstances::default()
        };
        assert_eq!(fate(&facts, circumstances), Fate::Exited { code: 0 });
    }

    #[test]
    fn a_pod_that_is_gone_without_an_end_is_lost() {
        assert_eq!(word(&fate(&gone(), Circumstances::default())), "lost");
    }

    #[test]
    fn an_end_is_not_changed_by_what_happens_to_the_pod_afterwards() {
        let kept = PodFacts::merged(
            Some(exited(0)),
            Some(disrupted("EvictionByEvictionAPI", exited(0))),
        );
        assert_eq!(kept, Some(exited(0)));
        assert_eq!(PodFacts::merged(Some(exited(0)), None), Some(exited(0)));
    }

    #[test]
    fn a_pod_that_was_given_up_stays_so_and_still_tells_its_end() {
        let given_up = PodFacts {
            given_up: Some("its pod was deleted".to_owned()),
            ..gone()
        };
        let merged = PodFacts::merged(Some(given_up), Some(deleted(exited(143)))).unwrap();
        assert!(merged.exit.is_some());
        assert_eq!(word(&of(&merged, JobFate::DeletedByUs)), "lost");
    }

    #[test]
    fn an_end_that_is_told_late_is_taken() {
        // An evicted pod's phase can come before its container's end.
        let early = PodFacts {
            ended: true,
            ..gone()
        };
        assert_eq!(
            PodFacts::merged(Some(early), Some(exited(143))),
            Some(exited(143))
        );
    }
}
