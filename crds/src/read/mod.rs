//! LoadTests from YAML files, as strictly as `kubectl create --validate=strict` reads them.

use kube::Resource;
use serde_json::Value;

use crate::invalid::Invalid;
use crate::loadtest::LoadTest;
use crate::validate::structure::{self, Kind};

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFile {
    /// The text is not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// The text holds no document.
    #[error("no LoadTest in it")]
    Empty,
    /// A document is something other than a LoadTest.
    #[error("document {document}: {message}")]
    NotALoadTest {
        /// Which document, from 1.
        document: usize,
        /// What it is instead, and what is expected.
        message: String,
    },
    /// Fields that are unknown, missing or of the wrong type.
    #[error("document {document}: {}", Invalid::list(.problems))]
    Fields {
        /// Which document, from 1.
        document: usize,
        /// Every problem in it.
        problems: Vec<Invalid>,
    },
}

/// Reads every LoadTest of a YAML text of one or more documents. Whether their values are within
/// bounds is for [`crate::validate::validate`] to say. A status is left out, as the API server does.
///
/// # Errors
/// [`UnreadableFile`] names the line, or every field that is unknown, missing or of a wrong type.
pub fn read_load_tests(yaml: &str) -> Result<Vec<LoadTest>, UnreadableFile> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)
        .map_err(|error| UnreadableFile::Syntax(error.to_string()))?;
    if documents.is_empty() {
        return Err(UnreadableFile::Empty);
    }
    documents
        .into_iter()
        .enumerate()
        .map(|(position, document)| load_test(position + 1, document))
        .collect()
}

/// The fields of an object's metadata that may stand in a file: what people write, and what
/// `kubectl get -o yaml` prints.
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

const ROOT: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

fn load_test(document: usize, value: Value) -> Result<LoadTest, UnreadableFile> {
    let not_one = |message: String| UnreadableFile::NotALoadTest { document, message };
    let Value::Object(mut object) = value else {
        return Err(not_one(
            "not an object with apiVersion, kind, metadata and spec".to_owned(),
        ));
    };
    for (field, expected) in [
        ("apiVersion", LoadTest::api_version(&())),
        ("kind", LoadTest::kind(&())),
    ] {
        match object.get(field) {
            Some(Value::String(found)) if *found == expected => {}
            Some(found) => {
                return Err(not_one(format!("{field} is {found}, must be {expected}")));
            }
            None => return Err(not_one(format!("{field} is missing, must be {expected}"))),
        }
    }
    object.remove("status");

    let mut problems = Vec::new();
    unknown("", &object, &ROOT, &mut problems);
    match object.get_mut("metadata") {
        Some(Value::Object(metadata)) => {
            unknown("metadata.", metadata, &METADATA, &mut problems);
            // The API server writes these fields for itself, and nothing here reads them.
            metadata.remove("managedFields");
        }
        Some(_) => problems.push(Invalid::new("metadata", "must be an object")),
        None => problems.push(Invalid::new("metadata", "is missing")),
    }
    match object.get("spec") {
        Some(spec) => problems.extend(
            structure::check("spec", spec, structure::spec_schema())
                .into_iter()
                .filter(|problem| problem.kind != Kind::Bound)
                .map(|problem| problem.invalid),
        ),
        None => problems.push(Invalid::new("spec", "is missing")),
    }
    if !problems.is_empty() {
        return Err(UnreadableFile::Fields { document, problems });
    }
    let mut value = Value::Object(object);
    drop_nulls(&mut value);
    serde_json::from_value(value).map_err(|error| UnreadableFile::Fields {
        document,
        problems: vec![Invalid::new("metadata", error.to_string())],
    })
}

fn unknown(
    prefix: &str,
    object: &serde_json::Map<String, Value>,
    known: &[&str],
    problems: &mut Vec<Invalid>,
) {
    for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
        problems.push(Invalid::new(
            format!("{prefix}{name}"),
            structure::not_a_field(name, known.iter().copied()),
        ));
    }
}

/// An empty field counts as left out, as for the API server.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
