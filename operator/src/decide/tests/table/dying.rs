//! Dynos that die in mid-run.

use redyno_contract::record::RecordKind;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::SUCCEEDED;

use super::{
    Expect::{Over, Waiting},
    check, delete_mark, row,
};
use crate::fixtures::{EXISTING, MANAGED, dyno_record};

#[test]
fn dynos_that_die() {
    check(&[
        row(
            "killed for want of memory",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.end_pod_with("web.2", 137, "OOMKilled", None);
                cluster.look();
                assert!(cluster.done.contains(&"-web".to_owned()));
            },
            Over("Errored", "DynoOutOfMemory", &["web.2"]),
        ),
        row(
            "its last checkpoint is not taken for a report",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let mut report = cluster.report_of("web.2", Ending::Completed);
                report.end = None;
                let record = dyno_record(RecordKind::Checkpoint, &report);
                cluster.end_pod_with("web.2", 137, "OOMKilled", Some(record));
                cluster.look();
                let dyno = &cluster.status().dynos[1];
                assert_eq!(dyno.report, "Partial");
            },
            Over("Errored", "DynoOutOfMemory", &["web.2"]),
        ),
        row(
            "deleted by somebody",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                delete_mark(cluster, "web.2");
            },
            Over("Errored", "DynoLost", &["web.2"]),
        ),
        row(
            "gone while the operator was away",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.delete_pod("web.2");
            },
            Over("Errored", "DynoLost", &["web.2"]),
        ),
        row(
            "drained",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.set_pod_condition(
                    "web.1",
                    "DisruptionTarget",
                    "True",
                    "EvictionByEvictionAPI",
                );
                delete_mark(cluster, "web.1");
            },
            Over("Errored", "Evicted", &["web.1"]),
        ),
        row(
            "evicted by its node",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.end_pod("web.1", 143, None);
                cluster.change_pod("web.1", |pod| {
                    pod.status.as_mut().unwrap().reason = Some("Evicted".to_owned());
                });
            },
            Over("Errored", "Evicted", &["web.1"]),
        ),
        row(
            "drained, but it had ended well before that",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dyno_ends("web.1", 0, Ending::Completed);
                cluster.look();
                cluster.set_pod_condition(
                    "web.1",
                    "DisruptionTarget",
                    "True",
                    "EvictionByEvictionAPI",
                );
                delete_mark(cluster, "web.1");
                cluster.remove_pod("web.1");
                cluster.look();
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "a node that is quiet for less than a minute",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.set_pod_condition("web.1", "Ready", "False", "");
                cluster.look();
                cluster.wait(59);
            },
            Waiting(SUCCEEDED, "Unknown Pending"),
        ),
        row(
            "a node that is lost: its pod stays for ever",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.set_pod_condition("web.1", "Ready", "False", "");
                cluster.look();
                cluster.wait(60);
                // Deleted, the pod of the dead kubelet stays.
                let lost = std::sync::Arc::new(cluster.pod("web.1").clone());
                cluster.look();
                cluster.pods.push(lost);
                delete_mark(cluster, "web.1");
                cluster.wait(100);
            },
            Over("Errored", "DynoLost", &["web.1", "node-1"]),
        ),
        row(
            "a Job past its deadline",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(800);
                cluster.end_job(
                    &Child::Dynos("web".to_owned()),
                    "Failed",
                    "DeadlineExceeded",
                );
                for name in ["web.1", "web.2"] {
                    cluster.delete_pod(name);
                }
            },
            Over("Errored", "DeadlineExceeded", &[]),
        ),
        row(
            "a deadline that nobody keeps",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(2000);
            },
            Over("Errored", "DeadlineExceeded", &[]),
        ),
        row(
            "its Job deleted",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.delete(&Child::Dynos("web".to_owned()));
            },
            Over("Errored", "ChildLost", &["Job friday-web"]),
        ),
        row(
            "the reports deleted",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.delete(&Child::Report);
            },
            Over("Errored", "ChildLost", &["ConfigMap friday-report"]),
        ),
        row(
            "the plan deleted: an existing target cannot be cleaned up without it",
            EXISTING,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.delete(&Child::Plan);
            },
            Over("Errored", "ChildLost", &["ConfigMap friday-plan"]),
        ),
        row(
            "started twice: the one that lost the claim leaves",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let mut twin = cluster.pod("web.1").clone();
                twin.metadata.name = Some("twin".to_owned());
                twin.metadata.uid = Some("uid-twin".to_owned());
                cluster.pods.push(std::sync::Arc::new(twin));
                cluster.end_pod("twin", 76, None);
            },
            Over("Errored", "DuplicateDyno", &["web.1"]),
        ),
        row(
            "one that lost the target gets time for the others to notice",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let detail = "gone".to_owned();
                cluster.dyno_ends("web.1", 69, Ending::TargetLost { detail });
                cluster.look();
                cluster.wait(59);
            },
            Waiting(SUCCEEDED, "Unknown Pending"),
        ),
        row(
            "a minute, then they are stopped",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let detail = "gone".to_owned();
                cluster.dyno_ends("web.1", 69, Ending::TargetLost { detail });
                cluster.look();
                cluster.wait(60);
            },
            Over("Failed", "TargetLost", &[]),
        ),
    ]);
}
