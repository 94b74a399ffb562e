use serde_json::Value;

use super::*;
use crate::cases;
use crate::read::read_load_tests;

/// What the command line would say of an object: first its reader, then its twin.
fn said(object: &Value, old: Option<&Value>) -> Vec<String> {
    let read = |value: &Value| read_load_tests(&value.to_string()).map(|mut read| read.remove(0));
    let new = match read(object) {
        Ok(new) => new,
        Err(error) => return vec![error.to_string()],
    };
    let problems = match old {
        Some(old) => validate_update(&read(old).unwrap(), &new),
        None => validate(&new),
    };
    problems.iter().map(Invalid::to_string).collect()
}

#[test]
fn the_table_of_cases() {
    for case in cases::all() {
        if let Some(old) = &case.old {
            assert_eq!(said(old, None), [""; 0], "{}: the old object", case.name);
        }
        let said = said(&case.object, case.old.as_ref());
        match &case.refused {
            None => assert_eq!(said, [""; 0], "{}", case.name),
            Some(fragment) => assert!(
                said.iter().any(|problem| problem.contains(fragment)),
                "{}: {fragment:?} is not in {said:?}",
                case.name
            ),
        }
    }
}

#[test]
fn cases_have_names_of_their_own() {
    let cases = cases::all();
    let names: std::collections::BTreeSet<&str> =
        cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
}

/// Every rule has a case that breaks it. Without one, either side could be wrong and nobody would
/// notice.
#[test]
fn every_rule_is_broken_by_a_case_and_held_by_another() {
    fn messages<T>(rules: &[Rule<T>]) -> Vec<String> {
        rules.iter().map(|rule| rule.message.to_owned()).collect()
    }
    let cases = cases::all();
    let mut expected = vec![
        rules::NAME.message.to_owned(),
        CANCELLED_FOR_GOOD.message.to_owned(),
    ];
    expected.extend(messages(rules::SPEC));
    expected.extend(messages(rules::TARGET));
    expected.extend(messages(rules::EXISTING));
    expected.extend(messages(rules::DYNO_TYPE));
    expected.extend(messages(rules::RESOURCES));
    expected.extend(messages(rules::WORKLOAD));
    expected.extend(messages(rules::KEYSPACE));
    expected.extend(messages(rules::COMMAND));
    expected.extend(messages(rules::PLACEMENT));
    expected.extend(messages(rules::THRESHOLD));
    expected.extend(messages(rules::LATENCY));
    let fields = structure::spec_schema()["properties"].as_object().unwrap();
    for field in fields
        .keys()
        .filter(|field| !MUTABLE.contains(&field.as_str()))
    {
        expected.push(immutable_message(field));
    }
    for message in expected {
        assert!(
            cases
                .iter()
                .any(|case| case.refused.as_ref() == Some(&message)),
            "no case expects {message:?}"
        );
    }
    assert!(cases.iter().filter(|case| case.refused.is_none()).count() > 20);
}

/// Every bound of the spec has a case just outside it, by the path of its field.
#[test]
fn every_bounded_field_is_in_a_refused_case() {
    fn leaves(path: &str, schema: &Value, all: &mut Vec<String>) {
        if path.contains(".pod.") {
            return;
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            leaves(&format!("{path}.{name}"), part, all);
        }
        if schema["items"].is_object() {
            all.push(path.to_owned());
            leaves(&format!("{path}[0]"), &schema["items"], all);
        }
        let bounded = ["minimum", "pattern", "enum"];
        if bounded.iter().any(|key| schema.get(key).is_some()) {
            all.push(path.to_owned());
        }
    }
    let mut fields = Vec::new();
    leaves("spec", structure::spec_schema(), &mut fields);
    let cases = cases::all();
    for field in fields {
        assert!(
            cases
                .iter()
                .any(|case| case.refused.as_ref() == Some(&field)),
            "no case expects {field:?}"
        );
    }
}

#[test]
fn a_generated_name_counts_with_what_is_appended() {
    let with_prefix = |prefix: &str| -> LoadTest {
        let mut object = cases::all().remove(0).object;
        object["metadata"] = serde_json::json!({"generateName": prefix});
        serde_json::from_value(object).unwrap()
    };
    assert_eq!(validate(&with_prefix("nightly-")), []);
    assert_eq!(validate(&with_prefix(&"a".repeat(35))), []);
    assert_eq!(
        validate(&with_prefix(&"a".repeat(36)))[0].field,
        "metadata.name"
    );
    assert_eq!(validate(&with_prefix(""))[0].field, "metadata.name");
}
