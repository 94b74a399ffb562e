//! Is the spec accepted, and is everything made that it needs?

use redyno_contract::message::PreflightResult;
use redyno_crds::conditions::{ACCEPTED, PREFLIGHT_PASSED};
use redyno_crds::spec::Flush;

use super::{
    Expect::{Over, Waiting},
    check, finish, row,
};
use crate::build::names::Child;
use crate::build::plan_config_map;
use crate::fixtures::{Cluster, EXISTING, MANAGED};

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
            "a size that the catalogue loses before the dynos are made: the target is given back",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
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
            "between one type's dynos and the other's: those that are there are stopped first",
            EXISTING,
            |cluster| {
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
