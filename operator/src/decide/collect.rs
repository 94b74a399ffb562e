//! Collects the last words of pods that have ended into the report ConfigMap.

use super::draft::Draft;
use crate::evidence::Collected;

/// What is kept of the run, and what pods that ended a moment ago add to it: that is stored by
/// this very decision, before its status is written. Without a ConfigMap of this run nothing can be
/// stored; it is not there yet, or it was deleted and the run is lost. One that a former LoadTest of
/// the same name left says nothing of this run.
pub(super) fn step(draft: &mut Draft<'_>) -> Collected {
    let observed = draft.observed;
    let mut collected = Collected::read(draft.report());
    for pod in &observed.pods {
        let additions = collected.additions(pod);
        collected.add(&additions);
        if draft.report().is_some() {
            draft.store(additions);
        }
    }
    collected
}
