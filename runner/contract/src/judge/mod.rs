//! Judging: from a plan and what became of every dyno to a verdict with its evidence.

use crate::judgement::Judgement;
use crate::outcome::{DynoOutcome, RunFacts};
use crate::plan::Plan;

/// Judges a run that has ended. `outcomes` has one entry per planned dyno, in any order; a dyno
/// without one counts as never seen.
pub fn judge(_plan: &Plan, _facts: &RunFacts, _outcomes: &[DynoOutcome]) -> Judgement {
    unimplemented!()
}
