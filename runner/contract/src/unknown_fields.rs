//! Fields of a JSON document that this release does not know.
//!
//! Reports and plans are read by later and earlier releases, which pass over what they do not know.
//! Whoever *carries out* a plan must not: a field that it passes over is work that was asked for
//! and not done.

use serde_json::Value;

/// The path of the first field of `found` that `known` has not, where `known` is what was read of
/// `found`, written again. A field without a value is no field.
pub(crate) fn first(found: &Value, known: &Value) -> Option<String> {
    match (found, known) {
        (Value::Object(found), Value::Object(known)) => found.iter().find_map(|(name, value)| {
            let path = match known.get(name) {
                None if value.is_null() => return None,
                None => return Some(name.clone()),
                Some(known) => first(value, known)?,
            };
            let separator = if path.starts_with('[') { "" } else { "." };
            Some(format!("{name}{separator}{path}"))
        }),
        (Value::Array(found), Value::Array(known)) => {
            found
                .iter()
                .zip(known)
                .enumerate()
                .find_map(|(position, (found, known))| {
                    let path = first(found, known)?;
                    let separator = if path.starts_with('[') { "" } else { "." };
                    Some(format!("[{position}]{separator}{path}"))
                })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_one_is_named_with_its_place() {
        for (found, known, expected) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), None),
            (json!({"a": 1, "c": null}), json!({"a": 1}), None),
            (json!({"c": 1}), json!({"a": 1}), Some("c")),
            (
                json!({"a": [{"b": 1}, {"b": 1, "c": {}}]}),
                json!({"a": [{"b": 1}, {"b": 1}]}),
                Some("a[1].c"),
            ),
            (
                json!([[{"a": {"c": 1}}]]),
                json!([[{"a": {}}]]),
                Some("[0][0].a.c"),
            ),
        ] {
            assert_eq!(first(&found, &known).as_deref(), expected, "{found}");
        }
    }
}
