//! The tests that need more than one crate. Those in `cluster` need a cluster (`KUBECONFIG`).
//! `redyno_tests::tools` says what becomes of a test whose tool is missing.

mod chart;
mod cluster;
mod html;
mod modules;
mod observability;
mod repository;
