//! The benchmark's arguments.

use std::path::PathBuf;

use clap::Parser;

/// Measures the redyno runner on this machine.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// The redyno-runner to measure; beside this program by default.
    #[arg(long, value_name = "FILE")]
    pub(crate) runner: Option<PathBuf>,
    /// Runs of each case; a figure is their median.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) repeats: u32,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// The core of redis-server.
    #[arg(long, default_value_t = 0)]
    pub(crate) redis_core: u32,
    /// The core of the runner, and of the tools that it is compared with.
    #[arg(long, default_value_t = 1)]
    pub(crate) runner_core: u32,
    /// Seconds of the run that watches memory.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(30..=7200))]
    pub(crate) memory_seconds: u32,
    /// Print JSON instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the table into this document, where figures that are not measured now stay
    #[arg(long, value_name = "FILE")]
    pub(crate) document: Option<PathBuf>,
}
