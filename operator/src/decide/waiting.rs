//! Waiting for pods, and giving up: what they wait for, from their status and their events.
//!
//! A cause is named after 10 s. It ends the run at once where waiting cannot help, and after
//! `startTimeoutSeconds` where it can heal.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use redyno_contract::Reason;
use redyno_crds::conditions::{ConditionStatus, DYNOS_READY, PREFLIGHT_PASSED, condition, reasons};
use redyno_crds::printable;

use super::draft::{Draft, later};
use super::stop;
use super::survey::{container, pod_condition};
use crate::build::Run;
use crate::cluster::{EventSeen, NodeRoom, Observed, created, thousandths};
use crate::evidence::{Cause as Lost, Collected};

/// A cause is named after this long.
pub const NAMED_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A node that has not been heard of for this long is lost. The control plane itself deletes its
/// pods after five minutes, and then they are still there.
pub(super) const NODE_LOST_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How often events are looked at again while something is waited for.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Longest text of the platform in a message.
const LONGEST_QUOTE: usize = 300;

/// Something that is waited for.
#[derive(Clone, Debug)]
pub(super) struct Waited<'a> {
    /// What, for people: `the preflight`.
    pub(super) what: &'a str,
    /// Since when.
    pub(super) since: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
    /// The Job that makes the pods.
    pub(super) job: Option<&'a Job>,
    /// The pods that are not ready, by the name that people know them by.
    pub(super) pods: Vec<(String, &'a Pod)>,
    /// The verdict's reason if nothing else is known by then.
    pub(super) timeout_reason: Reason,
}

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// The verdict's reason, if it comes to that.
    pub(super) reason: Reason,
    /// In a sentence.
    pub(super) message: String,
    /// Waiting cannot help.
    pub(super) hopeless: bool,
}

/// Waits: names the cause after a while, gives up in the end.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: Run<'_>,
    collected: &Collected,
    waited: &Waited<'_>,
) -> ControlFlow<()> {
    let cause = cause(waited, draft.observed);
    let is_over = draft.now >= waited.until;
    match cause {
        Some(cause) if cause.hopeless || is_over => {
            let message = if is_over {
                format!(
                    "{} (given up after {} s)",
                    cause.message,
                    waited.until.duration_since(waited.since).as_secs()
                )
            } else {
                cause.message
            };
            return stop::give_up(
                draft,
                run,
                collected,
                Lost::NotStarted {
                    reason: cause.reason,
                    message,
                },
            );
        }
        None if is_over => {
            let message = format!(
                "{} was not ready after {} s",
                waited.what,
                waited.until.duration_since(waited.since).as_secs()
            );
            return stop::give_up(
                draft,
                run,
                collected,
                Lost::NotStarted {
                    reason: waited.timeout_reason,
                    message,
                },
            );
        }
        Some(cause) if draft.now >= later(waited.since, NAMED_AFTER) => {
            name_cause(draft, cause.reason, &cause.message);
        }
        Some(_) | None => {}
    }
    if draft.now < later(waited.since, NAMED_AFTER) {
        draft.wake_at(later(waited.since, NAMED_AFTER));
    } else {
        draft.wake_in(LOOK_AGAIN);
    }
    draft.wake_at(waited.until);
    ControlFlow::Break(())
}

/// Says that something is being waited for, unless more is known already.
pub(super) fn begin(draft: &mut Draft<'_>, type_: &str, message: &str) {
    let is_unknown = condition(&draft.status.conditions, type_)
        .is_none_or(|condition| condition.status == ConditionStatus::Unknown.as_str());
    if is_unknown {
        draft.condition(type_, ConditionStatus::False, reasons::WAITING, message);
    }
}

/// Names a cause in the condition that is waited for. One that is True stays so.
pub(super) fn name_cause(draft: &mut Draft<'_>, reason: Reason, message: &str) {
    let type_ = if draft.is_true(PREFLIGHT_PASSED) {
        DYNOS_READY
    } else {
        PREFLIGHT_PASSED
    };
    if !draft.is_true(type_) {
        draft.condition(type_, ConditionStatus::False, reason.as_str(), message);
    }
}

/// Since when a pod's node has not been heard of: the control plane then makes its pods NotReady
/// while all their containers are ready.
pub(super) fn lost_node_since(pod: &Pod) -> Option<Timestamp> {
    let ready = pod_condition(pod, "Ready").filter(|condition| condition.status == "False")?;
    pod_condition(pod, "ContainersReady").filter(|condition| condition.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

/// The uids of objects whose events have to be looked at, at most a few; and whether something
/// does not fit. Called before events are read.
pub fn questions(observed: &Observed, now: Timestamp) -> Questions {
    const MOST: usize = 6;
    let old_enough = |at: Option<Timestamp>| at.is_some_and(|at| now >= later(at, NAMED_AFTER));
    let mut questions = Questions::default();
    let jobs = observed.preflight.iter().chain(observed.dynos.values());
    for job in jobs {
        let status = job.status.as_ref();
        let pods = status.map_or(0, |status| {
            status.active.unwrap_or(0) + status.succeeded.unwrap_or(0) + status.failed.unwrap_or(0)
        });
        let wanted = job
            .spec
            .as_ref()
            .and_then(|spec| spec.completions)
            .unwrap_or(1);
        if pods < wanted && old_enough(created(&job.metadata)) {
            questions.uids.extend(job.metadata.uid.clone());
        }
    }
    let pods = observed
        .pods
        .iter()
        .map(AsRef::as_ref)
        .chain(observed.redis_pod.as_ref());
    for pod in pods {
        let has_started = pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref())
            .is_some_and(|statuses| {
                statuses.iter().any(|status| {
                    status
                        .state
                        .as_ref()
                        .is_some_and(|state| state.waiting.is_none())
                })
            });
        if has_started || !old_enough(created(&pod.metadata)) {
            continue;
        }
        if is_unschedulable(pod) {
            questions.nodes = true;
        } else {
            questions.uids.extend(pod.metadata.uid.clone());
        }
    }
    questions.uids.truncate(MOST);
    questions
}

/// What has to be read besides to name a cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Uids of the objects whose events say more.
    pub uids: Vec<String>,
    /// Whether the nodes' sizes say more.
    pub nodes: bool,
}

/// Why the pods are not ready, if that is known: what is hopeless first, then the first pod's.
fn cause(waited: &Waited<'_>, observed: &Observed) -> Option<Cause> {
    let causes: Vec<Cause> = waited
        .pods
        .iter()
        .filter_map(|(name, pod)| of_pod(name, pod, observed))
        .chain(
            waited
                .job
                .and_then(|job| of_job(waited.what, job, observed)),
        )
        .collect();
    let others = causes.len().saturating_sub(1);
    let mut cause = causes
        .iter()
        .find(|cause| cause.hopeless)
        .or_else(|| causes.first())
        .cloned()?;
    if others > 0 {
        cause.message = format!("{} (and {others} more)", cause.message);
    }
    Some(cause)
}

fn is_unschedulable(pod: &Pod) -> bool {
    pod_condition(pod, "PodScheduled").is_some_and(|condition| {
        condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable")
    })
}

fn of_pod(name: &str, pod: &Pod, observed: &Observed) -> Option<Cause> {
    if is_unschedulable(pod) {
        let words = pod_condition(pod, "PodScheduled")
            .and_then(|condition| condition.message.as_deref())
            .unwrap_or("no node fits");
        return Some(Cause {
            reason: Reason::Unschedulable,
            message: format!(
                "{name} does not fit any node: {}{}",
                quoted(words),
                room(pod, observed.largest_node.as_ref())
            ),
            hopeless: false,
        });
    }
    let statuses = pod.status.as_ref()?.container_statuses.as_ref();
    let waiting = container(pod)
        .or_else(|| statuses.and_then(|statuses| statuses.first()))
        .and_then(|status| status.state.as_ref())
        .and_then(|state| state.waiting.as_ref());
    let word = waiting
        .and_then(|waiting| waiting.reason.as_deref())
        .unwrap_or_default();
    let words = waiting
        .and_then(|waiting| waiting.message.as_deref())
        .unwrap_or(word);
    let (reason, hopeless) = match word {
        "InvalidImageName" => (Reason::ImagePullFailed, true),
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => (Reason::ImagePullFailed, false),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (Reason::ContainerNotStarted, false)
        }
        _ => return of_mount(name, pod, observed),
    };
    let image = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.first())
        .and_then(|container| container.image.as_deref())
        .unwrap_or_default();
    let message = match reason {
        Reason::ImagePullFailed => {
            format!(
                "{name}: the image {image} cannot be pulled: {}",
                quoted(words)
            )
        }
        _ => format!("{name}: its container cannot be started: {}", quoted(words)),
    };
    Some(Cause {
        reason,
        message,
        hopeless,
    })
}

/// A missing Secret, and a missing key in one, show only in the events of a pod.
fn of_mount(name: &str, pod: &Pod, observed: &Observed) -> Option<Cause> {
    let event = last_event(observed, pod.metadata.uid.as_deref()?, "FailedMount")?;
    let text = event.message.to_lowercase();
    let secret = secret_of(pod).unwrap_or("of the target");
    let (reason, message) = if text.contains("non-existent secret key") {
        (
            Reason::SecretKeyMissing,
            format!("{name}: the Secret {secret} has no key url"),
        )
    } else if text.contains("secret") && text.contains("not found") {
        (
            Reason::SecretNotFound,
            format!("{name}: there is no Secret {secret} in this namespace"),
        )
    } else {
        (
            Reason::ContainerNotStarted,
            format!("{name}: {}", quoted(&event.message)),
        )
    };
    Some(Cause {
        reason,
        message,
        hopeless: false,
    })
}

/// The Secret that a pod mounts as its target.
fn secret_of(pod: &Pod) -> Option<&str> {
    pod.spec
        .as_ref()?
        .volumes
        .as_ref()?
        .iter()
        .filter_map(|volume| volume.projected.as_ref()?.sources.as_ref())
        .flatten()
        .find_map(|source| source.secret.as_ref().map(|secret| secret.name.as_str()))
}

/// A Job whose pods are refused is accepted and then hangs: no pods, no condition, only events.
fn of_job(what: &str, job: &Job, observed: &Observed) -> Option<Cause> {
    let event = last_event(observed, job.metadata.uid.as_deref()?, "FailedCreate")?;
    let (reason, hopeless) = of_refusal(&event.message);
    Some(Cause {
        reason,
        message: format!("no pod for {what}: {}", quoted(&event.message)),
        hopeless,
    })
}

/// What the API server means by a refusal, and whether it will say the same again.
pub fn of_refusal(message: &str) -> (Reason, bool) {
    if message.contains("exceeded quota") {
        return (Reason::QuotaExceeded, false);
    }
    // Kubernetes adds the namespace's service account a moment after the namespace.
    let may_heal = message.contains("serviceaccount")
        || message.contains("service account")
        || message.contains("timed out")
        || message.contains("connection refused");
    (Reason::PodRejected, !may_heal)
}

fn last_event<'a>(observed: &'a Observed, uid: &str, reason: &str) -> Option<&'a EventSeen> {
    observed
        .events
        .iter()
        .filter(|event| event.uid == uid && event.reason == reason)
        .max_by_key(|event| event.at)
}

/// What a pod asks for beside what the largest node has.
fn room(pod: &Pod, largest: Option<&NodeRoom>) -> String {
    let requests = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.first())
        .and_then(|container| container.resources.as_ref())
        .and_then(|resources| resources.requests.as_ref());
    let Some((requests, node)) = requests.zip(largest) else {
        return String::new();
    };
    let asked = |name: &str| requests.get(name).and_then(thousandths).unwrap_or(0);
    let asked_cpu = printable::cpu(u32::try_from(asked("cpu")).unwrap_or(u32::MAX));
    let asked_memory = printable::bytes(asked("memory") / 1000);
    let NodeRoom {
        name,
        cpu_millis,
        memory_bytes,
    } = node;
    format!(
        "; it asks for {asked_cpu} and {asked_memory}, the largest node, {name}, has {} and {} for pods",
        printable::cpu(u32::try_from(*cpu_millis).unwrap_or(u32::MAX)),
        printable::bytes(*memory_bytes),
    )
}

fn quoted(text: &str) -> String {
    let trimmed = text.trim().trim_end_matches('.');
    if trimmed.chars().count() <= LONGEST_QUOTE {
        return trimmed.to_owned();
    }
    let start: String = trimmed.chars().take(LONGEST_QUOTE).collect();
    format!("{start}...")
}
