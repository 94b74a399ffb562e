//! The metrics as docs/metrics.md lists them: the one place that dashboards, alerts and the
//! binaries themselves are compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::read;

/// What the documentation says of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// counter, gauge, histogram or summary.
    pub kind: String,
    /// All its labels, those of its section among them.
    pub labels: BTreeSet<String>,
    /// What it means.
    pub meaning: String,
    /// The heading that it stands under: Dynos, The operator or LoadTests.
    pub section: String,
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
        [
            ("_bucket", &["histogram"][..]),
            ("_sum", &["histogram", "summary"]),
            ("_count", &["histogram", "summary"]),
        ]
        .iter()
        .find_map(|(ending, kinds)| {
            let found = metrics.get_key_value(name.strip_suffix(ending)?)?;
            kinds.contains(&found.1.kind.as_str()).then_some(found)
        })
    })
}

/// The differences between what a pod serves at `/metrics` and the documentation: other names,
/// types or labels, and metrics of these sections that are missing.
pub fn differences(
    metrics: &BTreeMap<String, Documented>,
    served: &str,
    sections: &[&str],
) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for line in served.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap_or((declared, ""));
            seen.insert(name);
            match metrics.get(name) {
                None => found.push(format!("{name} is served and not documented")),
                Some(metric) if metric.kind != kind => {
                    found.push(format!("{name} is a {kind}, documented as {}", metric.kind));
                }
                Some(_) => {}
            }
        } else if !line.starts_with('#') && !line.is_empty() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let Some((_, metric)) = family(metrics, name) else {
                continue;
            };
            let mut labels = labels_of(line);
            labels.remove("le");
            if metric.kind == "summary" {
                labels.insert("quantile");
            }
            if !labels.iter().copied().eq(metric.labels.iter()) {
                found.push(format!(
                    "{name} has the labels {labels:?}, documented as {:?}",
                    metric.labels
                ));
            }
        }
    }
    for (name, metric) in metrics {
        if sections.contains(&metric.section.as_str()) && !seen.contains(name.as_str()) {
            found.push(format!("{name} is documented and not served"));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The names of the labels of a sample.
fn labels_of(sample: &str) -> BTreeSet<&str> {
    let inner = sample
        .split_once('{')
        .and_then(|(_, rest)| rest.rsplit_once('}'))
        .map_or("", |(inner, _)| inner);
    // Every value ends in a quote that is not escaped; what comes before its `="` is its name.
    let mut labels = BTreeSet::new();
    let mut rest = inner;
    while let Some((name, value)) = rest.split_once("=\"") {
        labels.insert(name.trim_start_matches(','));
        let mut escaped = false;
        let end = value.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        rest = end.map_or("", |end| &value[end + 1..]);
    }
    labels
}

fn parse(text: &str) -> BTreeMap<String, Documented> {
    let mut metrics = BTreeMap::new();
    let mut of_all = BTreeSet::new();
    let mut section = "";
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            of_all.clear();
            section = heading;
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
                section: section.to_owned(),
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

    #[test]
    fn what_is_served_is_compared_with_what_is_documented() {
        let metrics = parse(
            "## One\nLabels of all: `a`.\n| `x_seconds` | histogram | `c` | What. |\n\
             | `y_total` | counter | | More. |\n## Two\n| `z` | gauge | | Else. |\n",
        );
        let right = "# HELP x_seconds What.\n# TYPE x_seconds histogram\n\
             x_seconds_bucket{a=\"1\",c=\"a \\\"b\\\", d=\\\"e\",le=\"+Inf\"} 1\nx_seconds_sum{a=\"1\",c=\"}\"} 1\n\
             # TYPE y_total counter\ny_total{a=\"\"} 0\n";
        assert!(differences(&metrics, right, &["One"]).is_empty());
        assert_eq!(
            differences(&metrics, right, &["One", "Two"]),
            ["z is documented and not served"]
        );
        let wrong = "# TYPE x_seconds gauge\nx_seconds{a=\"1\"} 1\n# TYPE w gauge\nw 1\n";
        assert_eq!(
            differences(&metrics, wrong, &["One"]),
            [
                "w is served and not documented",
                "x_seconds has the labels {\"a\"}, documented as {\"a\", \"c\"}",
                "x_seconds is a gauge, documented as histogram",
                "y_total is documented and not served",
            ]
        );
    }
}
