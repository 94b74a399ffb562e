//! The ConfigMap that the reports are collected into; [`crate::evidence`] knows its keys.

use k8s_openapi::api::core::v1::ConfigMap;

use super::Run;
use super::names::Child;

/// The report ConfigMap, still empty.
pub fn build(run: &Run<'_>) -> ConfigMap {
    ConfigMap {
        metadata: run.metadata(&Child::Report),
        ..ConfigMap::default()
    }
}
