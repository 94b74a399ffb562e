//! The operator's view of the runs' pods: one watch for all of them.
//!
//! A pod's deletion is the last that is heard of it, and brings its last status. The pod then stays
//! here, as one that is gone, until a look at its LoadTest has stored what it said or found that
//! nobody needs it: so no write that fails or hangs holds up this view, and none loses a word.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::{self, Event};
use redyno_crds::labels;
use tokio::sync::watch;

use crate::error::chain;
use crate::run_pods::Candidate;

/// The pods of all runs in the cluster.
#[derive(Debug)]
pub struct PodView {
    pods: Mutex<Pods>,
    synced: watch::Sender<bool>,
}

impl Default for PodView {
    fn default() -> Self {
        Self {
            pods: Mutex::default(),
            synced: watch::Sender::new(false),
        }
    }
}

#[derive(Debug, Default)]
struct Pods {
    by_load_test: HashMap<Touched, BTreeMap<String, Seen>>,
    /// Where each pod is, by its uid: its labels may be changed.
    places: HashMap<String, Touched>,
}

#[derive(Debug)]
struct Seen {
    pod: Arc<Pod>,
    run: String,
    gone: bool,
}

/// A LoadTest whose pods have changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Touched {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub load_test: String,
}

impl Touched {
    fn of(pod: &Pod) -> Option<Self> {
        Some(Self {
            namespace: pod.metadata.namespace.clone()?,
            load_test: pod.labels().get(labels::LOAD_TEST)?.clone(),
        })
    }
}

impl Pods {
    /// Puts a pod where it belongs, and says what that touches.
    fn put(&mut self, mut pod: Pod, gone: bool) -> Vec<Touched> {
        pod.managed_fields_mut().clear();
        let uid = pod_uid(&pod);
        let mut touched: Vec<Touched> = self.take(&uid).into_iter().collect();
        let place = Touched::of(&pod);
        let run = pod.labels().get(labels::RUN).cloned();
        if let (Some(place), Some(run)) = (place, run) {
            let pod = Arc::new(pod);
            let pods = self.by_load_test.entry(place.clone()).or_default();
            pods.insert(uid.clone(), Seen { pod, run, gone });
            self.places.insert(uid, place.clone());
            touched.retain(|former| *former != place);
            touched.push(place);
        }
        touched
    }

    fn take(&mut self, uid: &str) -> Option<Touched> {
        let place = self.places.remove(uid)?;
        let pods = self.by_load_test.get_mut(&place)?;
        pods.remove(uid);
        if pods.is_empty() {
            self.by_load_test.remove(&place);
        }
        Some(place)
    }
}

impl PodView {
    /// The pods that say by their labels that they are of the run with this uid.
    pub fn of_run(&self, namespace: &str, load_test: &str, run: &str) -> Vec<Candidate> {
        let place = Touched {
            namespace: namespace.to_owned(),
            load_test: load_test.to_owned(),
        };
        self.lock()
            .by_load_test
            .get(&place)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|seen| seen.run == run)
            .map(|seen| Candidate::new(Arc::clone(&seen.pod), seen.gone))
            .collect()
    }

    /// Lets go of pods that are gone: those of these candidates, whose last words have been stored
    /// or are nobody's, and those of former LoadTests of this name.
    pub fn stored(&self, namespace: &str, load_test: &str, run: &str, candidates: &[Candidate]) {
        let stored: HashSet<&str> = candidates.iter().filter_map(Candidate::gone_uid).collect();
        self.let_go(namespace, load_test, |uid, seen| {
            seen.run != run || stored.contains(uid)
        });
    }

    /// Lets go of all pods that are gone: their LoadTest is gone, too.
    pub fn ended(&self, namespace: &str, load_test: &str) {
        self.let_go(namespace, load_test, |_, _| true);
    }

    fn let_go(&self, namespace: &str, load_test: &str, which: impl Fn(&str, &Seen) -> bool) {
        let place = Touched {
            namespace: namespace.to_owned(),
            load_test: load_test.to_owned(),
        };
        let mut pods = self.lock();
        let uids: Vec<String> = pods
            .by_load_test
            .get(&place)
            .into_iter()
            .flatten()
            .filter(|(uid, seen)| seen.gone && which(uid, seen))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in uids {
            pods.take(&uid);
        }
    }

    /// Waits until every pod that was there at the start is known.
    pub async fn synced(&self) {
        self.synced
            .subscribe()
            .wait_for(|synced| *synced)
            .await
            .expect("the sender lives as long as this view");
    }

    /// Marks all that are not among these as gone: they went while nobody watched.
    fn gone_but(&self, seen: &HashSet<String>) -> Vec<Touched> {
        let mut touched = HashSet::new();
        for (place, pods) in &mut self.lock().by_load_test {
            for (uid, pod) in pods {
                if !pod.gone && !seen.contains(uid) {
                    pod.gone = true;
                    touched.insert(place.clone());
                }
            }
        }
        touched.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Pods> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pod_uid(pod: &Pod) -> String {
    pod.uid().unwrap_or_default()
}

/// Keeps the view up to date from a watch, and says which LoadTests are touched.
pub fn follow(
    view: Arc<PodView>,
    events: impl Stream<Item = Result<Event<Pod>, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Touched> + Send + 'static {
    let mut seen = HashSet::new();
    events.flat_map(move |event| {
        let touched = match event {
            Ok(Event::Apply(pod)) => view.lock().put(pod, false),
            Ok(Event::InitApply(pod)) => {
                seen.insert(pod_uid(&pod));
                view.lock().put(pod, false)
            }
            // Its last status is in this very event.
            Ok(Event::Delete(pod)) => view.lock().put(pod, true),
            Ok(Event::Init) => {
                seen.clear();
                Vec::new()
            }
            Ok(Event::InitDone) => {
                let touched = view.gone_but(&seen);
                seen.clear();
                view.synced.send_replace(true);
                touched
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "The watch of pods was interrupted.");
                Vec::new()
            }
        };
        futures::stream::iter(touched)
    })
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

    async fn follow_all(view: &Arc<PodView>, events: Vec<Event<Pod>>) -> usize {
        let events = stream::iter(events.into_iter().map(Ok));
        follow(Arc::clone(view), events).count().await
    }

    /// How many are in view, and how many of them are gone.
    fn in_view(view: &PodView) -> (usize, usize) {
        let candidates = view.of_run("shop", "friday", UID);
        let gone = candidates.iter().filter_map(Candidate::gone_uid).count();
        (candidates.len(), gone)
    }

    #[tokio::test]
    async fn a_pod_leaves_the_view_only_after_its_last_words_are_stored() {
        let [first, second] = two_pods();
        let view = Arc::default();
        let events = vec![
            Event::Apply(first.clone()),
            Event::Apply(second),
            Event::Delete(first),
        ];
        let touched = follow_all(&view, events).await;
        assert_eq!(touched, 3, "each of them is a reason to look");
        assert_eq!(in_view(&view), (2, 1));
        let before = view.of_run("shop", "friday", UID);
        view.stored("shop", "saturday", UID, &before);
        view.stored("market", "friday", UID, &before);
        assert_eq!(in_view(&view), (2, 1), "of others");
        view.stored("shop", "friday", UID, &before);
        assert_eq!(in_view(&view), (1, 0));
    }

    #[tokio::test]
    async fn one_that_went_after_the_look_had_begun_stays_for_the_next() {
        let [first, second] = two_pods();
        let view = Arc::default();
        follow_all(
            &view,
            vec![Event::Apply(first.clone()), Event::Apply(second)],
        )
        .await;
        let before = view.of_run("shop", "friday", UID);
        follow_all(&view, vec![Event::Delete(first)]).await;
        view.stored("shop", "friday", UID, &before);
        assert_eq!(in_view(&view), (2, 1));
    }

    #[tokio::test]
    async fn what_was_deleted_while_nobody_watched_is_gone_as_it_was_last_seen() {
        let [first, second] = two_pods();
        let view = Arc::default();
        let events = vec![
            Event::Init,
            Event::InitApply(first),
            Event::InitApply(second.clone()),
            Event::InitDone,
            Event::Init,
            Event::InitApply(second),
            Event::InitDone,
        ];
        follow_all(&view, events).await;
        assert_eq!(in_view(&view), (2, 1));
    }

    #[tokio::test]
    async fn pods_of_a_loadtest_that_is_gone_or_of_a_former_run_are_let_go() {
        let [first, mut former] = two_pods();
        former
            .labels_mut()
            .insert(labels::RUN.to_owned(), "former".to_owned());
        let view: Arc<PodView> = Arc::default();
        follow_all(&view, vec![Event::Delete(first), Event::Delete(former)]).await;
        assert_eq!(view.of_run("shop", "friday", "former").len(), 1);
        view.stored("shop", "friday", UID, &[]);
        assert!(view.of_run("shop", "friday", "former").is_empty());
        assert_eq!(in_view(&view), (1, 1));
        view.ended("shop", "friday");
        assert_eq!(in_view(&view), (0, 0));
    }

    #[tokio::test]
    async fn a_pod_of_the_same_run_in_another_namespace_is_not_in_view() {
        let [mut first, _] = two_pods();
        first.metadata.namespace = Some("evil".to_owned());
        let view = Arc::default();
        let touched = follow_all(&view, vec![Event::Apply(first)]).await;
        assert_eq!((touched, in_view(&view)), (1, (0, 0)));
    }

    #[tokio::test]
    async fn a_pod_whose_labels_are_changed_is_where_they_say() {
        let [first, _] = two_pods();
        let mut renamed = first.clone();
        renamed
            .labels_mut()
            .insert(labels::LOAD_TEST.to_owned(), "saturday".to_owned());
        let view = Arc::default();
        let touched = follow_all(&view, vec![Event::Apply(first), Event::Apply(renamed)]).await;
        assert_eq!(touched, 3, "both LoadTests are looked at");
        assert_eq!(in_view(&view), (0, 0));
        assert_eq!(view.of_run("shop", "saturday", UID).len(), 1);
    }

    #[tokio::test]
    async fn pods_of_others_are_not_followed() {
        let [mut first, _] = two_pods();
        first.metadata.labels = None;
        let view = Arc::default();
        let touched = follow_all(
            &view,
            vec![Event::Apply(first.clone()), Event::Delete(first)],
        )
        .await;
        assert_eq!((touched, in_view(&view)), (0, (0, 0)));
    }

    #[tokio::test]
    async fn the_view_is_synced_after_the_first_list() {
        let view: Arc<PodView> = Arc::default();
        assert!(!*view.synced.borrow());
        assert_eq!(
            follow_all(&view, vec![Event::Init, Event::InitDone]).await,
            0
        );
        view.synced().await;
    }
}
