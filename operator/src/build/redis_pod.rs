//! A managed Redis or Valkey: made for one run, empty at its start, gone after it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, Pod, PodSpec, Probe, ResourceRequirements, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use redyno_crds::ResolvedRedis;
use redyno_crds::children::{Child, REDIS_CONTAINER};

use super::Run;
use super::dyno_job::deadline_seconds;
use super::pod_security;
use super::redis_service::PORT;

/// How long a managed Redis may outlive its run: the operator ends it long before.
const AFTER_THE_RUN_SECONDS: i64 = 600;

/// The managed Redis' pod. It is never restarted: a restarted Redis is empty, and a run must not
/// carry on with it.
pub(crate) fn build(run: &Run<'_>, redis: &ResolvedRedis) -> Pod {
    Pod {
        metadata: run.metadata(&Child::RedisPod),
        spec: Some(pod_security::restrict(PodSpec {
            restart_policy: Some("Never".to_owned()),
            // Nothing is worth saving.
            termination_grace_period_seconds: Some(5),
            // The last line of defence, if no operator is there to end it: beyond every wait and
            // the dynos' own deadline.
            active_deadline_seconds: Some(
                2 * i64::from(run.resolved.plan.start_timeout_seconds)
                    + deadline_seconds(&run.resolved.plan)
                    + AFTER_THE_RUN_SECONDS,
            ),
            image_pull_secrets: run.image_pull_secrets(),
            containers: vec![container(run, redis)],
            ..PodSpec::default()
        })),
        status: None,
    }
}

fn container(run: &Run<'_>, redis: &ResolvedRedis) -> Container {
    let ResolvedRedis {
        plan_name: _,
        engine,
        cpu_millis,
        memory_limit_bytes,
        maxmemory_bytes,
        maxclients,
        scale_percent: _,
    } = redis;
    let resources = BTreeMap::from([
        ("cpu".to_owned(), Quantity(format!("{cpu_millis}m"))),
        (
            "memory".to_owned(),
            Quantity(memory_limit_bytes.to_string()),
        ),
    ]);
    // Every engine knows these by the same names.
    let options: [(&str, String); 7] = [
        ("--port", PORT.to_string()),
        ("--maxmemory", maxmemory_bytes.to_string()),
        ("--maxmemory-policy", "noeviction".to_owned()),
        ("--maxclients", maxclients.to_string()),
        ("--save", String::new()),
        ("--appendonly", "no".to_owned()),
        // It has no password: it is reachable from the pod network alone, holds nothing but the
        // run's made-up data, and the chart's NetworkPolicy keeps others away.
        ("--protected-mode", "no".to_owned()),
    ];
    Container {
        name: REDIS_CONTAINER.to_owned(),
        image: Some(run.settings.server_image(*engine).to_owned()),
        image_pull_policy: Some(run.settings.image_pull_policy.clone()),
        command: Some(vec![engine.program().to_owned()]),
        args: Some(
            options
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
        ),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: PORT,
            ..ContainerPort::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: Some(resources.clone()),
            limits: Some(resources),
            ..ResourceRequirements::default()
        }),
        readiness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: IntOrString::String("redis".to_owned()),
                host: None,
            }),
            period_seconds: Some(1),
            // A Redis on its knees is what we came to see; it is not taken out of its Service.
            failure_threshold: Some(30),
            ..Probe::default()
        }),
        security_context: Some(pod_security::container()),
        ..Container::default()
    }
}
