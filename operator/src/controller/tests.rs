//! The shell against an API server that answers as told: what is asked, written and in which order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{EXISTING, MANAGED, load_test, settings};

const LOAD_TEST: &str = "/apis/redyno.dev/v1alpha1/namespaces/shop/loadtests/friday";

/// What answers in the API server's place, if anything.
type Answer = Box<dyn FnMut(&Method, &str, &Value) -> Option<(u16, Value)> + Send>;

/// Objects by path, and every request that was made.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, Value>,
    requests: Vec<String>,
    uids: u32,
}

fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}),
    )
}

impl Server {
    fn answer(&mut self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        let not_found = || status(404, "NotFound", "not found");
        match *method {
            Method::GET => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None if path.ends_with("/events") => (
                    200,
                    json!({"kind": "EventList", "metadata": {}, "items": []}),
                ),
                None => not_found(),
            },
            Method::POST => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return status(409, "AlreadyExists", "already exists");
                }
                self.uids += 1;
                let mut object = body.clone();
                object["metadata"]["uid"] = json!(format!("uid-{}", self.uids));
                object["metadata"]["creationTimestamp"] = json!(Timestamp::now().to_string());
                self.objects.insert(path, object.clone());
                (201, object)
            }
            Method::PATCH => {
                let Some(object) = self.objects.get_mut(path.trim_end_matches("/status")) else {
                    return not_found();
                };
                if path.ends_with("/status") {
                    let version = &object["metadata"]["resourceVersion"];
                    if body["metadata"]["resourceVersion"] != *version {
                        return status(409, "Conflict", "the object has been modified");
                    }
                    let next = version.as_str().unwrap().parse::<u32>().unwrap() + 1;
                    object["metadata"]["resourceVersion"] = json!(next.to_string());
                    for (field, value) in body["status"].as_object().unwrap() {
                        object["status"][field] = value.clone();
                    }
                } else {
                    // Of an Event that comes again only its series changes.
                    for (key, value) in body["data"].as_object().into_iter().flatten() {
                        object["data"][key] = value.clone();
                    }
                }
                (200, object.clone())
            }
            Method::DELETE => match self.objects.remove(path) {
                Some(object) => (200, object),
                None => not_found(),
            },
            _ => status(405, "MethodNotAllowed", "not done here"),
        }
    }
}

/// A LoadTest, the API server that holds it, and the operator's context.
struct Shell {
    server: Arc<Mutex<Server>>,
    context: Context,
}

impl Shell {
    fn new(yaml: &str, mut answer: Answer) -> Self {
        let mut load_test = serde_json::to_value(load_test(yaml)).unwrap();
        load_test["metadata"]["resourceVersion"] = json!("1");
        // A LoadTest of just now, so that nothing has been waited for.
        load_test["metadata"]["creationTimestamp"] = json!(Timestamp::now().to_string());
        let server = Arc::new(Mutex::new(Server {
            objects: BTreeMap::from([(LOAD_TEST.to_owned(), load_test)]),
            ..Server::default()
        }));
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let shared = Arc::clone(&server);
        tokio::spawn(async move {
            while let Some((request, send)) = handle.next_request().await {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.unwrap();
                let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let path = parts.uri.path().to_owned();
                let (code, object) = {
                    let mut server = shared.lock().unwrap();
                    server.requests.push(format!("{} {path}", parts.method));
                    answer(&parts.method, &path, &body)
                        .unwrap_or_else(|| server.answer(&parts.method, &path, &body))
                };
                send.send_response(
                    Response::builder()
                        .status(StatusCode::from_u16(code).unwrap())
                        .body(Body::from(serde_json::to_vec(&object).unwrap()))
                        .unwrap(),
                );
            }
        });
        let client = Client::new(service, "default");
        Self {
            server,
            context: Context {
                publisher: Publisher::new(client.clone()),
                client,
                clock: Clock::system(),
                settings: settings(),
                pods: Arc::default(),
                metrics: Metrics::new().unwrap(),
                backoff: Backoff::default(),
                turns: Turns::new(16),
            },
        }
    }

    async fn look(&self) -> Result<Option<Duration>, Error> {
        Box::pin(look(&self.context, "shop", "friday")).await
    }

    /// What was written since the last time that this was asked; Events apart.
    fn written(&self) -> Vec<String> {
        std::mem::take(&mut self.server.lock().unwrap().requests)
            .into_iter()
            .filter(|request| !request.starts_with("GET") && !request.contains("events.k8s.io"))
            .map(|request| {
                request
                    .replace("/namespaces/shop", "")
                    .replace("/apis/redyno.dev/v1alpha1/", "/")
                    .replace("/api/v1/", "/")
                    .replace("/apis/batch/v1/", "/")
            })
            .collect()
    }

    /// Somebody changes the LoadTest.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        change(
            self.server
                .lock()
                .unwrap()
                .objects
                .get_mut(LOAD_TEST)
                .unwrap(),
        );
    }

    fn load_test(&self) -> LoadTest {
        let object = self.server.lock().unwrap().objects[LOAD_TEST].clone();
        serde_json::from_value(object).unwrap()
    }

    fn told(&self) -> Vec<String> {
        self.server
            .lock()
            .unwrap()
            .objects
            .values()
            .filter(|object| object.get("reportingController").is_some())
            .filter_map(|object| object["reason"].as_str().map(str::to_owned))
            .collect()
    }
}

/// No other answer than the server's own.
fn plainly() -> Answer {
    Box::new(|_, _, _| None)
}

/// Creations of this kind are answered so.
fn refusing(kind: &'static str, code: u16, reason: &'static str, message: &'static str) -> Answer {
    Box::new(move |method, path, _| {
        (*method == Method::POST && path.ends_with(kind)).then(|| status(code, reason, message))
    })
}

fn reason(load_test: &LoadTest, type_: &str) -> String {
    redyno_crds::conditions::condition(&load_test.status.as_ref().unwrap().conditions, type_)
        .unwrap()
        .reason
        .clone()
}

#[tokio::test]
async fn intents_are_written_before_anything_is_created_and_uids_after() {
    let shell = Shell::new(MANAGED, plainly());
    shell.look().await.unwrap();
    assert_eq!(
        shell.written(),
        [
            "PATCH /loadtests/friday/status",
            "POST /configmaps",
            "POST /configmaps",
            "POST /services",
            "POST /pods",
            "PATCH /loadtests/friday/status",
        ]
    );
    let children = shell.load_test().status.unwrap().children;
    assert_eq!(children.len(), 4);
    assert!(children.iter().all(|child| child.uid.is_some()));
    assert_eq!(shell.told(), ["Accepted"]);
}

#[tokio::test]
async fn nothing_is_written_when_there_is_nothing_to_do() {
    let shell = Shell::new(MANAGED, plainly());
    shell.look().await.unwrap();
    shell.written();
    let action = shell.look().await.unwrap();
    assert_eq!(shell.written(), Vec::<String>::new());
    assert_ne!(action, None, "it is waited for");
}

#[tokio::test]
async fn a_write_on_a_status_that_somebody_else_has_written_creates_nothing() {
    let mut conflicts = 0;
    let shell = Shell::new(
        EXISTING,
        Box::new(move |method, path, _| {
            let first = *method == Method::PATCH && path.ends_with("/status") && conflicts == 0;
            first.then(|| {
                conflicts += 1;
                status(409, "Conflict", "the object has been modified")
            })
        }),
    );
    shell.look().await.unwrap();
    assert_eq!(
        shell.written()[..3],
        [
            "PATCH /loadtests/friday/status",
            "PATCH /loadtests/friday/status",
            "POST /configmaps",
        ]
    );
    assert_eq!(
        shell.told(),
        ["Accepted"],
        "told once, after it was written"
    );
}

#[tokio::test]
async fn a_right_that_we_lack_is_our_error_and_no_verdict() {
    let shell = Shell::new(
        MANAGED,
        refusing(
            "/pods",
            403,
            "Forbidden",
            "pods is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"pods\" in API group \"\" in the namespace \"shop\"",
        ),
    );
    let error = shell.look().await.unwrap_err();
    assert_eq!(error.category(), "forbidden");
    assert_eq!(
        chain(&error).split(':').next(),
        Some("failed to create Pod")
    );
    assert_eq!(shell.load_test().status.unwrap().verdict, None);
}

#[tokio::test]
async fn what_was_written_is_told_even_if_nothing_else_succeeds() {
    let shell = Shell::new(
        MANAGED,
        refusing("/configmaps", 500, "InternalError", "etcd is gone"),
    );
    let error = shell.look().await.unwrap_err();
    assert_eq!(error.category(), "server");
    assert_eq!(shell.told(), ["Accepted"]);
    assert_eq!(reason(&shell.load_test(), "Accepted"), "Valid");
    shell.look().await.unwrap_err();
    assert_eq!(shell.told(), ["Accepted"], "once");
}

#[tokio::test]
async fn a_quota_is_the_users_to_know() {
    let shell = Shell::new(
        MANAGED,
        refusing(
            "/pods",
            403,
            "Forbidden",
            "pods \"friday-redis\" is forbidden: exceeded quota: small, requested: cpu=1",
        ),
    );
    let action = shell.look().await.unwrap();
    assert_ne!(action, None);
    assert_eq!(
        reason(&shell.load_test(), "PreflightPassed"),
        "QuotaExceeded"
    );
}

#[tokio::test]
async fn what_admission_refuses_ends_the_run() {
    let shell = Shell::new(
        MANAGED,
        refusing(
            "/pods",
            403,
            "Forbidden",
            "pods \"friday-redis\" is forbidden: violates PodSecurity \"restricted:latest\"",
        ),
    );
    shell.look().await.unwrap();
    let load_test = shell.load_test();
    assert_eq!(reason(&load_test, "Succeeded"), "PodRejected");
    assert_eq!(
        load_test.status.unwrap().verdict.as_deref(),
        Some("Errored")
    );
    assert_eq!(shell.told().len(), 2, "{:?}", shell.told());
}

#[tokio::test]
async fn a_loadtest_that_is_gone_is_left_alone() {
    let shell = Shell::new(MANAGED, plainly());
    shell.server.lock().unwrap().objects.clear();
    assert_eq!(shell.look().await.unwrap(), None);
    assert_eq!(shell.written(), Vec::<String>::new());
}

#[tokio::test]
async fn a_loadtest_that_is_being_deleted_is_left_alone() {
    let shell = Shell::new(MANAGED, plainly());
    shell.change(|load_test| {
        load_test["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    assert_eq!(shell.look().await.unwrap(), None);
    assert_eq!(shell.written(), Vec::<String>::new());
}

#[tokio::test]
async fn a_loadtest_of_another_release_ends_errored_and_only_once() {
    let mut conflicts = 0;
    let shell = Shell::new(
        MANAGED,
        Box::new(move |method, path, _| {
            let first = *method == Method::PATCH && path.ends_with("/status") && conflicts == 0;
            first.then(|| {
                conflicts += 1;
                status(409, "Conflict", "the object has been modified")
            })
        }),
    );
    shell.change(|load_test| load_test["spec"]["onDynoFailure"] = json!("Retry"));
    assert_eq!(shell.look().await.unwrap(), None);
    assert_eq!(
        shell.written(),
        [
            "PATCH /loadtests/friday/status",
            "PATCH /loadtests/friday/status"
        ]
    );
    assert_eq!(shell.told(), ["Unreadable"]);
    let object = shell.server.lock().unwrap().objects[LOAD_TEST].clone();
    assert_eq!(object["status"]["verdict"], "Errored");
    assert_eq!(shell.look().await.unwrap(), None);
    assert_eq!(shell.written(), Vec::<String>::new(), "it is over");
    assert_eq!(shell.told(), ["Unreadable"]);
}

/// A pod that is gone stays in view, and its words are stored at last, however often that fails;
/// then it goes.
#[tokio::test]
async fn what_a_pod_left_is_stored_until_it_is() {
    let is_policy = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let policy = Arc::clone(&is_policy);
    let shell = Shell::new(
        EXISTING,
        Box::new(move |method, path, _| {
            let stores = *method == Method::PATCH && path.ends_with("/configmaps/friday-report");
            (stores && policy.load(std::sync::atomic::Ordering::SeqCst))
                .then(|| status(403, "Forbidden", "denied by policy"))
        }),
    );
    shell.look().await.unwrap();
    let job = shell.server.lock().unwrap().objects
        ["/apis/batch/v1/namespaces/shop/jobs/friday-preflight"]
        .clone();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": "friday-preflight-x", "namespace": "shop", "uid": "uid-of-the-pod",
            "labels": job["metadata"]["labels"],
            "ownerReferences": [{
                "apiVersion": "batch/v1", "kind": "Job", "name": "friday-preflight",
                "uid": job["metadata"]["uid"], "controller": true,
            }],
        },
        "status": {
            "phase": "Failed",
            "containerStatuses": [{
                "name": "runner", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 70, "startedAt": "2026-01-01T00:00:00Z", "message": "its last words"}},
            }],
        },
    }))
    .unwrap();
    let deleted = futures::stream::iter([Ok(watcher::Event::Delete(pod))]);
    let touched: Vec<Touched> = pods::follow(Arc::clone(&shell.context.pods), deleted)
        .collect()
        .await;
    assert_eq!(touched.len(), 1);
    let in_view = || {
        shell
            .context
            .pods
            .of_run("shop", "friday", crate::fixtures::UID)
            .len()
    };
    for _ in 0..3 {
        let action = shell.look().await.unwrap();
        assert_ne!(action, None, "it is tried again");
        assert_eq!(in_view(), 1);
    }
    assert!(shell.told().contains(&"ReportsNotStored".to_owned()));
    // The run goes on by what the pod said.
    assert!(shell.written().contains(&"POST /jobs".to_owned()));
    is_policy.store(false, std::sync::atomic::Ordering::SeqCst);
    shell.look().await.unwrap();
    let report =
        shell.server.lock().unwrap().objects["/api/v1/namespaces/shop/configmaps/friday-report"]
            .clone();
    let kept = report["data"]["preflight"].as_str().unwrap();
    assert!(kept.ends_with("its last words"), "{kept}");
    assert_eq!(in_view(), 0);
}

#[tokio::test]
async fn a_server_that_fails_is_an_error_to_come_back_from() {
    let shell = Shell::new(
        MANAGED,
        Box::new(|method, path, _| {
            (*method == Method::GET && path.ends_with("/configmaps/friday-plan"))
                .then(|| status(500, "InternalError", "etcd is gone"))
        }),
    );
    let error = shell.look().await.unwrap_err();
    assert_eq!(error.category(), "server");
    assert_eq!(shell.written(), Vec::<String>::new(), "nothing is guessed");
}

#[tokio::test]
async fn an_event_that_cannot_be_published_stops_nothing() {
    let shell = Shell::new(
        EXISTING,
        Box::new(|_, path, _| {
            path.contains("events.k8s.io")
                .then(|| status(403, "Forbidden", "no"))
        }),
    );
    shell.look().await.unwrap();
    assert!(shell.written().contains(&"POST /jobs".to_owned()));
}
