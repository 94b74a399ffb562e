//! What the pods of preflight, dynos and finish have in common: the runner's image, its mounts and
//! its arguments.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, Container, ContainerPort, EnvVar, EnvVarSource, KeyToPath,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, ProjectedVolumeSource, ResourceRequirements,
    SecretProjection, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use redyno_contract::files;
use redyno_crds::children::{Child, RUNNER_CONTAINER};

use super::{Run, labels, pod_security};

/// Name of the port of probes and metrics.
pub(crate) const METRICS_PORT: &str = "metrics";
/// Its number.
const METRICS_PORT_NUMBER: i32 = 9090;
/// Where plan and target are mounted.
const CONFIG_PATH: &str = "/etc/redyno";
/// Where Kubernetes reads a container's last words from.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// How long a pod may go on after SIGTERM: the runner drains 5 s at most, reports, and removes its
/// keys.
pub(crate) const GRACE_SECONDS: i64 = 30;

/// One of the runner's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Check the target.
    Preflight,
    /// Be a dyno.
    Dyno,
    /// Clean up the target.
    Finish,
}

impl Command {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Dyno => "dyno",
            Self::Finish => "finish",
        }
    }
}

/// The container, without probes and resources.
pub(crate) fn container(run: &Run<'_>, command: Command) -> Container {
    Container {
        name: RUNNER_CONTAINER.to_owned(),
        image: Some(run.settings.runner_image.clone()),
        image_pull_policy: Some(run.settings.image_pull_policy.clone()),
        args: Some(
            [
                command.as_str(),
                "--config",
                CONFIG_PATH,
                "--report",
                TERMINATION_LOG,
                "--http",
                &format!("0.0.0.0:{METRICS_PORT_NUMBER}"),
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        env: Some(vec![EnvVar {
            name: "REDYNO_POD_UID".to_owned(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    api_version: None,
                    field_path: "metadata.uid".to_owned(),
                }),
                ..EnvVarSource::default()
            }),
        }]),
        ports: Some(vec![ContainerPort {
            name: Some(METRICS_PORT.to_owned()),
            container_port: METRICS_PORT_NUMBER,
            ..ContainerPort::default()
        }]),
        termination_message_path: Some(TERMINATION_LOG.to_owned()),
        termination_message_policy: Some("File".to_owned()),
        security_context: Some(pod_security::container()),
        volume_mounts: Some(vec![VolumeMount {
            name: "config".to_owned(),
            mount_path: CONFIG_PATH.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

/// The pod around a container.
pub(crate) fn template(run: &Run<'_>, child: &Child, container: Container) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels::of_child(&run.resolved.plan.run, child)),
            annotations: scrape_annotations(run, child),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_security::restrict(PodSpec {
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            image_pull_secrets: run.image_pull_secrets(),
            containers: vec![container],
            volumes: Some(vec![config_volume(run)]),
            ..PodSpec::default()
        })),
    }
}

/// How a Prometheus without the Prometheus Operator commonly finds pods. Nobody needs the numbers
/// of a preflight or a finish.
fn scrape_annotations(run: &Run<'_>, child: &Child) -> Option<BTreeMap<String, String>> {
    let annotated = run.settings.scrape_annotations && matches!(child, Child::Dynos(_));
    annotated.then(|| {
        [
            ("prometheus.io/scrape", "true".to_owned()),
            ("prometheus.io/port", METRICS_PORT_NUMBER.to_string()),
            ("prometheus.io/path", "/metrics".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    })
}

/// Resources of the pods that put no load on anything.
pub(crate) fn small_resources() -> ResourceRequirements {
    let quantities = |cpu: &str, memory: &str| {
        Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ]))
    };
    ResourceRequirements {
        requests: quantities("50m", "64Mi"),
        limits: quantities("500m", "64Mi"),
        ..ResourceRequirements::default()
    }
}

/// Plan and target in one projected volume: the plan, and in a folder of its own the URL and what
/// belongs to it. The URL is a source of its own, which is required: without its Secret, or
/// without its key in there, the pod is not started and an event says which of the two it is.
fn config_volume(run: &Run<'_>) -> Volume {
    let plan_name = Child::Plan.name(run.name());
    let mut sources = vec![from_config_map(
        &plan_name,
        &[(files::PLAN, files::PLAN.to_owned())],
    )];
    match run.secret() {
        None => sources.push(from_config_map(
            &plan_name,
            &[(files::URL, target_path(files::URL))],
        )),
        Some(secret) => {
            sources.push(from_secret(secret, &[files::URL], false));
            sources.push(from_secret(
                secret,
                &[files::CA, files::CERTIFICATE, files::KEY],
                true,
            ));
        }
    }
    Volume {
        name: "config".to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o440),
            sources: Some(sources),
        }),
        ..Volume::default()
    }
}

fn target_path(key: &str) -> String {
    format!("{}/{key}", files::TARGET)
}

fn from_config_map(name: &str, items: &[(&str, String)]) -> VolumeProjection {
    VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: name.to_owned(),
            items: Some(
                items
                    .iter()
                    .map(|(key, path)| KeyToPath {
                        key: (*key).to_owned(),
                        path: path.clone(),
                        mode: None,
                    })
                    .collect(),
            ),
            optional: None,
        }),
        ..VolumeProjection::default()
    }
}

fn from_secret(name: &str, keys: &[&str], optional: bool) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection {
            name: name.to_owned(),
            items: Some(
                keys.iter()
                    .map(|key| KeyToPath {
                        key: (*key).to_owned(),
                        path: target_path(key),
                        mode: None,
                    })
                    .collect(),
            ),
            optional: optional.then_some(true),
        }),
        ..VolumeProjection::default()
    }
}
