//! What a task does.

mod commands;
pub(crate) mod exchange;
pub(crate) mod failure;
pub(crate) mod object_graph;
#[cfg(test)]
mod parity_tests;
pub(crate) mod work;
