//! The tests that need more than one crate. Those in `cluster` need a cluster (`KUBECONFIG`);
//! without one they say so and skip.

#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod chart;
mod cluster;
mod html;
mod observability;
mod repository;
