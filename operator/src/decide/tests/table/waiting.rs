//! Dynos that are not ready, and why.

use redyno_contract::message::PreflightResult;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::DYNOS_READY;

use super::{
    Expect::{Over, Waiting},
    check, finish, row,
};
use crate::fixtures::{Cluster, EXISTING, MANAGED, preflight_record};

fn quota_event(cluster: &mut Cluster) {
    let uid = cluster.observed.dynos["web"].metadata.uid.clone().unwrap();
    cluster.pods.retain(|pod| {
        pod.metadata.name.as_deref() != Some("web.1")
            && pod.metadata.name.as_deref() != Some("web.2")
    });
    cluster.event(
        &uid,
        "FailedCreate",
        "Error creating: pods \"friday-web-0-x\" is forbidden: exceeded quota: tight, requested: cpu=1",
    );
}

/// What a dyno says that finds no phase.
fn target_changed() -> Ending {
    Ending::TargetChanged {
        detail: "no phase".to_owned(),
    }
}

/// The dynos of the one type are there, a quota refuses those of the other.
fn refuse_worker(cluster: &mut Cluster) {
    cluster.refuses.push((
        Child::Dynos("worker".to_owned()),
        "jobs.batch \"x\" is forbidden: exceeded quota: tight".to_owned(),
    ));
    cluster.until_dynos();
}

#[test]
fn waiting_for_dynos() {
    check(&[
        row(
            "one that does not fit is named after 10 s, beside the largest node",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                for name in ["web.1", "web.2"] {
                    cluster.set_pod_condition(name, "PodScheduled", "False", "Unschedulable");
                }
                cluster.largest_node();
                cluster.wait(10).look();
                let message = &cluster
                    .status()
                    .conditions
                    .iter()
                    .find(|condition| condition.type_ == DYNOS_READY)
                    .unwrap()
                    .message;
                for words in ["web.1", "largest node, node-1, has 2 CPU", "1 more"] {
                    assert!(message.contains(words), "{message}");
                }
            },
            Waiting(DYNOS_READY, "False Unschedulable"),
        ),
        row(
            "and ends the run after the start timeout",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.set_pod_condition("web.1", "PodScheduled", "False", "Unschedulable");
                cluster.ready_pod("web.2");
                cluster.wait(300);
            },
            Over("Errored", "Unschedulable", &["web.1", "300 s"]),
        ),
        row(
            "one that is placed late is waited for",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.set_pod_condition("web.1", "PodScheduled", "False", "Unschedulable");
                cluster.wait(200).look();
                cluster.set_pod_condition("web.1", "PodScheduled", "True", "");
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "a cause that has healed is taken back",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.set_pod_condition("web.1", "PodScheduled", "False", "Unschedulable");
                cluster.wait(20).look();
                assert_eq!(cluster.condition(DYNOS_READY), "False Unschedulable");
                cluster.set_pod_condition("web.1", "PodScheduled", "True", "");
                cluster.start_pod("web.1");
                cluster.wait(5);
            },
            Waiting(DYNOS_READY, "False Waiting"),
        ),
        row(
            "a type that a quota refuses beside one that does not fit: the refusal is named, and stays",
            EXISTING,
            |cluster| {
                refuse_worker(cluster);
                cluster.set_pod_condition("web.1", "PodScheduled", "False", "Unschedulable");
                let mut told = Vec::new();
                for _ in 0..6 {
                    cluster.wait(5).look();
                    told.push(cluster.condition(DYNOS_READY));
                }
                assert_eq!(told, ["False QuotaExceeded"; 6]);
                let writes = cluster.status_writes;
                cluster.wait(5).look();
                assert_eq!(cluster.status_writes, writes, "nothing flaps");
            },
            Waiting(DYNOS_READY, "False QuotaExceeded"),
        ),
        row(
            "once it is not refused any more, what does not fit is named",
            EXISTING,
            |cluster| {
                refuse_worker(cluster);
                cluster.set_pod_condition("web.1", "PodScheduled", "False", "Unschedulable");
                cluster.wait(15).look();
                cluster.refuses.clear();
                cluster.wait(10).look();
                cluster.wait(10);
            },
            Waiting(DYNOS_READY, "False Unschedulable"),
        ),
        row(
            "a quota that never gives way is what the run ends by, not the dynos that are there",
            EXISTING,
            |cluster| {
                refuse_worker(cluster);
                cluster.ready_pod("web.1");
                cluster.wait(60).look();
                finish(cluster);
            },
            Over("Errored", "QuotaExceeded", &["friday-worker"]),
        ),
        row(
            "what is hopeless with the dynos that are there ends it before that",
            EXISTING,
            |cluster| {
                refuse_worker(cluster);
                cluster.stick_pod("web.1", "InvalidImageName");
                cluster.look();
                finish(cluster);
            },
            Over("Errored", "ImagePullFailed", &["web.1"]),
        ),
        row(
            "a quota shows in the Job's events only",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                quota_event(cluster);
                cluster.wait(10);
            },
            Waiting(DYNOS_READY, "False QuotaExceeded"),
        ),
        row(
            "and ends the run after the start timeout",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                quota_event(cluster);
                cluster.wait(300);
            },
            Over("Errored", "QuotaExceeded", &["tight"]),
        ),
        row(
            "admission ends it at once",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                quota_event(cluster);
                cluster.observed.events[0].message =
                    "Error creating: pods \"x\" is forbidden: violates PodSecurity".to_owned();
            },
            Over("Errored", "PodRejected", &["PodSecurity"]),
        ),
        row(
            "dynos that run get a little longer, for they know why",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.start_pod("web.1");
                cluster.ready_pod("web.2");
                cluster.wait(300);
            },
            Waiting(DYNOS_READY, "False Waiting"),
        ),
        row(
            "and say so",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.start_pod("web.1");
                cluster.ready_pod("web.2");
                cluster.wait(301);
                cluster.dynos_end(
                    75,
                    &Ending::StartTimeout {
                        detail: "web.1 was not ready".to_owned(),
                    },
                );
            },
            Over("Errored", "StartTimeout", &["web.1"]),
        ),
        row(
            "or do not",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.start_pod("web.1");
                cluster.ready_pod("web.2");
                cluster.wait(330);
            },
            Over("Errored", "StartTimeout", &["web.1", "330 s"]),
        ),
        row(
            "one that ends before the others are ready ends the run",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.dyno_ends(
                    "web.1",
                    70,
                    Ending::Internal {
                        detail: "oops".to_owned(),
                    },
                );
                cluster.look();
                assert!(cluster.done.contains(&"-web".to_owned()));
            },
            Over("Errored", "InternalInconsistency", &["web.1"]),
        ),
    ]);
}

/// The preflight passes while the operator is away.
fn preflight_passes_unseen(cluster: &mut Cluster) {
    cluster.until_preflight().start_pod("preflight");
    let record = preflight_record(PreflightResult::Passed, "fine");
    cluster.end_pod("preflight", 0, Some(record));
}

#[test]
fn an_operator_that_was_away() {
    check(&[
        row(
            "for so long that the preflight's reservation is gone: no dyno is released in vain",
            EXISTING,
            |cluster| {
                preflight_passes_unseen(cluster);
                cluster.wait(120).look();
                assert!(!cluster.done.contains(&"+web".to_owned()));
                assert_eq!(cluster.done.last().unwrap(), "+finish");
                finish(cluster);
            },
            Over("Errored", "StartTimeout", &["operator was away", "120 s"]),
        ),
        row(
            "a little less: the dynos are released, and have time",
            EXISTING,
            |cluster| {
                preflight_passes_unseen(cluster);
                cluster.wait(119).until_ended();
                finish(cluster);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "or have not: then that is said beside what they saw",
            EXISTING,
            |cluster| {
                preflight_passes_unseen(cluster);
                cluster.wait(110).look();
                cluster.wait(20);
                cluster.dynos_end(65, &target_changed());
                finish(cluster);
            },
            Over(
                "Errored",
                "TargetChanged",
                &["no phase", "released the dynos only 110 s after"],
            ),
        ),
        row(
            "a target that changed with the operator there is nothing else",
            EXISTING,
            |cluster| {
                cluster.until_dynos().wait(5);
                cluster.dynos_end(65, &target_changed());
                finish(cluster);
                let message = cluster.status().message.clone().unwrap();
                assert!(!message.contains("operator"), "{message}");
            },
            Over("Errored", "TargetChanged", &["no phase"]),
        ),
    ]);
}
