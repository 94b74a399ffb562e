//! The ConfigMap that the reports are collected into; [`crate::collected`] knows its keys.

use k8s_openapi::api::core::v1::ConfigMap;

use redyno_contract::plan::RunIdentity;
use redyno_crds::children::Child;

use super::metadata;

/// The report ConfigMap, still empty.
pub(crate) fn build(run: &RunIdentity) -> ConfigMap {
    ConfigMap {
        metadata: metadata(run, &Child::Report),
        ..ConfigMap::default()
    }
}
