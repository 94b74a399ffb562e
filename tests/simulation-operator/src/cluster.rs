//! The Job controller, the kubelet, the garbage collector and the dynos themselves: what happens
//! to the objects that an operator makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use redyno_contract::plan::{DynoName, Plan};
use redyno_simulation::choices::Drawn;
use serde_json::{Value, json};

use crate::api_server::{ApiServer, seconds};
use crate::scenario::{LIMIT_MICROSECONDS, NAME, NAMESPACE, Scenario, Truth};
use crate::words::{self, Word};

/// How long a pod may go on after SIGTERM, here.
const GRACE_MILLISECONDS: u64 = 400;

/// Something that happens to the cluster by itself.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The Job controller makes a Job's pods.
    MakePods(String),
    /// A pod's container runs.
    Runs(String),
    /// A dyno is ready for the common start, or a managed Redis takes connections.
    Ready(String),
    /// The common start has passed.
    Started(String),
    /// A dyno gives up waiting for the others.
    GivesUpWaiting(String),
    /// A pod's container ends.
    Ends {
        /// The pod's path.
        pod: String,
        /// With which code.
        code: i32,
        /// Why, as the kubelet says it; empty if it ended by itself.
        reason: &'static str,
        /// What it leaves behind.
        message: Option<String>,
    },
    /// A pod is gone.
    Gone(String),
    /// The fault of this number comes.
    Fault(usize),
    /// The operator comes back.
    OperatorBack(usize),
    /// Somebody replaces what is kept of a dyno, and does so again until then.
    ReplacesReport {
        /// Of which dyno.
        dyno: u64,
        /// For how long.
        until: Timestamp,
    },
    /// What is late is heard of.
    Nothing,
}

/// What becomes of a dyno's message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// There is none.
    Missing,
    /// Its end is lost.
    Cut,
    /// It is that of another run.
    OfAnotherRun,
}

/// The cluster around the API server.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The API server.
    pub(crate) server: Arc<Mutex<ApiServer>>,
    scenario: Scenario,
    drawn: Drawn,
    queue: BTreeMap<(Timestamp, u64), Event>,
    numbers: u64,
    /// Objects that are known, by uid.
    known: BTreeSet<String>,
    /// Pods of dynos that are ready, by index, with their paths: the first to claim it.
    claims: BTreeMap<u32, String>,
    /// Whether the common start is set.
    started: bool,
    /// Dynos that are late by this many milliseconds.
    pub(crate) late: BTreeMap<u64, u64>,
    /// The uids of the runs of which a dyno ended without its own whole report: nobody can say how it
    /// fared.
    pub(crate) evidence_lost: BTreeSet<String>,
    /// Dynos whose messages are spoilt.
    pub(crate) spoilt: BTreeMap<u64, Spoilt>,
    /// The run whose preflight prepared the target last.
    pub(crate) prepared_by: Option<String>,
}

impl Cluster {
    /// An empty one.
    pub(crate) fn new(scenario: &Scenario, server: Arc<Mutex<ApiServer>>) -> Self {
        Self {
            server,
            scenario: scenario.clone(),
            drawn: Drawn::of(scenario.seed),
            queue: BTreeMap::new(),
            numbers: 0,
            known: BTreeSet::new(),
            claims: BTreeMap::new(),
            started: false,
            late: BTreeMap::new(),
            evidence_lost: BTreeSet::new(),
            spoilt: BTreeMap::new(),
            prepared_by: None,
        }
    }

    /// The API server's objects.
    pub(crate) fn server(&self) -> MutexGuard<'_, ApiServer> {
        self.server.lock().expect("nobody panics with it")
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.server().now
    }

    /// Lets something happen after so many milliseconds.
    pub(crate) fn after(&mut self, milliseconds: u64, event: Event) {
        let at = later(self.now(), milliseconds);
        self.numbers += 1;
        self.queue.insert((at, self.numbers), event);
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next thing that happens.
    pub(crate) fn take(&mut self) -> Option<Event> {
        self.queue.pop_first().map(|(_, event)| event)
    }

    /// How long a step takes: a function of what it is, from a half of the pace to one and a half.
    fn step(&self, thing: &str, step: u64) -> u64 {
        let name = thing.bytes().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut random = self.drawn.stream([1, name, step, 0]);
        let pace = self.scenario.pace_milliseconds;
        pace / 2 + u64::from(random.below(u32::try_from(pace).unwrap_or(u32::MAX)))
    }

    /// Sees what is new in the API server, and sets going what follows from it.
    pub(crate) fn react(&mut self) {
        loop {
            let doomed = std::mem::take(&mut self.server().doomed);
            if doomed.is_empty() {
                break;
            }
            for (path, uid) in doomed {
                self.delete(&path, &uid);
            }
        }
        let new: Vec<(String, String)> = self
            .server()
            .objects
            .iter()
            .filter_map(|(path, object)| {
                let uid = object["metadata"]["uid"].as_str()?;
                (!self.known.contains(uid)).then(|| (path.clone(), uid.to_owned()))
            })
            .collect();
        for (path, uid) in new {
            self.known.insert(uid);
            if path.contains("/jobs/") {
                let delay = self.step(&path, 0);
                self.after(delay, Event::MakePods(path));
            } else if path.ends_with(&format!("/pods/{NAME}-redis")) {
                let delay = self.step(&path, 1);
                self.after(delay, Event::Runs(path));
            }
        }
    }

    fn delete(&mut self, path: &str, uid: &str) {
        if self.server().uid(path).as_deref() != Some(uid) {
            return;
        }
        if path.contains("/pods/") {
            let now = seconds(self.now());
            let pod = self.server().objects[path].clone();
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                return;
            }
            let runs = phase(&pod) == "Running";
            self.server().change(path, |pod| {
                pod["metadata"]["deletionTimestamp"] = json!(now);
            });
            if runs {
                let message = self.last_words(path, Word::Terminated);
                self.after(
                    GRACE_MILLISECONDS,
                    Event::Ends {
                        pod: path.to_owned(),
                        code: Word::Terminated.exit_code(),
                        reason: "",
                        message,
                    },
                );
            }
            self.after(2 * GRACE_MILLISECONDS, Event::Gone(path.to_owned()));
            return;
        }
        self.server().remove(path);
        let owned: Vec<String> = self
            .server()
            .objects
            .iter()
            .filter(|(_, object)| {
                let owners = object["metadata"]["ownerReferences"].as_array();
                owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in owned {
            self.server().doom(&path);
        }
    }

    /// Lets one thing happen. Faults and operators are the world's.
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::MakePods(job) => self.make_pods(&job),
            Event::Runs(pod) => self.run(&pod),
            Event::Ready(pod) => self.ready(&pod),
            Event::Started(pod) => self.begin(&pod),
            Event::GivesUpWaiting(pod) => {
                if !self.started {
                    self.dyno_ends(&pod, Word::StartTimeout, 0);
                }
            }
            Event::Ends {
                pod,
                code,
                reason,
                message,
            } => self.end(&pod, code, reason, message),
            Event::Gone(pod) => self.server().remove(&pod),
            Event::Fault(_)
            | Event::OperatorBack(_)
            | Event::ReplacesReport { .. }
            | Event::Nothing => {}
        }
    }

    fn make_pods(&mut self, job_path: &str) {
        let Some(job) = self.server().objects.get(job_path).cloned() else {
            return;
        };
        for index in 0..job["spec"]["completions"].as_u64().unwrap_or(1) {
            let suffix = if is_forged(&job) { "-forged" } else { "" };
            let pod = self.make_pod(&job, index, suffix);
            let late = self.late.get(&index).copied();
            let late = late.filter(|_| is_dyno(&job)).unwrap_or(0);
            let delay = self.step(&pod, 1) + late;
            self.after(delay, Event::Runs(pod));
        }
    }

    /// Makes a pod of a Job, and says its path.
    pub(crate) fn make_pod(&mut self, job: &Value, index: u64, suffix: &str) -> String {
        let metadata = &job["metadata"];
        let template = job["spec"]["template"].clone();
        let name = format!(
            "{}-{index}{suffix}",
            metadata["name"].as_str().unwrap_or_default()
        );
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}");
        let mut labels = template["metadata"]["labels"].clone();
        labels["batch.kubernetes.io/job-completion-index"] = json!(index.to_string());
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "kind": "Job", "controller": true,
                    "name": metadata["name"], "uid": metadata["uid"],
                }],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        });
        if is_forged(job) {
            pod["metadata"]["annotations"] = json!({"forged": "true"});
        }
        self.server().put_new(&path, pod);
        path
    }

    fn run(&mut self, path: &str) {
        let Some(pod) = self.server().objects.get(path).cloned() else {
            return;
        };
        if phase(&pod) != "Pending" || !pod["metadata"]["deletionTimestamp"].is_null() {
            return;
        }
        self.set_running(path, false, false);
        let delay = self.step(path, 2);
        match component(&pod) {
            "redis" => self.after(delay, Event::Ready(path.to_owned())),
            "preflight" => {
                let message = words::of_preflight(run_of(&pod), self.scenario.refused);
                let code = if self.scenario.refused { 65 } else { 0 };
                self.ends_after(delay, path, code, message);
            }
            "finish" => self.ends_after(delay, path, 0, words::of_finish(run_of(&pod))),
            _ => {
                self.after(delay, Event::Ready(path.to_owned()));
                let patience = u64::from(self.scenario.start_timeout_seconds) * 1000;
                self.after(patience, Event::GivesUpWaiting(path.to_owned()));
            }
        }
    }

    fn ends_after(&mut self, delay: u64, path: &str, code: i32, message: String) {
        self.after(
            delay,
            Event::Ends {
                pod: path.to_owned(),
                code,
                reason: "",
                message: Some(message),
            },
        );
    }

    fn ready(&mut self, path: &str) {
        let Some(pod) = self.server().objects.get(path).cloned() else {
            return;
        };
        if phase(&pod) != "Running" {
            return;
        }
        if component(&pod) == "redis" {
            self.set_running(path, true, true);
            return;
        }
        let index = index_of(&pod);
        if self.claims.get(&index).is_some_and(|held| held != path) {
            self.dyno_ends(path, Word::Duplicate, 0);
            return;
        }
        self.claims.insert(index, path.to_owned());
        self.set_running(path, true, false);
        let all = self.claims.len() == self.scenario.dynos as usize;
        if all && !self.started {
            self.started = true;
            // The common start lies 3 s ahead.
            for path in self.claims.values().cloned().collect::<Vec<_>>() {
                self.after(3_000, Event::Started(path));
            }
        }
    }

    fn begin(&mut self, path: &str) {
        let Some(pod) = self.server().objects.get(path).cloned() else {
            return;
        };
        if phase(&pod) != "Running" {
            return;
        }
        self.set_running(path, true, true);
        let window = 1_000 + 1_000 * u64::from(self.scenario.duration_seconds);
        // A dyno goes by the plan that it finds.
        let truth = match plan(&self.server()) {
            Some(plan) if is_wide(&plan) => Truth::Holds,
            Some(_) | None => self.scenario.truth,
        };
        let (word, delay) = match (truth, index_of(&pod)) {
            (Truth::Holds, _) => (Word::Completed, window + self.step(path, 3) / 10),
            (Truth::Breaks, 0) => (Word::LatencyLimit, window / 2 + 1_000),
            (Truth::Breaks, _) => (Word::Stopped, window / 2 + 1_500),
        };
        self.dyno_ends(path, word, delay);
    }

    /// A dyno ends by its own word, after so many milliseconds.
    pub(crate) fn dyno_ends(&mut self, path: &str, word: Word, delay: u64) {
        let message = self.last_words(path, word);
        self.after(
            delay,
            Event::Ends {
                pod: path.to_owned(),
                code: word.exit_code(),
                reason: "",
                message,
            },
        );
    }

    /// What a pod says at its end. None of a pod that is no dyno's, or whose plan is gone.
    pub(crate) fn last_words(&self, path: &str, word: Word) -> Option<String> {
        let server = self.server();
        let pod = server.objects.get(path)?;
        if component(pod) != "dyno" {
            return None;
        }
        let plan = plan(&server)?;
        let name = DynoName {
            dyno_type: "web".to_owned(),
            index: index_of(pod),
        };
        let uid = pod["metadata"]["uid"].as_str()?;
        Some(words::of_dyno(&plan, &name, uid, word))
    }

    fn end(&mut self, path: &str, code: i32, reason: &str, message: Option<String>) {
        let Some(pod) = self.server().objects.get(path).cloned() else {
            return;
        };
        if phase(&pod) != "Running" {
            return;
        }
        if component(&pod) == "preflight" && code == 0 {
            self.prepared_by = Some(run_of(&pod).to_owned());
        }
        let spoilt = (component(&pod) == "dyno")
            .then(|| self.spoilt.get(&u64::from(index_of(&pod))).copied())
            .flatten();
        if component(&pod) == "dyno" && (spoilt.is_some() || !reason.is_empty() || code == 143) {
            self.evidence_lost.insert(run_of(&pod).to_owned());
        }
        let message = match (spoilt, message) {
            (None, message) => message,
            (Some(Spoilt::Missing), _) | (_, None) => None,
            (Some(Spoilt::Cut), Some(message)) => {
                // A record is padded: what is cut off has to be of its payload.
                let whole = message.trim_end();
                Some(whole[..whole.len() / 2].to_owned())
            }
            (Some(Spoilt::OfAnotherRun), Some(_)) => plan(&self.server()).map(|mut plan| {
                "ffffffff-0000-4000-8000-000000000000".clone_into(&mut plan.run.uid);
                let name = DynoName {
                    dyno_type: "web".to_owned(),
                    index: index_of(&pod),
                };
                let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
                words::of_dyno(&plan, &name, uid, Word::Completed)
            }),
        };
        let at = seconds(self.now());
        let mut terminated = json!({"exitCode": code, "startedAt": at, "finishedAt": at});
        if !reason.is_empty() {
            terminated["reason"] = json!(reason);
        }
        if let Some(message) = message {
            terminated["message"] = json!(message);
        }
        self.server().change(path, |pod| {
            pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
            pod["status"]["containerStatuses"] = json!([container(
                &component_container(pod),
                false,
                json!({"terminated": terminated})
            )]);
            pod["status"]["conditions"] = conditions_ready(pod, false, &at);
        });
        self.end_jobs();
    }

    /// A pod is taken away by the platform, with what it had written by then.
    pub(crate) fn evict(&mut self, path: &str) {
        let at = seconds(self.now());
        self.server().change(path, |pod| {
            let condition = json!({
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting", "lastTransitionTime": at,
            });
            match pod["status"]["conditions"].as_array_mut() {
                Some(conditions) => conditions.push(condition),
                None => pod["status"]["conditions"] = json!([condition]),
            }
        });
        self.server().doom(path);
    }

    fn end_jobs(&mut self) {
        let at = seconds(self.now());
        let mut server = self.server();
        let jobs: Vec<(String, Value)> = server
            .objects
            .iter()
            .filter(|(path, _)| path.contains("/jobs/"))
            .map(|(path, job)| (path.clone(), job.clone()))
            .collect();
        for (path, job) in jobs {
            if !job["status"]["conditions"].is_null() {
                continue;
            }
            let phases: Vec<String> = server
                .objects
                .iter()
                .filter(|(path, pod)| {
                    path.contains("/pods/")
                        && pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
                })
                .map(|(_, pod)| phase(pod).to_owned())
                .collect();
            let over = |phase: &String| phase == "Succeeded" || phase == "Failed";
            if phases.is_empty() || !phases.iter().all(over) {
                continue;
            }
            let all_well = phases.iter().all(|phase| phase == "Succeeded");
            let kind = if all_well { "Complete" } else { "Failed" };
            server.change(&path, |job| {
                job["status"]["conditions"] =
                    json!([{"type": kind, "status": "True", "lastTransitionTime": at}]);
            });
        }
    }

    fn set_running(&mut self, path: &str, started: bool, ready: bool) {
        let at = seconds(self.now());
        self.server().change(path, |pod| {
            pod["spec"]["nodeName"] = json!("node-1");
            pod["status"]["phase"] = json!("Running");
            pod["status"]["containerStatuses"] = json!([container(
                &component_container(pod),
                started,
                json!({"running": {"startedAt": at}})
            )]);
            pod["status"]["conditions"] = conditions_ready(pod, ready, &at);
        });
    }

    /// The paths of the pods of dynos, in the order of their index.
    pub(crate) fn dyno_pods(&self) -> Vec<String> {
        let server = self.server();
        server
            .objects
            .iter()
            .filter(|(path, pod)| path.contains("/pods/") && component(pod) == "dyno")
            .map(|(path, _)| path.clone())
            .collect()
    }
}

/// Later by so many milliseconds.
pub(crate) fn later(at: Timestamp, milliseconds: u64) -> Timestamp {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    at.checked_add(SignedDuration::from_millis(milliseconds))
        .unwrap_or(at)
}

/// The plan as the run's pods mount it.
pub(crate) fn plan(server: &ApiServer) -> Option<Plan> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-plan");
    let text = server.objects.get(&path)?["data"]["plan.json"].as_str()?;
    Plan::from_json(text).ok()
}

/// Whether somebody made the plan's limits so wide that every load holds them.
fn is_wide(plan: &Plan) -> bool {
    let mut limits = plan.latency_limits("web");
    limits.all(|(_, limit)| limit.max_microseconds > LIMIT_MICROSECONDS)
}

fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("Pending")
}

fn component(object: &Value) -> &str {
    object["metadata"]["labels"]["app.kubernetes.io/component"]
        .as_str()
        .unwrap_or_default()
}

/// Whether somebody else than the operator made it.
fn is_forged(object: &Value) -> bool {
    !object["metadata"]["annotations"]["forged"].is_null()
}

fn is_dyno(job: &Value) -> bool {
    component(job) == "dyno"
}

fn run_of(pod: &Value) -> &str {
    pod["metadata"]["labels"]["redyno.dev/run"]
        .as_str()
        .unwrap_or_default()
}

/// The completion index of a pod.
pub(crate) fn index_of(pod: &Value) -> u32 {
    pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn component_container(pod: &Value) -> String {
    pod["spec"]["containers"][0]["name"]
        .as_str()
        .unwrap_or("runner")
        .to_owned()
}

fn container(name: &str, started: bool, state: Value) -> Value {
    json!({
        "name": name, "image": "", "imageID": "", "ready": started, "restartCount": 0,
        "started": started, "state": state,
    })
}

/// The conditions of a pod that is ready or not, with those of other types that it has.
fn conditions_ready(pod: &Value, ready: bool, at: &str) -> Value {
    let status = if ready { "True" } else { "False" };
    let mut conditions: Vec<Value> = pod["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| {
            !matches!(
                condition["type"].as_str(),
                Some("Ready" | "ContainersReady" | "PodScheduled")
            )
        })
        .cloned()
        .collect();
    conditions.push(json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": at}));
    for type_ in ["ContainersReady", "Ready"] {
        conditions.push(json!({"type": type_, "status": status, "lastTransitionTime": at}));
    }
    json!(conditions)
}
