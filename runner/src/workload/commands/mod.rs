//! The commands workload: every task is one command, drawn from a weighted mix.

mod keys;
mod request;
mod task;
mod values;
mod zipf;

pub(crate) use task::{CommandWorker, Mix};
