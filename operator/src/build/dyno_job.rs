//! The dynos of one type: an Indexed Job. Creating it releases them.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, HTTPGetAction, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use redyno_contract::Plan;
use redyno_crds::ResolvedDynos;
use redyno_crds::children::Child;
use redyno_crds::spec::PodPlacement;

use super::Run;
use super::runner_pod::{self, Command};

/// Time for what no plan states: pulling the image before the start, the common start's 3 s, the
/// drain after SIGTERM, the report.
const MARGIN_SECONDS: i64 = 120;

/// The Job's deadline: beyond every limit that the dynos keep themselves.
pub(crate) fn deadline_seconds(plan: &Plan) -> i64 {
    2 * i64::from(plan.start_timeout_seconds)
        + i64::from(plan.warmup_seconds)
        + i64::from(plan.duration_seconds)
        + i64::from(plan.drain_seconds)
        + i64::from(plan.linger_seconds)
        + MARGIN_SECONDS
}

/// The Job of one dyno type.
///
/// With `backoffLimit: 0` one failing pod would make Kubernetes kill and delete its siblings, so
/// the limit is per index; and a dyno is never replaced, since it would arrive after the start.
pub(crate) fn build(run: &Run<'_>, dynos: &ResolvedDynos) -> Job {
    let child = Child::Dynos(dynos.dyno_type.clone());
    let quantity = i32::try_from(dynos.quantity).unwrap_or(i32::MAX);
    let template = runner_pod::template(run, &child, container(run, dynos));
    Job {
        metadata: run.metadata(&child),
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            completions: Some(quantity),
            parallelism: Some(quantity),
            backoff_limit_per_index: Some(0),
            pod_replacement_policy: Some("Failed".to_owned()),
            active_deadline_seconds: Some(deadline_seconds(&run.resolved.plan)),
            template: match &dynos.placement {
                Some(placement) => place(template, placement),
                None => template,
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn container(run: &Run<'_>, dynos: &ResolvedDynos) -> Container {
    let container = runner_pod::container(run, Command::Dyno);
    let mut env = container.env.unwrap_or_default();
    // JOB_COMPLETION_INDEX is set by Kubernetes.
    env.push(EnvVar {
        name: "REDYNO_DYNO_TYPE".to_owned(),
        value: Some(dynos.dyno_type.clone()),
        value_from: None,
    });
    let start_timeout = i32::try_from(run.resolved.plan.start_timeout_seconds).unwrap_or(i32::MAX);
    Container {
        env: Some(env),
        resources: Some(resources(dynos)),
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            timeout_seconds: Some(5),
            // Beyond the start timeout: the dyno gives up by itself, and says why.
            failure_threshold: Some(start_timeout.saturating_add(120)),
            ..probe("/startz")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(1),
            timeout_seconds: Some(5),
            failure_threshold: Some(10),
            ..probe("/readyz")
        }),
        ..container
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(runner_pod::METRICS_PORT.to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

fn resources(dynos: &ResolvedDynos) -> ResourceRequirements {
    let quantities = |cpu_millis: u32| {
        Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(format!("{cpu_millis}m"))),
            (
                "memory".to_owned(),
                Quantity(dynos.memory_bytes.to_string()),
            ),
        ]))
    };
    ResourceRequirements {
        requests: quantities(dynos.cpu_request_millis),
        limits: quantities(dynos.cpu_limit_millis),
        ..ResourceRequirements::default()
    }
}

/// Places the pods as the user asks. Where a label or annotation is ours, ours stays.
fn place(template: PodTemplateSpec, placement: &PodPlacement) -> PodTemplateSpec {
    let PodPlacement {
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        priority_class_name,
        runtime_class_name,
        image_pull_secrets,
        labels,
        annotations,
    } = placement.clone();
    let mut metadata = template.metadata.unwrap_or_default();
    metadata.labels = merged(labels, metadata.labels);
    metadata.annotations = merged(annotations, metadata.annotations);
    let spec = template.spec.unwrap_or_default();
    let mut secrets = spec.image_pull_secrets.clone().unwrap_or_default();
    for secret in image_pull_secrets.unwrap_or_default() {
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(PodSpec {
            node_selector,
            tolerations,
            affinity,
            topology_spread_constraints,
            priority_class_name,
            runtime_class_name,
            image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
            ..spec
        }),
    }
}

fn merged(
    theirs: Option<BTreeMap<String, String>>,
    ours: Option<BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let mut all = theirs.unwrap_or_default();
    all.extend(ours.unwrap_or_default());
    (!all.is_empty()).then_some(all)
}
