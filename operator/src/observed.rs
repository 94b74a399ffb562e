//! What is seen of a run in the cluster: plain data, gathered by [`crate::observe`] and decided
//! upon by [`crate::decide`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use redyno_crds::children::Child;

use crate::run_pods::Candidate;

/// Everything that is seen of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
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
pub(crate) struct EventSeen {
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
pub(crate) struct NodeRoom {
    /// Its name.
    pub name: String,
    /// Allocatable CPU, in thousandths of a core.
    pub cpu_millis: u64,
    /// Allocatable memory, in bytes.
    pub memory_bytes: u64,
}

/// A creation that the API server refused for a reason that is the user's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What was to be created.
    pub child: Child,
    /// Why not.
    pub kind: RefusedKind,
    /// In the API server's words.
    pub message: String,
}

/// Why a creation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedKind {
    /// A quota or admission; the message says which.
    ByPolicy,
    /// The namespace is being deleted, and the LoadTest with it.
    NamespaceTerminating,
}

impl Observed {
    /// The metadata of a child, if there is an object of its name.
    pub(crate) fn metadata(&self, child: &Child) -> Option<&ObjectMeta> {
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
    pub(crate) fn job(&self, child: &Child) -> Option<&Job> {
        match child {
            Child::Preflight => self.preflight.as_ref(),
            Child::Dynos(dyno_type) => self.dynos.get(dyno_type),
            Child::Finish => self.finish.as_ref(),
            Child::Plan | Child::Report | Child::RedisPod | Child::RedisService => None,
        }
    }
}
