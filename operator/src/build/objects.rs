//! Every object that a run is made of beside its ConfigMaps, built once, when the LoadTest is
//! accepted, and kept beside the plan: images, sizes, arguments and deadlines are those of one
//! release and of one catalogue, whatever operator goes on with the run.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use serde::{Deserialize, Serialize};

use super::{Run, dyno_job, finish_job, preflight_job, redis_pod, redis_service};

/// The objects of a run, as they are created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Objects {
    /// The managed Redis; None for an existing target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<ManagedRedis>,
    /// The preflight.
    pub preflight: Job,
    /// The dynos' Jobs, by type.
    pub dynos: BTreeMap<String, Job>,
    /// The finish; None for a managed target, which goes as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Job>,
    /// What the verdict's message has to say of scaled sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_note: Option<String>,
}

/// A managed Redis and the name by which it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagedRedis {
    /// Its pod.
    pub pod: Pod,
    /// Its name.
    pub service: Service,
}

impl Objects {
    /// Builds them.
    pub(crate) fn build(run: &Run<'_>) -> Self {
        let dynos = run.resolved.formation.iter();
        Self {
            redis: run.resolved.managed.as_ref().map(|redis| ManagedRedis {
                pod: redis_pod::build(run, redis),
                service: redis_service::build(run),
            }),
            preflight: preflight_job::build(run),
            dynos: dynos
                .map(|dynos| (dynos.dyno_type.clone(), dyno_job::build(run, dynos)))
                .collect(),
            finish: run.secret().map(|_| finish_job::build(run)),
            scale_note: run.resolved.scale_note(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{EXISTING, MANAGED, with_run};

    #[test]
    fn what_is_written_is_read_again_to_the_last_field() {
        for yaml in [MANAGED, EXISTING] {
            let objects = with_run(yaml, Objects::build);
            let text = serde_json::to_string(&objects).unwrap();
            assert_eq!(serde_json::from_str::<Objects>(&text).unwrap(), objects);
        }
    }

    #[test]
    fn a_managed_target_needs_no_finish_and_an_existing_one_no_redis() {
        let managed = with_run(MANAGED, Objects::build);
        assert!(managed.redis.is_some() && managed.finish.is_none());
        let existing = with_run(EXISTING, Objects::build);
        assert!(existing.redis.is_none() && existing.finish.is_some());
        assert_eq!(existing.dynos.keys().collect::<Vec<_>>(), ["web", "worker"]);
    }
}
