//! `make simulate`: many runs of a layer, and the first that breaks a law.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use redyno_simulation::choices::Choices;
use redyno_simulation::load::Load;
use redyno_simulation::report::{Exploration, explore, run};

/// Runs a layer of the simulation for many seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run these choices instead, as a story prints them: `0,0,3`.
    #[arg(long, value_delimiter = ',')]
    choices: Vec<u64>,
    /// End as soon as a law is broken, and shrink nothing.
    #[arg(long)]
    stop_at_first: bool,
}

fn main() -> ExitCode {
    let Arguments {
        seeds,
        from,
        choices,
        stop_at_first,
    } = Arguments::parse();
    if !choices.is_empty() {
        return one(choices);
    }
    let exploration = Exploration {
        from,
        seeds,
        stop_at_first,
    };
    let summary = explore(&Load, exploration);
    let printed = write!(std::io::stdout(), "{summary}");
    if printed.is_ok() && summary.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs one list of choices, and says what it breaks.
fn one(choices: Vec<u64>) -> ExitCode {
    let outcome = run(&Load, &mut Choices::of_list(choices));
    let broken = outcome.broken.as_ref();
    let text: Vec<String> = std::iter::once(outcome.verdict)
        .chain(outcome.story)
        .chain(broken.map(|broken| format!("{broken:?}")))
        .collect();
    let printed = writeln!(std::io::stdout(), "{}", text.join("\n"));
    if printed.is_ok() && outcome.broken.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
