//! What the chart makes for Prometheus and Grafana, and when.

use std::collections::BTreeSet;
use std::path::PathBuf;

use redyno_tests::command::run;
use redyno_tests::installation::chart;
use redyno_tests::repository::files;
use serde_json::{Value, json};

use super::{PROMETHEUS_OPERATOR, helm_is_there, kinds, objects, only, template, title, variable};

/// The monitoring kinds among the objects; dashboards are ConfigMaps.
fn monitoring(objects: &[Value]) -> BTreeSet<&str> {
    let mut found = kinds(objects);
    found.retain(|kind| PROMETHEUS_OPERATOR.contains(kind));
    if !dashboards(objects).is_empty() {
        found.insert("dashboards");
    }
    found
}

fn dashboards(objects: &[Value]) -> Vec<&Value> {
    objects
        .iter()
        .filter(|object| object["metadata"]["labels"]["grafana_dashboard"] == "1")
        .collect()
}

/// An object is expected only for a file that the chart's folders hold.
fn with_files(expected: &[&'static str]) -> BTreeSet<&'static str> {
    let mut expected: BTreeSet<&str> = expected.iter().copied().collect();
    if alerts().is_empty() {
        expected.remove("PrometheusRule");
    }
    if files("charts/redyno", ".json").len() < 2 {
        expected.remove("dashboards");
    }
    expected
}

#[test]
fn each_is_switched_by_itself_and_found_by_the_clusters_api() {
    if !helm_is_there() {
        return;
    }
    let all = [
        "ServiceMonitor",
        "PodMonitor",
        "PrometheusRule",
        "dashboards",
    ];
    let off = json!({"enabled": false});
    let on = json!({"enabled": true});
    for (values, api, expected) in [
        (json!({}), &[][..], &[][..]),
        (json!({}), &PROMETHEUS_OPERATOR[..], &all[..]),
        // One of the kinds is missing in the API.
        (json!({}), &["ServiceMonitor"][..], &["ServiceMonitor"][..]),
        (
            json!({"podMonitor": on, "dashboards": on}),
            &[][..],
            &["PodMonitor", "dashboards"][..],
        ),
        (
            json!({"serviceMonitor": off, "rules": off}),
            &PROMETHEUS_OPERATOR[..],
            &["PodMonitor", "dashboards"][..],
        ),
        (
            json!({"podMonitor": off, "dashboards": off}),
            &PROMETHEUS_OPERATOR[..],
            &["ServiceMonitor", "PrometheusRule"][..],
        ),
        // Without a Service there is nothing to find the operator by.
        (
            json!({"service": false}),
            &PROMETHEUS_OPERATOR[..],
            &["PodMonitor", "PrometheusRule", "dashboards"][..],
        ),
        // Nothing is scraped twice unless the values say so.
        (
            json!({"scrapeAnnotations": true}),
            &PROMETHEUS_OPERATOR[..],
            &["PrometheusRule", "dashboards"][..],
        ),
        (
            json!({"scrapeAnnotations": true, "podMonitor": on}),
            &PROMETHEUS_OPERATOR[..],
            &["PodMonitor", "PrometheusRule", "dashboards"][..],
        ),
    ] {
        let objects = objects(&json!({"metrics": values}), api);
        assert_eq!(
            monitoring(&objects),
            with_files(expected),
            "{values} {api:?}"
        );
    }
}

#[test]
fn dynos_wait_for_a_scrape_only_if_somebody_scrapes() {
    if !helm_is_there() {
        return;
    }
    let interval = |interval: &str| json!({"metrics": {"podMonitor": {"interval": interval}}});
    for (values, api, seconds) in [
        (json!({}), &[][..], "0"),
        (json!({}), &["PodMonitor"][..], "10"),
        (interval("30s"), &["PodMonitor"][..], "60"),
        (interval("1m"), &["PodMonitor"][..], "120"),
        (interval("90m"), &["PodMonitor"][..], "3600"),
        (interval("30s"), &[][..], "0"),
        (
            json!({"metrics": {"podMonitor": {"enabled": false}}}),
            &["PodMonitor"][..],
            "0",
        ),
        (
            json!({"metrics": {"scrapeAnnotations": true}}),
            &[][..],
            "60",
        ),
        (json!({"lingerSeconds": 0}), &["PodMonitor"][..], "0"),
        (json!({"lingerSeconds": 7}), &[][..], "7"),
    ] {
        let found = variable(&objects(&values, api), "REDYNO_LINGER_SECONDS");
        assert_eq!(found, seconds, "{values} {api:?}");
    }
}

#[test]
fn scrape_annotations_are_an_option() {
    if !helm_is_there() {
        return;
    }
    for on in [false, true] {
        let objects = objects(&json!({"metrics": {"scrapeAnnotations": on}}), &[]);
        assert_eq!(
            variable(&objects, "REDYNO_SCRAPE_ANNOTATIONS"),
            on.to_string()
        );
        let pod = &only(&objects, "Deployment")["spec"]["template"];
        let annotations = &pod["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/scrape"] == "true", on);
        if on {
            let port = &pod["spec"]["containers"][0]["ports"][0]["containerPort"];
            assert_eq!(annotations["prometheus.io/port"], port.to_string());
        }
    }
}

fn alerts() -> Vec<PathBuf> {
    let mut found = files("charts/redyno", ".yaml");
    found.retain(|file| file.parent().is_some_and(|it| it.ends_with("alerts")));
    found
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All rules of groups, by name.
fn rules(groups: &Value) -> Vec<&Value> {
    groups
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|group| group["rules"].as_array().into_iter().flatten())
        .collect()
}

/// The rules as they are in their files, and a runbook for each.
#[test]
fn alerts_arrive_as_they_are_written() {
    if !helm_is_there() || alerts().is_empty() {
        return;
    }
    let written: Vec<Value> = alerts()
        .iter()
        .map(|file| serde_saphyr::from_str(&read(file)).expect("YAML"))
        .collect();
    let written: Vec<&Value> = written
        .iter()
        .flat_map(|file| rules(&file["groups"]))
        .collect();
    let values = |disabled: &[&str]| json!({"metrics": {"rules": {"disabled": disabled, "runbookUrl": "https://wiki.example.com/redyno"}}});
    let made = objects(&values(&[]), &PROMETHEUS_OPERATOR);
    let made = rules(&only(&made, "PrometheusRule")["spec"]["groups"]);
    assert_eq!(made.len(), written.len());
    for (made, written) in made.iter().zip(&written) {
        let mut expected = (*written).clone();
        if let Some(name) = written["alert"].as_str() {
            expected["annotations"]["runbook_url"] =
                format!("https://wiki.example.com/redyno#{}", name.to_lowercase()).into();
        }
        assert_eq!(**made, expected);
    }
    let first = written
        .iter()
        .find_map(|rule| rule["alert"].as_str())
        .expect("an alert");
    let fewer = objects(&values(&[first]), &PROMETHEUS_OPERATOR);
    let fewer = rules(&only(&fewer, "PrometheusRule")["spec"]["groups"]);
    assert_eq!(fewer.len(), written.len() - 1);
    assert!(fewer.iter().all(|rule| rule["alert"] != first));
}

/// The files are unchanged, each in a ConfigMap that an API server accepts.
#[test]
fn dashboards_arrive_as_they_are_written() {
    if !helm_is_there() {
        return;
    }
    let values = json!({"metrics": {"dashboards": {"namespace": "grafana"}}});
    let objects = objects(&values, &PROMETHEUS_OPERATOR);
    let mut seen = 0;
    for config_map in dashboards(&objects) {
        assert_eq!(config_map["metadata"]["namespace"], "grafana");
        assert_eq!(
            config_map["metadata"]["annotations"]["grafana_folder"],
            "redyno"
        );
        let data = config_map["data"].as_object().expect("data");
        assert_eq!(data.len(), 1, "{}", title(config_map));
        for (name, text) in data {
            let file = PathBuf::from(chart()).join("dashboards").join(name);
            let written = read(&file);
            assert_eq!(text.as_str(), Some(written.as_str()), "{name}");
            // The data of a ConfigMap may have 1 MiB in all.
            assert!(written.len() < 1 << 20, "{name} is too large");
            seen += 1;
        }
    }
    let mut written = files("charts/redyno", ".json");
    written.retain(|file| file.parent().is_some_and(|it| it.ends_with("dashboards")));
    assert_eq!(seen, written.len());
}

/// Only `helm install` shows the notes, and it needs a cluster. Here they are rendered into an
/// object.
fn notes(values: &Value, api: &[&str]) -> String {
    static COPY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let copy = COPY.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chart-with-notes");
        let path = folder.to_string_lossy().into_owned();
        run("rm", &["-rf", &path]).expect_success("rm");
        run("cp", &["-rL", &chart(), &path]).expect_success("cp");
        let templates = folder.join("templates");
        let notes = read(&templates.join("NOTES.txt"));
        let wrapped = format!(
            "{{{{- define \"notes\" }}}}{notes}{{{{ end -}}}}\n\
             kind: Notes\ntext: {{{{ include \"notes\" . | quote }}}}\n"
        );
        std::fs::write(templates.join("notes.yaml"), wrapped).expect("a writable folder");
        path
    });
    let text = template(copy, values, api).expect_success("helm template");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let notes = only(&documents, "Notes")["text"].as_str().expect("a text");
    notes.to_owned()
}

#[test]
fn notes_say_what_was_made_and_what_to_do_next() {
    if !helm_is_there() {
        return;
    }
    let labelled = json!({"metrics": {"additionalLabels": {"release": "kps"}}});
    let annotated = json!({"metrics": {"scrapeAnnotations": true}});
    let namespaced = json!({"watchNamespaces": ["team-a"]});
    let open = "name the namespaces of your tests";
    let no_operator = "This cluster has no Prometheus Operator";
    let ignored = "metrics.additionalLabels.release=NAME";
    for (values, api, there, absent) in [
        (
            json!({}),
            &[][..],
            &[
                "watches LoadTests in every namespace",
                open,
                no_operator,
                "stay when this release is uninstalled",
            ][..],
            &[ignored][..],
        ),
        (
            json!({}),
            &PROMETHEUS_OPERATOR[..],
            &["a ServiceMonitor, a PodMonitor", ignored][..],
            &[no_operator][..],
        ),
        (
            labelled,
            &PROMETHEUS_OPERATOR[..],
            &["a PodMonitor"][..],
            &[ignored][..],
        ),
        (annotated, &[][..], &[][..], &[no_operator, ignored][..]),
        (
            namespaced,
            &[][..],
            &[
                "watches LoadTests in team-a",
                "describe loadtests.redyno.dev quickstart -n team-a",
                "any address at 6379, 6380.",
            ][..],
            &[open][..],
        ),
        (
            json!({"watchNamespaces": ["a"], "networkPolicy": {"runs": {"targets": []}}}),
            &[][..],
            &["says: none."][..],
            &[open][..],
        ),
        (
            json!({"crds": {"keep": false}}),
            &[][..],
            &[][..],
            &["stay when"][..],
        ),
    ] {
        let notes = notes(&values, api);
        let commands = notes
            .lines()
            .filter(|line| line.starts_with("  kubectl "))
            .count();
        assert_eq!(commands, 3, "{notes}");
        for words in there {
            assert!(notes.contains(words), "{words:?} is not in\n{notes}");
        }
        for words in absent {
            assert!(!notes.contains(words), "{words:?} is in\n{notes}");
        }
        for line in notes.lines() {
            assert!(line.len() <= 100 && line.trim_end() == line, "{line:?}");
        }
        assert!(!notes.contains("\n\n\n"), "{notes}");
    }
}
