//! `make simulate LAYER=3`: many whole runs on the wire.

use std::process::ExitCode;

use clap::Parser;
use redyno_simulation::command::Runs;
use redyno_simulation_wire::laws::Wire;

/// Runs layer 3 of the simulation for many seeds.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// One run in this many is made twice, and must come to the same.
    #[arg(long, default_value_t = 100)]
    twice_every: u64,
}

fn main() -> ExitCode {
    let Arguments { runs, twice_every } = Arguments::parse();
    runs.of(&Wire { twice_every })
}
