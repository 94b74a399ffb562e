//! A run from its creation to its end, step by step.

use redyno_contract::message::PreflightResult;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::{
    DYNOS_READY, FINISHED, PREFLIGHT_PASSED, STARTED, SUCCEEDED, TARGET_CLEANED,
};

use crate::fixtures::{Cluster, EXISTING, MANAGED};

#[test]
fn a_managed_run_from_creation_to_retention() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.look();
    assert_eq!(cluster.done, ["+plan", "+report", "+redis", "+redis"]);
    assert_eq!(cluster.status().state.as_deref(), Some("Preflight"));
    assert_eq!(cluster.status().children.len(), 4);
    assert!(
        cluster
            .status()
            .children
            .iter()
            .all(|child| child.uid.is_some()),
        "every uid is recorded"
    );

    cluster.redis_ready();
    cluster.look();
    assert_eq!(cluster.done.last().unwrap(), "+preflight");

    cluster.preflight_ends(PreflightResult::Passed, "Redis 7.0.15");
    assert_eq!(cluster.condition(PREFLIGHT_PASSED), "True Passed");
    assert_eq!(cluster.done.last().unwrap(), "+web");
    assert_eq!(cluster.status().state.as_deref(), Some("Starting"));
    assert_eq!(cluster.status().dynos_ready.as_deref(), Some("0/2"));
    assert_eq!(
        cluster.status().target.as_ref().unwrap().version.as_deref(),
        Some("7.0.15")
    );

    let redis = cluster.status().target.clone().unwrap().node_name;
    assert_eq!(redis.as_deref(), Some("node-2"));
    cluster.ready_pod("web.1");
    cluster.look();
    assert_eq!(cluster.status().dynos_ready.as_deref(), Some("1/2"));
    cluster.ready_pod("web.2");
    cluster.look();
    assert_eq!(cluster.condition(DYNOS_READY), "True AllReady");
    assert_eq!(cluster.status().state.as_deref(), Some("Starting"));

    cluster.run_pod("web.1");
    cluster.look();
    assert_eq!(cluster.condition(STARTED), "True Started");
    assert_eq!(cluster.status().state.as_deref(), Some("Running"));
    cluster.run_pod("web.2");

    cluster.wait(25).dyno_ends("web.1", 0, Ending::Completed);
    cluster.look();
    assert_eq!(cluster.status().state.as_deref(), Some("Running"));
    cluster.dyno_ends("web.2", 0, Ending::Completed);
    cluster.look();
    assert_eq!(cluster.condition(FINISHED), "True Passed");
    assert_eq!(cluster.condition(SUCCEEDED), "True Passed");
    assert_eq!(cluster.status().verdict.as_deref(), Some("Passed"));
    assert_eq!(cluster.status().dynos.len(), 2);
    assert_eq!(cluster.status().dynos_ready.as_deref(), Some("2/2"));
    assert!(cluster.status().start_time.is_some());
    // The managed Redis goes at once; the pods stay, for their logs.
    assert_eq!(cluster.done[cluster.done.len() - 2..], ["-redis", "-redis"]);
    let kept = cluster.kept();
    for key in ["preflight", "web.1", "web.1.pod", "web.2", "web.2.pod"] {
        assert!(kept.contains_key(key), "{key} is kept");
    }

    let verdict = cluster.status().clone();
    cluster.wait(599);
    cluster.look();
    assert_eq!(cluster.done.last().unwrap(), "-redis");
    cluster.wait(2);
    cluster.look();
    assert_eq!(
        cluster.done[cluster.done.len() - 2..],
        ["-preflight", "-web"]
    );
    assert_eq!(*cluster.status(), verdict, "terminal is terminal");

    let told: Vec<&str> = cluster
        .notices
        .iter()
        .map(|notice| notice.reason.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "Accepted",
            "PreflightPassed",
            "DynosReady",
            "Started",
            "Passed"
        ]
    );
    assert!(cluster.notices.iter().all(|notice| !notice.warning));
    assert_eq!(
        Some(&cluster.notices.last().unwrap().note),
        verdict.message.as_ref(),
        "the last event carries the verdict"
    );
}

#[test]
fn an_existing_target_is_cleaned_up_before_the_verdict() {
    let mut cluster = Cluster::new(EXISTING);
    cluster.until_ended();
    assert_eq!(cluster.status().state.as_deref(), Some("Collecting"));
    assert_eq!(cluster.status().verdict, None);
    assert_eq!(
        cluster.done,
        [
            "+plan",
            "+report",
            "+preflight",
            "+web",
            "+worker",
            "+finish"
        ]
    );
    cluster.finish_ends();
    assert_eq!(cluster.status().verdict.as_deref(), Some("Passed"));
    assert_eq!(
        cluster.status().target.as_ref().unwrap().cleanup.as_deref(),
        Some("12 keys removed")
    );
    assert_eq!(cluster.condition(TARGET_CLEANED), "True Cleaned");
    let told = cluster
        .notices
        .iter()
        .any(|notice| notice.action == TARGET_CLEANED);
    assert!(!told, "nothing to worry about");
}

#[test]
fn nothing_is_written_when_nothing_happens() {
    for until in [
        Cluster::look as fn(&mut Cluster) -> usize,
        |cluster| cluster.until_preflight().look(),
        |cluster| cluster.until_dynos().look(),
        |cluster| cluster.until_ready().look(),
        |cluster| cluster.until_running().look(),
        |cluster| cluster.until_ended().look(),
    ] {
        let mut cluster = Cluster::new(MANAGED);
        until(&mut cluster);
        let (writes, done) = (cluster.status_writes, cluster.done.len());
        for _ in 0..5 {
            cluster.wait(1);
            assert_eq!(cluster.look(), 1);
        }
        assert_eq!((cluster.status_writes, cluster.done.len()), (writes, done));
    }
}

#[test]
fn a_run_too_short_to_be_seen_takes_its_start_from_its_reports() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_dynos().wait(4);
    cluster.dynos_end(0, &Ending::Completed);
    cluster.look();
    assert_eq!(cluster.condition(STARTED), "True Started");
    assert_eq!(cluster.condition(DYNOS_READY), "True AllReady");
    assert_eq!(cluster.status().verdict.as_deref(), Some("Passed"));
}

#[test]
fn what_a_lost_dyno_said_and_why_it_was_lost_is_kept_before_anything_is_deleted() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_running().wait(5);
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(cluster.now);
    cluster.change_pod("web.2", |pod| pod.metadata.deletion_timestamp = Some(now));
    let decision = cluster.decide();
    assert!(
        decision.store["run"].contains("web"),
        "{:?}",
        decision.store
    );
    assert!(decision.store["web.2.pod"].contains("its pod was deleted"));
    assert_eq!(
        decision.effects.len(),
        1,
        "the Job is deleted, nothing else: {:?}",
        decision.effects
    );
    // Killed after the store, the next operator goes on.
    cluster.apply(&decision, 1);
    cluster.look();
    assert_eq!(cluster.done.last().unwrap(), "-redis");
    assert_eq!(cluster.condition(SUCCEEDED), "False DynoLost");
    let message = cluster.status().message.clone().unwrap();
    assert!(message.contains("web.2"), "{message}");
}

#[test]
fn our_own_deletions_are_latched_before_they_are_made() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_running().cancel();
    let decision = cluster.decide();
    let latch = decision
        .status
        .children
        .iter()
        .find(|child| child.name == "friday-web")
        .unwrap();
    assert_eq!(latch.intent.as_deref(), Some("Deleting"));
    // The status is written, and the operator killed before the deletion.
    cluster.apply(&decision, 2);
    assert!(cluster.observed.dynos.contains_key("web"));
    cluster.look();
    assert!(!cluster.observed.dynos.contains_key("web"));
    assert_eq!(cluster.condition(SUCCEEDED), "False Cancelled");
}

#[test]
fn a_child_that_was_created_before_a_crash_is_adopted() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_preflight();
    cluster.preflight_ends(PreflightResult::Passed, "fine");
    // The dynos' Job is there, its uid was never recorded.
    let status = cluster.load_test.status.as_mut().unwrap();
    status
        .children
        .iter_mut()
        .find(|child| child.name == "friday-web")
        .unwrap()
        .uid = None;
    let made = cluster.done.len();
    cluster.look();
    assert_eq!(cluster.done.len(), made, "nothing is made again");
    assert!(
        cluster
            .status()
            .children
            .iter()
            .all(|child| child.uid.is_some())
    );
}

#[test]
fn a_run_under_way_survives_a_catalogue_that_lost_its_size() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.until_running();
    cluster.load_test.spec.formation[0].size = Some("of-another-catalogue".to_owned());
    cluster.wait(25);
    cluster.dynos_end(0, &Ending::Completed);
    cluster.look();
    assert_eq!(cluster.condition(SUCCEEDED), "True Passed");
}

#[test]
fn the_loadtest_goes_after_its_time_to_live() {
    let mut cluster = Cluster::new(MANAGED);
    cluster.load_test.spec.retention.ttl_seconds_after_finished = Some(60);
    cluster.until_ended();
    cluster.wait(59);
    cluster.look();
    assert_ne!(cluster.done.last().unwrap(), "-loadtest");
    cluster.wait(1);
    cluster.look();
    assert_eq!(cluster.done.last().unwrap(), "-loadtest");
}

#[test]
fn a_finished_job_keeps_its_pods_for_their_logs_when_the_run_is_given_up() {
    let mut cluster = Cluster::new(EXISTING);
    cluster.until_running();
    cluster.dyno_ends(
        "web.1",
        70,
        Ending::Internal {
            detail: "oops".to_owned(),
        },
    );
    cluster.look();
    assert!(cluster.observed.dynos.contains_key("web"), "ended: kept");
    assert!(!cluster.observed.dynos.contains_key("worker"), "stopped");
    assert!(
        cluster.observed.metadata(&Child::Finish).is_some(),
        "the target is cleaned up"
    );
}
