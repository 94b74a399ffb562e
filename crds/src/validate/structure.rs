//! A value against its structural schema: what an API server checks of single fields.

use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::Invalid;
use crate::generate;

/// Something that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) invalid: Invalid,
    pub(crate) kind: Kind,
}

/// How far it is from fitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is no such field. Most readers ignore it.
    Unknown,
    /// The value is missing, of another type, or not one of the allowed ones, so it cannot be read.
    Shape,
    /// The value can be read but is not allowed.
    Bound,
}

/// Whether a number is a fraction: YAML takes `1e3` and `1000.0` for fractions, too.
fn is_whole_but_not_written_so(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0))
}

/// The keywords that [`check`] knows; a test holds the generated schema against them.
#[cfg(test)]
pub(crate) const KEYWORDS: [&str; 22] = [
    "type",
    "format",
    "description",
    "default",
    "properties",
    "required",
    "additionalProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    // The plain halves of the rules check these.
    "x-kubernetes-validations",
    "title",
];

static SCHEMA: LazyLock<Value> = LazyLock::new(generate::load_test_schema);

/// The spec's schema.
pub(crate) fn spec_schema() -> &'static Value {
    &SCHEMA["properties"]["spec"]
}

/// The status's schema.
#[cfg(test)]
pub(crate) fn status_schema() -> &'static Value {
    &SCHEMA["properties"]["status"]
}

/// Everything in which a value does not fit its schema, in the order of the value.
pub(crate) fn check(field: &str, value: &Value, schema: &Value) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    problems.value(field, value, schema);
    problems.0
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, kind: Kind, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            invalid: Invalid::new(field, message),
            kind,
        });
    }

    fn value(&mut self, field: &str, value: &Value, schema: &Value) {
        let int_or_string = schema["x-kubernetes-int-or-string"] == true;
        match (value, schema["type"].as_str()) {
            (Value::Object(object), Some("object")) => self.object(field, object, schema),
            (Value::Array(items), Some("array")) => self.array(field, items, schema),
            (Value::String(text), Some("string")) => self.string(field, text, schema),
            (Value::String(text), None) if int_or_string => self.string(field, text, schema),
            (Value::Number(number), Some("integer")) if is_integer(number) => {
                self.integer(field, number, schema);
            }
            (Value::Number(number), None) if int_or_string && is_integer(number) => {}
            (Value::Bool(_), Some("boolean")) => {}
            (_, None) if !int_or_string => {}
            (Value::Object(object), Some("string")) if placeholder(object).is_some() => {
                let name = placeholder(object).unwrap_or_default();
                self.add(
                    Kind::Shape,
                    field,
                    format!(
                        "{{{name}}} without quotes is an object for YAML: write \"{{{name}}}\", with quotes around the whole word"
                    ),
                );
            }
            (_, expected) => {
                let expected = match expected {
                    Some("object") => "an object",
                    Some("array") => "a list",
                    Some("string") => "a string (in quotes if it looks like a number)",
                    Some("integer") if is_whole_but_not_written_so(value) => {
                        "a whole number written as one: with digits alone, without a point or an exponent such as 1e3"
                    }
                    Some("integer") => "a whole number",
                    Some("boolean") => "true or false",
                    Some(other) => other,
                    None => "a whole number or a string",
                };
                self.add(
                    Kind::Shape,
                    field,
                    format!("{} is not possible, must be {expected}", short(value)),
                );
            }
        }
    }

    fn object(&mut self, field: &str, object: &Map<String, Value>, schema: &Value) {
        let known = schema["properties"].as_object();
        let others = &schema["additionalProperties"];
        for (name, value) in object {
            let path = format!("{field}.{name}");
            match known.and_then(|known| known.get(name)) {
                // The API server drops a null before it looks further.
                Some(_) if value.is_null() => {}
                Some(schema) => self.value(&path, value, schema),
                None if others.is_object() => self.value(&path, value, others),
                None => {
                    let names = known.into_iter().flat_map(Map::keys).map(String::as_str);
                    self.add(Kind::Unknown, path, not_a_field(name, names));
                }
            }
        }
        for name in strings(&schema["required"]) {
            if object.get(name).is_none_or(Value::is_null) {
                self.add(Kind::Shape, format!("{field}.{name}"), "is missing");
            }
        }
        if let Some(most) = schema["maxProperties"].as_u64()
            && object.len() as u64 > most
        {
            self.add(
                Kind::Bound,
                field,
                format!("has {} entries, must have at most {most}", object.len()),
            );
        }
    }

    fn array(&mut self, field: &str, items: &[Value], schema: &Value) {
        let length = items.len() as u64;
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        if !(least..=most).contains(&length) {
            self.add(
                Kind::Bound,
                field,
                format!("has {length} entries, must have {least} to {most}"),
            );
        }
        let keys: Vec<&str> = strings(&schema["x-kubernetes-list-map-keys"]).collect();
        for (position, item) in items.iter().enumerate() {
            let path = format!("{field}[{position}]");
            self.value(&path, item, &schema["items"]);
            let same = |other: &Value| keys.iter().all(|key| other[key] == item[key]);
            if !keys.is_empty() && items[..position].iter().any(same) {
                let values: Vec<String> = keys
                    .iter()
                    .map(|key| format!("{key} {}", item[key]))
                    .collect();
                self.add(
                    Kind::Bound,
                    path,
                    format!("another entry has the same {}", values.join(" and ")),
                );
            }
        }
    }

    fn string(&mut self, field: &str, text: &str, schema: &Value) {
        if schema["enum"].is_array() {
            let allowed: Vec<&str> = strings(&schema["enum"]).collect();
            if !allowed.contains(&text) {
                self.add(
                    Kind::Shape,
                    field,
                    format!(
                        "{text:?} is not possible, must be one of {}",
                        allowed.join(", ")
                    ),
                );
            }
        }
        let length = text.chars().count() as u64;
        let least = schema["minLength"].as_u64().unwrap_or(0);
        let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
        if !(least..=most).contains(&length) {
            self.add(
                Kind::Bound,
                field,
                format!("has {length} characters, must have {least} to {most}"),
            );
        } else if let Some(pattern) = schema["pattern"].as_str()
            && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        {
            self.add(
                Kind::Bound,
                field,
                format!("{text:?} does not match {pattern}"),
            );
        }
    }

    fn integer(&mut self, field: &str, number: &serde_json::Number, schema: &Value) {
        let value = number.as_i64().map_or_else(
            || number.as_u64().map(i128::from),
            |value| Some(value.into()),
        );
        let bound = |key: &str| schema[key].as_f64();
        // Bounds are below 2^53, where every whole number is exact.
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let (least, most) = (
            bound("minimum").map_or(i128::MIN, |least| least as i128),
            bound("maximum").map_or(i128::MAX, |most| most as i128),
        );
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            let allowed = match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, Some(most)) => format!("at most {most}"),
                (None, None) => String::new(),
            };
            // A number beyond 32 bits cannot be read at all.
            let kind = if schema["format"] == "int32" && i32::try_from(value).is_err() {
                Kind::Shape
            } else {
                Kind::Bound
            };
            self.add(kind, field, format!("is {value}, must be {allowed}"));
        }
    }
}

/// The placeholder that was meant by an object, as YAML reads `{key}`, `{value}`, and `cache:{key}`
/// in a list of one line.
fn placeholder(object: &Map<String, Value>) -> Option<&str> {
    let (name, value) = object.iter().next().filter(|_| object.len() == 1)?;
    match value {
        Value::Null if matches!(name.as_str(), "key" | "value") => Some(name),
        Value::Object(inner) => placeholder(inner),
        _ => None,
    }
}

fn is_integer(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn short(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string().chars().take(60).collect(),
    }
}

/// The message about an unknown field. It names the nearest known one, if one is near.
pub(crate) fn not_a_field<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known
        .iter()
        .map(|candidate| {
            let distance = strsim::levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
            (distance, *candidate)
        })
        .min()
        .filter(|(distance, _)| *distance <= name.chars().count().div_ceil(3));
    match nearest {
        Some((_, nearest)) => format!("not a field; did you mean {nearest}?"),
        None if known.is_empty() => "not a field".to_owned(),
        None => format!("not a field; known fields: {}", known.join(", ")),
    }
}
