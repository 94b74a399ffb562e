//! The labels of every child.

use std::collections::BTreeMap;

use redyno_contract::plan::RunIdentity;
use redyno_crds::labels::{COMPONENT, DYNO_TYPE, LOAD_TEST, RUN};

use redyno_crds::children::Child;

/// The annotation by which the operator knows an object again that it made before it could record
/// its uid.
pub(crate) const SEAL: &str = "redyno.dev/seal";

/// The value of `app.kubernetes.io/managed-by`, and our field manager.
pub(crate) const MANAGER: &str = "redyno-operator";

/// The labels of a child.
pub(crate) fn of_child(run: &RunIdentity, child: &Child) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", "redyno"),
        ("app.kubernetes.io/instance", run.name.as_str()),
        (COMPONENT, child.component()),
        ("app.kubernetes.io/managed-by", MANAGER),
        (LOAD_TEST, run.name.as_str()),
        (RUN, run.uid.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if let Child::Dynos(dyno_type) = child {
        labels.insert(DYNO_TYPE.to_owned(), dyno_type.clone());
    }
    labels
}

/// What selects exactly the managed Redis' pod of a run.
pub(crate) fn redis_selector(run: &RunIdentity) -> BTreeMap<String, String> {
    [
        (RUN, run.uid.as_str()),
        (COMPONENT, Child::RedisPod.component()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
