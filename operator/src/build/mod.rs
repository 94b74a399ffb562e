//! Builds every object of a run: one file per object, all of them pure functions.

pub(crate) mod dyno_job;
pub(crate) mod finish_job;
pub(crate) mod labels;
pub(crate) mod objects;
pub(crate) mod plan_config_map;
mod pod_security;
mod preflight_job;
mod redis_pod;
mod redis_service;
pub(crate) mod report_config_map;
pub(crate) mod runner_pod;

use k8s_openapi::api::core::v1::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use redyno_contract::plan::RunIdentity;
use redyno_crds::children::Child;
use redyno_crds::{LoadTest, Resolved};

use crate::settings::Settings;

/// What every builder works from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// The LoadTest, as it is in the cluster.
    pub load_test: &'a LoadTest,
    /// Its spec, resolved.
    pub resolved: &'a Resolved,
    /// What the administrator set.
    pub settings: &'a Settings,
}

impl Run<'_> {
    /// The LoadTest's name.
    pub(crate) fn name(&self) -> &str {
        &self.resolved.plan.run.name
    }

    /// The Secret of an existing target; None for a managed one.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.load_test
            .spec
            .target
            .existing
            .as_ref()
            .map(|existing| existing.secret_ref.name.as_str())
    }

    /// The secrets that the administrator set for pulling images.
    pub(crate) fn image_pull_secrets(&self) -> Option<Vec<LocalObjectReference>> {
        let secrets: Vec<_> = self
            .settings
            .image_pull_secrets
            .iter()
            .map(|name| LocalObjectReference { name: name.clone() })
            .collect();
        (!secrets.is_empty()).then_some(secrets)
    }

    /// The metadata of a child.
    pub(crate) fn metadata(&self, child: &Child) -> ObjectMeta {
        metadata(&self.resolved.plan.run, child)
    }
}

/// The metadata of a child of this run.
pub(crate) fn metadata(run: &RunIdentity, child: &Child) -> ObjectMeta {
    ObjectMeta {
        name: Some(child.name(&run.name)),
        namespace: Some(run.namespace.clone()),
        labels: Some(labels::of_child(run, child)),
        owner_references: Some(vec![owner(run)]),
        ..ObjectMeta::default()
    }
}

/// The LoadTest as controller of its children. Without `blockOwnerDeletion`, which would need a
/// right on the LoadTest's finalizers and which nothing here waits for.
fn owner(run: &RunIdentity) -> OwnerReference {
    OwnerReference {
        api_version: LoadTest::api_version(&()).into_owned(),
        kind: LoadTest::kind(&()).into_owned(),
        name: run.name.clone(),
        uid: run.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

#[cfg(test)]
mod tests;
