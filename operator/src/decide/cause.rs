//! What a pod that is not ready waits for: from its status, its events, and those of its Job.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use redyno_contract::Reason;
use redyno_crds::printable;

use super::pods::{is_unschedulable, pod_condition, runner_container};
use crate::object_readers::thousandths;
use crate::observed::{EventSeen, NodeRoom, Observed};

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
    /// Something else of the same step is still to be made, and may be refused: that has its own
    /// time and is what is named, so that the two do not take turns.
    pub(super) is_partial: bool,
}

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitCause {
    /// The verdict's reason, if it comes to that.
    pub(super) reason: Reason,
    /// In a sentence.
    pub(super) message: String,
    /// Waiting cannot help.
    pub(super) hopeless: bool,
}

/// Why the pods are not ready, if that is known: what is hopeless first, then the first pod's.
pub(super) fn cause(waited: &Waited<'_>, observed: &Observed) -> Option<WaitCause> {
    let causes: Vec<WaitCause> = waited
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

fn of_pod(name: &str, pod: &Pod, observed: &Observed) -> Option<WaitCause> {
    if is_unschedulable(pod) {
        let words = pod_condition(pod, "PodScheduled")
            .and_then(|condition| condition.message.as_deref())
            .unwrap_or("no node fits");
        return Some(WaitCause {
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
    let waiting = runner_container(pod)
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
    Some(WaitCause {
        reason,
        message,
        hopeless,
    })
}

/// What a node says of a pod once all its volumes are there.
const AFTER_MOUNTING: [&str; 4] = ["Pulling", "Pulled", "Created", "Started"];

/// A missing Secret, and a missing key in one, show only in the events of a pod; so does that they
/// have been found since. An image may take minutes after that.
fn of_mount(name: &str, pod: &Pod, observed: &Observed) -> Option<WaitCause> {
    let uid = pod.metadata.uid.as_deref()?;
    let event = last_event(observed, uid, "FailedMount")?;
    let has_healed = AFTER_MOUNTING
        .iter()
        .filter_map(|reason| last_event(observed, uid, reason))
        .any(|later| later.at >= event.at);
    if has_healed {
        return None;
    }
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
    Some(WaitCause {
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
fn of_job(what: &str, job: &Job, observed: &Observed) -> Option<WaitCause> {
    let event = last_event(observed, job.metadata.uid.as_deref()?, "FailedCreate")?;
    let (reason, hopeless) = of_refusal(&event.message);
    Some(WaitCause {
        reason,
        message: format!("no pod for {what}: {}", quoted(&event.message)),
        hopeless,
    })
}

/// What the API server means by a refusal, and whether it will say the same again.
pub(super) fn of_refusal(message: &str) -> (Reason, bool) {
    let has = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if has(&["exceeded quota"]) {
        return (Reason::QuotaExceeded, false);
    }
    (Reason::PodRejected, has(&HOPELESS) && !has(&HEALS))
}

/// What the API server says when it has looked at an object and does not want it: it will say the
/// same again. Whatever else it says, of its own troubles above all, may be over in a moment.
const HOPELESS: [&str; 4] = [
    "is forbidden:",
    "is invalid:",
    "denied the request",
    "no PriorityClass",
];

/// Refusals of these words that heal all the same.
const HEALS: [&str; 6] = [
    // Kubernetes adds the namespace's service account a moment after the namespace.
    "serviceaccount",
    "service account",
    // Admission has not looked at it: its own caches were not ready, its quota not computed.
    "not yet ready to handle request",
    "status unknown for quota",
    "failed calling webhook",
    "because it is being terminated",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hopeless_is_listed_and_everything_else_is_waited_out() {
        let pod = |words: &str| format!("Error creating: pods \"a-web-0-\" is forbidden: {words}");
        for (message, expected) in [
            (pod("violates PodSecurity \"restricted:latest\": ..."), (Reason::PodRejected, true)),
            (pod("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"), (Reason::PodRejected, true)),
            (pod("[maximum cpu usage per Container is 1, but limit is 2]"), (Reason::PodRejected, true)),
            (pod("no PriorityClass with name high was found"), (Reason::PodRejected, true)),
            (pod("exceeded quota: small, requested: cpu=1"), (Reason::QuotaExceeded, false)),
            (pod("status unknown for quota: small, resources: cpu"), (Reason::PodRejected, false)),
            (pod("not yet ready to handle request"), (Reason::PodRejected, false)),
            (pod("error looking up service account a/default: serviceaccount \"default\" not found"), (Reason::PodRejected, false)),
            ("Job.batch \"a-web\" is invalid: spec.template.spec.tolerations[0].operator: Unsupported value".to_owned(), (Reason::PodRejected, true)),
            ("admission webhook \"policy.example\" denied the request: no".to_owned(), (Reason::PodRejected, true)),
            ("Internal error occurred: failed calling webhook \"x\": no endpoints available".to_owned(), (Reason::PodRejected, false)),
            ("etcdserver: leader changed".to_owned(), (Reason::PodRejected, false)),
            ("Timeout: request did not complete within requested timeout - context deadline exceeded".to_owned(), (Reason::PodRejected, false)),
            ("the server is currently unable to handle the request".to_owned(), (Reason::PodRejected, false)),
            ("Post \"https://10.0.0.1:443/api/v1/pods\": EOF".to_owned(), (Reason::PodRejected, false)),
            ("dial tcp 10.0.0.1:443: i/o timeout".to_owned(), (Reason::PodRejected, false)),
            ("Too many requests, please try again later".to_owned(), (Reason::PodRejected, false)),
            ("Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified".to_owned(), (Reason::PodRejected, false)),
            ("something that nobody has seen yet".to_owned(), (Reason::PodRejected, false)),
        ] {
            assert_eq!(of_refusal(&message), expected, "{message}");
        }
    }
}
