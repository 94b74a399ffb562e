//! What cleans up an existing target after the run.

use k8s_openapi::api::batch::v1::Job;
use redyno_crds::children::Child;

use super::Run;
use super::preflight_job::single_pod_job;
use super::runner_pod::Command;

/// How long the finish may take. It changes no verdict, so it may not hold one up for long.
pub(crate) const DEADLINE_SECONDS: i64 = 60;

/// The finish Job: one pod, once.
pub(crate) fn build(run: &Run<'_>) -> Job {
    single_pod_job(run, &Child::Finish, Command::Finish, DEADLINE_SECONDS)
}
