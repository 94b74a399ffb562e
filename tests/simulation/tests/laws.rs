//! A bounded part of the simulation, from a fixed seed: what `make simulate` does with many more.

use redyno_simulation::choices::Choices;
use redyno_simulation::load::Load;
use redyno_simulation::report::{Exploration, Model, explore, run};

/// About half a minute of two cores without optimisation.
const SEEDS: u64 = 500;

#[test]
fn layer_1_breaks_no_law() {
    let summary = explore(
        &Load,
        Exploration {
            from: 1_000_000,
            seeds: SEEDS,
            stop_at_first: false,
        },
    );
    assert_eq!(summary.first_news(Load.known()), None, "{summary}");
    assert_eq!(summary.runs, SEEDS);
    // A model in which nothing passes, or nothing fails, looks at nothing.
    for verdict in [
        "Passed",
        "Failed BacklogLimitReached",
        "Failed ThresholdsBreached",
    ] {
        assert!(summary.verdicts.contains_key(verdict), "{summary}");
    }
}

/// Runs that broke a law once, made as simple as they get, and how the law was broken.
const BROKEN_ONCE: [(&str, &[u64]); 1] = [(
    "a thread stood still for 61 ms and nothing was drained: what had not begun at the close was \
         taken for a backlog that an idle Redis had brought about",
    &[
        0, 0, 0, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
        0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 321,
    ],
)];

#[test]
fn what_was_broken_once_holds() {
    for (what, choices) in BROKEN_ONCE {
        let outcome = run(&Load, &mut Choices::of_list(choices.to_vec()));
        assert_eq!(outcome.broken, None, "{what}: {:#?}", outcome.story);
    }
}
