//! The plan, as the run's pods mount it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use redyno_contract::Plan;

use super::Run;
use super::names::Child;
use super::redis_service;

/// Key of the plan, and its file name below the mount.
pub const PLAN_KEY: &str = "plan.json";
/// Key of a managed target's URL. An existing target's stands in its Secret, never here.
pub const URL_KEY: &str = "url";

/// The plan ConfigMap, read by all pods of the run.
pub fn build(run: &Run<'_>) -> ConfigMap {
    let plan = serde_json::to_string_pretty(&run.resolved.plan)
        .expect("a plan has string keys only and no fallible serializer");
    let mut data = BTreeMap::from([(PLAN_KEY.to_owned(), plan)]);
    if run.resolved.managed.is_some() {
        data.insert(URL_KEY.to_owned(), redis_service::url(run));
    }
    ConfigMap {
        metadata: run.metadata(&Child::Plan),
        // Not immutable: a node would go on handing out the plan of a former run of the same name
        // for as long as a pod of that one is on its way out. Nobody ever changes it.
        immutable: None,
        data: Some(data),
        binary_data: None,
    }
}

/// The plan of a run that is under way. None if it was written by another release.
pub fn read(config_map: &ConfigMap) -> Option<Plan> {
    let text = config_map.data.as_ref()?.get(PLAN_KEY)?;
    Plan::from_json(text).ok()
}
