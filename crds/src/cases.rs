//! Every rule of validation as cases, accepted and refused: one table for the twin and for a real
//! API server. The table is `cases/*.yaml`; each case changes a minimal LoadTest.

use json_patch::merge;
use serde::Deserialize;
use serde_json::{Value, json};

const TABLES: [&str; 6] = [
    include_str!("../cases/target.yaml"),
    include_str!("../cases/run.yaml"),
    include_str!("../cases/formation.yaml"),
    include_str!("../cases/workload.yaml"),
    include_str!("../cases/thresholds.yaml"),
    include_str!("../cases/updates.yaml"),
];

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name, unique, and the name of its objects unless the case is about names.
    pub name: String,
    /// The object before the update; None for a creation. Complete, ready to be sent.
    pub old: Option<Value>,
    /// The object to be created, or to update to. Complete, ready to be sent.
    pub object: Value,
    /// None if it is accepted, else a fragment of the API server's and of the twin's message.
    /// Unknown fields are refused only where the API server is asked to (`--validate=strict`).
    pub refused: Option<String>,
}

/// A case as it stands in a table: JSON merge patches on the minimal LoadTest, where a null removes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    change: Change,
    old: Option<Change>,
    refused: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// A patch of the whole object.
    #[serde(default)]
    object: Option<Value>,
    /// A patch of its spec.
    #[serde(default)]
    spec: Option<Value>,
    /// A patch of its only dyno type.
    #[serde(default)]
    dynos: Option<Value>,
    /// The object's only threshold.
    #[serde(default)]
    threshold: Option<Value>,
}

/// Every case.
pub fn all() -> Vec<Case> {
    TABLES
        .into_iter()
        .flat_map(|table| {
            serde_saphyr::from_str::<Vec<Entry>>(table)
                .expect("the tables are part of the source, and a test reads them")
        })
        .map(|entry| {
            let Entry {
                name,
                change,
                old,
                refused,
            } = entry;
            Case {
                old: old.map(|old| changed(&name, old)),
                object: changed(&name, change),
                name,
                refused,
            }
        })
        .collect()
}

fn minimal(name: &str) -> Value {
    json!({
        "apiVersion": "redyno.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name},
        "spec": {
            "target": {"managed": {"plan": "mini"}},
            "durationSeconds": 10,
            "formation": [{
                "type": "web",
                "size": "basic",
                "tasksPerSecond": 10,
                "workload": {"objectGraph": {}}
            }]
        }
    })
}

fn changed(name: &str, change: Change) -> Value {
    let Change {
        object,
        spec,
        dynos,
        threshold,
    } = change;
    let mut value = minimal(name);
    if let Some(patch) = dynos {
        merge(&mut value["spec"]["formation"][0], &patch);
    }
    if let Some(threshold) = threshold {
        value["spec"]["thresholds"] = json!([threshold]);
    }
    if let Some(patch) = spec {
        merge(&mut value["spec"], &patch);
    }
    if let Some(patch) = object {
        merge(&mut value, &patch);
    }
    value
}
