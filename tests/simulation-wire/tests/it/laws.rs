//! A few whole runs from a fixed seed keep all laws; `make simulate LAYER=3` makes many.

use redyno_simulation::report::{Exploration, explore};
use redyno_simulation_wire::laws::Wire;

#[test]
fn whole_runs_keep_all_laws() {
    let summary = explore(
        &Wire { twice_every: 25 },
        Exploration {
            from: 0,
            seeds: 100,
            stop_at_first: false,
        },
    );
    assert!(summary.broken.is_empty(), "{summary}");
    let passed = summary.verdicts.get("Passed Passed").copied().unwrap_or(0);
    assert!(passed > 0 && passed < summary.runs, "{summary}");
}
