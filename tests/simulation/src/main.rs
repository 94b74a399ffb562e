//! `make simulate LAYER=1`: many runs of a dyno's load and the judge.

use std::process::ExitCode;

use clap::Parser;
use redyno_simulation::command::Runs;
use redyno_simulation::load::Load;

/// Runs layer 1 of the simulation for many seeds.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    runs: Runs,
}

fn main() -> ExitCode {
    Arguments::parse().runs.of(&Load)
}
