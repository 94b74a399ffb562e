//! Decides what to do for a LoadTest: from the LoadTest, what is seen of it in the cluster and the
//! time, to effects and a status. Never reads a clock, never fails, does no IO.
//!
//! Each step either lets the next one go on or ends the decision: it waits, or it has concluded.
//! Where the run is follows from what is there; from the status only its one-way latches are read:
//! `children` (what was ever created or deleted on purpose) and `Finished`.

mod accept;
mod cancel;
mod cause;
mod children;
mod collect;
mod draft;
mod dynos;
mod finish;
mod managed_redis;
mod preflight;
mod reservation;
mod retention;
mod stop;
mod survey;
mod verdict;
pub mod waiting;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use redyno_crds::conditions::{self, FINISHED};
use redyno_crds::{LoadTest, LoadTestStatus};

use crate::build::names::Child;
use crate::cluster::Observed;
use crate::events::Notice;
use crate::settings::Settings;
use draft::Draft;

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
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
pub enum Effect {
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

/// Decides.
pub fn decide(
    load_test: &LoadTest,
    observed: &Observed,
    now: Timestamp,
    settings: &Settings,
) -> Decision {
    let mut draft = Draft::new(load_test, observed, now, settings);
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) = steps(&mut draft);
    draft.into_decision()
}

/// Whether this LoadTest's run is over for good.
pub fn is_finished(load_test: &LoadTest) -> bool {
    load_test
        .status
        .as_ref()
        .is_some_and(|status| conditions::is_true(&status.conditions, FINISHED))
}

fn steps(draft: &mut Draft<'_>) -> ControlFlow<()> {
    if is_finished(draft.load_test) {
        return retention::step(draft);
    }
    let run = &accept::step(draft)?;
    let collected = collect::step(draft);
    if let Some(given_up) = &collected.given_up {
        return stop::step(draft, run, &collected, given_up);
    }
    if let Some(cause) = &run.broken {
        return stop::give_up(draft, run, &collected, cause.clone());
    }
    stop::forgotten(draft, run, &collected)?;
    cancel::step(draft, run, &collected)?;
    children::config_maps(draft, run, &collected)?;
    managed_redis::step(draft, run, &collected)?;
    preflight::step(draft, run, &collected)?;
    dynos::step(draft, run, &collected)?;
    let cleanup = finish::step(draft, run, &collected)?;
    verdict::judged(draft, run, &collected, cleanup);
    ControlFlow::Break(())
}

#[cfg(test)]
mod tests;
