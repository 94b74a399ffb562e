//! The command line of every layer: many runs and the first that breaks a law, or one run again.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::choices::Choices;
use crate::report::{Exploration, Model, explore, run};

/// Which runs to make.
#[derive(Clone, Debug, Args)]
pub struct Runs {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run these choices instead, as a story prints them: `0,0,3`.
    #[arg(long, value_delimiter = ',')]
    choices: Vec<u64>,
    /// End as soon as a law is broken in a way that is not known, and say how many runs it took.
    #[arg(long)]
    stop_at_first: bool,
}

impl Runs {
    /// Makes the runs and prints what they come to. It succeeds if no law is broken in a way that
    /// is not known and the text could be printed.
    pub fn of(self, model: &impl Model) -> ExitCode {
        let Self {
            seeds,
            from,
            choices,
            stop_at_first,
        } = self;
        let (text, broken) = if choices.is_empty() {
            let summary = explore(
                model,
                Exploration {
                    from,
                    seeds,
                    stop_at_first,
                },
            );
            match summary.first_news(model.known()) {
                Some(seed) if stop_at_first => ((seed - from + 1).to_string(), true),
                news => (summary.to_string(), news.is_some()),
            }
        } else {
            let outcome = run(model, &mut Choices::of_list(choices));
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
}
