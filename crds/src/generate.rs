//! The files that others read: the CustomResourceDefinition, the schema for editors, and the
//! reference of the API. All are derived from the types, committed, and held fresh by a test.

mod reference;

use kube::core::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::loadtest::LoadTest;
use crate::rules;

pub use reference::api_reference;

const HEADER: &str =
    "# Generated from crds/src by `REDYNO_GENERATE=1 cargo test -p redyno-crds`.\n";

/// The CustomResourceDefinition as YAML.
pub fn crd_yaml() -> String {
    // A plain value of strings, numbers and lists always has a form in YAML.
    let yaml = serde_saphyr::to_string(&custom_resource_definition()).unwrap_or_default();
    format!("{HEADER}{}\n", yaml.trim_end())
}

/// The CustomResourceDefinition as plain data.
pub fn custom_resource_definition() -> Value {
    // Types of Kubernetes' API always have a form in JSON.
    let mut definition = serde_json::to_value(LoadTest::crd()).unwrap_or_default();
    polish(&mut definition);
    if let Some(schema) = definition
        .pointer_mut(SCHEMA)
        .and_then(Value::as_object_mut)
    {
        schema.remove("title");
    }
    if let Some(status) = definition
        .pointer_mut(&format!("{SCHEMA}/properties/status"))
        .and_then(Value::as_object_mut)
    {
        status.remove("nullable");
        // Tools that wait by kstatus, such as Helm's --wait, take an object without a status for
        // done, even if its run is still to fail. This status says that nobody has looked at it
        // yet.
        status.insert("default".into(), json!({"observedGeneration": -1}));
    }
    definition
}

const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";

/// The schema of a LoadTest as the API server has it.
pub(crate) fn load_test_schema() -> Value {
    custom_resource_definition()
        .pointer(SCHEMA)
        .cloned()
        .unwrap_or_default()
}

/// The JSON schema of a LoadTest file, for editors.
pub fn editor_schema() -> String {
    let mut schema = load_test_schema();
    close(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert(
            "$schema".into(),
            "http://json-schema.org/draft-07/schema#".into(),
        );
        root.insert("title".into(), "LoadTest".into());
        root.insert(
            "required".into(),
            json!(["apiVersion", "kind", "metadata", "spec"]),
        );
    }
    schema["properties"]["apiVersion"] = json!({"const": "redyno.dev/v1alpha1"});
    schema["properties"]["kind"] = json!({"const": "LoadTest"});
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "description": rules::NAME.message,
                "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
                "maxLength": 40
            }
        }
    });
    schema["properties"]["status"] = json!({"type": "object"});
    // A plain value always has a form in JSON.
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    format!("{text}\n")
}

/// Whole numbers as such, and texts without the line breaks of the source.
fn polish(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "description" => *text = unwrapped(text),
                    other => polish(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(polish),
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|float| float.fract() == 0.0)
                && number.is_f64()
            {
                // Bounds are below 2^53, where every whole number is exact.
                #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
                let whole = whole as i64;
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn unwrapped(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    paragraphs.join("\n\n")
}

/// Says for an editor what the API server says by itself: no field but the known ones.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.retain(|key, _| !key.starts_with("x-kubernetes-") || key.ends_with("int-or-string"));
    if object.remove("x-kubernetes-int-or-string").is_some() {
        let mut text = Map::from_iter([("type".to_owned(), "string".into())]);
        for key in ["pattern", "maxLength"] {
            text.extend(object.remove(key).map(|value| (key.to_owned(), value)));
        }
        object.insert("anyOf".into(), json!([{"type": "integer"}, text]));
    }
    if object.get("type") == Some(&"integer".into()) {
        object.remove("format");
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(close);
        object.insert("additionalProperties".into(), false.into());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            close(inner);
        }
    }
}

#[cfg(test)]
mod tests;
