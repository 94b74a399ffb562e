//! What the runner is told on its command line and in its environment.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// One process of a redyno run. Started by the operator or by `redyno run`, not by people.
#[derive(Clone, Debug, Parser)]
#[command(name = "redyno-runner", version)]
pub struct RunnerArguments {
    /// Which part of a run.
    #[command(subcommand)]
    pub part: Part,
}

/// Which part of a run.
#[derive(Clone, Debug, Subcommand)]
pub enum Part {
    /// Looks at the target before the run, takes its lock and sets the run's phase.
    Preflight(CommonArguments),
    /// Carries out the load of one dyno.
    Dyno(DynoArguments),
    /// Removes what the run made and releases the target's lock.
    Finish(CommonArguments),
}

/// What every part is told.
#[derive(Clone, Debug, Args)]
pub struct CommonArguments {
    /// The folder with plan.json and target/url.
    #[arg(long, value_name = "DIR")]
    pub config: PathBuf,
    /// The file that the record is written to.
    #[arg(long, value_name = "FILE")]
    pub report: PathBuf,
    /// Where probes and metrics are served, such as :9090 or 127.0.0.1:0. Only a dyno serves any.
    #[arg(long, value_name = "ADDRESS", default_value = ":9090")]
    pub http: String,
    /// Take the end of standard input for a SIGTERM.
    #[arg(long)]
    pub parent_guard: bool,
    /// The pod's uid, or a stand-in for it.
    #[arg(
        long,
        env = "REDYNO_POD_UID",
        value_name = "UID",
        default_value = "local"
    )]
    pub pod_uid: String,
}

/// What a dyno is told.
#[derive(Clone, Debug, Args)]
pub struct DynoArguments {
    /// What every part is told.
    #[command(flatten)]
    pub common: CommonArguments,
    /// The dyno's type.
    #[arg(long, env = "REDYNO_DYNO_TYPE", value_name = "TYPE")]
    pub dyno_type: String,
    /// The dyno's index within its type, from 0.
    #[arg(long, env = "JOB_COMPLETION_INDEX", value_name = "INDEX")]
    pub index: u32,
    /// Seconds between two progress lines.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub progress_seconds: u32,
    /// Load threads; by default as many as the work needs and the CPU limit has room for.
    #[arg(long, value_name = "NUMBER")]
    pub load_threads: Option<NonZeroU32>,
}
