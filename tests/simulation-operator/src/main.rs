//! Runs the second layer of the simulation for many seeds: `simulation-operator SEEDS FROM`.

use std::io::{self, Write};
use std::process::ExitCode;

use redyno_simulation::report::{Exploration, explore};
use redyno_simulation_operator::Operators;

fn main() -> io::Result<ExitCode> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Some(Ok(seeds)), Some(Ok(from))) = (numbers.next(), numbers.next()) else {
        writeln!(io::stderr(), "usage: simulation-operator SEEDS FROM")?;
        return Ok(ExitCode::from(64));
    };
    let summary = explore(
        &Operators,
        Exploration {
            from,
            seeds,
            stop_at_first: false,
        },
    );
    write!(io::stdout(), "{summary}")?;
    Ok(if summary.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
