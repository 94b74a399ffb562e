//! What was accepted: the plan, as the run's pods mount it, and the objects that the run is made of.
//! The keys of what is mounted are the names of the files. An existing target's URL stands in its
//! Secret, never here.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use redyno_contract::{Plan, files};
use redyno_crds::children::Child;

use super::Run;
use super::objects::Objects;
use super::redis_service;
use crate::seal::digest_of;

/// Key of the objects. No pod mounts it.
pub(crate) const OBJECTS_KEY: &str = "objects.json";

/// The plan ConfigMap, read by all pods of the run.
pub(crate) fn build(run: &Run<'_>, objects: &Objects) -> ConfigMap {
    let plan = serde_json::to_string_pretty(&run.resolved.plan)
        .expect("a plan has string keys only and no fallible serializer");
    let objects = serde_json::to_string(objects).expect("Kubernetes' objects are made of JSON");
    let mut data = BTreeMap::from([
        (files::PLAN.to_owned(), plan),
        (OBJECTS_KEY.to_owned(), objects),
    ]);
    if run.resolved.managed.is_some() {
        data.insert(files::URL.to_owned(), redis_service::url(run));
    }
    ConfigMap {
        metadata: run.metadata(&Child::Plan),
        // Not immutable: a node would go on handing out the plan of a former run of the same name
        // for as long as a pod of that one is on its way out. Its digest is in the status.
        immutable: None,
        data: Some(data),
        binary_data: None,
    }
}

/// The plan of a run that is under way. None if it was written by a later release, or is none.
pub(crate) fn read(config_map: &ConfigMap) -> Option<Plan> {
    let text = config_map.data.as_ref()?.get(files::PLAN)?;
    Plan::from_json(text).ok()
}

/// The objects of a run that is under way. None if it was begun by the first release, which built
/// each when it was due.
pub(crate) fn read_objects(config_map: &ConfigMap) -> Option<Objects> {
    let text = config_map.data.as_ref()?.get(OBJECTS_KEY)?;
    serde_json::from_str(text).ok()
}

/// The digest of all that stands in a plan ConfigMap.
pub(crate) fn digest(config_map: &ConfigMap) -> String {
    let data = config_map.data.iter().flatten();
    let texts: Vec<&str> = data
        .flat_map(|(key, value)| [key.as_str(), value.as_str()])
        .collect();
    digest_of(&texts)
}
