//! The name by which a managed Redis is reached.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use redyno_crds::children::Child;

use super::Run;
use super::labels;

/// Redis' port.
pub(crate) const PORT: i32 = 6379;

/// The headless Service: its name resolves to the pod itself, no proxy stands in between.
pub(crate) fn build(run: &Run<'_>) -> Service {
    Service {
        metadata: run.metadata(&Child::RedisService),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            // The name must resolve by the time that the pod is ready: a preflight that asked too
            // early would be told that there is no such host.
            publish_not_ready_addresses: Some(true),
            selector: Some(labels::redis_selector(&run.resolved.plan.run)),
            ports: Some(vec![ServicePort {
                name: Some("redis".to_owned()),
                port: PORT,
                target_port: Some(IntOrString::String("redis".to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The managed target's URL, for pods of the same namespace.
pub(crate) fn url(run: &Run<'_>) -> String {
    format!("redis://{}:{PORT}/0", Child::RedisService.name(run.name()))
}
