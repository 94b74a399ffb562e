//! `make simulate LAYER=2`: many runs as the operator sees them.

use std::process::ExitCode;

use clap::Parser;
use redyno_simulation::command::Runs;
use redyno_simulation_operator::Operators;

/// Runs layer 2 of the simulation for many seeds.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    runs: Runs,
}

fn main() -> ExitCode {
    Arguments::parse().runs.of(&Operators)
}
