//! A machine that looks for the next lie: the real middle of redyno on simulated time, under faults
//! drawn by a seed, judged by an oracle that knows the truth.
//!
//! What every layer shares: [`choices`] (what a run draws), [`shrink`] (making it simpler),
//! [`report`] (many runs, and what they come to), [`command`] (its command line). A layer is a
//! [`report::Model`].

pub mod choices;
pub mod command;
pub mod load;
pub mod report;
pub mod shrink;
