//! Whoever may make pods and change ConfigMaps, in another namespace or in the run's own, can make
//! no run pass, and without naming the run's own Jobs can change nothing.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use redyno_contract::message::PreflightResult;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::{FINISHED, SUCCEEDED};

use super::{
    Expect::{Over, Waiting},
    check, row,
};
use crate::fixtures::{Cluster, EXISTING, MANAGED, dyno_record, preflight_record};

/// Puts a copy of a pod beside it that somebody made.
fn forge(cluster: &mut Cluster, name: &str, change: impl FnOnce(&mut Pod)) {
    let mut forged = cluster.pod(name).clone();
    forged.metadata.name = Some("forged".to_owned());
    forged.metadata.uid = Some("uid-forged".to_owned());
    change(&mut forged);
    cluster.pods.insert(0, Arc::new(forged));
}

fn without_controller(pod: &mut Pod) {
    pod.metadata.owner_references = None;
}

fn of_another_namespace(pod: &mut Pod) {
    pod.metadata.namespace = Some("evil".to_owned());
}

/// The record of a dyno that held everything, as the forged pod would have it.
fn forged_record(cluster: &Cluster, name: &str) -> String {
    let mut report = cluster.report_of(name, Ending::Completed);
    report.pod = "uid-forged".to_owned();
    dyno_record(redyno_contract::record::RecordKind::Final, &report)
}

#[test]
fn forged_pods() {
    check(&[
        row(
            "one in another namespace that says that it lost the claim",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                forge(cluster, "web.1", of_another_namespace);
                cluster.end_pod("forged", 76, None);
                cluster.look();
                cluster.wait(20).dynos_end(0, &Ending::Completed);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "one in the run's own namespace",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                forge(cluster, "web.1", without_controller);
                cluster.end_pod("forged", 1, None);
                cluster.look();
                cluster.wait(20).dynos_end(0, &Ending::Completed);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "one with a good record, before the dyno fails",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                forge(cluster, "web.1", without_controller);
                let record = forged_record(cluster, "web.1");
                cluster.end_pod("forged", 0, Some(record));
                cluster.look();
                assert!(
                    !cluster.kept().contains_key("web.1"),
                    "nothing is kept of it"
                );
                let (worker, backlog, on_time) = (3, 100, Some(100));
                cluster.dyno_ends(
                    "web.1",
                    0,
                    Ending::BacklogLimit {
                        worker,
                        backlog,
                        on_time,
                    },
                );
                cluster.dyno_ends("web.2", 0, Ending::Stopped);
            },
            Over("Failed", "BacklogLimitReached", &["web.1"]),
        ),
        row(
            "a preflight that says that all is well",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                forge(cluster, "preflight", without_controller);
                let record = preflight_record(PreflightResult::Passed, "fine");
                cluster.end_pod("forged", 0, Some(record));
            },
            Waiting(SUCCEEDED, "Unknown Pending"),
        ),
        row(
            "one that names the run's own Job, with a good record, before the dyno fails",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                forge(cluster, "web.1", |_| {});
                let record = forged_record(cluster, "web.1");
                cluster.end_pod("forged", 0, Some(record));
            },
            Over("Errored", "DuplicateDyno", &["web.1"]),
        ),
        row(
            "and after the dyno has ended",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dyno_ends("web.1", 0, Ending::Completed);
                cluster.look();
                forge(cluster, "web.1", |_| {});
            },
            Over("Errored", "DuplicateDyno", &["web.1"]),
        ),
        row(
            "a preflight that names the run's own Job",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                forge(cluster, "preflight", |_| {});
                let record = preflight_record(PreflightResult::Passed, "fine");
                cluster.end_pod("forged", 0, Some(record));
                cluster.look();
                assert!(!cluster.done.contains(&"+web".to_owned()));
                super::finish(cluster);
            },
            Over(
                "Errored",
                "PreflightFailed",
                &["two pods ran the preflight"],
            ),
        ),
    ]);
}

#[test]
fn forged_objects_and_entries() {
    check(&[
        row(
            "a Job that names the LoadTest as its controller, made before ours",
            MANAGED,
            |cluster| {
                cluster.until_preflight();
                let owner = ("LoadTest", "friday", crate::fixtures::UID);
                cluster.squat(&Child::Dynos("web".to_owned()), Some(owner));
                cluster.preflight_ends(PreflightResult::Passed, "fine");
            },
            Over("Errored", "NameConflict", &["friday-web"]),
        ),
        row(
            "a report put in the place of one that failed",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let (worker, backlog, on_time) = (3, 100, Some(100));
                let record = cluster.final_record("web.1", Ending::Completed);
                cluster.dyno_ends(
                    "web.1",
                    0,
                    Ending::BacklogLimit {
                        worker,
                        backlog,
                        on_time,
                    },
                );
                cluster.look();
                cluster.remove_pod("web.1");
                cluster.look();
                cluster.keep("web.1", &record);
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over(
                "Inconclusive",
                "ReportMissing",
                &["web.1", "not written by this operator"],
            ),
        ),
        row(
            "another dyno's report, sealed as it is",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dyno_ends("web.2", 0, Ending::Completed);
                cluster.look();
                let copied = cluster.kept()["web.2"].clone();
                cluster.keep("web.1", &copied);
                cluster.end_pod("web.1", 0, None);
                cluster.remove_pod("web.1");
            },
            Over("Inconclusive", "ReportMissing", &["web.1"]),
        ),
        row(
            "a plan with other limits, put in the place of the one that was accepted",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.change_plan("250000", "999999999");
                cluster.look();
                assert!(cluster.done.contains(&"-web".to_owned()));
            },
            Over("Errored", "EvidenceChanged", &["ConfigMap friday-plan"]),
        ),
        row(
            "even when everything has ended",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dynos_end(0, &Ending::Completed);
                cluster.change_plan("250000", "999999999");
            },
            Over("Errored", "EvidenceChanged", &["ConfigMap friday-plan"]),
        ),
        row(
            "another image in what is still to be made; the target is left alone by it",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                cluster.change_plan("registry.example/runner:1", "evil.example/runner:1");
                cluster.look();
                assert!(
                    !cluster.done.contains(&"+web".to_owned()),
                    "{:?}",
                    cluster.done
                );
                assert!(!cluster.done.contains(&"+finish".to_owned()));
                let cleaned = cluster.condition(redyno_crds::conditions::TARGET_CLEANED);
                assert_eq!(cleaned, "False CleanupFailed");
            },
            Over("Errored", "EvidenceChanged", &["ConfigMap friday-plan"]),
        ),
        row(
            "a give-up that somebody else wrote",
            MANAGED,
            |cluster| {
                cluster.until_running();
                cluster.keep(
                    "run",
                    r#"{"cause":"cancelled","at":"2026-01-01T00:00:00Z"}"#,
                );
                cluster.look();
                cluster.wait(25).dynos_end(0, &Ending::Completed);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "a give-up that somebody took away, after the dynos had ended",
            EXISTING,
            |cluster| {
                cluster.until_ended();
                forge(cluster, "web.1", |_| {});
                cluster.look();
                assert_eq!(cluster.condition(FINISHED), "False Stopping");
                cluster.pods.remove(0);
                cluster.wipe("run");
                cluster.look();
                cluster.finish_ends();
            },
            Over("Errored", "EvidenceChanged", &["ConfigMap friday-report"]),
        ),
    ]);
}
