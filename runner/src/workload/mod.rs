//! What a task does.

pub(crate) mod exchange;
pub(crate) mod failure;
pub(crate) mod object_graph;
#[cfg(test)]
mod parity_tests;
