//! The world of one run: time, the cluster, operators that come and go, and what is done to them.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use redyno_contract::kept::Kept;
use redyno_simulation::choices::Choices;
use redyno_simulation::report::{Model, Outcome};
use serde_json::{Value, json};

use crate::api_server::{ApiServer, Mishap, pods_of};
use crate::cluster::{Cluster, Event, Spoilt, index_of, later, plan};
use crate::fault::{Fault, Kind};
use crate::laws;
use crate::operator::{Looked, Operator};
use crate::scenario::{NAME, NAMESPACE, Scenario};
use crate::words::{self, Word};

/// When every world begins.
const BEGINNING: i64 = 1_767_225_600;

/// The path of LoadTests.
const LOAD_TESTS: &str = "/apis/redyno.dev/v1alpha1/namespaces/shop/loadtests";

/// The second layer of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct Operators;

impl Model for Operators {
    fn name(&self) -> &'static str {
        "layer 2, the operator"
    }

    fn run(&self, choices: &mut Choices) -> Outcome {
        let scenario = Scenario::draw(choices);
        let history = simulate(&scenario);
        let broken = laws::broken(&scenario, &history);
        Outcome {
            verdict: history.verdict(),
            broken,
            covered: history.covered.clone(),
            counted: Vec::new(),
            story: scenario
                .story()
                .into_iter()
                .chain(history.lines.iter().cloned())
                .collect(),
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each of them is a thing that was seen or not, independent of the others"
)]
pub(crate) struct History {
    /// The status of the LoadTest when it was first finished, and when that was, in milliseconds.
    pub(crate) finished: Option<(u64, Value)>,
    /// The last status; None if the LoadTest is gone.
    pub(crate) last: Option<Value>,
    /// Each time a latch went back.
    pub(crate) latches_lost: Vec<String>,
    /// Jobs and other children that were created more than once for one LoadTest.
    pub(crate) created_twice: Vec<String>,
    /// A dyno had ended without its own whole report before the verdict.
    pub(crate) evidence_lost: bool,
    /// When the last fault was over, in milliseconds.
    pub(crate) last_fault: u64,
    /// (fault, state in which it came).
    pub(crate) covered: Vec<(&'static str, &'static str)>,
    /// What happened, a line each.
    pub(crate) lines: Vec<String>,
    /// Pods and Jobs of the run that are left at the very end.
    pub(crate) left: Vec<String>,
    /// When nothing more happened, in milliseconds.
    pub(crate) ended: u64,
    /// The LoadTest is gone: it was deleted, and not made anew since.
    pub(crate) deleted: bool,
    /// A preflight had prepared the target before the verdict.
    pub(crate) prepared: bool,
    /// A finish was made before the verdict.
    pub(crate) cleaned_up: bool,
}

impl History {
    /// Verdict and reason, in a word or two.
    pub(crate) fn verdict(&self) -> String {
        let Some((_, status)) = &self.finished else {
            return if self.deleted {
                "deleted"
            } else {
                "never finished"
            }
            .to_owned();
        };
        format!(
            "{} {}",
            status["verdict"].as_str().unwrap_or("no verdict"),
            reason(status)
        )
    }
}

/// The reason of the condition Succeeded.
pub(crate) fn reason(status: &Value) -> String {
    condition(status, "Succeeded")["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A condition of a status.
pub(crate) fn condition<'a>(status: &'a Value, type_: &str) -> &'a Value {
    static NONE: Value = Value::Null;
    status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == type_)
        .unwrap_or(&NONE)
}

/// Lets a world turn to its end.
pub(crate) fn simulate(scenario: &Scenario) -> History {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread can be made");
    runtime.block_on(Box::pin(async { World::new(scenario).turn().await }))
}

struct World {
    scenario: Scenario,
    cluster: Cluster,
    /// The first is there from the beginning; a fault may bring a second.
    operators: Vec<Option<Operator>>,
    /// What is heard of pods is late until then.
    watch_late_until: Option<Timestamp>,
    history: History,
    latches: Vec<(String, String)>,
    uid: String,
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let now = Timestamp::from_second(BEGINNING).expect("it is a time");
        let mut server = ApiServer {
            now,
            ..ApiServer::default()
        };
        for fault in scenario.faults.iter().filter(|fault| fault.is_of_request()) {
            let mishap = match fault.kind {
                Kind::KilledBefore => Mishap::KilledBefore,
                Kind::KilledAfter => Mishap::KilledAfter,
                Kind::ServerError => Mishap::ServerError,
                Kind::AnswerLost => Mishap::AnswerLost,
                _ => Mishap::Conflict,
            };
            // One that is killed once; the others several requests in a row.
            let many = match mishap {
                Mishap::KilledBefore | Mishap::KilledAfter => 1,
                _ => fault.of + 1,
            };
            for number in 0..many {
                server.mishaps.insert(fault.request() + number, mishap);
            }
        }
        let server = Arc::new(Mutex::new(server));
        let mut world = Self {
            scenario: scenario.clone(),
            cluster: Cluster::new(scenario, Arc::clone(&server)),
            operators: vec![None],
            watch_late_until: None,
            history: History::default(),
            latches: Vec::new(),
            uid: String::new(),
        };
        world.make_load_test();
        for (number, fault) in scenario.faults.iter().enumerate() {
            if !fault.is_of_request() && fault.kind != Kind::None {
                world.cluster.after(fault.at, Event::Fault(number));
            }
        }
        world.operators[0] = Some(Operator::start(&server));
        world
    }

    fn make_load_test(&mut self) {
        let load_test = self.scenario.load_test();
        let path = format!("{LOAD_TESTS}/{NAME}");
        self.cluster.server().put_new(&path, load_test);
        self.uid = self.cluster.server().uid(&path).unwrap_or_default();
        self.latches.clear();
        self.cluster.server().created.clear();
    }

    fn milliseconds(&self) -> u64 {
        let since = self.cluster.now().as_millisecond() - BEGINNING * 1000;
        u64::try_from(since).unwrap_or(0)
    }

    async fn turn(mut self) -> History {
        // A world in which nothing happens any more has come to its end; one that never comes to
        // it is ended long after every bound.
        let end = later(self.cluster.now(), laws::bound(&self.scenario) + 3_600_000);
        while let Some(at) = self.next_time() {
            if at > end {
                break;
            }
            if at > self.cluster.now() {
                self.cluster.server().now = at;
            }
            if self.cluster.next() == Some(at) {
                if let Some(event) = self.cluster.take() {
                    self.happen(event);
                }
            } else {
                Box::pin(self.look(at)).await;
            }
            self.cluster.react();
            self.tell();
            self.note();
        }
        self.history.ended = self.milliseconds();
        let server = self.cluster.server();
        let mut created = server.created.clone();
        created.sort_unstable();
        self.history.created_twice = created
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .map(|pair| pair[0].clone())
            .collect();
        self.history.left = server
            .objects
            .iter()
            .filter(|(path, object)| {
                (path.contains("/pods/") || path.contains("/jobs/"))
                    && !object["metadata"]["ownerReferences"].is_null()
                    && object["metadata"]["annotations"]["forged"].is_null()
            })
            .map(|(path, _)| path.clone())
            .collect();
        drop(server);
        self.history
    }

    fn next_time(&self) -> Option<Timestamp> {
        let looks = self.operators.iter().flatten();
        let looks = looks.filter_map(|operator| operator.next_look);
        self.cluster.next().into_iter().chain(looks).min()
    }

    /// Tells the operators of what has changed; they look after their lag.
    fn tell(&mut self) {
        let now = self.cluster.now();
        let lag = self.scenario.lag_milliseconds;
        let (events, changes) = {
            let server = self.cluster.server();
            (server.pod_events.clone(), server.changes)
        };
        let late = self.watch_late_until.filter(|until| now < *until);
        for operator in self.operators.iter_mut().flatten() {
            let mut touched = operator.changes != changes;
            operator.changes = changes;
            if late.is_none() {
                while let Some(event) = events.get(operator.heard) {
                    touched |= operator.hear(&event.pod, event.deleted);
                    operator.heard += 1;
                }
            }
            if touched {
                let soon = later(now, lag);
                operator.next_look = Some(operator.next_look.map_or(soon, |look| look.min(soon)));
            }
        }
    }

    async fn look(&mut self, at: Timestamp) {
        let due = |operator: &Option<Operator>| {
            operator
                .as_ref()
                .is_some_and(|operator| operator.next_look == Some(at))
        };
        let Some(number) = self.operators.iter().position(due) else {
            return;
        };
        let Some(operator) = self.operators[number].as_mut() else {
            return;
        };
        operator.next_look = None;
        match Box::pin(operator.look()).await {
            Looked::Again(None) => {}
            Looked::Again(Some(wait)) => {
                let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                operator.next_look = Some(later(at, wait));
            }
            // The real one begins with a tenth of that and doubles it.
            Looked::Failed => operator.next_look = Some(later(at, 2_000)),
            Looked::Killed => {
                self.line("the operator is killed");
                let fault = self
                    .scenario
                    .faults
                    .iter()
                    .find(|fault| matches!(fault.kind, Kind::KilledBefore | Kind::KilledAfter));
                let lasts = fault.map_or(1_000, |fault| fault.lasts);
                self.leave(number, lasts);
            }
        }
    }

    fn leave(&mut self, number: usize, milliseconds: u64) {
        self.operators[number] = None;
        self.cluster
            .after(milliseconds, Event::OperatorBack(number));
    }

    fn line(&mut self, text: &str) {
        let seconds = self.milliseconds() as f64 / 1000.0;
        self.history.lines.push(format!("{seconds:8.3} s  {text}"));
    }

    /// Notes how the status has changed.
    fn note(&mut self) {
        let object = {
            let server = self.cluster.server();
            server.objects.get(&format!("{LOAD_TESTS}/{NAME}")).cloned()
        };
        let Some(object) = object.filter(|object| object["metadata"]["uid"] == self.uid.as_str())
        else {
            return;
        };
        let status = object["status"].clone();
        let latches: Vec<(String, String)> = status["children"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|child| {
                let name = format!("{} {}", child["kind"].as_str()?, child["name"].as_str()?);
                Some((name, child["uid"].as_str()?.to_owned()))
            })
            .collect();
        for latch in &self.latches {
            if !latches.contains(latch) && status["children"].is_array() {
                self.history.latches_lost.push(latch.0.clone());
            }
        }
        self.latches = latches;
        if self.history.last.as_ref() != Some(&status) {
            let state = status["state"].as_str().unwrap_or("-").to_owned();
            let before = self
                .history
                .last
                .as_ref()
                .and_then(|last| last["state"].as_str().map(str::to_owned));
            if before.as_deref() != Some(state.as_str()) {
                self.line(&state);
            }
        }
        let is_finished = condition(&status, "Finished")["status"] == "True";
        if is_finished && self.history.finished.is_none() {
            let at = self.milliseconds();
            self.history.finished = Some((at, status.clone()));
            self.history.evidence_lost = self.cluster.evidence_lost.contains(&self.uid);
            self.history.prepared = self.cluster.prepared_by.as_ref() == Some(&self.uid);
            let finish = format!("/jobs/{NAME}-finish");
            let server = self.cluster.server();
            let cleaned_up = server.created.iter().any(|path| path.ends_with(&finish));
            drop(server);
            self.history.cleaned_up = cleaned_up;
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            let verdict = self.history.verdict();
            self.line(&format!("{verdict}: {message}"));
        }
        self.history.last = Some(status);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Fault(number) => {
                let fault = self.scenario.faults[number];
                self.strike(fault);
            }
            Event::ReplacesReport { dyno, until } => {
                self.change_report(dyno, true);
                if self.cluster.now() < until {
                    let again = Event::ReplacesReport { dyno, until };
                    self.cluster.after(500, again);
                }
            }
            Event::OperatorBack(number) => {
                self.line("the operator is back");
                self.operators[number] = Some(Operator::start(&self.cluster.server));
                self.history.last_fault = self.milliseconds();
            }
            event => {
                if let Event::Ends { pod, code, .. } = &event {
                    self.line(&format!("{pod} ends with {code}"));
                }
                self.cluster.happen(event);
            }
        }
    }

    fn state(&self) -> &'static str {
        let state = self.history.last.as_ref().map(|status| &status["state"]);
        match state.and_then(Value::as_str) {
            Some("Preflight") => "Preflight",
            Some("Starting") => "Starting",
            Some("Running") => "Running",
            Some("Collecting") => "Collecting",
            Some("Finished") => "Finished",
            _ => "Pending",
        }
    }

    fn strike(&mut self, fault: Fault) {
        let Fault {
            kind, lasts, of, ..
        } = fault;
        self.line(&format!("{kind:?}"));
        let state = self.state();
        self.history.covered.push((name(kind), state));
        self.history.last_fault = self.milliseconds() + lasts;
        let now = self.cluster.now();
        let pods = self.cluster.dyno_pods();
        let dyno = of % u64::from(self.scenario.dynos);
        let pod = self.pod_of_dyno(dyno);
        match kind {
            Kind::None
            | Kind::KilledBefore
            | Kind::KilledAfter
            | Kind::ServerError
            | Kind::AnswerLost
            | Kind::Conflict => {}
            Kind::OperatorAway => self.leave(0, lasts),
            Kind::SecondOperator => {
                let second = Operator::start(&self.cluster.server);
                self.operators.push(Some(second));
            }
            Kind::WatchLate => {
                self.watch_late_until = Some(later(now, lasts));
                self.cluster.after(lasts, Event::Nothing);
            }
            Kind::Quota => {
                self.cluster.server().quota_until = Some(later(now, lasts.min(5_000)));
            }
            Kind::OutOfMemory => {
                if let Some(pod) = pod {
                    self.cluster.happen(Event::Ends {
                        pod,
                        code: 137,
                        reason: "OOMKilled",
                        message: None,
                    });
                }
            }
            Kind::Evicted => {
                if let Some(pod) = pod {
                    self.cluster.evict(&pod);
                }
            }
            Kind::PodDeleted => {
                if let Some(pod) = pod {
                    self.cluster.server().doom(&pod);
                }
            }
            Kind::PodLate => {
                self.cluster.late.insert(dyno, lasts.min(5_000));
            }
            Kind::MessageMissing => self.spoil(dyno, Spoilt::Missing),
            Kind::MessageCut => self.spoil(dyno, Spoilt::Cut),
            Kind::MessageOfAnotherRun => self.spoil(dyno, Spoilt::OfAnotherRun),
            Kind::Twin => self.twin(dyno),
            Kind::ForgedByLabels => self.forge(dyno, NAMESPACE, false),
            Kind::ForgedElsewhere => self.forge(dyno, "evil", false),
            Kind::ForgedController => self.forge(dyno, NAMESPACE, true),
            Kind::ReportReplaced => {
                let until = later(now, lasts);
                self.cluster.after(0, Event::ReplacesReport { dyno, until });
            }
            Kind::ReportRemoved => self.change_report(dyno, false),
            Kind::PlanChanged => self.change_plan(),
            Kind::ChildDeleted => self.delete_child(of),
            Kind::JobReplaced => self.replace_job(),
            Kind::RedisEnds => {
                let redis = format!("{}/{NAME}-redis", pods_of(NAMESPACE));
                self.cluster.happen(Event::Ends {
                    pod: redis,
                    code: 1,
                    reason: "Error",
                    message: None,
                });
                for pod in pods {
                    self.cluster.dyno_ends(&pod, Word::TargetLost, 5_000);
                }
            }
            Kind::Cancelled => {
                let path = format!("{LOAD_TESTS}/{NAME}");
                self.cluster.server().change(&path, |load_test| {
                    load_test["spec"]["desiredState"] = json!("Cancelled");
                    load_test["metadata"]["generation"] = json!(2);
                });
            }
            Kind::LoadTestDeleted | Kind::LoadTestMadeAnew => {
                let path = format!("{LOAD_TESTS}/{NAME}");
                self.cluster.server().doom(&path);
                self.cluster.react();
                self.history.deleted = kind == Kind::LoadTestDeleted;
                if kind == Kind::LoadTestMadeAnew {
                    self.history.finished = None;
                    self.history.last = None;
                    self.make_load_test();
                }
            }
        }
    }

    fn pod_of_dyno(&self, dyno: u64) -> Option<String> {
        let pods = self.cluster.dyno_pods();
        let server = self.cluster.server();
        pods.into_iter()
            .find(|path| u64::from(index_of(&server.objects[path])) == dyno)
    }

    fn spoil(&mut self, dyno: u64, how: Spoilt) {
        self.cluster.spoilt.insert(dyno, how);
    }

    fn job_of_dynos(&self) -> Option<Value> {
        let path = format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{NAME}-web");
        self.cluster.server().objects.get(&path).cloned()
    }

    /// Somebody who may create Jobs puts their own in the place of the dynos', with everything that
    /// it says of itself.
    fn replace_job(&mut self) {
        let Some(mut job) = self.job_of_dynos() else {
            return;
        };
        let path = format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{NAME}-web");
        self.cluster.server().doom(&path);
        self.cluster.react();
        job["metadata"]["annotations"]["forged"] = json!("true");
        job["status"] = json!({});
        self.cluster.server().put_new(&path, job);
    }

    fn twin(&mut self, dyno: u64) {
        if let Some(job) = self.job_of_dynos() {
            let pod = self.cluster.make_pod(&job, dyno, "-twin");
            self.cluster.after(500, Event::Runs(pod));
        }
    }

    /// A pod that says by its labels that it is this dyno, and ends at once with a report of a run
    /// that held.
    fn forge(&mut self, dyno: u64, namespace: &str, with_controller: bool) {
        let index = u32::try_from(dyno).unwrap_or(0);
        let (Some(plan), uid) = (plan(&self.cluster.server()), self.uid.clone()) else {
            return;
        };
        let path = format!("{}/forged", pods_of(namespace));
        let job = self.job_of_dynos();
        let owners = match (&job, with_controller) {
            (Some(job), true) => json!([{
                "apiVersion": "batch/v1", "kind": "Job", "controller": true,
                "name": job["metadata"]["name"], "uid": job["metadata"]["uid"],
            }]),
            _ => Value::Null,
        };
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "forged",
                "namespace": namespace,
                "annotations": {"forged": "true"},
                "labels": {
                    "redyno.dev/run": uid,
                    "redyno.dev/loadtest": NAME,
                    "redyno.dev/dyno-type": "web",
                    "app.kubernetes.io/component": "dyno",
                    "batch.kubernetes.io/job-completion-index": dyno.to_string(),
                },
                "ownerReferences": owners,
            },
            "spec": {"containers": [{"name": "runner"}], "nodeName": "node-1"},
            "status": {"phase": "Pending"},
        });
        let pod = self.cluster.server().put_new(&path, pod);
        let name = redyno_contract::plan::DynoName {
            dyno_type: "web".to_owned(),
            index,
        };
        let own = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let message = words::of_dyno(&plan, &name, own, Word::Completed);
        let at = pod["metadata"]["creationTimestamp"].clone();
        self.cluster.server().change(&path, |pod| {
            pod["status"] = json!({
                "phase": "Succeeded",
                "containerStatuses": [{
                    "name": "runner", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"terminated": {"exitCode": 0, "startedAt": at, "finishedAt": at, "message": message}},
                }],
            });
        });
    }

    /// Somebody who may write ConfigMaps puts a report of a run that held in the place of what is
    /// kept of a dyno, in the operator's own form and with a seal that is none, or removes it.
    fn change_report(&mut self, dyno: u64, replace: bool) {
        let index = u32::try_from(dyno).unwrap_or(0);
        let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-report");
        let plan = plan(&self.cluster.server());
        let key = format!("web.{}", index + 1);
        let uid = self.pod_of_dyno(dyno).and_then(|path| {
            let server = self.cluster.server();
            server.uid(&path)
        });
        let uid = uid.unwrap_or_else(|| "uid".to_owned());
        self.cluster.server().change(&path, |config_map| {
            let Some(data) = config_map["data"].as_object_mut() else {
                return;
            };
            let forged = plan.filter(|_| replace).map(|plan| {
                let name = redyno_contract::plan::DynoName {
                    dyno_type: "web".to_owned(),
                    index,
                };
                words::of_dyno(&plan, &name, &uid, Word::Completed)
            });
            match forged {
                Some(text) => {
                    let (pod, seal, text) = (uid.as_str(), "0".repeat(64), text.as_str());
                    let seal = seal.as_str();
                    data.insert(key, json!(Kept { pod, seal, text }.to_string()));
                }
                None => {
                    data.remove(&key);
                }
            }
        });
    }

    /// Somebody who may write ConfigMaps makes every limit wide.
    fn change_plan(&mut self) {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-plan");
        self.cluster.server().change(&path, |config_map| {
            let text = config_map["data"]["plan.json"].as_str().unwrap_or_default();
            let text = text.replace("250000", "250000000");
            config_map["data"]["plan.json"] = json!(text);
        });
    }

    fn delete_child(&mut self, of: u64) {
        let children: Vec<String> = {
            let server = self.cluster.server();
            let owned = server.objects.iter().filter(|(_, object)| {
                object["metadata"]["ownerReferences"][0]["uid"] == self.uid.as_str()
            });
            owned.map(|(path, _)| path.clone()).collect()
        };
        if let Some(path) = usize::try_from(of)
            .ok()
            .and_then(|of| children.get(of % children.len().max(1)))
        {
            self.line(&format!("{path} is deleted"));
            self.cluster.server().doom(path);
        }
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::None => "none",
        Kind::KilledBefore => "killed before",
        Kind::KilledAfter => "killed after",
        Kind::ServerError => "server error",
        Kind::AnswerLost => "answer lost",
        Kind::Conflict => "conflict",
        Kind::OperatorAway => "operator away",
        Kind::SecondOperator => "second operator",
        Kind::WatchLate => "watch late",
        Kind::Quota => "quota",
        Kind::OutOfMemory => "out of memory",
        Kind::Evicted => "evicted",
        Kind::PodDeleted => "pod deleted",
        Kind::PodLate => "pod late",
        Kind::MessageMissing => "message missing",
        Kind::MessageCut => "message cut",
        Kind::MessageOfAnotherRun => "message of another run",
        Kind::Twin => "twin",
        Kind::ForgedByLabels => "forged by labels",
        Kind::ForgedElsewhere => "forged elsewhere",
        Kind::ForgedController => "forged controller",
        Kind::ReportReplaced => "report replaced",
        Kind::ReportRemoved => "report removed",
        Kind::PlanChanged => "plan changed",
        Kind::ChildDeleted => "child deleted",
        Kind::RedisEnds => "redis ends",
        Kind::Cancelled => "cancelled",
        Kind::LoadTestDeleted => "LoadTest deleted",
        Kind::LoadTestMadeAnew => "LoadTest made anew",
        Kind::JobReplaced => "Job replaced",
    }
}
