//! A bounded part of the simulation, from a fixed seed: what `make simulate` does with many more.

use redyno_simulation::load::Load;
use redyno_simulation::report::{Exploration, explore};

/// About half a minute of two cores without optimisation.
const SEEDS: u64 = 500;

/// Ways in which a law is known to be broken, each with what it waits for. A way that is not here,
/// or is here and not seen any more in a long run, is news.
const KNOWN: [(u8, &str); 1] = [
    // A quota that throttled before, and slow commands of a mostly idle server, are taken for the
    // cause of what something else broke.
    (3, "a bottleneck that is none"),
];

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
    let news = summary.broken.keys().any(|broken| !KNOWN.contains(broken));
    assert!(!news, "{summary}");
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
