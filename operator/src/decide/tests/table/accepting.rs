//! Is the spec accepted, and is everything made that it needs?

use redyno_contract::message::PreflightResult;
use redyno_crds::children::Child;
use redyno_crds::conditions::{ACCEPTED, PREFLIGHT_PASSED};
use redyno_crds::spec::Flush;

use super::{
    Expect::{Over, Waiting},
    check, finish, row,
};
use crate::build::plan_config_map;
use crate::fixtures::{Cluster, EXISTING, MANAGED};

/// As if the first release had begun the run.
fn begun_by_the_first_release(cluster: &mut Cluster) {
    let plan = cluster.observed.plan.as_mut().unwrap();
    let data = plan.data.as_mut().unwrap();
    assert!(data.remove(plan_config_map::OBJECTS_KEY).is_some());
    cluster.load_test.status.as_mut().unwrap().plan_digest = None;
}

/// What the API server says of a quota that is used up.
const QUOTA: &str = "pods \"x\" is forbidden: exceeded quota: small";

#[test]
fn accepting() {
    check(&[
        row(
            "an unknown size is named, with those that there are",
            MANAGED,
            |cluster| cluster.load_test.spec.formation[0].size = Some("huge".to_owned()),
            Over("Errored", "InvalidSpec", &["huge", "performance-2xl"]),
        ),
        row(
            "an unknown plan is named, with those that there are",
            MANAGED,
            |cluster| {
                cluster.load_test.spec.target.managed.as_mut().unwrap().plan =
                    "premium-99".to_owned();
            },
            Over("Errored", "InvalidSpec", &["premium-99", "premium-14"]),
        ),
        row(
            "a size that the catalogue loses once the LoadTest is accepted, before anything is made of it",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.load_test.spec.formation[0].size = Some("withdrawn".to_owned());
                cluster.until_ended().finish_ends();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "begun by the first release, which kept no objects: the target is given back",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                begun_by_the_first_release(cluster);
                cluster.look();
                cluster.load_test.spec.formation[0].size = Some("withdrawn".to_owned());
                cluster.look();
                assert!(cluster.done.contains(&"-preflight".to_owned()));
                assert!(!cluster.done.contains(&"+web".to_owned()));
                finish(cluster);
                assert_eq!(cluster.condition(ACCEPTED), "False InvalidSpec");
            },
            Over(
                "Errored",
                "InvalidSpec",
                &["withdrawn", "catalogue has changed", "performance-2xl"],
            ),
        ),
        row(
            "as before, between one type's dynos and the other's: those that are there are stopped first",
            EXISTING,
            |cluster| {
                cluster.look();
                begun_by_the_first_release(cluster);
                cluster
                    .refuses
                    .push((Child::Dynos("worker".to_owned()), QUOTA.to_owned()));
                cluster.until_dynos();
                cluster.start_pod("web.1");
                cluster.load_test.spec.formation[0].size = Some("withdrawn".to_owned());
                cluster.look();
                assert!(cluster.done.contains(&"-web".to_owned()));
                assert_eq!(cluster.done.last().unwrap(), "+finish");
                assert_eq!(cluster.status().verdict, None);
                finish(cluster);
            },
            Over("Errored", "InvalidSpec", &["withdrawn"]),
        ),
        row(
            "what a former LoadTest of the name left is waited for",
            MANAGED,
            |cluster| cluster.squat(&Child::Plan, Some(("LoadTest", "friday", "former"))),
            Waiting(PREFLIGHT_PASSED, "Unknown Pending"),
        ),
        row(
            "but not for ever",
            MANAGED,
            |cluster| {
                cluster.squat(&Child::Plan, Some(("LoadTest", "friday", "former")));
                cluster.look();
                cluster.wait(60);
            },
            Over("Errored", "NameConflict", &["friday-plan"]),
        ),
        row(
            "once it is collected the run goes on",
            MANAGED,
            |cluster| {
                cluster.squat(&Child::Plan, Some(("LoadTest", "friday", "former")));
                cluster.look();
                cluster.wait(20).delete(&Child::Plan);
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "what a former LoadTest of the name came to says nothing of this one",
            MANAGED,
            |cluster| {
                cluster.squat(&Child::Report, Some(("LoadTest", "friday", "former")));
                cluster.look();
                cluster.wait(20).delete(&Child::Report);
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor is it written to",
            MANAGED,
            |cluster| {
                cluster.squat(&Child::Report, None);
                let before = cluster.kept();
                cluster.look();
                assert_eq!(cluster.kept(), before);
            },
            Over("Errored", "NameConflict", &["friday-report"]),
        ),
        row(
            "somebody else's object of a child's name is left alone",
            MANAGED,
            |cluster| cluster.squat(&Child::Plan, None),
            Over("Errored", "NameConflict", &["friday-plan"]),
        ),
        row(
            "so is somebody else's Job, later",
            EXISTING,
            |cluster| {
                cluster.squat(
                    &Child::Dynos("worker".to_owned()),
                    Some(("CronJob", "x", "y")),
                );
                cluster.until_preflight();
                cluster.preflight_ends(PreflightResult::Passed, "fine");
                finish(cluster);
            },
            Over("Errored", "NameConflict", &["friday-worker"]),
        ),
        row(
            "a quota is waited for",
            MANAGED,
            |cluster| {
                cluster.refuses.push((Child::RedisPod, QUOTA.to_owned()));
            },
            Waiting(PREFLIGHT_PASSED, "False QuotaExceeded"),
        ),
        row(
            "until the start timeout",
            MANAGED,
            |cluster| {
                cluster.refuses.push((Child::RedisPod, QUOTA.to_owned()));
                cluster.look();
                cluster.wait(300);
            },
            Over("Errored", "QuotaExceeded", &["small"]),
        ),
        row(
            "a quota that was raised in time",
            MANAGED,
            |cluster| {
                cluster.refuses.push((Child::RedisPod, QUOTA.to_owned()));
                cluster.look();
                cluster.wait(100).refuses.clear();
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "admission is final",
            MANAGED,
            |cluster| {
                cluster.refuses.push((
                    Child::RedisPod,
                    "pods \"x\" is forbidden: violates PodSecurity \"restricted\"".to_owned(),
                ));
            },
            Over("Errored", "PodRejected", &["PodSecurity"]),
        ),
        row(
            "a Job that the API server finds invalid",
            EXISTING,
            |cluster| {
                cluster.refuses.push((
                    Child::Dynos("web".to_owned()),
                    "Job.batch \"friday-web\" is invalid: spec.template.spec: no".to_owned(),
                ));
                cluster.until_dynos();
                finish(cluster);
            },
            Over("Errored", "PodRejected", &["friday-web"]),
        ),
    ]);
}

/// What may be flushed is the administrator's to say, and stays what it was when the run began.
#[test]
fn the_plan_says_which_hosts_may_be_flushed() {
    for (flush, expected) in [
        (Flush::RunKeys, &[][..]),
        (Flush::Database, &["*"][..]),
        (Flush::AllDatabases, &["*.staging.example"][..]),
    ] {
        let mut cluster = Cluster::new(EXISTING);
        let existing = cluster.load_test.spec.target.existing.as_mut().unwrap();
        existing.flush = flush;
        existing.confirm_flush = Some(existing.secret_ref.name.clone());
        cluster.until_preflight();
        let hosts = |cluster: &Cluster| {
            let plan = cluster
                .observed
                .plan
                .as_ref()
                .and_then(plan_config_map::read);
            plan.unwrap().target.flush_hosts
        };
        assert_eq!(hosts(&cluster), expected);
        cluster.settings.flush_database_hosts.clear();
        cluster.look();
        assert_eq!(hosts(&cluster), expected);
    }
}

/// Images, sizes and everything else of a run are those that it was accepted with, whatever the
/// operator is replaced by in mid-run.
#[test]
fn a_run_is_one_release() {
    let mut cluster = Cluster::new(EXISTING);
    cluster.look();
    let upgraded = || "registry.example/runner:2".to_owned();
    cluster.settings.runner_image = upgraded();
    cluster.settings.image_pull_policy = "Always".to_owned();
    cluster.settings.scrape_annotations = true;
    cluster.settings.linger_seconds = 30;
    cluster.until_ended();
    let observed = &cluster.observed;
    let jobs = [&observed.preflight, &observed.finish]
        .into_iter()
        .flatten()
        .chain(observed.dynos.values());
    let mut count = 0;
    for job in jobs {
        let template = &job.spec.as_ref().unwrap().template;
        let container = &template.spec.as_ref().unwrap().containers[0];
        assert_eq!(
            container.image.as_deref(),
            Some("registry.example/runner:1")
        );
        assert_eq!(container.image_pull_policy.as_deref(), Some("IfNotPresent"));
        count += 1;
    }
    assert_eq!(count, 4);
    assert_eq!(cluster.plan().linger_seconds, 0);
    cluster.finish_ends();
    assert_eq!(cluster.status().verdict.as_deref(), Some("Passed"));
    // The next one is of the new release.
    let mut next = Cluster::new(EXISTING);
    next.settings.runner_image = upgraded();
    next.look();
    let job = next.observed.preflight.as_ref().unwrap();
    let template = &job.spec.as_ref().unwrap().template;
    let image = &template.spec.as_ref().unwrap().containers[0].image;
    assert_eq!(image.as_deref(), Some("registry.example/runner:2"));
}
