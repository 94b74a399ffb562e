//! The managed Redis: not there, lost, too late to matter.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::PREFLIGHT_PASSED;

use super::{
    Expect::{Over, Waiting},
    check, row,
};
use crate::fixtures::MANAGED;

/// What a dyno says of a Redis that went.
fn target_lost() -> Ending {
    Ending::TargetLost {
        detail: "connections did not come back".to_owned(),
    }
}

#[test]
fn managed_redis() {
    check(&[
        row(
            "it is waited for",
            MANAGED,
            |cluster| {
                cluster.look();
                cluster.wait(30);
            },
            Waiting(PREFLIGHT_PASSED, "Unknown Pending"),
        ),
        row(
            "until the start timeout",
            MANAGED,
            |cluster| {
                cluster.look();
                cluster.wait(300);
            },
            Over("Errored", "ManagedRedisNotReady", &["300 s"]),
        ),
        row(
            "deleted before the start",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.delete(&Child::RedisPod);
            },
            Over("Errored", "TargetLost", &["deleted"]),
        ),
        row(
            "killed before the start",
            MANAGED,
            |cluster| {
                cluster.until_preflight();
                cluster.redis_ended(137, "OOMKilled");
            },
            Over("Errored", "TargetLost", &["memory"]),
        ),
        row(
            "deleted in mid-run: the dynos tell",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.delete(&Child::RedisPod);
                cluster.look();
                assert_eq!(cluster.status().verdict, None);
                cluster.dynos_end(69, &target_lost());
            },
            Over("Errored", "TargetLost", &[]),
        ),
        row(
            "it gave way under the load",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.redis_ended(137, "OOMKilled");
                cluster.dynos_end(69, &target_lost());
            },
            Over("Failed", "TargetLost", &[]),
        ),
        row(
            "it gave way while the operator was away, which never saw the start",
            MANAGED,
            |cluster| {
                cluster.until_dynos().wait(5);
                cluster.redis_ended(137, "OOMKilled");
                cluster.dynos_end(69, &target_lost());
            },
            Over("Failed", "TargetLost", &[]),
        ),
        row(
            "its node is lost before the start",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                let now = Time(cluster.now);
                let pod = cluster.observed.redis_pod.as_mut().unwrap();
                let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
                conditions[0].status = "False".to_owned();
                conditions[0].last_transition_time = Some(now);
                let mut ready = conditions[0].clone();
                ready.type_ = "ContainersReady".to_owned();
                ready.status = "True".to_owned();
                conditions.push(ready);
                cluster.wait(59).look();
                assert_eq!(cluster.status().verdict, None);
                cluster.wait(1);
            },
            Over("Errored", "TargetLost", &["node"]),
        ),
        row(
            "gone after the dynos had ended well",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.dynos_end(0, &Ending::Completed);
                cluster.delete(&Child::RedisPod);
            },
            Over("Passed", "Passed", &[]),
        ),
    ]);
}
