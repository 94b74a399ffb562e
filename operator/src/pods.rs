//! The operator's view of the runs' pods: one watch for all of them.
//!
//! A pod's deletion is the last that is heard of it, and brings its last status: what that says is
//! written into the report ConfigMap *before* the pod leaves this view. So whoever sees a pod
//! missing here finds what it left there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use crate::apply;
use crate::build::labels;
use crate::build::names::Child;
use crate::error::chain;
use crate::evidence::Collected;

/// A pod that cannot be kept is tried this often, then its report counts as missing.
const ATTEMPTS: u32 = 6;

/// The longest that one of them may take.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(5);

/// The pods of all runs in the cluster.
#[derive(Debug)]
pub struct PodView {
    runs: Mutex<HashMap<String, BTreeMap<String, Arc<Pod>>>>,
    synced: watch::Sender<bool>,
}

impl Default for PodView {
    fn default() -> Self {
        Self {
            runs: Mutex::default(),
            synced: watch::Sender::new(false),
        }
    }
}

impl PodView {
    /// The pods of the run with this uid.
    pub fn of_run(&self, run: &str) -> Vec<Arc<Pod>> {
        self.lock()
            .get(run)
            .map(|pods| pods.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Waits until every pod that was there at the start is known.
    pub async fn synced(&self) {
        self.synced
            .subscribe()
            .wait_for(|synced| *synced)
            .await
            .expect("the sender lives as long as this view");
    }

    /// Whether every pod that was there at the start is known.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    fn insert(&self, mut pod: Pod) -> Option<Touched> {
        pod.managed_fields_mut().clear();
        let touched = Touched::of(&pod)?;
        self.lock()
            .entry(touched.run.clone())
            .or_default()
            .insert(pod_uid(&pod), Arc::new(pod));
        Some(touched)
    }

    fn remove(&self, pod: &Pod) {
        let Some(run) = run_of(pod) else {
            return;
        };
        let mut runs = self.lock();
        if let Some(pods) = runs.get_mut(&run) {
            pods.remove(&pod_uid(pod));
            if pods.is_empty() {
                runs.remove(&run);
            }
        }
    }

    fn all(&self, namespace: Option<&str>) -> Vec<Arc<Pod>> {
        self.lock()
            .values()
            .flat_map(BTreeMap::values)
            .filter(|pod| namespace.is_none() || pod.namespace().as_deref() == namespace)
            .cloned()
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, BTreeMap<String, Arc<Pod>>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A LoadTest whose pods have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub load_test: String,
    /// Its uid.
    run: String,
}

impl Touched {
    fn of(pod: &Pod) -> Option<Self> {
        let pod_labels = pod.metadata.labels.as_ref()?;
        Some(Self {
            namespace: pod.metadata.namespace.clone()?,
            load_test: pod_labels.get(labels::LOAD_TEST)?.clone(),
            run: pod_labels.get(labels::RUN)?.clone(),
        })
    }
}

fn run_of(pod: &Pod) -> Option<String> {
    Touched::of(pod).map(|touched| touched.run)
}

fn pod_uid(pod: &Pod) -> String {
    pod.uid().unwrap_or_default()
}

/// Keeps the view up to date from a watch of `namespace` (of all if None), and says which
/// LoadTests are touched. `keep` stores a pod's last words; it is awaited before the pod goes.
pub fn follow<F>(
    view: Arc<PodView>,
    namespace: Option<String>,
    events: impl Stream<Item = Result<Event<Pod>, watcher::Error>> + Send + 'static,
    keep: impl Fn(Arc<Pod>) -> F + Send + Sync + 'static,
) -> impl Stream<Item = Touched> + Send + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
    let seen: HashSet<String> = HashSet::new();
    let state = (view, seen, keep);
    futures::stream::unfold(
        (state, Box::pin(events)),
        move |((view, mut seen, keep), mut events)| {
            let namespace = namespace.clone();
            async move {
                let event = events.next().await?;
                let mut touched = Vec::new();
                match event {
                    Ok(Event::Apply(pod)) => touched.extend(view.insert(pod)),
                    Ok(Event::InitApply(pod)) => {
                        seen.insert(pod_uid(&pod));
                        touched.extend(view.insert(pod));
                    }
                    Ok(Event::Delete(pod)) => {
                        // Its last status is in this very event.
                        touched.extend(view.insert(pod.clone()));
                        keep(Arc::new(pod.clone())).await;
                        view.remove(&pod);
                    }
                    Ok(Event::Init) => seen.clear(),
                    Ok(Event::InitDone) => {
                        // Those that went while nobody watched: their last known status has to do.
                        for pod in view.all(namespace.as_deref()) {
                            if !seen.contains(&pod_uid(&pod)) {
                                keep(Arc::clone(&pod)).await;
                                view.remove(&pod);
                                touched.extend(Touched::of(&pod));
                            }
                        }
                        view.synced.send_replace(true);
                    }
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "The watch of pods was interrupted.");
                    }
                }
                Some((futures::stream::iter(touched), ((view, seen, keep), events)))
            }
        },
    )
    .flatten()
}

/// Writes a pod's last words into its run's report ConfigMap, if they are not there.
pub async fn keep(client: Client, pod: Arc<Pod>) {
    let Some(touched) = Touched::of(&pod) else {
        return;
    };
    let mut wait = Duration::from_millis(100);
    for attempt in 1..=ATTEMPTS {
        let kept = tokio::time::timeout(LONGEST_ATTEMPT, keep_once(&client, &pod, &touched)).await;
        match kept {
            Ok(Ok(())) => return,
            Err(_) => tracing::warn!(
                attempt,
                pod = pod.name_any(),
                "A report could not be stored in time."
            ),
            Ok(Err(error)) => {
                tracing::warn!(
                    attempt,
                    pod = pod.name_any(),
                    error = chain(&error),
                    "A report could not be stored."
                );
            }
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}

async fn keep_once(client: &Client, pod: &Pod, touched: &Touched) -> Result<(), kube::Error> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &touched.namespace);
    let name = Child::Report.name(&touched.load_test);
    let Some(report) = config_maps.get_opt(&name).await? else {
        // The LoadTest is being deleted with all that it owns, or somebody deleted its reports.
        return Ok(());
    };
    let is_of_run = report
        .metadata
        .labels
        .as_ref()
        .and_then(|found| found.get(labels::RUN))
        .is_some_and(|run| *run == touched.run);
    if !is_of_run {
        return Ok(());
    }
    let additions = Collected::read(Some(&report)).last_words(pod);
    if additions.is_empty() {
        return Ok(());
    }
    match apply::store(client, &touched.namespace, &name, &additions).await {
        // Deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::fixtures::{Cluster, MANAGED, UID};

    fn two_pods() -> [Pod; 2] {
        let mut cluster = Cluster::new(MANAGED);
        cluster.until_running();
        ["web.1", "web.2"].map(|name| cluster.pod(name).clone())
    }

    /// Follows these events; says for every pod that was kept whether it was in view then, and
    /// what is in view at the end.
    async fn follow_all(events: Vec<Event<Pod>>) -> (Vec<(String, bool)>, Vec<String>, usize) {
        let view = Arc::new(PodView::default());
        let kept = Arc::new(Mutex::new(Vec::new()));
        let touched: Vec<Touched> = {
            let (view, kept, seen) = (Arc::clone(&view), Arc::clone(&kept), Arc::clone(&view));
            follow(
                view,
                None,
                stream::iter(events.into_iter().map(Ok)),
                move |pod| {
                    let in_view = seen
                        .of_run(UID)
                        .iter()
                        .any(|other| other.metadata.uid == pod.metadata.uid);
                    let kept = Arc::clone(&kept);
                    async move {
                        kept.lock().unwrap().push((pod.name_any(), in_view));
                    }
                },
            )
            .collect()
            .await
        };
        let kept = kept.lock().unwrap().clone();
        let left = view.of_run(UID).iter().map(|pod| pod.name_any()).collect();
        (kept, left, touched.len())
    }

    #[tokio::test]
    async fn a_pod_leaves_the_view_only_after_its_last_words_are_kept() {
        let [first, second] = two_pods();
        let (kept, left, touched) = follow_all(vec![
            Event::Apply(first.clone()),
            Event::Apply(second),
            Event::Delete(first),
        ])
        .await;
        assert_eq!(kept, [("web.1".to_owned(), true)]);
        assert_eq!(left, ["web.2"]);
        assert_eq!(touched, 3, "each of them is a reason to look");
    }

    #[tokio::test]
    async fn what_was_deleted_while_nobody_watched_is_kept_as_it_was_last_seen() {
        let [first, second] = two_pods();
        let (kept, left, _) = follow_all(vec![
            Event::Init,
            Event::InitApply(first),
            Event::InitApply(second.clone()),
            Event::InitDone,
            Event::Init,
            Event::InitApply(second),
            Event::InitDone,
        ])
        .await;
        assert_eq!(kept, [("web.1".to_owned(), true)]);
        assert_eq!(left, ["web.2"]);
    }

    #[tokio::test]
    async fn pods_of_others_are_not_followed() {
        let [mut first, _] = two_pods();
        first.metadata.labels = None;
        let (kept, left, touched) =
            follow_all(vec![Event::Apply(first.clone()), Event::Delete(first)]).await;
        assert!(left.is_empty());
        assert_eq!(touched, 0);
        assert_eq!(kept.len(), 1, "asked, and found to be nobody's");
    }

    #[tokio::test]
    async fn the_view_is_synced_after_the_first_list() {
        let view = Arc::new(PodView::default());
        assert!(!view.is_synced());
        let events = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
        let touched: Vec<_> = follow(Arc::clone(&view), None, events, |_| std::future::ready(()))
            .collect()
            .await;
        assert!(touched.is_empty());
        view.synced().await;
    }
}
