//! The target's code against a real redis-server.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails in a helper of the tests fails the test"
)]

mod connecting;
mod coordination;
mod evicting;
mod finishing;
mod flushing;
mod leftovers;
mod memory;
mod preflight;
mod run;
mod tls;
