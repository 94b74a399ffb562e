use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::rules::MUTABLE;
use crate::validate::structure::spec_schema;

/// Every part of a schema, with its path.
fn parts<'a>(path: &str, schema: &'a Value, all: &mut Vec<(String, &'a Value)>) {
    all.push((path.to_owned(), schema));
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        parts(&format!("{path}.{name}"), inner, all);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            parts(&format!("{path}[]"), &schema[key], all);
        }
    }
}

fn all_parts(schema: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    parts("", schema, &mut all);
    all
}

#[test]
fn generated_files_are_fresh() {
    for (name, text) in [
        ("loadtests.redyno.dev.yaml", crd_yaml()),
        ("loadtest.schema.json", editor_schema()),
        ("../docs/api.md", api_reference()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("REDYNO_GENERATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{name} is stale: run REDYNO_GENERATE=1 cargo test -p redyno-crds"
        );
    }
}

#[test]
fn the_yaml_reads_back_as_the_definition() {
    let read: Value = serde_saphyr::from_str(&crd_yaml()).unwrap();
    assert_eq!(read, custom_resource_definition());
}

#[test]
fn the_definition_is_small_enough_to_be_applied() {
    // kubectl apply keeps the whole object in an annotation of at most 262,144 bytes.
    let size = serde_json::to_string(&custom_resource_definition())
        .unwrap()
        .len();
    assert!(size < 100_000, "{size} bytes");
}

#[test]
fn names_columns_and_selectors() {
    let definition = custom_resource_definition();
    let names = &definition["spec"]["names"];
    assert_eq!(names["plural"], "loadtests");
    assert_eq!(names["categories"], json!(["redyno"]));
    // lt and lotest are taken by other load test operators.
    assert_eq!(names.get("shortNames"), None);
    let version = &definition["spec"]["versions"][0];
    assert_eq!(version["name"], "v1alpha1");
    assert_eq!(version["subresources"], json!({"status": {}}));
    let columns: Vec<(&str, u64)> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            (
                column["name"].as_str().unwrap(),
                column["priority"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    assert_eq!(
        columns,
        [
            ("State", 0),
            ("Verdict", 0),
            ("Dynos", 0),
            ("Rate", 0),
            ("P99", 0),
            ("Reason", 1),
            ("Target", 1),
            ("Duration", 1),
            ("Age", 0),
        ]
    );
    assert_eq!(
        version["selectableFields"],
        json!([{"jsonPath": ".status.state"}, {"jsonPath": ".status.verdict"}])
    );
}

#[test]
fn the_twin_knows_every_keyword_of_the_schema() {
    for (path, part) in all_parts(spec_schema()) {
        for keyword in part.as_object().unwrap().keys() {
            assert!(
                crate::validate::structure::KEYWORDS.contains(&keyword.as_str()),
                "{path} has {keyword}"
            );
        }
    }
}

#[test]
fn everything_is_bounded_and_of_a_type_that_kubernetes_has() {
    let schema = load_test_schema();
    for (path, part) in all_parts(&schema) {
        let has = |key: &str| part.get(key).is_some();
        let embedded = path.contains(".pod.");
        match part["type"].as_str() {
            Some("string") => {
                let bounded = has("maxLength") || has("enum") || part["format"] == "date-time";
                assert!(bounded, "{path} is an unbounded string");
            }
            Some("array") => assert!(has("maxItems"), "{path} is an unbounded list"),
            Some("integer") => {
                let format = part["format"].as_str();
                assert!(
                    matches!(format, Some("int32" | "int64")),
                    "{path} is {format:?}"
                );
                let bounded = has("minimum") && has("maximum");
                assert!(
                    bounded || embedded || path.starts_with(".status"),
                    "{path} has no bounds"
                );
            }
            Some("object") => {
                let bounded = has("properties") || has("maxProperties");
                assert!(bounded || path == ".metadata", "{path} is an unbounded map");
            }
            Some("boolean") => {}
            other => assert!(has("x-kubernetes-int-or-string"), "{path} is {other:?}"),
        }
        assert!(!has("nullable") && !has("anyOf") && !has("oneOf"), "{path}");
    }
}

/// What kubectl explain shows has to be enough to write a LoadTest.
#[test]
fn documentation_states_ranges_defaults_and_values() {
    for (path, part) in all_parts(spec_schema()) {
        if path.contains(".pod.") || path.ends_with("[]") || path.is_empty() {
            continue;
        }
        let text = part["description"].as_str().unwrap_or_default();
        assert!(text.ends_with('.') && text.len() > 10, "{path}: {text:?}");
        assert!(
            !text.contains("[`") && !text.contains('`'),
            "{path}: {text:?}"
        );
        if part["type"] == "integer" {
            let range = format!("{} to {}", part["minimum"], part["maximum"]);
            assert!(
                text.contains(&range),
                "{path} does not state {range}: {text:?}"
            );
        }
        match &part["default"] {
            Value::Null | Value::Array(_) | Value::Object(_) => {}
            Value::String(default) => {
                assert!(
                    text.contains(&format!("Default {default}.")),
                    "{path}: {text:?}"
                );
            }
            default => {
                assert!(
                    text.contains(&format!("Default {default}.")),
                    "{path}: {text:?}"
                );
            }
        }
        for value in part["enum"].as_array().into_iter().flatten() {
            let value = value.as_str().unwrap();
            assert!(
                text.contains(value),
                "{path} does not explain {value}: {text:?}"
            );
        }
        if part.get("enum").is_some() {
            assert!(text.contains("More values may join."), "{path}: {text:?}");
        }
    }
}

#[test]
fn no_field_of_the_spec_is_forgotten_by_the_rules_of_updates() {
    let spec = spec_schema();
    let rules = spec["x-kubernetes-validations"].as_array().unwrap();
    let required: BTreeSet<&str> = spec["required"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let fields = spec["properties"].as_object().unwrap();
    assert_eq!(fields.len(), 14);
    for field in fields.keys() {
        let text = if required.contains(field.as_str()) {
            format!("self.{field} == oldSelf.{field}")
        } else {
            format!(
                "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || \
                 self.{field} == oldSelf.{field})"
            )
        };
        let there = rules.iter().any(|rule| rule["rule"] == text);
        assert_eq!(there, !MUTABLE.contains(&field.as_str()), "{field}");
    }
    let transitions = rules
        .iter()
        .filter(|rule| rule["rule"].as_str().unwrap().contains("oldSelf"))
        .count();
    assert_eq!(transitions, fields.len() - MUTABLE.len() + 1);
}

/// An optional field that is added later must not make an older object unchangeable.
#[test]
fn defaults_are_the_same_in_code_and_schema() {
    let spec: crate::LoadTestSpec = serde_json::from_value(json!({
        "target": {"managed": {"plan": "mini"}}, "durationSeconds": 1,
        "formation": [{"type": "web", "workload": {
            "objectGraph": {}, "commands": {"mix": [{"name": "ping", "command": ["PING"]}]}
        }}]
    }))
    .unwrap();
    let value = serde_json::to_value(spec).unwrap();
    let schema = spec_schema();
    let mut seen = 0;
    let mut compare = |value: &Value, schema: &Value| {
        for (name, part) in schema["properties"].as_object().unwrap() {
            if let Some(default) = part.get("default") {
                assert_eq!(&value[name], default, "{name}");
                seen += 1;
            }
        }
    };
    compare(&value, schema);
    compare(
        &value["target"]["managed"],
        &schema["properties"]["target"]["properties"]["managed"],
    );
    let dynos = &schema["properties"]["formation"]["items"];
    compare(&value["formation"][0], dynos);
    let (value, workload) = (
        &value["formation"][0]["workload"],
        &dynos["properties"]["workload"],
    );
    compare(value, workload);
    compare(
        &value["objectGraph"],
        &workload["properties"]["objectGraph"],
    );
    let (value, commands) = (&value["commands"], &workload["properties"]["commands"]);
    compare(value, commands);
    compare(&value["keyspace"], &commands["properties"]["keyspace"]);
    compare(&value["mix"][0], &commands["properties"]["mix"]["items"]);
    assert_eq!(seen, 30);
}
