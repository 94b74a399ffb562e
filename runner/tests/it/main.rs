//! The runner's processes against a real redis-server.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails in a helper of the tests fails the test"
)]

mod balancer;
mod bottlenecks;
mod causes;
mod coordination;
mod ending;
mod lateness;
mod limits;
mod lost;
mod mix;
mod monitor;
mod pages;
mod plans;
mod process;
mod refused;
mod replies;
mod rights;
mod threads;
mod turns;
mod whole_run;
mod wire;
