//! The alerts: what they say, when they fire, and what there is to read about each.

use std::collections::BTreeSet;
use std::path::Path;

use redyno_tests::command::{Outcome, run};
use redyno_tests::dashboards::{Alert, alerts, list, text};
use redyno_tests::documented_metrics::{documented_metrics, family};
use redyno_tests::promql::contents;
use redyno_tests::repository::{read, root};
use serde_json::Value;

const CASES: &str = "tests/it/observability/alerts_test.yaml";

/// Prometheus' own tool.
pub(super) fn promtool(arguments: &[&str]) -> Outcome {
    assert!(
        Path::new("/usr/bin/promtool").is_file()
            || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                .any(|folder| folder.join("promtool").is_file()),
        "no promtool; .ci/packages tests installs it"
    );
    run("promtool", arguments)
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let cases = root().join(CASES);
    promtool(&["test", "rules", &cases.to_string_lossy()]).expect_success("promtool test rules");

    let cases: Value = serde_saphyr::from_str(&read(CASES)).expect("YAML");
    let mut fires = BTreeSet::new();
    let mut is_silent = BTreeSet::new();
    for case in list(&cases, "/tests")
        .iter()
        .flat_map(|test| list(test, "/alert_rule_test"))
    {
        let name = text(case, "alertname").to_owned();
        if list(case, "/exp_alerts").is_empty() {
            is_silent.insert(name);
        } else {
            fires.insert(name);
        }
    }
    let all: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(fires, all, "alerts that are seen to fire");
    assert_eq!(is_silent, all, "alerts that are seen not to fire");
}

#[test]
fn rules_are_well_formed() {
    let file = root().join("charts/redyno/alerts/redyno.yaml");
    promtool(&["check", "rules", "--lint=all", &file.to_string_lossy()])
        .expect_success("promtool check rules");
}

/// The words after `$labels.` in a text.
fn labels_of(text: &str) -> BTreeSet<&str> {
    text.split("$labels.")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
                .next()
        })
        .collect()
}

#[test]
fn every_alert_says_what_it_is_and_where_to_read_on() {
    let runbooks = read("docs/alerts.md");
    let metrics = documented_metrics();
    for Alert {
        name,
        expression,
        waits: _,
        labels,
        annotations,
    } in alerts()
    {
        assert!(name.starts_with("Redyno"), "{name}");
        assert!(
            name.chars()
                .all(|character| character.is_ascii_alphanumeric()),
            "{name}"
        );
        assert!(
            ["critical", "warning", "info"].contains(&labels["severity"].as_str()),
            "{name}"
        );
        assert_eq!(labels.len(), 1, "{name}");
        let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["description", "runbook_url", "summary"], "{name}");
        assert!(
            !annotations["summary"].contains("{{"),
            "{name}: a summary is the same for all"
        );

        let anchor = name.to_lowercase();
        assert_eq!(
            annotations["runbook_url"],
            format!("https://github.com/redyno/redyno/blob/main/docs/alerts.md#{anchor}")
        );
        let (_, runbook) = runbooks
            .split_once(&format!("\n## {name}\n"))
            .unwrap_or_else(|| panic!("docs/alerts.md has no section {name}"));
        let runbook = runbook.split("\n## ").next().unwrap_or_default();
        assert!(
            runbook.contains("**What it means.**") && runbook.contains("**What to look at.**"),
            "docs/alerts.md: {name}"
        );
        let row = format!("| [{name}](#{anchor}) | {} |", labels["severity"]);
        assert!(
            runbooks.contains(&row),
            "docs/alerts.md has no line that begins with {row}"
        );

        let contents = contents(&expression).expect("PromQL");
        let known: BTreeSet<&str> = contents
            .selectors
            .iter()
            .flat_map(|selector| &selector.metrics)
            .filter_map(|metric| family(&metrics, metric))
            .flat_map(|(_, metric)| metric.labels.iter().map(String::as_str))
            .collect();
        let kept: BTreeSet<&str> = contents.labels.iter().map(String::as_str).collect();
        for label in labels_of(&annotations["description"]) {
            assert!(
                known.contains(label) && kept.contains(label),
                "{name}: the description speaks of {label}, which the expression does not keep"
            );
        }
    }
}
