//! What the operator, the runner and the command line agree on.
//!
//! Two documents cross the border between whoever starts a run and the dynos that carry it out:
//! the [`Plan`] goes in, one [`Message`] per pod comes out. Between them stand the plain functions
//! that both sides must compute alike: the [`schedule`], the counting of [`limit`]s, the
//! [`Histogram`], and [`judge`], which turns a plan and what became of every dyno into a verdict.
//!
//! Nothing in this crate does IO or reads a clock, and its only random numbers are functions of the
//! plan's seed.

mod dyno_name;
pub mod event;
pub mod evidence;
pub mod exit;
pub mod failure;
pub mod figures;
pub mod files;
pub mod histogram;
pub mod judge;
pub mod judgement;
pub mod kept;
mod known_commands;
pub mod limit;
pub mod message;
mod mix_keys;
pub mod outcome;
mod percentile;
pub mod plan;
pub mod random;
pub mod record;
pub mod report;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod schedule;
pub mod text;
pub mod timeline;
mod unknown_fields;
pub mod verdict;
mod workload;

pub use event::{Event, Progress};
pub use histogram::{EncodedHistogram, Histogram};
pub use judge::judge;
pub use judgement::Judgement;
pub use message::{FinishReport, Message, PreflightReport};
pub use outcome::{DynoOutcome, RunFacts};
pub use plan::Plan;
pub use report::Report;
pub use verdict::{Bottleneck, Reason, Verdict};

#[cfg(test)]
mod generated_files {
    use std::path::Path;

    use schemars::{JsonSchema, schema_for};

    use crate::{Message, Plan};

    /// The committed schema must be that of the types; with REDYNO_GENERATE set it is made so.
    fn check<T: JsonSchema>(name: &str) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        let mut generated = serde_json::to_string_pretty(&schema_for!(T)).unwrap();
        generated.push('\n');
        if std::env::var_os("REDYNO_GENERATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is stale: run REDYNO_GENERATE=1 cargo test -p redyno-contract generated_files",
            path.display()
        );
    }

    #[test]
    fn the_plan_is_as_its_schema_says() {
        check::<Plan>("plan");
    }

    #[test]
    fn the_message_is_as_its_schema_says() {
        check::<Message>("message");
    }
}
