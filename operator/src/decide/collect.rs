//! Collects the last words of pods that have ended into the report ConfigMap.

use super::draft::Draft;
use crate::evidence::Collected;

/// What is kept of the run, and what pods that ended a moment ago add to it: that is stored by
/// this very decision, before its status is written. Without a ConfigMap nothing can be stored; it
/// is not there yet, or it was deleted and the run is lost.
pub(super) fn step(draft: &mut Draft<'_>) -> Collected {
    let observed = draft.observed;
    let mut collected = Collected::read(observed.report.as_ref());
    for pod in &observed.pods {
        let additions = collected.additions(pod);
        collected.add(&additions);
        if observed.report.is_some() {
            draft.store(additions);
        }
    }
    collected
}
