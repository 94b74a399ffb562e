//! The table of values in the chart's README is that of `values.yaml`.

use std::fmt::Write as _;

use redyno_tests::repository::{read, root};
use serde_json::Value;

use super::values::{Entry, entries};

const PATH: &str = "charts/redyno/README.md";
const BEGIN: &str = "<!-- Generated from values.yaml by `make generate`. -->\n";
const END: &str = "<!-- The end of what is generated. -->\n";

fn shown(default: &Value) -> String {
    match default {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other
            .to_string()
            .replace("\":", "\": ")
            .replace(",\"", ", \""),
    }
}

fn table() -> String {
    let mut text = "| Value | Default | |\n|---|---|---|\n".to_owned();
    for Entry {
        path,
        default,
        comment,
    } in entries()
    {
        let comment = comment.replace('|', "\\|");
        match default {
            Some(default) => writeln!(text, "| `{path}` | `{}` | {comment} |", shown(&default)),
            None if comment.is_empty() => continue,
            None => writeln!(text, "| **`{path}`** | | {comment} |"),
        }
        .expect("a String takes any text");
    }
    text
}

mod generated_files {
    use super::*;

    #[test]
    fn the_table_of_values_is_fresh() {
        let readme = read(PATH);
        let (before, rest) = readme.split_once(BEGIN).expect("the table's begin");
        let (_, after) = rest.split_once(END).expect("the table's end");
        let fresh = format!("{before}{BEGIN}{}{END}{after}", table());
        if std::env::var_os("REDYNO_GENERATE").is_some() {
            std::fs::write(root().join(PATH), &fresh).expect("a writable README");
        }
        assert!(read(PATH) == fresh, "{PATH} is stale: make generate");
    }
}
