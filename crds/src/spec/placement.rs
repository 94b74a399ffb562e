//! Where and how pods are placed: Kubernetes' own types, in the schema without their texts.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, LocalObjectReference, Toleration, TopologySpreadConstraint,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECRET_NAME;
use crate::{rules, schema};

/// Where and how pods are placed: the fields of a pod's spec of the same names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::PLACEMENT)))]
pub struct PodPlacement {
    /// Only nodes with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::labels)]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the pods tolerate, as in a pod's spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), transform = schema::embedded)]
    pub tolerations: Option<Vec<Toleration>>,
    /// Node and pod affinity, as in a pod's spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::embedded)]
    pub affinity: Option<Affinity>,
    /// How the pods spread over zones and nodes, as in a pod's spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), transform = schema::embedded)]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// The pods' priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SECRET_NAME))]
    pub priority_class_name: Option<String>,
    /// The pods' runtime class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SECRET_NAME))]
    pub runtime_class_name: Option<String>,
    /// Secrets for pulling the runner's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), transform = schema::embedded)]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Labels to add to the pods; not under redyno.dev/, app.kubernetes.io/ or batch.kubernetes.io/.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::labels)]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to add to the pods; not under redyno.dev/ or batch.kubernetes.io/.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::annotations)]
    pub annotations: Option<BTreeMap<String, String>>,
}
