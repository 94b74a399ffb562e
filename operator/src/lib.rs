//! The Kubernetes operator: turns LoadTests into runs and runs into verdicts.
//!
//! Every look at a LoadTest is a pipeline of which only the ends do IO:
//! [`observe`] reads, [`decide`] decides (plain data in, plain data out), [`apply`] writes.
//! [`pods`] sees to it that nothing that a pod leaves behind is lost, [`run_pods`] that nobody but a
//! run's own pods speaks for it, and [`seal`] that nobody else changes what they said.

pub mod apply;
pub mod arguments;
pub mod backoff;
pub mod build;
pub mod clock;
pub mod collected;
pub mod controller;
pub mod decide;
pub mod error;
pub mod events;
pub mod evidence;
pub mod fate;
#[cfg(test)]
mod fixtures;
pub mod http;
pub mod metrics;
pub mod object_readers;
pub mod observe;
pub mod observed;
pub mod pods;
pub mod readiness;
pub mod run_pods;
pub mod seal;
pub mod settings;
pub mod start;
pub mod telemetry;
pub mod turns;
pub mod unreadable;
