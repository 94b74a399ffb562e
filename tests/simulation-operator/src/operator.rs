//! An operator in the model: the real look and the real view of pods, on the model's API server and
//! clock.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Request, Response, StatusCode};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::client::Body;
use kube::runtime::watcher::{self, Event};
use redyno_crds::Catalogue;
use redyno_operator::backoff::Backoff;
use redyno_operator::clock::Clock;
use redyno_operator::controller::{Context, look};
use redyno_operator::events::Publisher;
use redyno_operator::metrics::Metrics;
use redyno_operator::pods::{PodView, Touched, follow};
use redyno_operator::seal::Seal;
use redyno_operator::settings::Settings;
use redyno_operator::turns::Turns;
use serde_json::Value;
use tokio::sync::Notify;

use crate::api_server::{Answer, ApiServer};
use crate::scenario::{NAME, NAMESPACE};

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It wants to look again after this long; None if only a change can matter.
    Again(Option<Duration>),
    /// It failed; the real operator backs off and tries again.
    Failed,
    /// The operator was killed in it.
    Killed,
}

/// One running operator.
pub(crate) struct Operator {
    context: Context,
    send: UnboundedSender<Result<Event<Pod>, watcher::Error>>,
    followed: Pin<Box<dyn Stream<Item = Touched>>>,
    killed: Arc<Notify>,
    /// How many of the server's pod events it has heard of.
    pub(crate) heard: usize,
    /// When it looks next.
    pub(crate) next_look: Option<Timestamp>,
    /// How many of the server's changes it has been told of.
    pub(crate) changes: u64,
}

impl Operator {
    /// Starts one: it lists the pods that are there, and looks at once.
    pub(crate) fn start(server: &Arc<Mutex<ApiServer>>) -> Self {
        let killed = Arc::new(Notify::new());
        let client = client(Arc::clone(server), Arc::clone(&killed));
        let view = Arc::new(PodView::default());
        let (send, receive): (_, UnboundedReceiver<_>) = unbounded();
        let clock = {
            let server = Arc::clone(server);
            Clock::of(move || server.lock().expect("nobody panics with it").now)
        };
        let followed = Box::pin(follow(Arc::clone(&view), receive));
        let mut operator = Self {
            context: Context {
                publisher: Publisher::new(client.clone()),
                client,
                clock,
                settings: settings(),
                pods: view,
                metrics: Metrics::new().expect("metrics can be made"),
                backoff: Backoff::default(),
                turns: Turns::new(16),
            },
            send,
            followed,
            killed,
            heard: 0,
            next_look: None,
            changes: 0,
        };
        let server = server.lock().expect("nobody panics with it");
        operator.tell(Event::Init);
        for (path, object) in &server.objects {
            if path.contains("/pods/") {
                operator.tell(Event::InitApply(pod(object)));
            }
        }
        operator.tell(Event::InitDone);
        operator.heard = server.pod_events.len();
        operator.changes = server.changes;
        operator.next_look = Some(server.now);
        operator
    }

    /// Tells it of what happened to a pod. Whether that is a reason to look.
    pub(crate) fn hear(&mut self, object: &Value, deleted: bool) -> bool {
        let pod = pod(object);
        self.tell(if deleted {
            Event::Delete(pod)
        } else {
            Event::Apply(pod)
        })
    }

    fn tell(&mut self, event: Event<Pod>) -> bool {
        self.send.unbounded_send(Ok(event)).expect("it is followed");
        let mut touched = false;
        while let Some(Some(_)) = self.followed.next().now_or_never() {
            touched = true;
        }
        touched
    }

    /// Looks once.
    pub(crate) async fn look(&mut self) -> Looked {
        let looked = look(&self.context, NAMESPACE, NAME);
        tokio::select! {
            biased;
            () = self.killed.notified() => Looked::Killed,
            result = looked => result.map_or(Looked::Failed, Looked::Again),
        }
    }
}

fn pod(object: &Value) -> Pod {
    serde_json::from_value(object.clone()).expect("the model makes pods that can be read")
}

fn settings() -> Settings {
    Settings {
        catalogue: Catalogue::built_in(),
        runner_image: "registry.example/runner:1".to_owned(),
        redis_image: "registry.example/redis:7".to_owned(),
        valkey_image: "registry.example/valkey:8".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        image_pull_secrets: Vec::new(),
        flush_database_hosts: Vec::new(),
        flush_all_databases_hosts: Vec::new(),
        linger_seconds: 0,
        scrape_annotations: false,
        seal: Seal::new(&[7; 32]).expect("it is long enough"),
        failed_verdict_is_stalled: true,
    }
}

fn client(server: Arc<Mutex<ApiServer>>, killed: Arc<Notify>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (server, killed) = (Arc::clone(&server), Arc::clone(&killed));
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.map_err(std::io::Error::other)?;
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            let answer = server.lock().expect("nobody panics with it").answer(
                &parts.method,
                parts.uri.path(),
                parts.uri.query().unwrap_or_default(),
                &body,
            );
            match answer {
                Answer::Status(code, object) => {
                    let bytes = serde_json::to_vec(&object).map_err(std::io::Error::other)?;
                    let mut response = Response::new(Body::from(bytes));
                    *response.status_mut() =
                        StatusCode::from_u16(code).map_err(std::io::Error::other)?;
                    Ok(response)
                }
                Answer::Broken => Err(std::io::Error::other("connection reset by peer")),
                Answer::Killed => {
                    killed.notify_one();
                    std::future::pending().await
                }
            }
        }
    });
    Client::new(service, NAMESPACE)
}
