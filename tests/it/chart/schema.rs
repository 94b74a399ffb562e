//! Wrong values are refused, and the message names which.

use std::collections::BTreeSet;

use redyno_tests::installation::chart;
use redyno_tests::repository::read;
use serde_json::{Value, json};

use super::values::entries;
use super::{helm_is_there, template};

/// A wrong value by its path, and what Helm says.
fn wrong_values() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        // Unknown names, at every depth.
        (
            "imagePullSecrets",
            json!([]),
            "(root): Additional property imagePullSecrets is not allowed",
        ),
        (
            "images.dyno",
            json!({}),
            "images: Additional property dyno is not allowed",
        ),
        (
            "images.runner.name",
            json!("x"),
            "images.runner: Additional property name is not allowed",
        ),
        (
            "catalogue.size",
            json!([]),
            "catalogue: Additional property size is not allowed",
        ),
        (
            "flush.hosts",
            json!([]),
            "flush: Additional property hosts is not allowed",
        ),
        (
            "crds.enabled",
            json!(true),
            "crds: Additional property enabled is not allowed",
        ),
        (
            "rbac.create",
            json!(true),
            "rbac: Additional property create is not allowed",
        ),
        (
            "serviceAccount.token",
            json!(""),
            "serviceAccount: Additional property token is not allowed",
        ),
        (
            "networkPolicy.dynos",
            json!({}),
            "networkPolicy: Additional property dynos is not allowed",
        ),
        (
            "networkPolicy.runs.egress",
            json!([]),
            "networkPolicy.runs: Additional property egress is not allowed",
        ),
        (
            "metrics.enabled",
            json!(true),
            "metrics: Additional property enabled is not allowed",
        ),
        (
            "metrics.podMonitor.labels",
            json!({}),
            "metrics.podMonitor: Additional property labels is not allowed",
        ),
        (
            "operator.replicas",
            json!(2),
            "operator: Additional property replicas is not allowed",
        ),
        (
            "operator.resources.request",
            json!({}),
            "operator.resources: Additional property request is not allowed",
        ),
        // Types.
        (
            "watchNamespaces",
            json!("team"),
            "watchNamespaces: Invalid type. Expected: array, given: string",
        ),
        (
            "failedVerdictIsStalled",
            json!("no"),
            "failedVerdictIsStalled: Invalid type. Expected: boolean, given: string",
        ),
        (
            "operator.podLabels.version",
            json!(1),
            "operator.podLabels.version: Invalid type. Expected: string, given: integer",
        ),
        (
            "catalogue.sizes",
            json!([{"name": "small", "cpu": 1, "memory": "1Gi", "workers": 2}]),
            "catalogue.sizes.0.cpu: Invalid type. Expected: string, given: integer",
        ),
        (
            "catalogue.plans",
            json!([{"name": "tiny", "cpu": "1", "memory": "1Gi"}]),
            "catalogue.plans.0: connections is required",
        ),
        // Ranges and forms.
        (
            "lingerSeconds",
            json!("soon"),
            "lingerSeconds: Does not match pattern '^auto$'",
        ),
        (
            "lingerSeconds",
            json!(-1),
            "lingerSeconds: Must be greater than or equal to 0",
        ),
        (
            "lingerSeconds",
            json!(3601),
            "lingerSeconds: Must be less than or equal to 3600",
        ),
        (
            "fullnameOverride",
            json!("Redyno"),
            "fullnameOverride: Does not match pattern",
        ),
        (
            "commonLabels.team",
            json!("the best"),
            "commonLabels.team: Does not match pattern",
        ),
        (
            "images.runner.repository",
            json!("redyno:1 2"),
            "images.runner.repository: Does not match pattern",
        ),
        (
            "images.operator.digest",
            json!("abc"),
            "images.operator.digest: Does not match pattern '^(sha256:[0-9a-f]{64})?$'",
        ),
        (
            "images.redis.tag",
            json!(""),
            "images.redis.tag: Does not match pattern",
        ),
        (
            "images.valkey.tag",
            json!(""),
            "images.valkey.tag: Does not match pattern",
        ),
        (
            "images.valkey.digest",
            json!("8.1"),
            "images.valkey.digest: Does not match pattern",
        ),
        (
            "images.pullPolicy",
            json!("Sometimes"),
            "images.pullPolicy must be one of the following: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (
            "images.pullSecrets",
            json!(["a", "a"]),
            "images.pullSecrets: array items[0,1] must be unique",
        ),
        (
            "flush.databaseHosts",
            json!(["redis://db:6379"]),
            "flush.databaseHosts.0: Does not match pattern",
        ),
        (
            "flush.allDatabasesHosts",
            json!(["a*.example.com"]),
            "flush.allDatabasesHosts.0: Does not match pattern",
        ),
        (
            "networkPolicy.namespaces",
            json!(["Team"]),
            "networkPolicy.namespaces.0: Does not match pattern",
        ),
        (
            "networkPolicy.dns.ports",
            json!([]),
            "networkPolicy.dns.ports: Array must have at least 1 items",
        ),
        (
            "networkPolicy.runs.targets",
            json!([{"to": []}]),
            "networkPolicy.runs.targets.0: ports is required",
        ),
        (
            "networkPolicy.operator.apiServer.to",
            json!([{}]),
            "networkPolicy.operator.apiServer.to.0: Must have at least 1 properties",
        ),
        (
            "networkPolicy.scrapers.from",
            json!([{"ipBlock": {"cidr": "10.0.0.1"}}]),
            "networkPolicy.scrapers.from.0.ipBlock.cidr: Does not match pattern",
        ),
        (
            "metrics.podMonitor.enabled",
            json!("yes"),
            "metrics.podMonitor.enabled must be one of the following: \"auto\", true, false",
        ),
        (
            "metrics.podMonitor.interval",
            json!("500ms"),
            "metrics.podMonitor.interval: Does not match pattern '^[1-9][0-9]*[sm]$'",
        ),
        (
            "metrics.serviceMonitor.scrapeTimeout",
            json!("1 s"),
            "metrics.serviceMonitor.scrapeTimeout: Does not match pattern",
        ),
        (
            "metrics.rules.runbookUrl",
            json!("docs/alerts.md"),
            "metrics.rules.runbookUrl: Does not match pattern '^https?://[^ #]+$'",
        ),
        (
            "metrics.dashboards.namespace",
            json!("grafana/"),
            "metrics.dashboards.namespace: Does not match pattern",
        ),
        (
            "operator.logFormat",
            json!("xml"),
            "operator.logFormat must be one of the following: \"text\", \"json\"",
        ),
        (
            "operator.tolerations",
            json!([{"effect": "Never"}]),
            "operator.tolerations.0.effect must be one of the following",
        ),
        (
            "operator.env",
            json!([{"name": "A B"}]),
            "operator.env.0.name: Does not match pattern",
        ),
    ]
}

fn set(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
}

/// Helm lists every problem, so a run of it tries many values: all whose paths do not touch.
#[test]
fn wrong_values_are_refused_by_name() {
    if !helm_is_there() {
        return;
    }
    let mut rest = wrong_values();
    while !rest.is_empty() {
        let mut values = json!({});
        let mut taken: Vec<&str> = Vec::new();
        let mut expected = Vec::new();
        rest.retain(|(path, value, message)| {
            let free = !taken.contains(path);
            if free {
                taken.push(path);
                set(&mut values, path, value.clone());
                expected.push(*message);
            }
            !free
        });
        let refusal = template(&chart(), &values, &[]).expect_failure("helm template");
        let lines: Vec<&str> = refusal
            .lines()
            .filter(|line| line.starts_with("- "))
            .collect();
        for message in &expected {
            assert!(
                lines.iter().any(|line| line.contains(message)),
                "{message}\nis not in\n{refusal}"
            );
        }
        assert_eq!(lines.len(), expected.len(), "{refusal}");
    }
}

/// The chart's templates refuse what no schema can, with a sentence.
#[test]
fn values_that_contradict_each_other_are_refused_by_name() {
    if !helm_is_there() {
        return;
    }
    for (values, message) in [
        (
            json!({"serviceAccount": {"create": false}}),
            "serviceAccount.name must name an existing ServiceAccount",
        ),
        (
            json!({"metrics": {"service": false, "serviceMonitor": {"enabled": true}}}),
            "set metrics.service to true",
        ),
    ] {
        let refusal = template(&chart(), &values, &[]).expect_failure("helm template");
        assert!(refusal.contains(message), "{refusal}");
    }
}

fn schema() -> Value {
    serde_json::from_str(&read("charts/redyno/values.schema.json")).expect("JSON")
}

/// The paths of all values that the schema names. No map is open by accident.
fn known(path: &str, part: &Value, all: &mut BTreeSet<String>) {
    let Some(properties) = part["properties"].as_object() else {
        return;
    };
    assert_eq!(part["additionalProperties"], false, "{path} is open");
    for (name, inner) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        known(&path, inner, all);
        all.insert(path);
    }
}

#[test]
fn schema_and_values_know_the_same_names() {
    let schema = schema();
    let mut in_schema = BTreeSet::new();
    known("", &schema, &mut in_schema);
    for definition in schema["definitions"].as_object().into_iter().flatten() {
        known(definition.0, definition.1, &mut BTreeSet::new());
    }
    let documented: BTreeSet<String> = entries().into_iter().map(|entry| entry.path).collect();
    let only_in_schema: Vec<&String> = in_schema
        .difference(&documented)
        // These are values of a parent chart, and those within a default that is written in one
        // line.
        .filter(|path| {
            !["global", "enabled"].contains(&path.as_str())
                && !path.starts_with("operator.resources.")
                && !path.starts_with("operator.affinity.")
                && !path.starts_with("networkPolicy.")
        })
        .collect();
    assert_eq!(only_in_schema, Vec::<&String>::new());
    let unchecked: Vec<&String> = documented.difference(&in_schema).collect();
    assert_eq!(unchecked, Vec::<&String>::new());
}
