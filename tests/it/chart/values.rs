//! The chart's values as `values.yaml` documents them.

use redyno_tests::repository::read;
use serde_json::Value;

/// A key of `values.yaml` with the comment above it.
pub(super) struct Entry {
    /// As in `--set`: `images.runner.tag`.
    pub(super) path: String,
    /// Its default; None for a key that only holds others.
    pub(super) default: Option<Value>,
    /// The comment, in one line.
    pub(super) comment: String,
}

/// All keys, in the order of the file.
pub(super) fn entries() -> Vec<Entry> {
    let text = read("charts/redyno/values.yaml");
    let values: Value = serde_saphyr::from_str(&text).expect("valid YAML");
    let mut entries = Vec::new();
    let mut parents: Vec<&str> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let depth = (line.len() - bare.len()) / 2;
        if let Some(words) = bare.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((key, rest)) = bare.split_once(':') {
            let simple = key
                .chars()
                .all(|character| character.is_ascii_alphanumeric());
            assert!(simple, "not a key with its value in one line: {line}");
            parents.truncate(depth);
            parents.push(key);
            let pointer = format!("/{}", parents.join("/"));
            entries.push(Entry {
                path: parents.join("."),
                default: (!rest.trim().is_empty()).then(|| {
                    values
                        .pointer(&pointer)
                        .unwrap_or_else(|| panic!("no {pointer}"))
                        .clone()
                }),
                comment: std::mem::take(&mut comment).join(" "),
            });
        } else {
            assert!(bare.is_empty(), "neither a key nor a comment: {line}");
            comment.clear();
        }
    }
    entries
}

#[test]
fn every_value_has_its_sentence() {
    let entries = entries();
    assert!(entries.len() > 70, "{}", entries.len());
    for Entry {
        path,
        default,
        comment,
    } in entries
    {
        let said = comment.ends_with('.');
        assert!(
            said || (default.is_none() && comment.is_empty()),
            "{path}: {comment:?}"
        );
    }
}
