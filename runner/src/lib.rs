//! One dyno of a redyno run: preflight, load, report, finish.

mod engine;
mod random;
mod shard;
mod workload;
