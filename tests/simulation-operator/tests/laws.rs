//! A bounded part of the second layer, from a fixed seed: what `make simulate LAYER=2` does with
//! many more.

use redyno_simulation::report::{Exploration, explore};
use redyno_simulation_operator::Operators;

/// About twenty seconds of two cores without optimisation.
const SEEDS: u64 = 150;

#[test]
fn layer_2_breaks_no_law() {
    let summary = explore(
        &Operators,
        Exploration {
            from: 0,
            seeds: SEEDS,
            stop_at_first: false,
        },
    );
    assert!(summary.broken.is_empty(), "{summary}");
    assert_eq!(summary.runs, SEEDS);
    // A model in which nothing passes, fails or ends early looks at nothing.
    for verdict in [
        "Passed Passed",
        "Failed ThresholdsBreached",
        "Errored ChildLost",
    ] {
        assert!(summary.verdicts.contains_key(verdict), "{summary}");
    }
}
