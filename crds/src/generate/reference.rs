//! The reference of the API as a document: every field of spec and status, from the same schema
//! that `kubectl explain` reads.

use std::fmt::Write;

use serde_json::Value;

use super::load_test_schema;
use crate::rules;

const INTRODUCTION: &str = "# API reference

Generated from the LoadTest's schema by `REDYNO_GENERATE=1 cargo test -p redyno-crds`; do not edit.
`kubectl explain loadtest.spec.formation` shows the same in a terminal. A field in **bold** is
required. Rules across fields stand below the fields that they are about.

`apiVersion: redyno.dev/v1alpha1`, `kind: LoadTest`, namespaced.
";

/// The whole document.
pub fn api_reference() -> String {
    let schema = load_test_schema();
    let mut text = INTRODUCTION.to_owned();
    add(
        &mut text,
        &format!("\n`metadata`: {}.", rules::NAME.message),
    );
    for part in ["spec", "status"] {
        let part_schema = &schema["properties"][part];
        object(&mut text, part, part_schema);
    }
    text
}

/// A chapter for an object, then one for every object in it.
fn object(text: &mut String, path: &str, schema: &Value) {
    add(text, &format!("\n## {path}\n"));
    if let Some(description) = schema["description"].as_str() {
        add(text, &format!("{description}\n"));
    }
    add(text, "| Field | Type | Default | Meaning |");
    add(text, "|---|---|---|---|");
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut inner = Vec::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let shown = if required.contains(&name.as_str()) {
            format!("**`{name}`**")
        } else {
            format!("`{name}`")
        };
        let default = match &field["default"] {
            Value::Null => String::new(),
            Value::Object(fields) if fields.is_empty() => String::new(),
            Value::String(default) => format!("`{default}`"),
            other => format!("`{other}`"),
        };
        let meaning = field["description"].as_str().unwrap_or_default();
        add(
            text,
            &format!(
                "| {shown} | {} | {default} | {} |",
                kind(field),
                cell(meaning)
            ),
        );
        let (own, deeper) = match &field["items"] {
            Value::Object(_) => (format!("{path}.{name}[]"), &field["items"]),
            _ => (format!("{path}.{name}"), field),
        };
        if deeper["properties"].is_object() {
            inner.push((own, deeper));
        }
    }
    let messages: Vec<&str> = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
        // This sentence would stand at every field but two, so it stands once in the introduction
        // of the spec.
        .filter(|message| !message.contains("cannot be changed after creation"))
        .collect();
    if !messages.is_empty() {
        add(text, "\nRules:\n");
        for message in messages {
            add(text, &format!("- {message}"));
        }
    }
    for (path, schema) in inner {
        object(text, &path, schema);
    }
}

/// `integer, 1 to 100`, `Lua, Hgetall`, `list of object, at most 16`.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        return values.join(", ");
    }
    let bounds = |least: &str, most: &str| match (&schema[least], &schema[most]) {
        (Value::Null, Value::Null) => String::new(),
        (Value::Null, most) => format!(", at most {most}"),
        (least, Value::Null) => format!(", at least {least}"),
        (least, most) => format!(", {least} to {most}"),
    };
    match schema["type"].as_str() {
        Some("integer") => format!("integer{}", bounds("minimum", "maximum")),
        Some("array") => {
            let of = schema["items"]["type"].as_str().unwrap_or("any");
            format!("list of {of}{}", bounds("minItems", "maxItems"))
        }
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => "time".to_owned(),
            _ => "string".to_owned(),
        },
        Some(other) => other.to_owned(),
        None if schema["x-kubernetes-int-or-string"] == true => "quantity".to_owned(),
        None => "any".to_owned(),
    }
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>")
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string can be written to");
}
