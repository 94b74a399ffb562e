//! The ConfigMap that the reports are collected into; [`crate::collected`] knows its keys.

use k8s_openapi::api::core::v1::ConfigMap;

use redyno_contract::plan::RunIdentity;

use super::metadata;
use super::names::Child;

/// The report ConfigMap, still empty.
pub fn build(run: &RunIdentity) -> ConfigMap {
    ConfigMap {
        metadata: metadata(run, &Child::Report),
        ..ConfigMap::default()
    }
}
