//! What others make of a LoadTest at every stage: kstatus, by which Flux and Helm wait, and the
//! health check for Argo CD in the docs. Both are the real thing, run by `tests/readers`.

use std::io::Write;
use std::process::{Command, Stdio};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::message::Refusal;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::{DYNOS_READY, PREFLIGHT_PASSED, initial_conditions};
use redyno_crds::{LoadTest, LoadTestStatus};
use serde::Deserialize;
use serde_json::json;

use crate::fixtures::{Cluster, EXISTING, MANAGED};

/// What is expected of a stage: `status.state`, what kstatus says, what Argo CD shows.
type Expected = (&'static str, &'static str, &'static str);

struct Stage {
    title: &'static str,
    yaml: &'static str,
    until: fn(&mut Cluster),
    expected: Expected,
}

const fn stage(
    title: &'static str,
    yaml: &'static str,
    until: fn(&mut Cluster),
    expected: Expected,
) -> Stage {
    Stage {
        title,
        yaml,
        until,
        expected,
    }
}

const STAGES: &[Stage] = &[
    stage(
        "looked at, nothing done",
        MANAGED,
        |cluster| {
            let conditions = initial_conditions(Some(1), &Time(cluster.now));
            cluster.load_test.status = Some(LoadTestStatus {
                observed_generation: Some(1),
                state: Some("Pending".to_owned()),
                conditions,
                ..LoadTestStatus::default()
            });
        },
        ("Pending", "InProgress", "Progressing"),
    ),
    stage(
        "waiting for the managed Redis",
        MANAGED,
        |cluster| {
            cluster.look();
        },
        ("Preflight", "InProgress", "Progressing"),
    ),
    stage(
        "waiting for an image that cannot be pulled",
        EXISTING,
        |cluster| {
            cluster
                .until_preflight()
                .stick_pod("preflight", "ImagePullBackOff");
            cluster.wait(20).look();
        },
        ("Preflight", "InProgress", "Progressing"),
    ),
    stage(
        "waiting for dynos",
        MANAGED,
        |cluster| {
            cluster.until_dynos();
        },
        ("Starting", "InProgress", "Progressing"),
    ),
    stage(
        "ready",
        MANAGED,
        |cluster| {
            cluster.until_ready();
        },
        ("Starting", "InProgress", "Progressing"),
    ),
    stage(
        "running",
        MANAGED,
        |cluster| {
            cluster.until_running();
        },
        ("Running", "InProgress", "Progressing"),
    ),
    stage(
        "cleaning up",
        EXISTING,
        |cluster| {
            cluster.until_ended();
        },
        ("Collecting", "InProgress", "Progressing"),
    ),
    stage(
        "given up, with pods that are still going",
        EXISTING,
        |cluster| {
            cluster.until_running().cancel();
            let decision = cluster.decide();
            cluster.apply(&decision, 2);
        },
        ("Running", "InProgress", "Progressing"),
    ),
    stage(
        "changed since it was last looked at",
        MANAGED,
        |cluster| {
            cluster.until_running().cancel();
        },
        ("Running", "InProgress", "Progressing"),
    ),
    stage(
        "Passed",
        MANAGED,
        |cluster| {
            cluster.until_ended();
        },
        ("Finished", "Current", "Healthy"),
    ),
    stage(
        "Failed",
        MANAGED,
        |cluster| {
            cluster.until_running();
            let (worker, backlog, on_time) = (3, 100, Some(100));
            cluster.dynos_end(
                0,
                &Ending::BacklogLimit {
                    worker,
                    backlog,
                    on_time,
                },
            );
            cluster.look();
        },
        ("Finished", "Failed", "Degraded"),
    ),
    stage(
        "Errored before the start",
        EXISTING,
        |cluster| {
            cluster
                .until_preflight()
                .refuse(Refusal::AuthenticationFailed);
        },
        ("Finished", "Failed", "Degraded"),
    ),
    stage(
        "Errored by the spec",
        MANAGED,
        |cluster| {
            cluster.load_test.spec.formation[0].size = Some("huge".to_owned());
            cluster.look();
        },
        ("Finished", "Failed", "Degraded"),
    ),
    stage(
        "Errored in mid-run",
        MANAGED,
        |cluster| {
            cluster.until_running();
            cluster.delete(&Child::Dynos("web".to_owned()));
            cluster.look();
        },
        ("Finished", "Failed", "Degraded"),
    ),
    stage(
        "Inconclusive",
        MANAGED,
        |cluster| {
            cluster.until_running().wait(25);
            cluster.end_pod("web.1", 0, None);
            cluster.dyno_ends("web.2", 0, Ending::Completed);
            cluster.look();
        },
        ("Finished", "Failed", "Degraded"),
    ),
    stage(
        "Cancelled",
        MANAGED,
        |cluster| {
            cluster.until_running().cancel().look();
        },
        ("Finished", "Failed", "Degraded"),
    ),
];

#[derive(Debug, Deserialize)]
struct Answer {
    kstatus: Reading,
    argo: Reading,
}

#[derive(Debug, Deserialize)]
struct Reading {
    status: String,
    message: String,
}

/// The health check as the docs show it.
fn script() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/argo-cd.md");
    let page = std::fs::read_to_string(path).unwrap();
    let yaml = page
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let data: std::collections::BTreeMap<String, String> = serde_saphyr::from_str(yaml).unwrap();
    data["resource.customizations.health.redyno.dev_LoadTest"].clone()
}

fn read(load_tests: &[LoadTest]) -> Vec<Answer> {
    let mut readers = Command::new("go")
        .args(["run", "."])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/readers"))
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Go is installed");
    let asked = json!({"script": script(), "objects": load_tests}).to_string();
    let mut input = readers.stdin.take().unwrap();
    input.write_all(asked.as_bytes()).unwrap();
    drop(input);
    let output = readers.wait_with_output().unwrap();
    assert!(output.status.success(), "the readers failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_stage_is_read_by_others_as_it_is_meant() {
    let reach = |stage: &Stage, failed_verdict_is_stalled: bool| {
        let mut cluster = Cluster::new(stage.yaml);
        cluster.settings.failed_verdict_is_stalled = failed_verdict_is_stalled;
        (stage.until)(&mut cluster);
        cluster.load_test
    };
    let mut rows = Vec::new();
    let unseen = Cluster::new(MANAGED).load_test;
    let mut leaving = Cluster::new(MANAGED).until_running().load_test.clone();
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    rows.push(("never looked at", "", "InProgress", "Progressing", unseen));
    rows.push(("going", "Running", "Terminating", "Progressing", leaving));
    for stage in STAGES {
        let (state, kstatus, argo) = stage.expected;
        let lenient = if kstatus == "Failed" {
            "Current"
        } else {
            kstatus
        };
        for (stalled, kstatus) in [(true, kstatus), (false, lenient)] {
            rows.push((stage.title, state, kstatus, argo, reach(stage, stalled)));
        }
    }
    let load_tests: Vec<LoadTest> = rows.iter().map(|row| row.4.clone()).collect();
    let answers = read(&load_tests);
    assert_eq!(answers.len(), rows.len());
    for ((title, state, kstatus, argo, load_test), answer) in rows.iter().zip(&answers) {
        let status = load_test.status.clone().unwrap_or_default();
        assert_eq!(
            status.state.as_deref().unwrap_or_default(),
            *state,
            "{title}"
        );
        assert_eq!(answer.kstatus.status, *kstatus, "{title}: {answer:?}");
        assert_eq!(answer.argo.status, *argo, "{title}: {answer:?}");
        // Whoever waits sees why it failed.
        let message = status.message.unwrap_or_default();
        if *kstatus == "Failed" {
            assert_eq!(answer.kstatus.message, message, "{title}");
        }
        if let ("Progressing", Some(state)) = (*argo, &status.state) {
            let waits_for = status
                .conditions
                .iter()
                .filter(|condition| {
                    [PREFLIGHT_PASSED, DYNOS_READY].contains(&condition.type_.as_str())
                })
                .find(|condition| condition.status == "False")
                .map(|condition| format!(": {}", condition.message));
            let expected = format!("{state}{}", waits_for.unwrap_or_default());
            assert_eq!(answer.argo.message, expected, "{title}");
        }
        if *argo == "Degraded" {
            let expected = format!("{}: {message}", status.verdict.unwrap());
            assert_eq!(answer.argo.message, expected, "{title}");
        }
    }
}
