//! Every way for a run to end, or to get stuck: what happens, and what is made of it.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::record::RecordKind;
use redyno_contract::report::Ending;
use redyno_crds::conditions::{DYNOS_READY, PREFLIGHT_PASSED, SUCCEEDED};

use crate::build::names::Child;
use crate::fixtures::{Cluster, EXISTING, MANAGED, dyno_record};

/// What is expected at the end of a row.
enum Expect {
    /// The run is over: verdict, reason of Succeeded, words of the message.
    Over(&'static str, &'static str, &'static [&'static str]),
    /// It is not: a condition, its status and reason.
    Waiting(&'static str, &'static str),
}
use Expect::{Over, Waiting};

struct Row {
    title: &'static str,
    yaml: &'static str,
    happens: fn(&mut Cluster),
    expect: Expect,
}

const fn row(
    title: &'static str,
    yaml: &'static str,
    happens: fn(&mut Cluster),
    expect: Expect,
) -> Row {
    Row {
        title,
        yaml,
        happens,
        expect,
    }
}

fn check(rows: &[Row]) {
    for Row {
        title,
        yaml,
        happens,
        expect,
    } in rows
    {
        let mut cluster = Cluster::new(yaml);
        happens(&mut cluster);
        cluster.look();
        match expect {
            Over(verdict, reason, words) => {
                let status = cluster.status();
                assert_eq!(
                    status.verdict.as_deref(),
                    Some(*verdict),
                    "{title}: {status:#?}\n{:?}",
                    cluster.done
                );
                let succeeded = cluster.condition(SUCCEEDED);
                assert!(
                    succeeded.ends_with(&format!(" {reason}")),
                    "{title}: {succeeded}, {:?}",
                    status.message
                );
                let message = status.message.clone().unwrap();
                for word in *words {
                    assert!(message.contains(word), "{title}: no {word} in: {message}");
                }
                let told = cluster.notices.last().unwrap();
                assert!(told.is_verdict(), "{title}: {told:?}");
            }
            Waiting(type_, expected) => {
                assert_eq!(cluster.status().verdict, None, "{title}");
                assert_eq!(cluster.condition(type_), *expected, "{title}");
                assert!(cluster.requeue.is_some(), "{title}: looks again");
            }
        }
        let done = cluster.done.len();
        cluster.look();
        assert_eq!(cluster.done.len(), done, "{title}: twice is once");
    }
}

/// SIGTERM reaches the pods of the Jobs that were deleted; the finish ends.
fn finish(cluster: &mut Cluster) {
    cluster.look();
    if !cluster.pods_of(&Child::Finish).is_empty() {
        cluster.finish_ends();
    }
}

fn delete_mark(cluster: &mut Cluster, name: &str) {
    let now = Time(cluster.now);
    cluster.change_pod(name, |pod| pod.metadata.deletion_timestamp = Some(now));
    cluster.look();
}

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
                cluster.refuses.push((
                    Child::RedisPod,
                    "pods \"x\" is forbidden: exceeded quota: small".to_owned(),
                ));
            },
            Waiting(PREFLIGHT_PASSED, "False QuotaExceeded"),
        ),
        row(
            "until the start timeout",
            MANAGED,
            |cluster| {
                cluster.refuses.push((
                    Child::RedisPod,
                    "pods \"x\" is forbidden: exceeded quota: small".to_owned(),
                ));
                cluster.look();
                cluster.wait(300);
            },
            Over("Errored", "QuotaExceeded", &["small"]),
        ),
        row(
            "a quota that was raised in time",
            MANAGED,
            |cluster| {
                cluster.refuses.push((
                    Child::RedisPod,
                    "pods \"x\" is forbidden: exceeded quota: small".to_owned(),
                ));
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
                let detail = "connections did not come back".to_owned();
                for name in ["web.1", "web.2"] {
                    let detail = detail.clone();
                    cluster.dyno_ends(name, 69, Ending::TargetLost { detail });
                }
            },
            Over("Errored", "TargetLost", &[]),
        ),
        row(
            "it gave way under the load",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                cluster.redis_ended(137, "OOMKilled");
                let detail = "connections did not come back".to_owned();
                for name in ["web.1", "web.2"] {
                    let detail = detail.clone();
                    cluster.dyno_ends(name, 69, Ending::TargetLost { detail });
                }
            },
            Over("Failed", "TargetLost", &[]),
        ),
        row(
            "it gave way while the operator was away, which never saw the start",
            MANAGED,
            |cluster| {
                cluster.until_dynos().wait(5);
                cluster.redis_ended(137, "OOMKilled");
                for name in ["web.1", "web.2"] {
                    let detail = "connections did not come back".to_owned();
                    cluster.dyno_ends(name, 69, Ending::TargetLost { detail });
                }
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
                for name in ["web.1", "web.2"] {
                    cluster.dyno_ends(name, 0, Ending::Completed);
                }
                cluster.delete(&Child::RedisPod);
            },
            Over("Passed", "Passed", &[]),
        ),
    ]);
}

#[test]
fn preflight() {
    check(&[
        row(
            "a refusal has its own reason",
            EXISTING,
            |cluster| {
                cluster
                    .until_preflight()
                    .refuse(Refusal::AuthenticationFailed);
                assert_eq!(
                    cluster.condition(PREFLIGHT_PASSED),
                    "False AuthenticationFailed"
                );
            },
            Over("Errored", "PreflightFailed", &["it was refused"]),
        ),
        row(
            "another run's lock",
            EXISTING,
            |cluster| cluster.until_preflight().refuse(Refusal::TargetBusy),
            Over("Errored", "TargetBusy", &[]),
        ),
        row(
            "killed for want of memory: the target is cleaned up, for it may have been locked",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                cluster.end_pod_with("preflight", 137, "OOMKilled", None);
                finish(cluster);
            },
            Over("Errored", "PreflightFailed", &["memory"]),
        ),
        row(
            "a report that cannot be read",
            MANAGED,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                cluster.end_pod("preflight", 1, Some("garbage".to_owned()));
            },
            Over("Errored", "PreflightFailed", &["code 1"]),
        ),
        row(
            "a Secret that is missing is named after 10 s",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.pod_event(
                    "preflight",
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"config\" : secret \"till\" not found",
                );
                cluster.look();
                assert_eq!(cluster.condition(PREFLIGHT_PASSED), "False Waiting");
                cluster.wait(10);
            },
            Waiting(PREFLIGHT_PASSED, "False SecretNotFound"),
        ),
        row(
            "and ends the run after the start timeout; nothing ran, so nothing is cleaned up",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.pod_event(
                    "preflight",
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"config\" : secret \"till\" not found",
                );
                cluster.wait(60).look();
                assert!(!cluster.done.contains(&"+finish".to_owned()));
            },
            Over("Errored", "SecretNotFound", &["till"]),
        ),
        row(
            "a quota that lets no pod of it be: nothing ran, so nothing is cleaned up",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.observed.pods.clear();
                let job = cluster.observed.preflight.as_ref().unwrap();
                let uid = job.metadata.uid.clone().unwrap();
                cluster.event(
                    &uid,
                    "FailedCreate",
                    "Error creating: pods \"x\" is forbidden: exceeded quota: tight",
                );
                cluster.wait(60).look();
                assert!(!cluster.done.contains(&"+finish".to_owned()));
            },
            Over("Errored", "QuotaExceeded", &["tight"]),
        ),
        row(
            "so does a key that is missing in it",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.pod_event("preflight", "FailedMount", "MountVolume.SetUp failed for volume \"config\" : references non-existent secret key: url");
                cluster.wait(60);
            },
            Over("Errored", "SecretKeyMissing", &["till", "url"]),
        ),
        row(
            "an image that cannot be pulled is waited for",
            EXISTING,
            |cluster| {
                cluster
                    .until_preflight()
                    .stick_pod("preflight", "ImagePullBackOff");
                cluster.wait(11);
            },
            Waiting(PREFLIGHT_PASSED, "False ImagePullFailed"),
        ),
        row(
            "an image's name that is invalid is final at once",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.stick_pod("preflight", "InvalidImageName");
            },
            Over("Errored", "ImagePullFailed", &["registry.example/runner:1"]),
        ),
        row(
            "one that never ends",
            EXISTING,
            |cluster| {
                cluster.until_preflight().start_pod("preflight");
                cluster.look();
                cluster.wait(60);
                finish(cluster);
            },
            Over("Errored", "StartTimeout", &["preflight", "60 s"]),
        ),
        row(
            "its Job deleted before its report",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.delete(&Child::Preflight);
                finish(cluster);
            },
            Over("Errored", "ChildLost", &["friday-preflight"]),
        ),
        row(
            "its Job deleted after it passed is not missed",
            MANAGED,
            |cluster| {
                cluster.until_dynos();
                cluster.delete(&Child::Preflight);
                cluster.look();
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "a pod that was gone before it was seen",
            MANAGED,
            |cluster| {
                cluster.until_preflight();
                cluster.observed.pods.clear();
                cluster.end_job(&Child::Preflight, "Failed", "");
                cluster.look();
                assert_eq!(cluster.status().verdict, None);
                cluster.wait(10);
            },
            Over("Errored", "PreflightFailed", &["gone"]),
        ),
    ]);
}

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
                cluster.observed.pods.push(lost);
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
                cluster.observed.pods.push(std::sync::Arc::new(twin));
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

#[test]
fn ends() {
    check(&[
        row(
            "a worker's backlog",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let ending = Ending::BacklogLimit {
                    worker: 3,
                    backlog: 100,
                };
                cluster.dyno_ends("web.1", 0, ending);
                cluster.look();
                assert_eq!(
                    cluster.status().verdict,
                    None,
                    "the other one is still going"
                );
                cluster.dyno_ends("web.2", 0, Ending::Stopped);
            },
            Over("Failed", "BacklogLimitReached", &["web.1", "worker 3"]),
        ),
        row(
            "a report that was wiped",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.end_pod("web.1", 0, None);
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over("Inconclusive", "ReportMissing", &["web.1"]),
        ),
        row(
            "a report of another pod",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                let record = cluster.final_record("web.2", Ending::Completed);
                cluster.end_pod("web.1", 0, Some(record));
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over("Inconclusive", "ReportMissing", &["web.1"]),
        ),
        row(
            "pods that were gone before they were seen",
            MANAGED,
            |cluster| {
                cluster.until_dynos().wait(5);
                cluster.observed.pods.clear();
                cluster.end_job(&Child::Dynos("web".to_owned()), "Complete", "");
                cluster.look();
                assert_eq!(cluster.status().verdict, None);
                cluster.wait(10);
            },
            Over("Errored", "DynoLost", &["web.1"]),
        ),
        row(
            "a cleanup that fails changes no verdict",
            EXISTING,
            |cluster| {
                cluster.until_ended();
                cluster.start_pod("finish");
                cluster.end_pod("finish", 70, None);
                cluster.look();
                let cleanup = cluster.status().target.clone().unwrap().cleanup.unwrap();
                assert!(cleanup.contains("not cleaned up"), "{cleanup}");
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor does one that never ends",
            EXISTING,
            |cluster| {
                cluster.until_ended().wait(70);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor one whose Job somebody deleted",
            EXISTING,
            |cluster| {
                cluster.until_ended();
                cluster.delete(&Child::Finish);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor one that is refused",
            EXISTING,
            |cluster| {
                cluster.refuses.push((
                    Child::Finish,
                    "jobs.batch is forbidden: exceeded quota: jobs".to_owned(),
                ));
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "reports are stored even if pods go at the moment they end",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                for name in ["web.1", "web.2"] {
                    cluster.dyno_ends(name, 0, Ending::Completed);
                    cluster.remove_pod(name);
                }
            },
            Over("Passed", "Passed", &[]),
        ),
    ]);
}

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
                for name in ["web.1", "web.2"] {
                    cluster.dyno_ends(name, 0, Ending::Completed);
                }
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
    cluster_with_stuck.observed.pods = vec![stuck];
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
