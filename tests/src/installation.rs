//! The operator in the cluster, installed once for all tests with the real Helm.

use std::sync::Once;

pub use crate::command::OPERATOR_NAMESPACE as NAMESPACE;
use crate::command::{kubectl, run};
use crate::repository;
use crate::tools::Tool;
use crate::turns::{Kind, Turn};

/// The release's name.
pub const RELEASE: &str = "redyno";

/// The cluster, for as long as a test holds it.
#[must_use]
pub struct Shared(Turn);

/// The cluster for one test alone.
#[must_use]
pub struct Quiet(Turn);

/// The cluster for one test alone, which measures with most of it or changes it; None, with a
/// printed reason, without a cluster.
pub fn quiet() -> Option<Quiet> {
    take(Kind::Quiet).map(Quiet)
}

/// The cluster for this test and a few others that measure with little; None, with a printed
/// reason, without a cluster.
pub fn measuring() -> Option<Shared> {
    take(Kind::Measuring).map(Shared)
}

/// The cluster for this test and others that only wait; None, with a printed reason, without one.
pub fn shared() -> Option<Shared> {
    take(Kind::Shared).map(Shared)
}

static INSTALLED: Once = Once::new();

fn take(kind: Kind) -> Option<Turn> {
    Tool::Cluster
        .is_there()
        .then(|| Turn::wait(kind, || INSTALLED.call_once(install)))
}

/// The image of the Redis that tests start by themselves.
pub fn redis_image() -> String {
    std::env::var("REDYNO_TEST_REDIS_IMAGE")
        .unwrap_or_else(|_| "docker.io/library/redis:7.2".to_owned())
}

/// The image of a managed Valkey. The installation of the tests does not name it until a test does:
/// the chart before its last change, which some of them install, may know of none.
pub fn valkey_image() -> String {
    std::env::var("REDYNO_TEST_VALKEY_IMAGE")
        .unwrap_or_else(|_| "docker.io/valkey/valkey:8.1".to_owned())
}

/// Values that every installation of the tests has.
pub fn values() -> Vec<String> {
    let image = redis_image();
    let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    vec![
        "--set-string".to_owned(),
        format!("images.redis.repository={repository},images.redis.tag={tag}"),
        // Only one test has its dynos scraped, and without this all other verdicts would wait for a
        // scrape.
        "--set=lingerSeconds=0".to_owned(),
    ]
}

/// Runs helm with the chart of this repository.
#[track_caller]
pub fn helm(arguments: &[&str]) -> crate::command::Outcome {
    run("helm", arguments)
}

/// The chart's folder.
pub fn chart() -> String {
    repository::root()
        .join("charts/redyno")
        .to_string_lossy()
        .into_owned()
}

/// Changes values of the installed release and waits for the operator; [`restore`] undoes it. Only
/// while the cluster is quiet: every other test runs with the operator that this one changes.
#[track_caller]
pub fn change(quiet: &Quiet, values: &str) {
    change_with(quiet, &["--set-string", values]);
}

/// The same with Helm's own arguments, such as `--set-json`.
#[track_caller]
pub fn change_with(_quiet: &Quiet, settings: &[&str]) {
    let chart = chart();
    let mut arguments = vec![
        "upgrade",
        RELEASE,
        &chart,
        "--namespace",
        NAMESPACE,
        "--reuse-values",
        "--wait",
        "--timeout",
        "120s",
    ];
    arguments.extend(settings);
    helm(&arguments).expect_success("helm upgrade");
}

/// Undoes the last [`change`].
#[track_caller]
pub fn restore(_quiet: &Quiet) {
    helm(&[
        "rollback",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--wait",
        "--timeout",
        "120s",
    ])
    .expect_success("helm rollback");
}

fn install() {
    kubectl(&["create", "namespace", NAMESPACE]);
    kubectl(&[
        "label",
        "--overwrite",
        "namespace",
        NAMESPACE,
        "pod-security.kubernetes.io/enforce=restricted",
    ])
    .expect_success("labelling the operator's namespace");
    let chart = chart();
    let values = values();
    let mut arguments = vec![
        "upgrade",
        "--install",
        RELEASE,
        &chart,
        "--namespace",
        NAMESPACE,
        "--wait",
        "--timeout",
        "120s",
    ];
    arguments.extend(values.iter().map(String::as_str));
    helm(&arguments).expect_success("helm install");
}
