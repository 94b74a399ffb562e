//! Law 5: everything ends within its bound.

use redyno_simulation::report::Broken;

use super::broken as breaks;
use crate::run::{Scenario, Seen};

pub(super) fn broken(_scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    if let Some(dyno) = seen.dynos.iter().find(|dyno| dyno.too_long) {
        return Some(breaks(
            5,
            "a dyno does not end",
            format!("{} is there after {:?}", dyno.name, dyno.took),
        ));
    }
    if seen.wants_finish && seen.finish.is_none() {
        return Some(breaks(
            5,
            "the finish does not end",
            format!("after {:?}", seen.finish_took),
        ));
    }
    None
}
