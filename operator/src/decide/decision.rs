//! What a decision is made of, and what a step can answer that does not let the next one go on.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use redyno_contract::Reason;
use redyno_crds::LoadTestStatus;
use redyno_crds::children::Child;

use crate::collected::Cause;
use crate::events::Notice;

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// What to add to the report ConfigMap: first of all, so that it is safe before anything else.
    pub store: BTreeMap<String, String>,
    /// The status to write, if it is another one: before the effects, so that what is about to be
    /// created or deleted is known to whoever comes after a crash.
    pub status: LoadTestStatus,
    /// What to create and delete, in this order.
    pub effects: Vec<Effect>,
    /// What to tell, once the status is written.
    pub notices: Vec<Notice>,
    /// When to look again if nothing happens; None if only a change can matter.
    pub requeue: Option<Duration>,
}

/// One change of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Create a ConfigMap.
    CreateConfigMap(Child, Box<ConfigMap>),
    /// Create a Pod.
    CreatePod(Child, Box<Pod>),
    /// Create a Service.
    CreateService(Child, Box<Service>),
    /// Create a Job.
    CreateJob(Child, Box<Job>),
    /// Delete an object, if it is still the one of this uid; a Job's pods go with it.
    Delete {
        /// Which.
        child: Child,
        /// Its uid.
        uid: String,
    },
    /// Delete the LoadTest itself, if it is still the one of this uid.
    DeleteLoadTest {
        /// Its uid.
        uid: String,
    },
}

/// Why a step does not let the next one go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// Something is waited for. The draft knows until when.
    Wait,
    /// The run ends before any dyno was made: there is nothing to stop.
    Refused {
        /// The verdict's reason.
        reason: Reason,
        /// In a sentence.
        message: String,
    },
    /// The run has to end before its own end: what is under way is stopped first.
    GiveUp(Cause),
}

/// What a step answers that can wait, but can neither refuse a run nor give it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait;
