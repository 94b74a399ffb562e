//! What stands in `redyno:lock`: whose run holds the target.

use redyno_contract::plan::RunIdentity;

use crate::words::presentable;

/// What this run writes into the lock: `namespace/name uid`.
pub fn value(run: &RunIdentity) -> String {
    let RunIdentity {
        namespace,
        name,
        uid,
    } = run;
    format!("{namespace}/{name} {uid}")
}

/// Whether the lock, which holds this, is held by the run with this uid.
pub(crate) fn is_of(holder: &str, uid: &str) -> bool {
    uid_in(holder) == uid
}

/// The uid of the run that holds the lock, or whatever stands in its place.
pub(crate) fn uid_in(holder: &str) -> &str {
    holder.rsplit(' ').next().unwrap_or_default()
}

/// `namespace/name` of the run that holds the lock; None if nobody does. The lock may hold anything.
pub(crate) fn name_in(holder: &str) -> Option<String> {
    (!holder.is_empty()).then(|| presentable(holder.split(' ').next().unwrap_or_default(), None))
}
