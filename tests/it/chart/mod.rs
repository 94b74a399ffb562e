//! The chart without a cluster: what the real Helm makes of it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod documentation;
mod monitoring;
mod network;
mod renderings;
mod schema;
mod values;

use std::collections::BTreeSet;

use redyno_tests::command::{Outcome, run, run_with_input};
use redyno_tests::installation::{RELEASE, chart};
use serde_json::{Value, json};

/// The oldest Kubernetes that the chart takes.
const KUBERNETES: &str = "1.33.0";
/// What a cluster with the Prometheus Operator has.
const PROMETHEUS_OPERATOR: [&str; 3] = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];

/// Whether Helm is there; says so if not. With a cluster, or for generating files, it has to be.
fn helm_is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join("helm").is_file());
    if !there {
        assert!(
            ["KUBECONFIG", "REDYNO_GENERATE"]
                .iter()
                .all(|name| std::env::var_os(name).is_none()),
            "helm is not in the PATH; that of the local cluster: eval \"$(tests/cluster/env)\""
        );
        eprintln!("skipped: no helm in the PATH; `make test` brings one");
    }
    there
}

/// Runs `helm template` for a cluster with these kinds of the Prometheus Operator.
fn template(chart: &str, values: &Value, kinds: &[&str]) -> Outcome {
    template_for(KUBERNETES, chart, values, kinds)
}

fn template_for(version: &str, chart: &str, values: &Value, kinds: &[&str]) -> Outcome {
    let mut arguments: Vec<String> = [
        "template",
        RELEASE,
        chart,
        "--namespace",
        "redyno-system",
        "--kube-version",
        version,
        "--values",
        "-",
    ]
    .map(str::to_owned)
    .to_vec();
    for kind in kinds {
        arguments.push("--api-versions".to_owned());
        arguments.push(format!("monitoring.coreos.com/v1/{kind}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Values in JSON are values in YAML.
    run_with_input("helm", &arguments, &values.to_string())
}

/// The objects that the chart makes of these values, without the definition of LoadTests: it is
/// large, and has tests of its own.
#[track_caller]
fn objects(values: &Value, kinds: &[&str]) -> Vec<Value> {
    let mut values = values.clone();
    values["crds"]["install"] = false.into();
    let text = template(&chart(), &values, kinds).expect_success("helm template");
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// Kind and name, for messages.
fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// The only object of this kind.
#[track_caller]
fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<&Value> = objects.iter().filter(|it| it["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

fn kinds(objects: &[Value]) -> BTreeSet<&str> {
    objects
        .iter()
        .filter_map(|object| object["kind"].as_str())
        .collect()
}

/// The value of one of the operator's environment variables.
#[track_caller]
fn variable(objects: &[Value], name: &str) -> String {
    let container = &only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    container["env"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|variable| variable["name"] == name)
        .and_then(|variable| variable["value"].as_str())
        .unwrap_or_else(|| panic!("no {name} in {container}"))
        .to_owned()
}

#[test]
fn helm_finds_nothing_wrong() {
    if helm_is_there() {
        let said = run("helm", &["lint", "--strict", &chart()]).expect_success("helm lint");
        assert!(!said.contains("[WARNING]"), "{said}");
    }
}

#[test]
fn an_old_kubernetes_is_refused_with_a_sentence() {
    if helm_is_there() {
        let refusal = template_for("1.32.9", &chart(), &json!({}), &[]);
        let said = refusal.expect_failure("helm template");
        assert!(said.contains(">=1.33"), "{said}");
    }
}

/// `--reuse-values` keeps the former chart's defaults: values that are new are missing then.
#[test]
fn an_upgrade_that_lacks_values_is_told_what_to_do() {
    if helm_is_there() {
        for gone in [
            json!({"flush": null}),
            json!({"networkPolicy": {"runs": null, "operator": null, "dns": null, "scrapers": null}}),
            json!({"metrics": {"dashboards": null, "podMonitor": null, "rules": null}}),
        ] {
            let refusal = template(&chart(), &gone, &[]);
            let said = refusal.expect_failure("helm template");
            assert!(said.contains("--reset-then-reuse-values"), "{said}");
        }
    }
}
