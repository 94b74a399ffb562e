//! Does somebody want the run to end now?

use std::ops::ControlFlow;

use redyno_crds::spec::DesiredState;

use super::accept::Accepted;
use super::draft::Draft;
use super::{stop, survey};
use crate::collected::{Cause, Collected};

/// Gives the run up if that is wanted, unless it has ended by itself.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> ControlFlow<()> {
    match draft.load_test.spec.desired_state {
        DesiredState::Running => ControlFlow::Continue(()),
        DesiredState::Cancelled => {
            let dynos = survey::dynos(draft, run, collected);
            if dynos.iter().all(survey::Dyno::has_ended) {
                return ControlFlow::Continue(());
            }
            stop::give_up(draft, run, collected, Cause::Cancelled)
        }
    }
}
