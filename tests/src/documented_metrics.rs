//! The metrics as docs/metrics.md lists them: the one place that dashboards, alerts and the
//! binaries themselves are compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::read;

/// What the documentation says of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// counter, gauge or histogram.
    pub kind: String,
    /// All its labels, those of its section among them.
    pub labels: BTreeSet<String>,
    /// What it means.
    pub meaning: String,
}

/// All metrics of docs/metrics.md by name.
///
/// # Panics
/// If the file is not as its introduction says.
pub fn documented_metrics() -> BTreeMap<String, Documented> {
    parse(&read("docs/metrics.md"))
}

/// The metric that a name in a query belongs to: a histogram's series have names of their own.
pub fn family<'a>(
    metrics: &'a BTreeMap<String, Documented>,
    name: &str,
) -> Option<(&'a String, &'a Documented)> {
    metrics.get_key_value(name).or_else(|| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|ending| metrics.get_key_value(name.strip_suffix(ending)?))
            .filter(|(_, metric)| metric.kind == "histogram")
    })
}

fn parse(text: &str) -> BTreeMap<String, Documented> {
    let mut metrics = BTreeMap::new();
    let mut of_all = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("## ") {
            of_all.clear();
        } else if let Some(labels) = line.strip_prefix("Labels of all: ") {
            of_all = quoted(labels);
        } else if let Some(cells) = line.strip_prefix("| `") {
            let cells: Vec<&str> = cells.trim_end_matches('|').split('|').collect();
            let [name, kind, labels, meaning] = cells[..] else {
                panic!("docs/metrics.md: a row has not four cells: {line}");
            };
            let name = name.trim().trim_end_matches('`').to_owned();
            let mut all = quoted(labels);
            all.extend(of_all.iter().cloned());
            let documented = Documented {
                kind: kind.trim().to_owned(),
                labels: all,
                meaning: meaning.trim().to_owned(),
            };
            assert!(
                metrics.insert(name.clone(), documented).is_none(),
                "docs/metrics.md has {name} twice"
            );
        }
    }
    metrics
}

/// The words in back quotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_section_are_those_of_its_metrics() {
        let metrics = parse(
            "## One\nLabels of all: `a`, `b`.\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n\
             | `x_seconds` | histogram | `c` | What. |\n## Two\n| `y_total` | counter | | More. |\n",
        );
        let labels =
            |name: &str| -> Vec<&str> { metrics[name].labels.iter().map(String::as_str).collect() };
        assert_eq!(labels("x_seconds"), ["a", "b", "c"]);
        assert!(labels("y_total").is_empty());
        assert_eq!(metrics["y_total"].meaning, "More.");
        assert!(family(&metrics, "x_seconds_bucket").is_some());
        assert!(family(&metrics, "y_total_bucket").is_none());
    }
}
