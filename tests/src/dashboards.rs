//! Every expression of the chart's dashboards and alerts, ready to be asked of a Prometheus.

use serde::Deserialize;
use serde_json::Value;

use crate::repository::{files, read};

/// What the variables of the dashboards stand for.
#[derive(Clone, Debug)]
pub struct Variables {
    /// `$namespace`.
    pub namespace: String,
    /// `$loadtest`.
    pub loadtest: String,
    /// `$dyno`, a regular expression.
    pub dyno: String,
    /// `$quantile`.
    pub quantile: String,
    /// `$__rate_interval`: four scrape intervals, as Grafana computes it.
    pub rate_interval: String,
    /// `$__range`: from the begin to the end of what is looked at.
    pub range: String,
    /// `$__interval`: one step.
    pub interval: String,
}

impl Variables {
    /// One run: all its dynos, p99, and times that suit a scrape interval of 15 s.
    pub fn new(namespace: &str, loadtest: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            loadtest: loadtest.to_owned(),
            dyno: ".+".to_owned(),
            quantile: "0.99".to_owned(),
            rate_interval: "1m".to_owned(),
            range: "30m".to_owned(),
            interval: "15s".to_owned(),
        }
    }

    /// An expression in which they are filled in.
    ///
    /// # Panics
    /// If a variable is left over.
    pub fn fill_in(&self, expression: &str) -> String {
        let Self {
            namespace,
            loadtest,
            dyno,
            quantile,
            rate_interval,
            range,
            interval,
        } = self;
        let mut filled = expression.to_owned();
        for (name, value) in [
            ("$__rate_interval", rate_interval),
            ("$__range", range),
            ("$__interval", interval),
            ("$namespace", namespace),
            ("$loadtest", loadtest),
            ("$quantile", quantile),
            ("$dyno", dyno),
        ] {
            filled = filled.replace(name, value);
        }
        assert!(
            !filled.contains('$'),
            "an unknown variable is in: {expression}"
        );
        filled
    }
}

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// At the end of the time range.
    Instant,
    /// At every step of it.
    Range,
    /// All the time: an alert, which should have no result.
    Alert,
}

/// One expression.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The file that it is in: run.json, operator.json or redyno.yaml.
    pub file: String,
    /// The title of its panel, the name of the variable or annotation, or the alert.
    pub place: String,
    /// Which of the queries there: A, B, ...
    pub reference: String,
    /// As it is written there.
    pub written: String,
    /// With the variables filled in.
    pub expression: String,
    /// When it is evaluated.
    pub evaluation: Evaluation,
    /// Why it may have no result during and after a run that passed, if it may.
    pub may_be_empty: Option<&'static str>,
}

/// Expressions that may have no result though all is well: file, place, reference, why.
const MAY_BE_EMPTY: &[(&str, &str, &str, &str)] = &[
    ("run.json", "Failures by reason", "A", "no task has failed"),
    (
        "run.json",
        "Response against service, ${quantile:text}",
        "D",
        "the LoadTest states no limit on a latency of whole tasks",
    ),
    (
        "run.json",
        "Steps, ${quantile:text}",
        "B",
        "the LoadTest states no limit on a step",
    ),
    ("run.json", "Full in", "A", "the memory does not grow"),
];

/// A dashboard of the chart: its file's name and what is in it.
pub fn dashboards() -> Vec<(String, Value)> {
    files("charts/redyno/dashboards", ".json")
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = read(&format!("charts/redyno/dashboards/{name}"));
            let dashboard = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{name} is no JSON: {error}"));
            (name.into_owned(), dashboard)
        })
        .collect()
}

/// An alert of the chart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name.
    #[serde(rename = "alert")]
    pub name: String,
    /// Its expression.
    #[serde(rename = "expr")]
    pub expression: String,
    /// How long the expression must have a result before it fires.
    #[serde(default, rename = "for")]
    pub waits: Option<String>,
    /// Labels that it adds.
    pub labels: std::collections::BTreeMap<String, String>,
    /// What it says.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// All alerts of the chart.
///
/// # Panics
/// If the file is not one of alerts alone.
pub fn alerts() -> Vec<Alert> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Groups {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Group {
        #[serde(rename = "name")]
        _name: String,
        rules: Vec<Alert>,
    }
    let Groups { groups } = serde_saphyr::from_str(&read("charts/redyno/alerts/redyno.yaml"))
        .unwrap_or_else(|error| panic!("charts/redyno/alerts/redyno.yaml: {error}"));
    groups.into_iter().flat_map(|group| group.rules).collect()
}

/// Every expression of every dashboard and alert: the queries of panels, variables and
/// annotations, and the alerts' own.
///
/// # Panics
/// If a dashboard has a query in a place that is not known here.
pub fn expressions(variables: &Variables) -> Vec<Expression> {
    let mut found = Vec::new();
    for (file, dashboard) in dashboards() {
        let mut add = |place: &str, reference: &str, written: &str, evaluation| {
            found.push(Expression {
                may_be_empty: MAY_BE_EMPTY
                    .iter()
                    .find(|row| (row.0, row.1, row.2) == (file.as_str(), place, reference))
                    .map(|row| row.3),
                file: file.clone(),
                place: place.to_owned(),
                reference: reference.to_owned(),
                written: written.to_owned(),
                expression: variables.fill_in(written),
                evaluation,
            });
        };
        for panel in list(&dashboard, "/panels") {
            for target in list(panel, "/targets") {
                let evaluation = if target["instant"] == true {
                    Evaluation::Instant
                } else {
                    Evaluation::Range
                };
                let reference = text(target, "refId");
                add(
                    text(panel, "title"),
                    reference,
                    text(target, "expr"),
                    evaluation,
                );
            }
        }
        for variable in list(&dashboard, "/templating/list") {
            if variable["type"] == "query" {
                let (selector, _) = label_values(text(&variable["query"], "query"));
                add(text(variable, "name"), "", selector, Evaluation::Instant);
            }
        }
        for annotation in list(&dashboard, "/annotations/list") {
            let written = text(&annotation["target"], "expr");
            add(text(annotation, "name"), "", written, Evaluation::Range);
        }
    }
    for alert in alerts() {
        found.push(Expression {
            file: "redyno.yaml".to_owned(),
            place: alert.name,
            reference: String::new(),
            expression: alert.expression.clone(),
            written: alert.expression,
            evaluation: Evaluation::Alert,
            may_be_empty: Some("there is nothing to alert of"),
        });
    }
    for (file, place, reference, _) in MAY_BE_EMPTY {
        let known = |it: &Expression| {
            (it.file.as_str(), it.place.as_str(), it.reference.as_str())
                == (*file, *place, *reference)
        };
        assert!(
            found.iter().any(known),
            "{file} has no query {reference} of {place} any more"
        );
    }
    found
}

/// The selector and the label of `label_values(selector, label)`.
///
/// # Panics
/// If it is something else.
pub fn label_values(query: &str) -> (&str, &str) {
    query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|inner| inner.rsplit_once(", "))
        .unwrap_or_else(|| panic!("not label_values(selector, label): {query}"))
}

/// The list at a JSON pointer; empty if there is none.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The text of a field.
///
/// # Panics
/// If there is none.
#[track_caller]
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text {field} in {value}"))
}
