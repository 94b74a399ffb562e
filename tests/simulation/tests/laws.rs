//! A bounded part of the simulation, from a fixed seed: what `make simulate` does with many more.

use redyno_simulation::load::Load;
use redyno_simulation::report::{Exploration, Model, explore};

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
