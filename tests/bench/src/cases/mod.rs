//! The cases, one file per question.

mod cost;
mod formation;
mod memory;
mod pacing;
mod peers;
mod stall;
mod throughput;

use anyhow::Result;

use crate::row::Row;
use crate::run::Cores;

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Runs of each case.
    pub(crate) repeats: u32,
    /// Seconds of the run that watches memory.
    pub(crate) memory_seconds: u32,
}

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// What a task costs the client.
    Cost,
    /// How many tasks a second Redis is driven to.
    Throughput,
    /// What a single command costs, beside other tools.
    Peers,
    /// How exactly tasks are handed over.
    Pacing,
    /// What a stalled Redis looks like.
    Stall,
    /// Whether the number of dynos shows.
    Formation,
    /// How much memory it takes.
    Memory,
}

impl Case {
    /// All of them, in the order in which they are run and shown.
    pub(crate) const ALL: [Self; 7] = [
        Self::Cost,
        Self::Throughput,
        Self::Peers,
        Self::Pacing,
        Self::Stall,
        Self::Formation,
        Self::Memory,
    ];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Throughput => "throughput",
            Self::Peers => "peers",
            Self::Pacing => "pacing",
            Self::Stall => "stall",
            Self::Formation => "formation",
            Self::Memory => "memory",
        }
    }

    /// What it asks.
    pub(crate) const fn question(self) -> &'static str {
        match self {
            Self::Cost => "What does a task of the automap benchmark cost the client?",
            Self::Throughput => "Is Redis the limit, or the runner?",
            Self::Peers => "What does a single command cost, beside other tools?",
            Self::Pacing => "How exactly are tasks handed over?",
            Self::Stall => "What does a second of silence look like?",
            Self::Formation => "Does the number of dynos show?",
            Self::Memory => "How much memory does it take?",
        }
    }

    /// Measures.
    pub(crate) async fn measure(self, cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
        match self {
            Self::Cost => cost::measure(cores, effort).await,
            Self::Throughput => throughput::measure(cores, effort).await,
            Self::Peers => peers::measure(cores, effort).await,
            Self::Pacing => pacing::measure(cores, effort).await,
            Self::Stall => stall::measure(cores, effort).await,
            Self::Formation => formation::measure(cores, effort).await,
            Self::Memory => memory::measure(cores, effort).await,
        }
    }
}
