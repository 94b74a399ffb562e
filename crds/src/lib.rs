//! The LoadTest resource: its types, its validation, the catalogue of sizes and plans, its
//! conditions, and the two pure translations: spec to plan, judgement to status.

pub mod cases;
pub mod catalogue;
pub mod children;
pub mod conclude;
pub mod conditions;
pub mod generate;
pub mod invalid;
pub mod labels;
pub mod loadtest;
pub mod printable;
mod quantity;
pub mod read;
pub mod resolve;
mod rules;
mod schema;
pub mod spec;
pub mod status;
pub mod validate;

pub use catalogue::Catalogue;
pub use invalid::Invalid;
pub use loadtest::{LoadTest, LoadTestSpec};
pub use resolve::{Resolved, ResolvedDynos, ResolvedRedis, resolve};
pub use spec::Engine;
pub use status::LoadTestStatus;
