//! Dynos that are not ready, and why.

use redyno_contract::report::Ending;
use redyno_crds::conditions::DYNOS_READY;

use super::{
    Expect::{Over, Waiting},
    check, row,
};
use crate::fixtures::{Cluster, MANAGED};

fn quota_event(cluster: &mut Cluster) {
    let uid = cluster.observed.dynos["web"].metadata.uid.clone().unwrap();
    cluster.observed.pods.retain(|pod| {
        pod.metadata.name.as_deref() != Some("web.1")
            && pod.metadata.name.as_deref() != Some("web.2")
    });
    cluster.event(
        &uid,
        "FailedCreate",
        "Error creating: pods \"friday-web-0-x\" is forbidden: exceeded quota: tight, requested: cpu=1",
    );
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
                let detail = "web.1 was not ready".to_owned();
                for name in ["web.1", "web.2"] {
                    let detail = detail.clone();
                    cluster.dyno_ends(name, 75, Ending::StartTimeout { detail });
                }
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
