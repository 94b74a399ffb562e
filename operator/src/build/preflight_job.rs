//! The check of the target, before any dyno starts.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Container;
use redyno_crds::children::Child;

use super::Run;
use super::runner_pod::{self, Command};

/// What the Job's own deadline adds to the operator's: it is the last line of defence only.
const MARGIN_SECONDS: i64 = 60;

/// The preflight Job: one pod, once.
pub(crate) fn build(run: &Run<'_>) -> Job {
    single_pod_job(
        run,
        &Child::Preflight,
        Command::Preflight,
        i64::from(run.resolved.plan.start_timeout_seconds) + MARGIN_SECONDS,
    )
}

/// A Job of one small pod that is never tried again.
pub(crate) fn single_pod_job(
    run: &Run<'_>,
    child: &Child,
    command: Command,
    deadline_seconds: i64,
) -> Job {
    let container = Container {
        resources: Some(runner_pod::small_resources()),
        ..runner_pod::container(run, command)
    };
    Job {
        metadata: run.metadata(child),
        spec: Some(k8s_openapi::api::batch::v1::JobSpec {
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            pod_replacement_policy: Some("Failed".to_owned()),
            active_deadline_seconds: Some(deadline_seconds),
            template: runner_pod::template(run, child, container),
            ..k8s_openapi::api::batch::v1::JobSpec::default()
        }),
        status: None,
    }
}
