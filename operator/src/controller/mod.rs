//! The shell around decisions: watches that say when to look, and the loop of observe, decide and
//! apply.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use redyno_contract::Verdict;
use redyno_crds::LoadTest;
use redyno_crds::labels;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::apply::{Applied, Outcome, Written, carry_out, write};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::decide::decide;
use crate::error::{Error, chain};
use crate::events::{Notice, Publisher};
use crate::metrics::Metrics;
use crate::observe::observe;
use crate::observed::Refused;
use crate::pods::{self, PodView, Touched};
use crate::readiness::Readiness;
use crate::settings::Settings;
use crate::turns::Turns;
use crate::unreadable;

/// LoadTests of one namespace that are looked at at the same time. Of every namespace so many: what
/// is slow or refused in one takes no turn from another.
const LOOKS_OF_A_NAMESPACE: u16 = 16;

/// Several events in a row are looked at once.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// The longest that one look may take.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// How soon reports are stored again that the API server did not take.
const STORED_AGAIN: Duration = Duration::from_secs(10);

/// Steps of a run that one look takes at most; a run has about ten from its creation to its end.
const STEPS: usize = 16;

/// What every reconciliation needs.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What time it is.
    pub clock: Clock,
    /// What the administrator set.
    pub settings: Settings,
    /// The pods of all runs.
    pub pods: Arc<PodView>,
    /// Tells people.
    pub publisher: Publisher,
    /// Tells machines.
    pub metrics: Metrics,
    /// Waits after errors.
    pub backoff: Backoff,
    /// Who may look when.
    pub turns: Turns,
}

/// Watches one namespace (all of them if None) until told to stop.
pub async fn run(
    namespace: Option<String>,
    client: Client,
    settings: Settings,
    publisher: Publisher,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    stopped: CancellationToken,
) {
    let view = Arc::new(PodView::default());
    let touched = touched(&view, &client, namespace.as_deref(), stopped.clone());
    let of_ours = watcher::Config::default().labels(labels::RUN);
    let controller = Controller::new(
        api::<DeserializeGuard<LoadTest>>(&client, namespace.as_deref()),
        watcher::Config::default(),
    )
    .with_config(
        controller::Config::default()
            // Every LoadTest has a task and a queue of its own; what bounds them is `turns`.
            .concurrency(0)
            .debounce(DEBOUNCE),
    )
    .owns(api::<Job>(&client, namespace.as_deref()), of_ours.clone())
    .owns(
        api::<Service>(&client, namespace.as_deref()),
        of_ours.clone(),
    )
    .owns(api::<ConfigMap>(&client, namespace.as_deref()), of_ours)
    .reconcile_on(
        touched.map(|touched| ObjectRef::new(&touched.load_test).within(&touched.namespace)),
    )
    .graceful_shutdown_on(stopped.cancelled_owned());
    let store = controller.store();
    metrics.watch(store.clone(), LOOKS_OF_A_NAMESPACE);
    let scope = namespace.as_deref().unwrap_or("all namespaces").to_owned();
    let missing = [format!("LoadTests of {scope}"), format!("pods of {scope}")];
    for what in &missing {
        readiness.expect(what);
    }
    let context = Arc::new(Context {
        client,
        clock: Clock::system(),
        settings,
        pods: Arc::clone(&view),
        publisher,
        metrics,
        backoff: Backoff::default(),
        turns: Turns::new(LOOKS_OF_A_NAMESPACE.into()),
    });
    let reconciling = controller
        .run(reconcile, failed, Arc::clone(&context))
        .for_each(|result| {
            match result {
                Ok((object, action)) => tracing::trace!(%object, ?action, "Looked."),
                // Reconciliation errors are logged where they are counted.
                Err(controller::Error::ReconcilerFailed(..)) => {}
                // The LoadTest of a pod or a Job that is going is gone.
                Err(controller::Error::ObjectNotFound(object)) => {
                    tracing::trace!(%object, "Gone.");
                    view.ended(
                        object.namespace.as_deref().unwrap_or_default(),
                        &object.name,
                    );
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "A watch was interrupted.");
                }
            }
            std::future::ready(())
        });
    let ready = async {
        if store.wait_until_ready().await.is_ok() {
            readiness.arrived(&missing[0]);
        }
        view.synced().await;
        readiness.arrived(&missing[1]);
        std::future::pending::<()>().await;
    };
    futures::future::select(Box::pin(reconciling), Box::pin(ready))
        .map(|_| ())
        .await;
}

/// The LoadTests whose pods have changed. The watch has a task of its own: nothing that the
/// controller waits for, and no error of another watch, holds it up.
fn touched(
    view: &Arc<PodView>,
    client: &Client,
    namespace: Option<&str>,
    stopped: CancellationToken,
) -> impl Stream<Item = Touched> + Send + use<> {
    let events = watcher::watcher(
        api::<Pod>(client, namespace),
        watcher::Config::default().labels(labels::RUN),
    )
    .default_backoff();
    let mut followed =
        Box::pin(pods::follow(Arc::clone(view), events).take_until(stopped.cancelled_owned()));
    let (send, receive) = futures::channel::mpsc::unbounded();
    tokio::spawn(async move {
        while let Some(touched) = followed.next().await {
            if send.unbounded_send(touched).is_err() {
                return;
            }
        }
    });
    receive
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Looks at one LoadTest.
async fn reconcile(
    guard: Arc<DeserializeGuard<LoadTest>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let namespace = guard.meta().namespace.clone().unwrap_or_default();
    let name = guard.name_any();
    let span = tracing::info_span!("reconcile", %namespace, %name);
    let key = format!("{namespace}/{name}");
    async {
        let reconciling = context.metrics.reconciling();
        // Before all pods are known, one that is missing might be there.
        context.pods.synced().await;
        let _turn = context.turns.take(&namespace).await;
        let result =
            tokio::time::timeout(LONGEST_LOOK, Box::pin(look(&context, &namespace, &name)))
                .await
                .unwrap_or(Err(Error::Timeout(LONGEST_LOOK)));
        if result.is_ok() {
            context.backoff.forget(&key);
        }
        let result = result.map(|wait| wait.map_or_else(Action::await_change, Action::requeue));
        reconciling.ended(result.as_ref());
        result
    }
    .instrument(span)
    .await
}

/// Observes, decides and applies until there is nothing more to do for now. Says when to look again
/// if nothing happens; None if only a change can matter.
///
/// # Errors
/// If the API server cannot be asked.
pub async fn look(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<Duration>, Error> {
    let mut refused: Option<Refused> = None;
    for _ in 0..STEPS {
        let api: Api<DeserializeGuard<LoadTest>> =
            Api::namespaced(context.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|source| Error::Read {
            what: "the LoadTest",
            source: Box::new(source),
        })?;
        let load_test = match found {
            None => {
                context.pods.ended(namespace, name);
                return Ok(None);
            }
            Some(DeserializeGuard(Ok(load_test))) => load_test,
            Some(DeserializeGuard(Err(invalid))) => {
                tracing::warn!(error = %invalid.error, "The LoadTest cannot be read.");
                unreadable(context, namespace, name, &invalid.error).await?;
                return Ok(None);
            }
        };
        if load_test.metadata.deletion_timestamp.is_some() {
            context.pods.ended(namespace, name);
            return Ok(None);
        }
        let now = context.clock.now();
        let mut observed =
            Box::pin(observe(&context.client, &context.pods, &load_test, now)).await?;
        observed.refused = refused.take();
        let decision = decide(&load_test, &observed, now, &context.settings);
        let Outcome { written, unstored } = write(&context.client, &load_test, &decision).await?;
        if written == Written::Conflict {
            continue;
        }
        if let Some(message) = &unstored {
            tell(context, &load_test, &[Notice::unstored(message)]).await;
        }
        // At the same time: what is written is told even if an effect fails, and no effect waits
        // for an event.
        let (applied, ()) = futures::future::join(
            carry_out(&context.client, &load_test, &decision.effects),
            tell(context, &load_test, &decision.notices),
        )
        .await;
        match applied? {
            Applied::Changed => {}
            Applied::Refused(by) => refused = Some(by),
            Applied::Nothing if written == Written::Now => {}
            Applied::Nothing if unstored.is_some() => {
                let requeue = decision.requeue.unwrap_or(STORED_AGAIN);
                return Ok(Some(requeue.min(STORED_AGAIN)));
            }
            Applied::Nothing => {
                // Every word of the pods that are gone is stored by now, or is nobody's.
                let uid = load_test.uid().unwrap_or_default();
                let candidates = &observed.candidates;
                context.pods.stored(namespace, name, &uid, candidates);
                return Ok(decision.requeue);
            }
        }
    }
    Ok(Some(Duration::from_secs(1)))
}

/// Ends a LoadTest of another release that this one cannot read: whoever waits for it gets an end.
async fn unreadable(
    context: &Context,
    namespace: &str,
    name: &str,
    error: &str,
) -> Result<(), Error> {
    let now = Time(context.clock.now());
    for _ in 0..STEPS {
        let Some(object) = unreadable::read(&context.client, namespace, name).await? else {
            return Ok(());
        };
        let stalled = context.settings.failed_verdict_is_stalled;
        let Some(ended) = unreadable::ended(&object, error, &now, stalled) else {
            return Ok(());
        };
        if unreadable::write(&context.client, namespace, name, &ended).await? {
            let reference = unreadable::reference(&object);
            let notice = Notice::unreadable(error);
            context.metrics.verdict(Verdict::Errored.as_str());
            context.publisher.publish(&reference, &[notice]).await;
            return Ok(());
        }
    }
    Ok(())
}

async fn tell(context: &Context, load_test: &LoadTest, notices: &[Notice]) {
    for notice in notices {
        if notice.warning {
            tracing::warn!(reason = notice.reason, "{}", notice.note);
        } else {
            tracing::info!(reason = notice.reason, "{}", notice.note);
        }
        if notice.is_verdict() {
            context.metrics.verdict(&notice.reason);
        }
    }
    context
        .publisher
        .publish(&load_test.object_ref(&()), notices)
        .await;
}

fn failed(guard: Arc<DeserializeGuard<LoadTest>>, error: &Error, context: Arc<Context>) -> Action {
    let namespace = guard.meta().namespace.clone().unwrap_or_default();
    let name = guard.name_any();
    let wait = context.backoff.failed(&format!("{namespace}/{name}"));
    context.metrics.failed(error.category());
    tracing::error!(
        %namespace,
        %name,
        category = error.category(),
        error = chain(error),
        seconds = wait.as_secs(),
        "A look at a LoadTest failed; it is tried again."
    );
    Action::requeue(wait)
}

#[cfg(test)]
mod tests;
