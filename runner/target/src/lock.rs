//! What stands in `redyno:lock`: whose run holds the target.

use redyno_contract::plan::RunIdentity;

/// What this run writes into the lock: `namespace/name uid`.
pub fn value(run: &RunIdentity) -> String {
    let RunIdentity {
        namespace,
        name,
        uid,
    } = run;
    format!("{namespace}/{name} {uid}")
}
