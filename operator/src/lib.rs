//! The Kubernetes operator: turns LoadTests into runs and runs into verdicts.
//!
//! Every look at a LoadTest is a pipeline of which only the ends do IO:
//! `observe` reads, `decide` decides (plain data in, plain data out), `apply` writes.
//! [`pods`] sees to it that nothing that a pod leaves behind is lost, `run_pods` that nobody but a
//! run's own pods speaks for it, and [`seal`] that nobody else changes what they said.

mod apply;
pub mod arguments;
pub mod backoff;
mod build;
pub mod clock;
mod collected;
pub mod controller;
mod decide;
mod error;
pub mod events;
mod evidence;
mod fate;
#[cfg(test)]
mod fixtures;
mod http;
pub mod metrics;
mod object_readers;
mod observe;
mod observed;
pub mod pods;
mod readiness;
mod run_pods;
pub mod seal;
pub mod settings;
pub mod start;
mod telemetry;
pub mod turns;
mod unreadable;
