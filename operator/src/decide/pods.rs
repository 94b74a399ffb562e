//! Readers of pods that several steps need.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use redyno_crds::children::Child;
use redyno_crds::children::RUNNER_CONTAINER;

use super::draft::Draft;
use crate::fate::container_status;
use crate::run_pods::RunPod;

/// A node that has not been heard of for this long is lost. The control plane itself deletes its
/// pods after five minutes, and then they are still there.
pub(super) const NODE_LOST_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// The pods of preflight or finish, or of a dyno type.
pub(super) fn pods_of(draft: &Draft<'_>, child: &Child) -> Vec<Arc<Pod>> {
    let pods = draft.pods.present();
    pods.filter(|pod| pod.role().is_of(child))
        .map(RunPod::shared)
        .collect()
}

/// The status of the runner's container.
pub(super) fn runner_container(pod: &Pod) -> Option<&ContainerStatus> {
    container_status(pod, RUNNER_CONTAINER)
}

/// A condition of a pod.
pub(super) fn pod_condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// Whether a condition of a pod is True.
pub(super) fn is_condition_true(pod: &Pod, type_: &str) -> bool {
    pod_condition(pod, type_).is_some_and(|condition| condition.status == "True")
}

/// Whether the scheduler has looked for a node and found none that fits.
pub(super) fn is_unschedulable(pod: &Pod) -> bool {
    pod_condition(pod, "PodScheduled").is_some_and(|condition| {
        condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable")
    })
}

/// Since when a pod's node has not been heard of: the control plane then makes its pods NotReady
/// while all their containers are ready.
pub(super) fn lost_node_since(pod: &Pod) -> Option<Timestamp> {
    let ready = pod_condition(pod, "Ready").filter(|condition| condition.status == "False")?;
    pod_condition(pod, "ContainersReady").filter(|condition| condition.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}
