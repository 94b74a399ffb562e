//! What the operator, the runner and the command line agree on.
//!
//! Two documents cross the border between whoever starts a run and the dynos that carry it out:
//! the [`Plan`] goes in, one [`Message`] per pod comes out. Between them stand the plain functions
//! that both sides must compute alike: the [`schedule`], the counting of [`limit`]s, the
//! [`Histogram`], and [`judge`], which turns a plan and what became of every dyno into a verdict.
//!
//! Nothing in this crate does IO, reads a clock or draws a random number.

pub mod event;
pub mod figures;
pub mod histogram;
pub mod judge;
pub mod judgement;
pub mod limit;
pub mod message;
pub mod outcome;
pub mod plan;
pub mod record;
pub mod report;
#[cfg(test)]
mod samples;
pub mod schedule;
pub mod verdict;

pub use event::{Event, Progress};
pub use histogram::{EncodedHistogram, Histogram};
pub use judge::judge;
pub use judgement::Judgement;
pub use message::{FinishReport, Message, PreflightReport};
pub use outcome::{DynoOutcome, RunFacts};
pub use plan::Plan;
pub use report::Report;
pub use verdict::{Bottleneck, Reason, Verdict};
