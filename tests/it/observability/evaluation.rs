//! Every query gives a result on series as docs/metrics.md describes them, computed by Prometheus'
//! own engine (in promtool). The run on a real cluster has the real numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use redyno_tests::dashboards::{Evaluation, Variables, expressions};
use redyno_tests::documented_metrics::{Documented, documented_metrics};
use serde_json::{Value, json};

use super::alerts::promtool;

/// The values of a label. A label has only one value where a second one would mean another
/// LoadTest, or an impossible one with two verdicts or two states.
fn values(metric: &str, label: &str) -> &'static [&'static str] {
    match (metric, label) {
        ("redyno_loadtests", "state") => &["Pending", "Running", "Finished"],
        (_, "state") => &["Finished"],
        (_, "namespace") => &["shop"],
        (_, "loadtest") => &["friday"],
        (_, "controller" | "name") => &["loadtest"],
        (_, "dyno_type") => &["web"],
        (_, "dyno") => &["web.1", "web.2"],
        (_, "step") => &["Task", "Fetch"],
        (_, "statistic") => &["mean", "max"],
        (_, "quantile") => &["0.5", "0.9", "0.99", "0.999", "1"],
        (_, "le") => &["0.001", "0.01", "0.1", "1", "+Inf"],
        (_, "verdict" | "result") => &["Passed"],
        _ => &["some"],
    }
}

/// All series of a metric, with values that rise for ten minutes.
fn series(name: &str, metric: &Documented) -> Vec<Value> {
    let mut labels: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
    let (name, values_then) = match metric.kind.as_str() {
        "histogram" => {
            labels.push("le");
            (format!("{name}_bucket"), "0+20x40")
        }
        "counter" => (name.to_owned(), "0+20x40"),
        _ if name.ends_with("_info") || name.ends_with("_timestamp_seconds") => {
            (name.to_owned(), "1x40")
        }
        _ => (name.to_owned(), "1+1x40"),
    };
    let mut combinations = vec![String::new()];
    for label in labels {
        combinations = combinations
            .iter()
            .flat_map(|before| {
                values(&name, label)
                    .iter()
                    .map(move |value| format!("{before}{label}=\"{value}\","))
            })
            .collect();
    }
    combinations
        .iter()
        .map(|labels| json!({"series": format!("{name}{{{labels}}}"), "values": values_then}))
        .collect()
}

#[test]
fn every_query_has_a_result_on_the_documented_series() {
    let metrics: BTreeMap<String, Documented> = documented_metrics();
    let input: Vec<Value> = metrics
        .iter()
        .flat_map(|(name, metric)| series(name, metric))
        .collect();
    let cases: Vec<Value> = expressions(&Variables::new("shop", "friday"))
        .iter()
        .filter(|it| it.evaluation != Evaluation::Alert)
        .map(|it| {
            json!({
                "expr": format!("count({}) > bool 0", it.expression),
                "eval_time": "9m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            })
        })
        .collect();
    assert!(cases.len() > 80, "{} queries", cases.len());
    let test = json!({
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": input, "promql_expr_test": cases}],
    });
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("queries_test.yaml");
    std::fs::write(&file, test.to_string()).expect("a writable folder");
    promtool(&["test", "rules", &file.to_string_lossy()]).expect_success("promtool test rules");
}
