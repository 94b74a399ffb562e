//! `make simulate LAYER=3`: many whole runs on the wire, and the first that breaks a law.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use redyno_simulation::choices::Choices;
use redyno_simulation::report::{Exploration, explore, run};
use redyno_simulation_wire::laws::Wire;

/// Runs layer 3 of the simulation for many seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
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
    /// Every so-manieth run is made twice, and must come to the same.
    #[arg(long, default_value_t = 100)]
    twice_every: u64,
}

fn main() -> ExitCode {
    let Arguments {
        seeds,
        from,
        choices,
        stop_at_first,
        twice_every,
    } = Arguments::parse();
    let model = Wire { twice_every };
    let (text, broken) = if choices.is_empty() {
        let summary = explore(
            &model,
            Exploration {
                from,
                seeds,
                stop_at_first,
            },
        );
        (summary.to_string(), !summary.broken.is_empty())
    } else {
        let outcome = run(&model, &mut Choices::of_list(choices));
        let broken = outcome.broken.as_ref();
        let text: Vec<String> = std::iter::once(outcome.verdict)
            .chain(outcome.story)
            .chain(broken.map(|broken| format!("{broken:?}")))
            .collect();
        (text.join("\n"), outcome.broken.is_some())
    };
    let printed = writeln!(std::io::stdout(), "{text}");
    if printed.is_ok() && !broken {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
