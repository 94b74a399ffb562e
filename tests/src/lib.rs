//! What the tests of several crates share: a Redis of their own, and a real cluster through the
//! commands that a user would type.

#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and explains itself on standard error"
)]

pub mod browser;
pub mod command;
pub mod dashboards;
pub mod documented_metrics;
pub mod installation;
pub mod load_test;
pub mod modules;
pub mod namespace;
pub mod network_policy;
pub mod on_time;
pub mod prometheus;
pub mod promql;
pub mod repository;
pub mod tools;
mod turns;
