//! A LoadTest that this release cannot read: one of another release, whose schema is another. It
//! still ends, so that whoever waits for it does not wait for ever.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource};
use redyno_contract::Verdict;
use redyno_crds::LoadTest;
use redyno_crds::conditions::{
    self, ACCEPTED, ConditionStatus, FINISHED, RECONCILING, STALLED, SUCCEEDED, reasons,
    set_condition,
};
use serde_json::{Value, json};

use crate::build::labels::MANAGER;
use crate::error::Error;

fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<LoadTest>(&());
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Reads it as whatever it is; None if it is gone or on its way.
///
/// # Errors
/// If the API server cannot be asked.
pub(crate) async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<DynamicObject>, Error> {
    let found = api(client, namespace).get_opt(name).await;
    let found = found.map_err(|source| Error::Read {
        what: "the LoadTest",
        source: Box::new(source),
    })?;
    Ok(found.filter(|object| object.metadata.deletion_timestamp.is_none()))
}

/// What an Event about it refers to.
pub(crate) fn reference(object: &DynamicObject) -> ObjectReference {
    object.object_ref(&ApiResource::erase::<LoadTest>(&()))
}

/// The change that ends it; None if it is over already, by whatever release.
pub(crate) fn ended(
    object: &DynamicObject,
    error: &str,
    now: &Time,
    stalled: bool,
) -> Option<Value> {
    // Each condition for itself: one that cannot be read does not take the others with it.
    let mut all: Vec<Condition> = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|condition| serde_json::from_value(condition.clone()).ok())
        .collect();
    if conditions::is_true(&all, FINISHED) {
        return None;
    }
    let message = format!("this release of the operator cannot read the LoadTest: {error}");
    for (type_, holds) in [
        (ACCEPTED, ConditionStatus::False),
        (FINISHED, ConditionStatus::True),
        (SUCCEEDED, ConditionStatus::False),
        (RECONCILING, ConditionStatus::False),
        (STALLED, ConditionStatus::from(stalled)),
    ] {
        set_condition(
            &mut all,
            type_,
            holds,
            reasons::UNREADABLE,
            &message,
            object.metadata.generation,
            now,
        );
    }
    let state = conditions::state(&all);
    let message = &conditions::condition(&all, FINISHED)?.message;
    Some(json!({
        "metadata": {
            "uid": object.metadata.uid,
            "resourceVersion": object.metadata.resource_version,
        },
        "status": {
            "conditions": all,
            "state": state,
            "verdict": Verdict::Errored.as_str(),
            "message": message,
            "completionTime": now,
            "observedGeneration": object.metadata.generation,
        },
    }))
}

/// Writes the change, unless somebody has written the LoadTest since it was read: says whether it
/// is written.
///
/// # Errors
/// If the API server cannot be asked, or refuses.
pub(crate) async fn write(
    client: &Client,
    namespace: &str,
    name: &str,
    ended: &Value,
) -> Result<bool, Error> {
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(ended);
    match api(client, namespace)
        .patch_status(name, &parameters, &patch)
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(source) => Err(Error::Status {
            source: Box::new(source),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "redyno.dev/v1alpha1",
            "kind": "LoadTest",
            "metadata": {"name": "a", "namespace": "b", "uid": "c", "generation": 3, "resourceVersion": "9"},
            "spec": {"of": "another release"},
            "status": status,
        }))
        .unwrap()
    }

    fn now() -> Time {
        Time(jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn it_ends_whatever_its_status_looks_like() {
        for status in [
            json!(null),
            json!("words"),
            json!({"conditions": {"Finished": true}}),
            json!({"conditions": [{"type": 1}, "x", {"type": "Accepted", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
        ] {
            let ended = ended(&object(&status), "unknown field", &now(), true).unwrap();
            assert_eq!(ended["status"]["verdict"], "Errored");
            assert_eq!(ended["status"]["state"], "Finished");
            assert_eq!(ended["metadata"]["resourceVersion"], "9");
            let all: Vec<Condition> =
                serde_json::from_value(ended["status"]["conditions"].clone()).unwrap();
            let brief: Vec<_> = [
                "Accepted",
                "Finished",
                "Succeeded",
                "Reconciling",
                "Stalled",
            ]
            .map(|type_| conditions::condition(&all, type_).unwrap().status.clone())
            .into();
            assert_eq!(brief, ["False", "True", "False", "False", "True"]);
            assert!(all.iter().all(|condition| condition.reason == "Unreadable"));
            let message = ended["status"]["message"].as_str().unwrap();
            assert!(message.contains("unknown field"), "{message}");
        }
    }

    #[test]
    fn one_that_is_over_stays_as_it_is() {
        let status = json!({"conditions": [{"type": "Finished", "status": "True", "reason": "Passed", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        assert_eq!(ended(&object(&status), "x", &now(), true), None);
    }
}
