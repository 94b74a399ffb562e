//! The LoadTest resource: its types, its validation, the catalogue of sizes and plans, its
//! conditions, and the two pure translations: spec to plan, judgement to status.

pub mod loadtest;
pub mod spec;
pub mod status;

pub use loadtest::{LoadTest, LoadTestSpec};
pub use status::LoadTestStatus;
