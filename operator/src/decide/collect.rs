//! Collects the last words of pods that have ended into the report ConfigMap.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::collected::Collected;

/// What is kept of the run, and what pods that ended a moment ago add to it: that is stored by
/// this very decision, before its status is written. Without a ConfigMap of this run nothing can be
/// stored; it is not there yet, or it was deleted and the run is lost. One that a former LoadTest of
/// the same name left says nothing of this run.
pub(super) fn step(draft: &mut Draft<'_>) -> Collected {
    let mut collected = draft.kept();
    let mut store = BTreeMap::new();
    for pod in draft.pods.all() {
        let additions = collected.additions(pod);
        collected.add(&additions);
        store.extend(additions);
    }
    if draft.report().is_some() {
        draft.store(store);
    }
    collected
}
