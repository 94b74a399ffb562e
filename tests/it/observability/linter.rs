//! The rules of Grafana's dashboard linter (<https://github.com/grafana/dashboard-linter>, whose
//! names they have here), and some of our own.

use std::collections::BTreeSet;
use std::time::Duration;

use redyno_tests::dashboards::{Variables, dashboards, list, text};
use redyno_tests::promql::{Contents, contents};
use serde_json::{Value, json};

/// One fault: the rule, the panel or the page's own, and what is wrong.
type Fault = (&'static str, String, String);

/// Faults that stay, each with its reason: rule, file, place.
const EXCEPTIONS: &[(&str, &str, &str, &str)] = &[
    (
        "template-job-rule",
        "run.json",
        "the page",
        "a run is chosen by namespace and LoadTest; who scraped it does not matter",
    ),
    (
        "template-instance-rule",
        "run.json",
        "the page",
        "dyno takes the place of instance: it stays the same when the pod's address changes",
    ),
    (
        "template-job-rule",
        "operator.json",
        "the page",
        "the metrics' names are redyno's own; a cluster has one operator",
    ),
    (
        "template-instance-rule",
        "operator.json",
        "the page",
        "as for job; results must not break in two when the operator restarts",
    ),
    (
        "required-matchers",
        "run.json",
        "Achieved rate of the last runs",
        "compares the LoadTests of the namespace",
    ),
    (
        "required-matchers",
        "run.json",
        "Response p99 of the last runs",
        "compares the LoadTests of the namespace",
    ),
    (
        "required-matchers",
        "run.json",
        "Runs",
        "lists the LoadTests of the namespace",
    ),
];

/// The units of Grafana that are used here (<https://github.com/grafana/grafana>,
/// packages/grafana-data/src/valueFormats/categories.ts).
const UNITS: [&str; 9] = [
    "none",
    "string",
    "short",
    "percentunit",
    "s",
    "bytes",
    "Bps",
    "ops",
    "dateTimeAsLocal",
];

/// A stand-in for `$__rate_interval` that nobody writes by hand.
const RATE_INTERVAL: Duration = Duration::from_secs(8869);

fn panels(page: &Value) -> impl Iterator<Item = &Value> {
    list(page, "/panels")
        .iter()
        .filter(|panel| panel["type"] != "row")
}

fn variables() -> Variables {
    Variables {
        rate_interval: format!("{}s", RATE_INTERVAL.as_secs()),
        range: "9973s".to_owned(),
        ..Variables::new("shop", "friday")
    }
}

/// All faults of a page.
fn faults(page: &Value) -> Vec<Fault> {
    let mut found = of_the_page(page);
    found.extend(of_the_variables(page));
    for panel in panels(page) {
        let title = panel["title"].as_str().unwrap_or_default();
        let mut fault = |rule, what: String| found.push((rule, title.to_owned(), what));
        of_the_panel(panel, &mut fault);
        for target in list(panel, "/targets") {
            if target["datasource"] != data_source() {
                fault("panel-datasource-rule", "a query has another".to_owned());
            }
            let expression = target["expr"].as_str().unwrap_or_default();
            match contents(&variables().fill_in(expression)) {
                Ok(contents) => of_the_query(page, panel, target, &contents, &mut fault),
                Err(error) => fault("target-promql-rule", error),
            }
        }
    }
    for annotation in list(page, "/annotations/list") {
        let expression = text(&annotation["target"], "expr");
        if let Err(error) = contents(&variables().fill_in(expression)) {
            found.push((
                "target-promql-rule",
                text(annotation, "name").to_owned(),
                error,
            ));
        }
        if annotation["datasource"] != data_source() {
            let name = text(annotation, "name").to_owned();
            found.push(("panel-datasource-rule", name, "it has another".to_owned()));
        }
    }
    found
}

fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn of_the_page(page: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut fault = |rule, what: &str| found.push((rule, "the page".to_owned(), what.to_owned()));
    if page["editable"] != false {
        fault("uneditable-dashboard", "editable is not false");
    }
    if page["title"].as_str().is_none_or(str::is_empty)
        || page["description"].as_str().is_none_or(str::is_empty)
    {
        fault("panel-title-description-rule", "title or description");
    }
    let variables = list(page, "/templating/list");
    let sources: Vec<&Value> = variables
        .iter()
        .filter(|variable| variable["type"] == "datasource")
        .collect();
    if !matches!(sources[..], [source] if source["name"] == "datasource"
        && source["label"] == "Data source" && source["query"] == "prometheus")
    {
        fault(
            "template-datasource-rule",
            "not exactly one variable datasource, labelled Data source, of prometheus",
        );
    }
    for (rule, name) in [
        ("template-job-rule", "job"),
        ("template-instance-rule", "instance"),
    ] {
        if !variables.iter().any(|variable| variable["name"] == name) {
            fault(rule, "there is no such variable");
        }
    }
    found
}

fn of_the_variables(page: &Value) -> Vec<Fault> {
    let written: Vec<&str> = panels(page)
        .flat_map(|panel| list(panel, "/targets"))
        .filter_map(|target| target["expr"].as_str())
        .collect();
    let mut found = Vec::new();
    for variable in list(page, "/templating/list") {
        let name = variable["name"].as_str().unwrap_or_default();
        let mut fault = |rule, what: &str| found.push((rule, name.to_owned(), what.to_owned()));
        if variable["type"] != "datasource"
            && !written
                .iter()
                .any(|text| text.contains(&format!("${name}")))
        {
            fault("template-unused-rule", "no panel uses it");
        }
        if ["label", "description"]
            .iter()
            .any(|field| variable[field].as_str().is_none_or(str::is_empty))
        {
            fault("panel-title-description-rule", "label or description");
        }
        if variable["multi"] == true && variable["allValue"] != ".+" {
            fault("template-all-value", "all is not .+");
        }
        if variable["type"] != "query" {
            continue;
        }
        if variable["refresh"] != 2 {
            fault(
                "template-on-time-change-reload-rule",
                "it is not read anew when the time range changes",
            );
        }
        if variable["datasource"] != data_source() {
            fault("panel-datasource-rule", "it has another");
        }
        let query = text(&variable["query"], "query");
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|inner| inner.rsplit_once(", "));
        match inner.map(|(selector, _)| contents(&variables().fill_in(selector))) {
            Some(Ok(_)) => {}
            Some(Err(error)) => fault("template-label-promql-rule", &error),
            None => fault("template-label-promql-rule", "not label_values(..., label)"),
        }
    }
    found
}

fn of_the_panel(panel: &Value, fault: &mut impl FnMut(&'static str, String)) {
    if panel["datasource"] != data_source() {
        fault("panel-datasource-rule", "it has another".to_owned());
    }
    for field in ["title", "description"] {
        if panel[field].as_str().is_none_or(str::is_empty) {
            fault("panel-title-description-rule", format!("no {field}"));
        }
    }
    let mut units = vec![&panel["fieldConfig"]["defaults"]["unit"]];
    units.extend(
        list(panel, "/fieldConfig/overrides")
            .iter()
            .flat_map(|it| list(it, "/properties"))
            .filter(|property| property["id"] == "unit")
            .map(|property| &property["value"]),
    );
    if panel["type"] == "heatmap" {
        units.push(&panel["options"]["yAxis"]["unit"]);
    }
    for unit in units {
        if unit.as_str().is_none_or(|unit| !UNITS.contains(&unit)) {
            fault("panel-units-rule", format!("no or another unit: {unit}"));
        }
    }
    if list(panel, "/targets").is_empty() {
        fault("panel-no-targets-rule", "it shows nothing".to_owned());
    }
}

fn of_the_query(
    page: &Value,
    panel: &Value,
    target: &Value,
    contents: &Contents,
    fault: &mut impl FnMut(&'static str, String),
) {
    let is_heatmap = panel["type"] == "heatmap" && target["format"] == "heatmap";
    let is_of_a_run = page["uid"] == "redyno-run";
    for selector in &contents.selectors {
        let metric = selector.metrics.join("|");
        let function = selector
            .inside
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let is_rate = ["rate", "irate", "increase", "deriv"].contains(&function);
        // A total over everything that is shown has the range of the page and is computed once.
        let is_total = function == "increase" && target["instant"] == true;
        if is_rate && !is_total && selector.range != Some(RATE_INTERVAL) {
            fault(
                "target-rate-interval-rule",
                format!("{function} of {metric} not over $__rate_interval"),
            );
        }
        if metric.ends_with("_total") && !["rate", "irate", "increase"].contains(&function) {
            fault(
                "target-counter-agg-rule",
                format!("{metric} is a counter, without rate or increase"),
            );
        }
        if metric.ends_with("_bucket")
            && !is_heatmap
            && !selector
                .inside
                .iter()
                .any(|name| name == "histogram_quantile")
        {
            fault("target-histogram-rule", format!("{metric} is a histogram"));
        }
        if selector
            .inside
            .iter()
            .any(|name| name == "histogram_quantile")
            && !(selector.inside.iter().any(|name| name == "sum")
                && contents.labels.iter().any(|label| label == "le"))
        {
            fault(
                "percentiles",
                format!("not of the summed buckets of {metric}"),
            );
        }
        let has = |label: &str| selector.labels.iter().any(|(name, _)| name == label);
        let is_of_a_load_test = is_of_a_run || metric.starts_with("redyno_loadtest_");
        if (is_of_a_load_test && !has("namespace")) || (is_of_a_run && !has("loadtest")) {
            fault("required-matchers", format!("{metric} of every LoadTest"));
        }
    }
    if contents.functions.iter().any(|name| name == "avg") {
        fault("percentiles", "nothing is averaged over dynos".to_owned());
    }
}

#[test]
fn pages_follow_the_linters_rules() {
    let mut used = BTreeSet::new();
    let mut left = Vec::new();
    for (file, page) in dashboards() {
        for (rule, place, what) in faults(&page) {
            let excepted = EXCEPTIONS
                .iter()
                .position(|it| (it.0, it.1, it.2) == (rule, file.as_str(), place.as_str()));
            match excepted {
                Some(index) => {
                    used.insert(index);
                }
                None => left.push(format!("{file}: {place}: {rule}: {what}")),
            }
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
    assert_eq!(used.len(), EXCEPTIONS.len(), "an exception is not needed");
}

/// Every rule finds what it is there for.
#[test]
fn the_rules_find_faults() {
    let (_, page) = dashboards().swap_remove(1);
    let panel = |title: &str| {
        let index = list(&page, "/panels")
            .iter()
            .position(|panel| panel["title"] == title)
            .expect("a panel");
        format!("/panels/{index}")
    };
    let load = panel("Offered and achieved");
    let query = |expression: &str| (format!("{load}/targets/0/expr"), json!(expression));
    let here = r#"{namespace="$namespace", loadtest="$loadtest"}"#;
    for (rule, (pointer, value)) in [
        (
            "uneditable-dashboard",
            ("/editable".to_owned(), json!(true)),
        ),
        (
            "template-datasource-rule",
            ("/templating/list/0/label".to_owned(), json!("Prometheus")),
        ),
        (
            "template-unused-rule",
            ("/templating/list/1/name".to_owned(), json!("space")),
        ),
        (
            "template-on-time-change-reload-rule",
            ("/templating/list/1/refresh".to_owned(), json!(1)),
        ),
        (
            "template-label-promql-rule",
            (
                "/templating/list/1/query/query".to_owned(),
                json!("label_values(x{, y)"),
            ),
        ),
        (
            "template-all-value",
            ("/templating/list/3/allValue".to_owned(), json!(".*")),
        ),
        (
            "panel-datasource-rule",
            (format!("{load}/datasource/uid"), json!("prometheus")),
        ),
        (
            "panel-datasource-rule",
            (
                format!("{load}/targets/1/datasource/uid"),
                json!("prometheus"),
            ),
        ),
        (
            "panel-title-description-rule",
            (format!("{load}/description"), json!("")),
        ),
        (
            "panel-units-rule",
            (format!("{load}/fieldConfig/defaults/unit"), json!("tasks")),
        ),
        (
            "panel-no-targets-rule",
            (format!("{load}/targets"), json!([])),
        ),
        ("target-promql-rule", query("sum(")),
        (
            "target-promql-rule",
            ("/annotations/list/0/target/expr".to_owned(), json!("max(1")),
        ),
        (
            "target-rate-interval-rule",
            query(&format!("rate(a_total{here}[5m])")),
        ),
        (
            "target-rate-interval-rule",
            query(&format!("increase(a_total{here}[$__range])")),
        ),
        (
            "target-counter-agg-rule",
            query(&format!("sum(a_total{here})")),
        ),
        (
            "target-counter-agg-rule",
            query(&format!(
                "sum(max_over_time(a_total{here}[$__rate_interval]))"
            )),
        ),
        (
            "target-histogram-rule",
            query(&format!(
                "sum by (le) (rate(a_bucket{here}[$__rate_interval]))"
            )),
        ),
        (
            "percentiles",
            query(&format!(
                "histogram_quantile(0.9, rate(a_bucket{here}[$__rate_interval]))"
            )),
        ),
        ("percentiles", query(&format!("avg(a{here})"))),
        ("required-matchers", query(r#"a{namespace="$namespace"}"#)),
    ] {
        let mut worse = page.clone();
        *worse.pointer_mut(&pointer).expect("a place in the page") = value;
        let before = faults(&page);
        assert!(
            faults(&worse)
                .iter()
                .any(|fault| fault.0 == rule && !before.contains(fault)),
            "{rule} does not find what is wrong at {pointer}"
        );
    }
}
