//! The LoadTest's spec, a file per responsibility. The documentation of every field is what
//! `kubectl explain` shows; bounds stand on the fields, rules across fields in [`crate::rules`].

mod commands;
mod formation;
mod limits;
mod placement;
mod run;
mod target;
mod threshold;
mod workload;

pub use commands::{Commands, Distribution, Expectation, Keyspace, MixedCommand};
pub use formation::{Arrivals, Assignment, DynoResources, DynoType, QueueOrder};
pub use placement::PodPlacement;
pub use run::{DesiredState, OnDynoFailure, Retention};
pub use target::{Engine, ExistingTarget, Flush, ManagedTarget, SecretReference, Target, Tls};
pub use threshold::{ErrorsThreshold, LatencyOf, LatencyThreshold, RateThreshold, Threshold};
pub use workload::{Fetch, ObjectGraph, Prefill, Workload};

pub(crate) use limits::{
    COMMAND_NAME, DYNOS_AT_MOST, LABEL_VALUE, SECRET_NAME, SIZE_NAME, STEP_NAME, THRESHOLD_NAME,
    TYPE_NAME, number, seed,
};
