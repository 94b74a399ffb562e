//! What is seen of a run in the cluster: plain data, gathered by [`crate::observe`] and decided
//! upon by [`crate::decide`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use redyno_crds::LoadTest;
use redyno_crds::children::Child;

use crate::run_pods::Candidate;

/// Everything that is seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The plan.
    pub plan: Option<ConfigMap>,
    /// The reports.
    pub report: Option<ConfigMap>,
    /// The managed Redis.
    pub redis_pod: Option<Pod>,
    /// Its name.
    pub redis_service: Option<Service>,
    /// The preflight.
    pub preflight: Option<Job>,
    /// The dynos' Jobs, by type.
    pub dynos: BTreeMap<String, Job>,
    /// The finish.
    pub finish: Option<Job>,
    /// The pods that say by their labels that they are of the run; [`RunPods`] proves it. A pod
    /// leaves this list only after its last words are in `report`.
    ///
    /// [`RunPods`]: crate::run_pods::RunPods
    pub candidates: Vec<Candidate>,
    /// Events of the objects that have been waited for for a while.
    pub events: Vec<EventSeen>,
    /// The largest node, where nodes may be read and something does not fit.
    pub largest_node: Option<NodeRoom>,
    /// What the API server refused to create a moment ago.
    pub refused: Option<Refused>,
}

/// An event of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSeen {
    /// The uid of the object that it is about.
    pub uid: String,
    /// `FailedCreate`, `FailedMount`, ...
    pub reason: String,
    /// In the platform's words.
    pub message: String,
    /// When it was last seen.
    pub at: Option<Timestamp>,
}

/// What a node has for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRoom {
    /// Its name.
    pub name: String,
    /// Allocatable CPU, in thousandths of a core.
    pub cpu_millis: u64,
    /// Allocatable memory, in bytes.
    pub memory_bytes: u64,
}

/// A creation that the API server refused for a reason that is the user's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was to be created.
    pub child: Child,
    /// Why not.
    pub kind: RefusedKind,
    /// In the API server's words.
    pub message: String,
}

/// Why a creation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// A quota or admission; the message says which.
    ByPolicy,
    /// The namespace is being deleted, and the LoadTest with it.
    NamespaceTerminating,
}

impl Observed {
    /// The metadata of a child, if there is an object of its name.
    pub fn metadata(&self, child: &Child) -> Option<&ObjectMeta> {
        match child {
            Child::Plan => self.plan.as_ref().map(|object| &object.metadata),
            Child::Report => self.report.as_ref().map(|object| &object.metadata),
            Child::RedisPod => self.redis_pod.as_ref().map(|object| &object.metadata),
            Child::RedisService => self.redis_service.as_ref().map(|object| &object.metadata),
            Child::Preflight | Child::Dynos(_) | Child::Finish => {
                self.job(child).map(|object| &object.metadata)
            }
        }
    }

    /// The Job of a child that is one.
    pub fn job(&self, child: &Child) -> Option<&Job> {
        match child {
            Child::Preflight => self.preflight.as_ref(),
            Child::Dynos(dyno_type) => self.dynos.get(dyno_type),
            Child::Finish => self.finish.as_ref(),
            Child::Plan | Child::Report | Child::RedisPod | Child::RedisService => None,
        }
    }
}

/// When an object was created.
pub fn created(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Whether an object is this LoadTest's, and not that of a former one of the same name.
pub fn is_controlled_by(metadata: &ObjectMeta, load_test: &LoadTest) -> bool {
    metadata.owner_references.iter().flatten().any(|owner| {
        owner.controller == Some(true) && Some(&owner.uid) == load_test.metadata.uid.as_ref()
    })
}

/// The end of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// When.
    pub at: Option<Timestamp>,
    /// By its deadline.
    pub past_deadline: bool,
}

/// Whether and how a Job has ended. What its pods did is not read from here.
pub fn job_end(job: &Job) -> Option<JobEnd> {
    job.status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|condition| {
            matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
        })
        .map(|condition| JobEnd {
            at: condition.last_transition_time.as_ref().map(|time| time.0),
            past_deadline: condition.reason.as_deref() == Some("DeadlineExceeded"),
        })
}

/// Whether a Job passed its deadline, even if its pods are still going.
pub fn past_deadline(job: &Job) -> bool {
    job.status
        .as_ref()
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|conditions| {
            conditions.iter().any(|condition| {
                matches!(condition.type_.as_str(), "FailureTarget" | "Failed")
                    && condition.status == "True"
                    && condition.reason.as_deref() == Some("DeadlineExceeded")
            })
        })
}

/// A quantity in thousandths of its unit: `2`, `1500m`, `24Gi`.
pub fn thousandths(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.as_str();
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_nodes_state_them_are_read() {
        for (text, expected) in [
            ("2", Some(2000)),
            ("1500m", Some(1500)),
            ("24674532Ki", Some(24_674_532 * 1024 * 1000)),
            ("16Gi", Some(16_000 << 30)),
            ("0.5", None),
            ("", None),
        ] {
            assert_eq!(thousandths(&Quantity(text.to_owned())), expected, "{text}");
        }
    }
}
