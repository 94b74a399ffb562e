//! The labels of every child. A user's pod labels may not use their prefixes.

use std::collections::BTreeMap;

use redyno_contract::plan::RunIdentity;

use super::names::Child;

/// The LoadTest's name.
pub const LOAD_TEST: &str = "redyno.dev/loadtest";
/// The LoadTest's uid: two LoadTests of the same name, one after the other, differ in it.
pub const RUN: &str = "redyno.dev/run";
/// The dyno's type, on dynos and their Jobs.
pub const DYNO_TYPE: &str = "redyno.dev/dyno-type";
/// What the object does in its run.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Set by Kubernetes on the pods of an Indexed Job.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The annotation by which the operator knows an object again that it made before it could record
/// its uid.
pub const SEAL: &str = "redyno.dev/seal";

/// The value of `app.kubernetes.io/managed-by`, and our field manager.
pub const MANAGER: &str = "redyno-operator";

/// The labels of a child.
pub fn of_child(run: &RunIdentity, child: &Child) -> BTreeMap<String, String> {
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
pub fn redis_selector(run: &RunIdentity) -> BTreeMap<String, String> {
    [
        (RUN, run.uid.as_str()),
        (COMPONENT, Child::RedisPod.component()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
