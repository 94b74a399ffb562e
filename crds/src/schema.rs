//! What the derived schema needs to be a good CustomResourceDefinition: no nulls, nothing without a
//! bound, and Kubernetes' own types without their long texts.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use crate::conditions::MESSAGE_LENGTH;
use crate::spec::LABEL_VALUE;

/// Bounds of what Kubernetes' own types leave open. A label's key has at most 317 characters, its
/// value 63; a pod that breaks a finer rule is refused when it is created.
const EMBEDDED_STRING: u64 = 1024;
const EMBEDDED_ITEMS: u64 = 32;
const EMBEDDED_PROPERTIES: u64 = 32;

/// Makes optional fields optional, not nullable: a null is dropped by the API server before
/// defaults are applied.
pub(crate) fn without_null(schema: &mut Schema) {
    transform_subschemas(&mut without_null, schema);
    if let Some(object) = schema.as_object_mut() {
        drop_null(object);
    }
}

fn drop_null(object: &mut Map<String, Value>) {
    object.remove("nullable");
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|entry| entry != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice.get("type") != Some(&"null".into()));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

/// A type of Kubernetes' own: bounded, and described in its own documentation.
pub(crate) fn embedded(schema: &mut Schema) {
    transform_subschemas(
        &mut |inner: &mut Schema| {
            inner.remove("description");
            embedded.transform(inner);
        },
        schema,
    );
    bound(schema, EMBEDDED_STRING, EMBEDDED_ITEMS, EMBEDDED_PROPERTIES);
}

/// The status: its lists state their bounds, its strings are bounded here.
pub(crate) fn bounded(schema: &mut Schema) {
    transform_subschemas(&mut bounded, schema);
    bound(schema, 1024, 100, 100);
}

fn bound(schema: &mut Schema, characters: u64, items: u64, properties: u64) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let is = |name: &str| match object.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|entry| entry == name),
        _ => false,
    };
    let (string, array, map) = (
        is("string") && !object.contains_key("format"),
        is("array"),
        is("object") && object.contains_key("additionalProperties"),
    );
    let mut limit = |applies: bool, key: &str, value: u64| {
        if applies && !object.contains_key(key) {
            object.insert(key.to_owned(), value.into());
        }
    };
    limit(string, "maxLength", characters);
    limit(array, "maxItems", items);
    limit(map, "maxProperties", properties);
}

/// A map of labels.
pub(crate) fn labels(schema: &mut Schema) {
    map_of(
        schema,
        serde_json::json!({"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}),
    );
}

/// A map of annotations.
pub(crate) fn annotations(schema: &mut Schema) {
    map_of(
        schema,
        serde_json::json!({"type": "string", "maxLength": 4096}),
    );
}

fn map_of(schema: &mut Schema, values: Value) {
    schema.insert("maxProperties".to_owned(), EMBEDDED_PROPERTIES.into());
    schema.insert("additionalProperties".to_owned(), values);
}

/// Kubernetes' own conditions, with room for a whole verdict in the message.
pub(crate) fn conditions(schema: &mut Schema) {
    embedded(schema);
    let texts = [
        ("type", "Which condition.", 316),
        ("status", "True, False or Unknown.", 16),
        ("reason", "Why, in a word.", 1024),
        ("message", "Why, in a sentence.", MESSAGE_LENGTH),
        ("lastTransitionTime", "When its status last changed.", 0),
        (
            "observedGeneration",
            "The generation of the spec that it speaks of.",
            0,
        ),
    ];
    for (field, description, length) in texts {
        let Some(part) = schema
            .pointer_mut(&format!("/items/properties/{field}"))
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        part.insert("description".to_owned(), description.into());
        if length > 0 {
            part.insert("maxLength".to_owned(), length.into());
        }
    }
}
