//! Queries and documentation speak of the same metrics, and those are named as Prometheus' own
//! rules have it.

use std::collections::{BTreeMap, BTreeSet};

use redyno_tests::dashboards::{Variables, dashboards, expressions, label_values, list, text};
use redyno_tests::documented_metrics::{Documented, documented_metrics, family};
use redyno_tests::promql::contents;

/// The labels that a query of this metric can use.
fn labels(metrics: &BTreeMap<String, Documented>, name: &str) -> Option<BTreeSet<String>> {
    let (_, metric) = family(metrics, name)?;
    let mut labels = metric.labels.clone();
    if name.ends_with("_bucket") {
        labels.insert("le".to_owned());
    }
    Some(labels)
}

#[test]
fn expressions_use_documented_metrics_and_labels_alone() {
    let metrics = documented_metrics();
    let mut faults = Vec::new();
    for it in expressions(&Variables::new("shop", "friday")) {
        let place = format!("{}: {} {}", it.file, it.place, it.reference);
        let contents = match contents(&it.expression) {
            Ok(contents) => contents,
            Err(error) => {
                faults.push(format!("{place}: {error}"));
                continue;
            }
        };
        let mut all = BTreeSet::new();
        for selector in &contents.selectors {
            for metric in &selector.metrics {
                let Some(known) = labels(&metrics, metric) else {
                    faults.push(format!("{place}: docs/metrics.md has no {metric}"));
                    continue;
                };
                for (label, _) in &selector.labels {
                    if !known.contains(label) {
                        faults.push(format!("{place}: {metric} has no label {label}"));
                    }
                }
                all.extend(known);
            }
        }
        for label in &contents.labels {
            if !all.contains(label) {
                faults.push(format!("{place}: none of its metrics has a label {label}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The words in `{{` and `}}`.
fn templates(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
        .map(str::trim)
}

#[test]
fn legends_use_labels_that_their_queries_keep() {
    let kept = |expression: &str| -> BTreeSet<String> {
        contents(&Variables::new("shop", "friday").fill_in(expression))
            .expect("PromQL")
            .labels
            .into_iter()
            .collect()
    };
    for (file, dashboard) in dashboards() {
        for panel in list(&dashboard, "/panels") {
            for target in list(panel, "/targets") {
                let legend = target["legendFormat"].as_str().unwrap_or_default();
                let labels = kept(text(target, "expr"));
                for label in templates(legend) {
                    assert!(
                        labels.contains(label),
                        "{file}: {}: the legend's {label} is no label of its query",
                        text(panel, "title")
                    );
                }
            }
        }
        for annotation in list(&dashboard, "/annotations/list") {
            let labels = kept(text(&annotation["target"], "expr"));
            let titles = templates(text(annotation, "titleFormat"))
                .chain(templates(text(annotation, "textFormat")))
                .chain(text(annotation, "tagKeys").split(','));
            for label in titles {
                assert!(labels.contains(label), "{file}: annotation's {label}");
            }
        }
        for variable in list(&dashboard, "/templating/list") {
            if variable["type"] == "query" {
                let (selector, label) = label_values(text(&variable["query"], "query"));
                let selector = Variables::new("shop", "friday").fill_in(selector);
                for metric in contents(&selector)
                    .expect("PromQL")
                    .selectors
                    .iter()
                    .flat_map(|selector| &selector.metrics)
                {
                    let known = labels(&documented_metrics(), metric);
                    assert!(
                        known.is_some_and(|known| known.contains(label)),
                        "{file}: {metric} has no {label}"
                    );
                }
            }
        }
    }
}

/// <https://prometheus.io/docs/practices/naming/>: a counter ends in `_total` and nothing else
/// does, information in `_info`, and no unit but a base unit is in a name.
#[test]
fn documented_metrics_are_named_as_prometheus_names_them() {
    let metrics = documented_metrics();
    assert!(metrics.len() > 60, "docs/metrics.md has all metrics");
    for (
        name,
        Documented {
            kind,
            labels,
            meaning,
            section,
        },
    ) in &metrics
    {
        assert!(
            ["redyno_", "controller_runtime_", "workqueue_"]
                .iter()
                .any(|prefix| name.starts_with(prefix)),
            "{name}"
        );
        assert!(
            ["counter", "gauge", "histogram", "summary"].contains(&kind.as_str()),
            "{name}: {kind}"
        );
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        for unit in ["_ms", "_milliseconds", "_microseconds", "_percent", "_mb"] {
            assert!(!name.contains(unit), "{name}");
        }
        assert!(!labels.contains("worker"), "{name}: no series per worker");
        assert!(
            ["Dynos", "The operator", "LoadTests"].contains(&section.as_str()),
            "{name}: {section}"
        );
        assert!(meaning.ends_with('.'), "{name}: {meaning}");
    }
}

/// Everything that is measured is shown. A metric that no page and no alert uses is either missing
/// there or not worth its series.
#[test]
fn every_metric_of_a_dyno_is_looked_at() {
    // These metrics are kept for people's own queries.
    let unused = [
        "redyno_loadtest_scheduled_tasks",
        "redyno_loadtest_delivered_tasks",
        "redyno_loadtest_completed_tasks",
        "redyno_loadtest_abandoned_tasks",
        "redyno_loadtest_start_timestamp_seconds",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds",
        "workqueue_work_duration_seconds",
        "workqueue_unfinished_work_seconds",
    ];
    let metrics = documented_metrics();
    let used: BTreeSet<String> = expressions(&Variables::new("shop", "friday"))
        .iter()
        .flat_map(|it| contents(&it.expression).expect("PromQL").selectors)
        .flat_map(|selector| selector.metrics)
        .filter_map(|metric| family(&metrics, &metric).map(|(name, _)| name.clone()))
        .collect();
    let left: Vec<&String> = metrics
        .keys()
        .filter(|name| !used.contains(*name) && !unused.contains(&name.as_str()))
        .collect();
    assert!(left.is_empty(), "nobody looks at {left:?}");
    for name in unused {
        assert!(!used.contains(name), "{name} is used after all");
    }
}
