//! The preflight: refused, stuck, lost.

use redyno_contract::message::Refusal;
use redyno_crds::children::Child;
use redyno_crds::conditions::PREFLIGHT_PASSED;

use super::{
    Expect::{Over, Waiting},
    check, finish, row,
};
use crate::fixtures::{EXISTING, MANAGED};

/// What a node says of a Secret that is not there.
const NO_SECRET: &str =
    "MountVolume.SetUp failed for volume \"config\" : secret \"till\" not found";

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
                cluster.pod_event("preflight", "FailedMount", NO_SECRET);
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
                cluster.pod_event("preflight", "FailedMount", NO_SECRET);
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
                cluster.pods.clear();
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
            "a Secret that came in time is not named while the image is still being pulled",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.pod_event("preflight", "FailedMount", NO_SECRET);
                cluster.wait(15).look();
                assert_eq!(cluster.condition(PREFLIGHT_PASSED), "False SecretNotFound");
                cluster
                    .wait(10)
                    .pod_event("preflight", "Pulling", "Pulling image \"x\"");
            },
            Waiting(PREFLIGHT_PASSED, "False Waiting"),
        ),
        row(
            "one that a node cannot find again is",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                cluster.pod_event("preflight", "Pulled", "Container image already present");
                cluster
                    .wait(15)
                    .pod_event("preflight", "FailedMount", NO_SECRET);
            },
            Waiting(PREFLIGHT_PASSED, "False SecretNotFound"),
        ),
        row(
            "a refusal of its pod that has healed is not what it waits for",
            EXISTING,
            |cluster| {
                cluster.until_preflight();
                let job = cluster.observed.preflight.as_ref().unwrap();
                let uid = job.metadata.uid.clone().unwrap();
                cluster.event(
                    &uid,
                    "FailedCreate",
                    "Error creating: pods \"x\" is forbidden: violates PodSecurity",
                );
                cluster.wait(15);
            },
            Waiting(PREFLIGHT_PASSED, "False Waiting"),
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
                cluster.pods.clear();
                cluster.end_job(&Child::Preflight, "Failed", "");
                cluster.look();
                assert_eq!(cluster.status().verdict, None);
                cluster.wait(10);
            },
            Over("Errored", "PreflightFailed", &["gone"]),
        ),
    ]);
}
