//! A model API server: objects by path, with resource versions, preconditions, refusals, and
//! answers that are lost.

use std::collections::BTreeMap;

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The operator is killed before the server sees it.
    KilledBefore,
    /// The operator is killed after the server carried it out.
    KilledAfter,
    /// The server cannot serve now.
    ServerError,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// Somebody else has written.
    Conflict,
}

/// What a request comes to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// An HTTP status with a body.
    Status(u16, Value),
    /// The connection broke.
    Broken,
    /// Whoever asked is no more.
    Killed,
}

/// Something that happened to a pod, for those that watch pods.
#[derive(Clone, Debug)]
pub(crate) struct PodEvent {
    /// The pod as it is now, or was last.
    pub(crate) pod: Value,
    /// Whether it is gone.
    pub(crate) deleted: bool,
}

/// The model API server.
#[derive(Debug, Default)]
pub(crate) struct ApiServer {
    /// What time it is.
    pub(crate) now: Timestamp,
    /// The objects, by path.
    pub(crate) objects: BTreeMap<String, Value>,
    /// What happened to pods, in its order.
    pub(crate) pod_events: Vec<PodEvent>,
    /// Requests that will not go as usual, by number.
    pub(crate) mishaps: BTreeMap<u64, Mishap>,
    /// Requests so far.
    pub(crate) requests: u64,
    /// Creations are refused for want of quota until then.
    pub(crate) quota_until: Option<Timestamp>,
    /// Jobs that were created, by path, in their order.
    pub(crate) created: Vec<String>,
    /// Objects that were asked to be deleted, by path and uid, and are to be ended by the model.
    pub(crate) doomed: Vec<(String, String)>,
    /// How often an object other than an Event has changed.
    pub(crate) changes: u64,
    pub(crate) uids: u32,
}

fn failure(code: u16, reason: &str, message: &str) -> Answer {
    Answer::Status(
        code,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message}),
    )
}

/// The path of pods of a namespace.
pub(crate) fn pods_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

impl ApiServer {
    /// Answers a request of an operator.
    pub(crate) fn answer(
        &mut self,
        method: &Method,
        path: &str,
        query: &str,
        body: &Value,
    ) -> Answer {
        let number = self.requests;
        self.requests += 1;
        match self.mishaps.remove(&number) {
            Some(Mishap::KilledBefore) => Answer::Killed,
            Some(Mishap::KilledAfter) => {
                self.serve(method, path, query, body);
                Answer::Killed
            }
            Some(Mishap::ServerError) => {
                failure(500, "InternalError", "etcdserver: leader changed")
            }
            Some(Mishap::AnswerLost) => {
                self.serve(method, path, query, body);
                Answer::Broken
            }
            Some(Mishap::Conflict) if *method == Method::PATCH => {
                failure(409, "Conflict", "the object has been modified")
            }
            Some(Mishap::Conflict) | None => self.serve(method, path, query, body),
        }
    }

    fn serve(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        if path.contains("/events") && *method != Method::GET {
            return Answer::Status(201, body.clone());
        }
        match *method {
            Method::GET => self.get(path, query),
            Method::POST => self.create(path, body.clone()),
            Method::PATCH => self.patch(path, body),
            Method::DELETE => self.delete(path, body),
            _ => failure(405, "MethodNotAllowed", "not done here"),
        }
    }

    fn get(&self, path: &str, query: &str) -> Answer {
        if path.ends_with("/events") {
            let items: Vec<&Value> = self
                .objects
                .range(format!("{path}/")..format!("{path}0"))
                .map(|(_, event)| event)
                .filter(|event| {
                    let uid = event["involvedObject"]["uid"].as_str().unwrap_or_default();
                    query.contains(uid)
                })
                .collect();
            return Answer::Status(
                200,
                json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": items}),
            );
        }
        if path == "/api/v1/nodes" {
            return Answer::Status(
                200,
                json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": []}),
            );
        }
        match self.objects.get(path) {
            Some(object) => Answer::Status(200, object.clone()),
            None => failure(404, "NotFound", "not found"),
        }
    }

    fn create(&mut self, path: &str, object: Value) -> Answer {
        let Some(name) = object["metadata"]["name"].as_str() else {
            return failure(422, "Invalid", "metadata.name is required");
        };
        let path = format!("{path}/{name}");
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists", &format!("{name:?} already exists"));
        }
        if self.quota_until.is_some_and(|until| self.now < until) {
            return failure(
                403,
                "Forbidden",
                &format!(
                    "{name:?} is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=0, limited: cpu=500m"
                ),
            );
        }
        self.created.push(path.clone());
        let object = self.put_new(&path, object);
        Answer::Status(201, object)
    }

    /// Puts a new object in place, with what the server gives each.
    pub(crate) fn put_new(&mut self, path: &str, mut object: Value) -> Value {
        self.uids += 1;
        let uid = format!("{:08x}-0000-4000-8000-000000000000", self.uids);
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(uid);
        metadata["resourceVersion"] = json!("1");
        metadata["generation"] = json!(1);
        metadata["creationTimestamp"] = json!(seconds(self.now));
        self.put(path, object.clone());
        object
    }

    fn put(&mut self, path: &str, object: Value) {
        self.changes += 1;
        if is_pod(path) {
            self.pod_events.push(PodEvent {
                pod: object.clone(),
                deleted: false,
            });
        }
        self.objects.insert(path.to_owned(), object);
    }

    /// Changes an object, if it is there.
    pub(crate) fn change(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        let Some(mut object) = self.objects.get(path).cloned() else {
            return;
        };
        change(&mut object);
        let version: u64 = object["metadata"]["resourceVersion"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        self.put(path, object);
    }

    /// Removes an object at once.
    pub(crate) fn remove(&mut self, path: &str) {
        if let Some(object) = self.objects.remove(path) {
            self.changes += 1;
            if is_pod(path) {
                self.pod_events.push(PodEvent {
                    pod: object,
                    deleted: true,
                });
            }
        }
    }

    fn patch(&mut self, path: &str, body: &Value) -> Answer {
        let (path, of_status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let Some(object) = self.objects.get(path) else {
            return failure(404, "NotFound", "not found");
        };
        for precondition in ["resourceVersion", "uid"] {
            let wanted = &body["metadata"][precondition];
            if wanted.is_string() && *wanted != object["metadata"][precondition] {
                return failure(409, "Conflict", "the object has been modified");
            }
        }
        self.change(path, |object| {
            if of_status {
                object["status"] = body["status"].clone();
            } else if let Some(data) = body["data"].as_object() {
                for (key, value) in data {
                    object["data"][key] = value.clone();
                }
            }
        });
        Answer::Status(200, self.objects[path].clone())
    }

    fn delete(&mut self, path: &str, body: &Value) -> Answer {
        let Some(object) = self.objects.get(path).cloned() else {
            return failure(404, "NotFound", "not found");
        };
        let uid = &object["metadata"]["uid"];
        let wanted = &body["preconditions"]["uid"];
        if wanted.is_string() && wanted != uid {
            return failure(
                409,
                "Conflict",
                "the UID in the precondition does not match",
            );
        }
        self.doom(path);
        Answer::Status(200, object)
    }

    /// Begins to delete an object; the model ends what hangs on it.
    pub(crate) fn doom(&mut self, path: &str) {
        if let Some(object) = self.objects.get(path) {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            self.doomed.push((path.to_owned(), uid.to_owned()));
        }
    }

    /// The LoadTest at this path and the uid that it has now.
    pub(crate) fn uid(&self, path: &str) -> Option<String> {
        let object = self.objects.get(path)?;
        object["metadata"]["uid"].as_str().map(str::to_owned)
    }
}

fn is_pod(path: &str) -> bool {
    path.contains("/pods/")
}

/// A time as the API server writes it: whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}
