//! Runs that somebody cancels.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::report::Ending;
use redyno_crds::conditions::SUCCEEDED;

use super::{Expect::Over, check, finish, row};
use crate::fixtures::{Cluster, EXISTING, MANAGED};

#[test]
fn cancelling() {
    check(&[
        row(
            "before anything was made",
            MANAGED,
            |cluster| {
                cluster.cancel();
            },
            Over("Errored", "Cancelled", &[]),
        ),
        row(
            "while the preflight waits",
            EXISTING,
            |cluster| {
                cluster.until_preflight().cancel().look();
                assert!(cluster.done.contains(&"-preflight".to_owned()));
                assert!(!cluster.done.contains(&"+finish".to_owned()));
            },
            Over("Errored", "Cancelled", &[]),
        ),
        row(
            "while the preflight runs: the target is cleaned up",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                cluster.cancel();
                finish(cluster);
                assert!(cluster.done.contains(&"+finish".to_owned()));
            },
            Over("Errored", "Cancelled", &[]),
        ),
        row(
            "in mid-run",
            EXISTING,
            |cluster| {
                cluster.until_running().wait(5).cancel();
                finish(cluster);
                assert_eq!(cluster.status().dynos.len(), 2);
            },
            Over("Errored", "Cancelled", &[]),
        ),
        row(
            "too late: the dynos had ended",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dynos_end(0, &Ending::Completed);
                cluster.cancel();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "pods that are slow to go are waited for",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5).cancel();
                let decision = cluster.decide();
                cluster.apply(&decision, usize::MAX);
                let _ = cluster.look();
            },
            Over("Errored", "Cancelled", &[]),
        ),
    ]);
}

#[test]
fn a_pod_that_never_goes_is_given_up_after_its_grace_period() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_running().wait(5).cancel();
    let stuck = std::sync::Arc::new(cluster.pod("web.1").clone());
    cluster.look();
    // As if the deletion had not reached it.
    let mut cluster_with_stuck = Cluster::new(MANAGED);
    cluster_with_stuck.until_running().wait(5).cancel();
    let decision = cluster_with_stuck.decide();
    cluster_with_stuck.apply(&decision, usize::MAX);
    cluster_with_stuck.gone.clear();
    cluster_with_stuck.pods = vec![stuck];
    let until = Time(
        cluster_with_stuck
            .now
            .checked_add(SignedDuration::from_secs(30))
            .unwrap(),
    );
    cluster_with_stuck.change_pod("web.1", |pod| pod.metadata.deletion_timestamp = Some(until));
    cluster_with_stuck.wait(44).look();
    assert_eq!(cluster_with_stuck.status().verdict, None);
    cluster_with_stuck.wait(1).look();
    assert_eq!(cluster_with_stuck.condition(SUCCEEDED), "False Cancelled");
}
