//! The pods that are proven to be of a run. Labels select, they prove nothing: whoever may create a
//! pod anywhere can give it any. A pod counts only if it lies in the LoadTest's namespace and its
//! controller is a Job whose uid is latched in `status.children`; and of several of the same name
//! only the one that was seen first, whose uid is latched in `status.pods`.
//!
//! Nothing of a [`Candidate`] can be looked at before it is proven: the types see to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use redyno_contract::plan::DynoName;
use redyno_crds::LoadTest;
use redyno_crds::children::{Child, Kind};
use redyno_crds::labels;
use redyno_crds::status::PodReference;

use crate::object_readers::created;

/// A pod that has a run's labels, whoever made it.
#[derive(Clone, Debug)]
pub struct Candidate {
    pod: Arc<Pod>,
    gone: bool,
}

impl Candidate {
    /// A pod with a run's labels; `gone` once it has left the cluster.
    pub const fn new(pod: Arc<Pod>, gone: bool) -> Self {
        Self { pod, gone }
    }

    /// Its uid, once it has left the cluster.
    pub(crate) fn gone_uid(&self) -> Option<&str> {
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        self.gone.then_some(uid)
    }
}

/// What a pod does in its run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It checks the target.
    Preflight,
    /// It is this dyno.
    Dyno(DynoName),
    /// It cleans up the target.
    Finish,
}

impl Role {
    /// The name that its last words are kept under: `web.1`, `preflight`.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Preflight => Child::Preflight.token().to_owned(),
            Self::Dyno(name) => name.to_string(),
            Self::Finish => Child::Finish.token().to_owned(),
        }
    }

    /// Whether it is made by this child.
    pub(crate) fn is_of(&self, child: &Child) -> bool {
        match (self, child) {
            (Self::Preflight, Child::Preflight) | (Self::Finish, Child::Finish) => true,
            (Self::Dyno(name), Child::Dynos(dyno_type)) => name.dyno_type == *dyno_type,
            _ => false,
        }
    }
}

/// A pod that is proven to be of the run.
#[derive(Clone, Debug)]
pub(crate) struct RunPod {
    pod: Arc<Pod>,
    role: Role,
    gone: bool,
}

impl RunPod {
    /// The pod.
    pub(crate) fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The pod, to keep.
    pub(crate) fn shared(&self) -> Arc<Pod> {
        Arc::clone(&self.pod)
    }

    /// What it does.
    pub(crate) const fn role(&self) -> &Role {
        &self.role
    }

    /// Whether it has left the cluster: it is still here only for its last words.
    pub(crate) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Its uid.
    pub(crate) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }
}

/// The pods of one run: of each name the one that was seen first.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunPods {
    first: BTreeMap<String, RunPod>,
    twins: BTreeSet<String>,
    seen: Vec<PodReference>,
}

impl RunPods {
    /// Those among the candidates that are proven to be of the run of this LoadTest, by the Jobs
    /// that its status has latched. `latched` are the pods that were seen before.
    pub(crate) fn proven(
        load_test: &LoadTest,
        latched: &[PodReference],
        candidates: &[Candidate],
    ) -> Self {
        let proof = Proof::of(load_test);
        let mut by_key: BTreeMap<String, Vec<RunPod>> = BTreeMap::new();
        for candidate in candidates {
            if let Some(pod) = proof.of_run(candidate) {
                by_key.entry(pod.role.key()).or_default().push(pod);
            }
        }
        let mut pods = Self {
            seen: latched.to_vec(),
            ..Self::default()
        };
        for (key, mut found) in by_key {
            found.sort_by_key(|pod| (created(&pod.pod.metadata), pod.uid().to_owned()));
            let known = latched.iter().find(|reference| reference.name == key);
            let uid = if let Some(reference) = known {
                reference.uid.clone()
            } else {
                let uid = found[0].uid().to_owned();
                pods.seen.push(PodReference {
                    name: key.clone(),
                    uid: uid.clone(),
                });
                uid
            };
            for pod in found {
                if pod.uid() == uid {
                    pods.first.insert(key.clone(), pod);
                } else {
                    pods.twins.insert(key.clone());
                }
            }
        }
        pods
    }

    /// Those that are in the cluster.
    pub(crate) fn present(&self) -> impl Iterator<Item = &RunPod> {
        self.first.values().filter(|pod| !pod.gone)
    }

    /// Those that are in the cluster or have left it a moment ago.
    pub(crate) fn all(&self) -> impl Iterator<Item = &RunPod> {
        self.first.values()
    }

    /// The pod of this name, if it is in the cluster.
    pub(crate) fn get(&self, key: &str) -> Option<&RunPod> {
        self.first.get(key).filter(|pod| !pod.gone)
    }

    /// Whether another pod of this name was seen, too: then nobody knows which of them is the one.
    pub(crate) fn has_twin(&self, key: &str) -> bool {
        self.twins.contains(key)
    }

    /// What `status.pods` has to say: the first pod of each name that was ever seen.
    pub(crate) fn seen(&self) -> &[PodReference] {
        &self.seen
    }
}

/// What a LoadTest's status says of who may have made its pods.
struct Proof<'a> {
    namespace: Option<&'a str>,
    /// The Jobs of the run, by uid.
    jobs: BTreeMap<&'a str, (Child, u32)>,
}

impl<'a> Proof<'a> {
    fn of(load_test: &'a LoadTest) -> Self {
        let name = load_test.metadata.name.as_deref().unwrap_or_default();
        let types = load_test.spec.formation.iter().map(|dynos| {
            let quantity = u32::try_from(dynos.quantity).unwrap_or(0);
            (Child::Dynos(dynos.dyno_type.clone()), quantity)
        });
        let children: Vec<(Child, u32)> = [(Child::Preflight, 1), (Child::Finish, 1)]
            .into_iter()
            .chain(types)
            .collect();
        let latched = load_test
            .status
            .iter()
            .flat_map(|status| status.children.iter());
        let jobs = latched
            .filter(|reference| reference.kind == Kind::Job.as_str())
            .filter_map(|reference| {
                let uid = reference.uid.as_deref()?;
                let child = children
                    .iter()
                    .find(|(child, _)| child.name(name) == reference.name)?;
                Some((uid, child.clone()))
            })
            .collect();
        Self {
            namespace: load_test.metadata.namespace.as_deref(),
            jobs,
        }
    }

    fn of_run(&self, candidate: &Candidate) -> Option<RunPod> {
        let metadata = &candidate.pod.metadata;
        if metadata.namespace.as_deref() != self.namespace {
            return None;
        }
        let owner = metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true))
            .filter(|owner| owner.kind == Kind::Job.as_str() && owner.api_version == "batch/v1")?;
        let (child, quantity) = self.jobs.get(owner.uid.as_str())?;
        let role = match child {
            Child::Preflight => Role::Preflight,
            Child::Finish => Role::Finish,
            Child::Dynos(dyno_type) => {
                let index = candidate.pod.labels().get(labels::COMPLETION_INDEX)?;
                Role::Dyno(DynoName {
                    dyno_type: dyno_type.clone(),
                    index: index.parse().ok().filter(|index| index < quantity)?,
                })
            }
            Child::Plan | Child::Report | Child::RedisPod | Child::RedisService => return None,
        };
        Some(RunPod {
            pod: Arc::clone(&candidate.pod),
            role,
            gone: candidate.gone,
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::fixtures::{Cluster, MANAGED};

    fn keys(pods: &RunPods) -> Vec<String> {
        pods.present().map(|pod| pod.role().key()).collect()
    }

    fn running() -> (LoadTest, Vec<Pod>) {
        let mut cluster = Cluster::new(MANAGED);
        cluster.until_running();
        let pods = ["preflight", "web.1", "web.2"].map(|name| cluster.pod(name).clone());
        (cluster.load_test, pods.to_vec())
    }

    fn proven(load_test: &LoadTest, pods: Vec<Pod>) -> RunPods {
        let candidates: Vec<Candidate> = pods
            .into_iter()
            .map(|pod| Candidate::new(Arc::new(pod), false))
            .collect();
        let latched = &load_test.status.as_ref().unwrap().pods;
        RunPods::proven(load_test, latched, &candidates)
    }

    #[test]
    fn the_pods_of_latched_jobs_count() {
        let (load_test, pods) = running();
        let proven = proven(&load_test, pods);
        assert_eq!(keys(&proven), ["preflight", "web.1", "web.2"]);
        assert!(!proven.has_twin("web.1"));
        assert_eq!(proven.seen(), load_test.status.unwrap().pods);
    }

    /// What it is, and how it is made of a good pod.
    type Forgery = (&'static str, fn(&mut Pod));

    #[test]
    fn a_pod_that_only_looks_like_one_does_not() {
        let (load_test, pods) = running();
        let forge = |change: fn(&mut Pod)| {
            let mut forged = pods[1].clone();
            forged.metadata.uid = Some("uid-forged".to_owned());
            change(&mut forged);
            let mut all = pods.clone();
            all.insert(0, forged);
            proven(&load_test, all)
        };
        let forgeries: [Forgery; 8] = [
            ("of another namespace", |pod| {
                pod.metadata.namespace = Some("evil".to_owned());
            }),
            ("without a controller", |pod| {
                pod.metadata.owner_references = None;
            }),
            ("of a Job that nobody latched", |pod| {
                pod.metadata.owner_references.as_mut().unwrap()[0].uid = "uid-other".to_owned();
            }),
            ("whose owner is no controller", |pod| {
                pod.metadata.owner_references.as_mut().unwrap()[0].controller = None;
            }),
            ("of something that is no Job", |pod| {
                pod.metadata.owner_references.as_mut().unwrap()[0].kind = "ReplicaSet".to_owned();
            }),
            ("of somebody else's kind of Job", |pod| {
                pod.metadata.owner_references.as_mut().unwrap()[0].api_version =
                    "evil.example/v1".to_owned();
            }),
            ("of an index that is not planned", |pod| {
                pod.metadata
                    .labels
                    .as_mut()
                    .unwrap()
                    .insert(labels::COMPLETION_INDEX.to_owned(), "2".to_owned());
            }),
            ("without an index", |pod| {
                pod.metadata
                    .labels
                    .as_mut()
                    .unwrap()
                    .remove(labels::COMPLETION_INDEX);
            }),
        ];
        for (title, change) in forgeries {
            let proven = forge(change);
            assert_eq!(keys(&proven), ["preflight", "web.1", "web.2"], "{title}");
            assert!(!proven.has_twin("web.1"), "{title}");
            assert_ne!(proven.get("web.1").unwrap().uid(), "uid-forged", "{title}");
        }
    }

    #[test]
    fn of_two_pods_of_a_name_the_one_that_was_seen_first_stays_and_the_other_is_known_of() {
        let (mut load_test, pods) = running();
        let mut twin = pods[1].clone();
        twin.metadata.uid = Some("uid-0".to_owned());
        twin.metadata.creation_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let both = vec![twin.clone(), pods[1].clone()];
        let first = proven(&load_test, both.clone());
        assert_eq!(first.get("web.1").unwrap().pod(), &pods[1]);
        assert!(first.has_twin("web.1"));
        // The one that was seen first has gone: the other one does not take its place.
        let left = proven(&load_test, vec![twin.clone()]);
        assert!(left.get("web.1").is_none() && left.has_twin("web.1"));
        // Nobody has seen either before.
        load_test.status.as_mut().unwrap().pods.clear();
        let unseen = proven(&load_test, both);
        assert_eq!(unseen.get("web.1").unwrap().pod(), &twin, "the older one");
        assert!(unseen.has_twin("web.1"));
    }

    #[test]
    fn one_that_has_left_is_not_present_but_has_last_words() {
        let (load_test, pods) = running();
        let gone = Candidate::new(Arc::new(pods[1].clone()), true);
        let proven = RunPods::proven(&load_test, &[], &[gone]);
        assert_eq!(keys(&proven), Vec::<String>::new());
        assert!(proven.get("web.1").is_none());
        assert_eq!(proven.all().count(), 1);
    }
}
