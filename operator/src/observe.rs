//! Reads everything that a decision needs, and writes nothing.
//!
//! The children are read from the API server itself: a cache that lags behind could make a child
//! that was created a moment ago look as if somebody had deleted it. Pods of Jobs come from
//! [`crate::pods`], which never loses one before its last words are stored.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, Pod, Service};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use redyno_crds::LoadTest;
use redyno_crds::children::Child;
use serde::de::DeserializeOwned;

use crate::decide::questions;
use crate::error::Error;
use crate::object_readers::thousandths;
use crate::observed::{EventSeen, NodeRoom, Observed};
use crate::pods::PodView;

/// More events than this of one object say nothing new.
const MOST_EVENTS: u32 = 50;

/// Reads what there is of a LoadTest's run.
///
/// # Errors
/// If the API server cannot be asked.
pub(crate) async fn observe(
    client: &Client,
    pods: &PodView,
    load_test: &LoadTest,
    now: Timestamp,
) -> Result<Observed, Error> {
    let namespace = load_test.namespace().unwrap_or_default();
    let name = load_test.name_any();
    let get = Getter {
        client,
        namespace: &namespace,
        load_test: &name,
    };
    let uid = load_test.uid().unwrap_or_default();
    let mut observed = Observed {
        // Before the reports: a pod leaves the one only after its words are in the other.
        candidates: pods.of_run(&namespace, &name, &uid),
        ..Observed::default()
    };
    let is_managed = load_test.spec.target.managed.is_some();
    let types = load_test
        .spec
        .formation
        .iter()
        .map(|dynos| Child::Dynos(dynos.dyno_type.clone()));
    let jobs = futures::future::try_join_all(
        types.map(|child| async move { get.get::<Job>(&child).await.map(|job| (child, job)) }),
    );
    let redis = async {
        if is_managed {
            futures::future::try_join(
                get.get::<Pod>(&Child::RedisPod),
                get.get::<Service>(&Child::RedisService),
            )
            .await
        } else {
            Ok((None, None))
        }
    };
    let config_maps = async {
        if load_test.is_finished() {
            // Nothing is decided by them any more.
            return Ok((None, None));
        }
        futures::future::try_join(
            get.get::<ConfigMap>(&Child::Plan),
            get.get::<ConfigMap>(&Child::Report),
        )
        .await
    };
    let ((plan, report), (redis_pod, redis_service), preflight, finish, jobs) =
        futures::future::try_join5(
            config_maps,
            redis,
            get.get::<Job>(&Child::Preflight),
            get.get::<Job>(&Child::Finish),
            jobs,
        )
        .await?;
    observed.plan = plan;
    observed.report = report;
    observed.redis_pod = redis_pod;
    observed.redis_service = redis_service;
    observed.preflight = preflight;
    observed.finish = finish;
    observed.dynos = jobs
        .into_iter()
        .filter_map(|(child, job)| Some((child.token().to_owned(), job?)))
        .collect::<BTreeMap<_, _>>();
    if !load_test.is_finished() {
        let questions = questions(load_test, &observed, now);
        observed.events = events(client, &namespace, &questions.uids).await?;
        if questions.nodes {
            observed.largest_node = largest_node(client).await;
        }
    }
    Ok(observed)
}

#[derive(Clone, Copy)]
struct Getter<'a> {
    client: &'a Client,
    namespace: &'a str,
    load_test: &'a str,
}

impl Getter<'_> {
    async fn get<K>(&self, child: &Child) -> Result<Option<K>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        api.get_opt(&child.name(self.load_test))
            .await
            .map_err(|source| Error::Read {
                what: child.kind().as_str(),
                source: Box::new(source),
            })
    }
}

async fn events(
    client: &Client,
    namespace: &str,
    uids: &[String],
) -> Result<Vec<EventSeen>, Error> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let mut seen = Vec::new();
    for uid in uids {
        let parameters = ListParams::default()
            .fields(&format!("involvedObject.uid={uid}"))
            .limit(MOST_EVENTS);
        let list = api.list(&parameters).await.map_err(|source| Error::Read {
            what: "Events",
            source: Box::new(source),
        })?;
        seen.extend(list.items.into_iter().map(|event| {
            EventSeen {
                uid: uid.clone(),
                reason: event.reason.unwrap_or_default(),
                message: event.message.unwrap_or_default(),
                at: event
                    .last_timestamp
                    .map(|time| time.0)
                    .or_else(|| event.event_time.map(|time| time.0)),
            }
        }));
    }
    Ok(seen)
}

/// The largest node. Nodes may be read only where the administrator allows it; without them a
/// message says less.
async fn largest_node(client: &Client) -> Option<NodeRoom> {
    let api: Api<Node> = Api::all(client.clone());
    let nodes = match api.list(&ListParams::default()).await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::debug!(%error, "Nodes cannot be read.");
            return None;
        }
    };
    nodes
        .items
        .iter()
        .filter(|node| {
            node.spec
                .as_ref()
                .is_none_or(|spec| spec.unschedulable != Some(true))
        })
        .filter_map(|node| {
            let allocatable = node.status.as_ref()?.allocatable.as_ref()?;
            Some(NodeRoom {
                name: node.name_any(),
                cpu_millis: thousandths(allocatable.get("cpu")?)?,
                memory_bytes: thousandths(allocatable.get("memory")?)? / 1000,
            })
        })
        .max_by_key(|node| (node.cpu_millis, node.memory_bytes))
}
