//! What the tests have in common: LoadTests, reports, and a cluster made of plain data that does
//! what the API server, the Job controller and the kubelet would do.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Pod, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use redyno_contract::Message;
use redyno_contract::limit::LimitCount;
use redyno_contract::message::{
    FinishReport, PreflightReport, PreflightResult, Refusal, TargetFound,
};
use redyno_contract::plan::{DynoName, Plan, RunIdentity, Step};
use redyno_contract::record::{self, RecordKind};
use redyno_contract::report::{
    Books, End, Ending, Histograms, LastSeconds, Latencies, OwnVitals, REPORT_VERSION, Report,
    Start, StepTimes, Times,
};
use redyno_crds::conditions::condition;
use redyno_crds::spec::DesiredState;
use redyno_crds::{Catalogue, LoadTest, LoadTestStatus, Resolved, resolve};

use crate::build::Run;
use crate::build::labels;
use crate::build::names::Child;
use crate::build::runner_pod::CONTAINER;
use crate::cluster::{EventSeen, NodeRoom, Observed, Refused, RefusedKind};
use crate::decide::{Decision, Effect, decide};
use crate::events::Notice;
use crate::evidence::Collected;
use crate::settings::Settings;

/// The LoadTest's uid.
pub(crate) const UID: &str = "5e0cbd6e-1d3c-4c55-9d2b-6f0a7d1f1a00";

/// A managed target and two dynos of one type.
pub(crate) const MANAGED: &str = r#"
apiVersion: redyno.dev/v1alpha1
kind: LoadTest
metadata: {name: friday, namespace: shop, uid: 5e0cbd6e-1d3c-4c55-9d2b-6f0a7d1f1a00, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  target: {managed: {plan: premium-1, scalePercent: 50}}
  durationSeconds: 20
  formation:
  - {type: web, quantity: 2, size: standard-1x, workers: 10, tasksPerSecond: 150, workload: {objectGraph: {}}}
  thresholds:
  - {name: p99, latency: {of: Response, percentile: "99", maxMicroseconds: 250000}}
"#;

/// An existing target and two types.
pub(crate) const EXISTING: &str = r#"
apiVersion: redyno.dev/v1alpha1
kind: LoadTest
metadata: {name: friday, namespace: shop, uid: 5e0cbd6e-1d3c-4c55-9d2b-6f0a7d1f1a00, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  target: {existing: {secretRef: {name: till}}}
  durationSeconds: 20
  startTimeoutSeconds: 60
  formation:
  - {type: web, quantity: 1, size: standard-1x, workers: 10, tasksPerSecond: 150, workload: {objectGraph: {}}}
  - type: worker
    quantity: 1
    resources: {cpu: 500m, memory: 128Mi}
    workers: 4
    tasksPerSecond: 10
    workload: {objectGraph: {}}
    pod:
      nodeSelector: {disk: fast}
      tolerations: [{key: spot, operator: Exists}]
      imagePullSecrets: [{name: mine}]
      labels: {team: till}
      annotations: {note: hello}
"#;

pub(crate) fn load_test(yaml: &str) -> LoadTest {
    serde_saphyr::from_str(yaml).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        catalogue: Catalogue::built_in(),
        runner_image: "registry.example/runner:1".to_owned(),
        redis_image: "registry.example/redis:7".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        image_pull_secrets: vec!["registry".to_owned()],
        linger_seconds: 0,
        failed_verdict_is_stalled: true,
    }
}

pub(crate) fn resolved(load_test: &LoadTest) -> Resolved {
    let run = RunIdentity {
        namespace: "shop".to_owned(),
        name: "friday".to_owned(),
        uid: UID.to_owned(),
    };
    resolve(&load_test.spec, run, &Catalogue::built_in(), 0).unwrap()
}

/// Calls with everything that a builder needs.
pub(crate) fn with_run<T>(yaml: &str, build: impl FnOnce(&Run<'_>) -> T) -> T {
    let load_test = load_test(yaml);
    let resolved = resolved(&load_test);
    let settings = settings();
    build(&Run {
        load_test: &load_test,
        resolved: &resolved,
        settings: &settings,
    })
}

// === Reports ===

/// The final report of a dyno that held its whole window.
pub(crate) fn report(plan: &Plan, dyno: &DynoName, pod: &str, ending: Ending) -> Report {
    let dynos = plan.dyno_type(&dyno.dyno_type).unwrap();
    let count = plan.schedule(dynos, dyno.index).count();
    let times = Times {
        count,
        sum_microseconds: count * 2000,
        max_microseconds: 9000,
    };
    let mut histogram = redyno_contract::Histogram::new(redyno_contract::histogram::Digits::Two);
    for _ in 0..count {
        histogram.record(2000);
    }
    let encoded = Some(histogram.encode());
    let started = !matches!(
        ending,
        Ending::StartTimeout { .. } | Ending::DuplicateDyno { .. } | Ending::TargetChanged { .. }
    );
    Report {
        version: REPORT_VERSION,
        run: plan.run.uid.clone(),
        dyno: dyno.clone(),
        pod: pod.to_owned(),
        end: Some(End {
            ending,
            after_milliseconds: 25_010,
            during_warmup: false,
        }),
        start: started.then_some(Start {
            at_microseconds: 1_767_225_660_000_000,
            offset_microseconds: 120,
            error_microseconds: 40,
        }),
        books: Books {
            scheduled: count,
            delivered: count,
            completed: count,
            in_time: count,
            ..Books::default()
        },
        warmup: Books::default(),
        over: plan
            .latency_limits(&dyno.dyno_type)
            .map(|_| LimitCount {
                over: 0,
                unknown: 0,
                total: count,
            })
            .collect(),
        steps: [Step::Fetch, Step::Save, Step::Ping]
            .map(|step| StepTimes {
                step,
                service: times,
            })
            .to_vec(),
        latencies: Latencies {
            response: times,
            wait: times,
            service: times,
        },
        busiest: Vec::new(),
        other_workers_backlog: 1,
        own: OwnVitals::default(),
        last: LastSeconds::default(),
        target: None,
        histograms: Histograms {
            response: encoded.clone(),
            wait: encoded.clone(),
            service: encoded,
            ..Histograms::default()
        },
    }
}

fn text(record: Vec<u8>) -> String {
    String::from_utf8(record).unwrap()
}

pub(crate) fn dyno_record(kind: RecordKind, report: &Report) -> String {
    text(record::write_report(7, kind, report).unwrap())
}

pub(crate) fn preflight_record(result: PreflightResult, message: &str) -> String {
    let message = Message::Preflight(PreflightReport {
        run: UID.to_owned(),
        result,
        message: message.to_owned(),
        target: Some(TargetFound {
            version: "7.0.15".to_owned(),
            role: "master".to_owned(),
            maxmemory_bytes: 1 << 26,
            maxclients: 80,
            keys: 0,
            other_clients: 0,
            expected_growth_bytes: 1 << 20,
            full_after_seconds: None,
            flushed_keys: 0,
        }),
    });
    text(record::write(1, RecordKind::Final, &message).unwrap())
}

pub(crate) fn finish_record(message: &str) -> String {
    let message = Message::Finish(FinishReport {
        run: UID.to_owned(),
        complete: true,
        removed_keys: 12,
        message: message.to_owned(),
    });
    text(record::write(1, RecordKind::Final, &message).unwrap())
}

// === The cluster ===

/// A cluster with one LoadTest in it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) load_test: LoadTest,
    pub(crate) settings: Settings,
    pub(crate) observed: Observed,
    pub(crate) now: Timestamp,
    /// Creations that the API server refuses, with its words.
    pub(crate) refuses: Vec<(Child, String)>,
    /// What was told so far.
    pub(crate) notices: Vec<Notice>,
    /// What was created and deleted so far.
    pub(crate) done: Vec<String>,
    /// Writes of the status so far.
    pub(crate) status_writes: usize,
    /// When the last look wants to look again.
    pub(crate) requeue: Option<std::time::Duration>,
    uids: u32,
}

impl Cluster {
    pub(crate) fn new(yaml: &str) -> Self {
        let load_test = load_test(yaml);
        Self {
            now: load_test.metadata.creation_timestamp.as_ref().unwrap().0,
            load_test,
            settings: settings(),
            observed: Observed::default(),
            refuses: Vec::new(),
            notices: Vec::new(),
            done: Vec::new(),
            status_writes: 0,
            requeue: None,
            uids: 0,
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        self.observed
            .plan
            .as_ref()
            .and_then(crate::build::plan_config_map::read)
            .unwrap_or_else(|| resolved(&self.load_test).plan)
    }

    pub(crate) fn status(&self) -> &LoadTestStatus {
        self.load_test.status.as_ref().unwrap()
    }

    /// Status and reason of a condition: `True Passed`.
    pub(crate) fn condition(&self, type_: &str) -> String {
        let condition = condition(&self.status().conditions, type_).unwrap();
        format!("{} {}", condition.status, condition.reason)
    }

    pub(crate) fn wait(&mut self, seconds: i64) -> &mut Self {
        self.now = self
            .now
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap();
        self
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(&self.load_test, &self.observed, self.now, &self.settings)
    }

    /// One look: decides and applies until there is nothing to do. Says how many decisions that
    /// took.
    pub(crate) fn look(&mut self) -> usize {
        for count in 1..=32 {
            let decision = self.decide();
            self.observed.refused = None;
            let last = self.load_test.status.clone();
            let changed = self.apply(&decision, usize::MAX);
            // A creation that is refused once more changes nothing.
            let refused = self.observed.refused.is_some() && self.load_test.status == last;
            if !changed && !refused {
                self.requeue = decision.requeue;
                return count;
            }
        }
        panic!("a look that never ends: {:#?}", self.decide());
    }

    /// Applies a decision; after `steps` of its changes the operator is killed. Says whether
    /// anything changed.
    pub(crate) fn apply(&mut self, decision: &Decision, steps: usize) -> bool {
        let mut left = steps;
        let mut next = || {
            let alive = left > 0;
            left = left.saturating_sub(1);
            alive
        };
        let mut changed = false;
        let Decision {
            store,
            status,
            effects,
            notices,
            requeue: _,
        } = decision;
        if !store.is_empty() && next() {
            let report = self.observed.report.as_mut().unwrap();
            report.data.get_or_insert_default().extend(store.clone());
            changed = true;
        }
        if self.load_test.status.as_ref() != Some(status) {
            if !next() {
                return true;
            }
            self.load_test.status = Some(status.clone());
            self.status_writes += 1;
            changed = true;
        }
        for effect in effects {
            if !next() {
                return true;
            }
            self.carry_out(effect);
            changed = true;
            if self.observed.refused.is_some() {
                break;
            }
        }
        self.notices.extend(notices.clone());
        changed
    }

    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::CreateConfigMap(child, _)
            | Effect::CreatePod(child, _)
            | Effect::CreateService(child, _)
            | Effect::CreateJob(child, _) => {
                if let Some((_, message)) =
                    self.refuses.iter().find(|(refused, _)| refused == child)
                {
                    self.observed.refused = Some(Refused {
                        child: child.clone(),
                        kind: RefusedKind::ByPolicy,
                        message: message.clone(),
                    });
                    return;
                }
                if self.observed.metadata(child).is_some() {
                    // Already exists.
                    return;
                }
                let recorded = self.status().children.iter().any(|reference| {
                    reference.kind == child.kind().as_str()
                        && reference.name == child.name("friday")
                        && (reference.uid.is_some() || reference.intent.is_some())
                });
                assert!(!recorded, "{child:?} is made again: {:#?}", self.status());
                self.done.push(format!("+{}", child.token()));
                let uid = self.uid();
                let stamp = |mut metadata: ObjectMeta| {
                    metadata.uid = Some(uid);
                    metadata.creation_timestamp = Some(Time(self.now));
                    metadata
                };
                match effect.clone() {
                    Effect::CreateConfigMap(Child::Plan, mut object) => {
                        object.metadata = stamp(object.metadata);
                        self.observed.plan = Some(*object);
                    }
                    Effect::CreateConfigMap(_, mut object) => {
                        object.metadata = stamp(object.metadata);
                        self.observed.report = Some(*object);
                    }
                    Effect::CreatePod(_, mut object) => {
                        object.metadata = stamp(object.metadata);
                        self.observed.redis_pod = Some(*object);
                    }
                    Effect::CreateService(_, mut object) => {
                        object.metadata = stamp(object.metadata);
                        self.observed.redis_service = Some(*object);
                    }
                    Effect::CreateJob(child, mut object) => {
                        object.metadata = stamp(object.metadata);
                        self.put_job(&child, *object);
                        self.make_pods(&child);
                    }
                    Effect::Delete { .. } | Effect::DeleteLoadTest { .. } => {}
                }
            }
            Effect::Delete { child, uid } => {
                let found = self
                    .observed
                    .metadata(child)
                    .and_then(|metadata| metadata.uid.clone());
                if found.as_ref() != Some(uid) {
                    return;
                }
                self.done.push(format!("-{}", child.token()));
                self.delete(child);
            }
            Effect::DeleteLoadTest { .. } => {
                self.done.push("-loadtest".to_owned());
                self.load_test.metadata.deletion_timestamp = Some(Time(self.now));
            }
        }
    }

    fn uid(&mut self) -> String {
        self.uids += 1;
        format!("uid-{}", self.uids)
    }

    fn put_job(&mut self, child: &Child, job: Job) {
        match child {
            Child::Preflight => self.observed.preflight = Some(job),
            Child::Dynos(dyno_type) => {
                self.observed.dynos.insert(dyno_type.clone(), job);
            }
            Child::Finish => self.observed.finish = Some(job),
            Child::Plan | Child::Report | Child::RedisPod | Child::RedisService => {}
        }
    }

    pub(crate) fn job_mut(&mut self, child: &Child) -> &mut Job {
        match child {
            Child::Preflight => self.observed.preflight.as_mut().unwrap(),
            Child::Dynos(dyno_type) => self.observed.dynos.get_mut(dyno_type).unwrap(),
            Child::Finish => self.observed.finish.as_mut().unwrap(),
            other => panic!("{other:?} is no Job"),
        }
    }

    /// What somebody's `kubectl delete` does to a child, and the garbage collector after it.
    pub(crate) fn delete(&mut self, child: &Child) {
        match child {
            Child::Plan => self.observed.plan = None,
            Child::Report => self.observed.report = None,
            Child::RedisPod => self.observed.redis_pod = None,
            Child::RedisService => self.observed.redis_service = None,
            Child::Preflight => self.observed.preflight = None,
            Child::Finish => self.observed.finish = None,
            Child::Dynos(dyno_type) => {
                self.observed.dynos.remove(dyno_type);
            }
        }
        if matches!(child, Child::Preflight | Child::Finish | Child::Dynos(_)) {
            for name in self.pods_of(child) {
                self.delete_pod(&name);
            }
        }
    }

    // === Pods ===

    fn make_pods(&mut self, child: &Child) {
        let job = self.observed.job(child).unwrap().clone();
        let spec = job.spec.unwrap();
        for index in 0..spec.completions.unwrap_or(1) {
            let template = spec.template.clone();
            let mut metadata = template.metadata.unwrap();
            if let Child::Dynos(_) = child {
                metadata
                    .labels
                    .get_or_insert_default()
                    .insert(labels::COMPLETION_INDEX.to_owned(), index.to_string());
            }
            metadata.name = Some(match child {
                Child::Dynos(dyno_type) => format!("{dyno_type}.{}", index + 1),
                other => other.token().to_owned(),
            });
            metadata.namespace = Some("shop".to_owned());
            metadata.uid = Some(self.uid());
            metadata.creation_timestamp = Some(Time(self.now));
            self.observed.pods.push(Arc::new(Pod {
                metadata,
                spec: template.spec,
                status: Some(PodStatus {
                    phase: Some("Pending".to_owned()),
                    ..PodStatus::default()
                }),
            }));
        }
    }

    /// The names of a child's pods.
    pub(crate) fn pods_of(&self, child: &Child) -> Vec<String> {
        self.observed
            .pods
            .iter()
            .filter(|pod| {
                let pod_labels = pod.metadata.labels.as_ref().unwrap();
                pod_labels[labels::COMPONENT] == child.component()
                    && match child {
                        Child::Dynos(dyno_type) => pod_labels[labels::DYNO_TYPE] == *dyno_type,
                        _ => true,
                    }
            })
            .map(|pod| pod.metadata.name.clone().unwrap())
            .collect()
    }

    pub(crate) fn pod(&self, name: &str) -> &Pod {
        self.observed
            .pods
            .iter()
            .find(|pod| pod.metadata.name.as_deref() == Some(name))
            .unwrap_or_else(|| panic!("no pod {name}"))
    }

    /// Changes a pod.
    pub(crate) fn change_pod(&mut self, name: &str, change: impl FnOnce(&mut Pod)) {
        let pod = self
            .observed
            .pods
            .iter_mut()
            .find(|pod| pod.metadata.name.as_deref() == Some(name))
            .unwrap_or_else(|| panic!("no pod {name}"));
        change(Arc::make_mut(pod));
    }

    pub(crate) fn set_container(&mut self, name: &str, started: bool, state: ContainerState) {
        self.change_pod(name, |pod| {
            pod.spec.get_or_insert_default().node_name = Some("node-1".to_owned());
            let status = pod.status.get_or_insert_default();
            status.phase = Some(
                match (&state.terminated, &state.running) {
                    (Some(terminated), _) if terminated.exit_code == 0 => "Succeeded",
                    (Some(_), _) => "Failed",
                    (None, Some(_)) => "Running",
                    (None, None) => "Pending",
                }
                .to_owned(),
            );
            status.container_statuses = Some(vec![ContainerStatus {
                name: CONTAINER.to_owned(),
                started: Some(started),
                state: Some(state),
                ..ContainerStatus::default()
            }]);
        });
    }

    pub(crate) fn set_pod_condition(
        &mut self,
        name: &str,
        type_: &str,
        status: &str,
        reason: &str,
    ) {
        let now = Time(self.now);
        self.change_pod(name, |pod| {
            let conditions = pod
                .status
                .get_or_insert_default()
                .conditions
                .get_or_insert_default();
            conditions.retain(|condition| condition.type_ != type_);
            conditions.push(PodCondition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
                message: (!reason.is_empty()).then(|| format!("because of {reason}")),
                last_transition_time: Some(now),
                ..PodCondition::default()
            });
        });
    }

    /// The pod's container runs, and nothing more.
    pub(crate) fn start_pod(&mut self, name: &str) {
        let started_at = Some(Time(self.now));
        self.set_container(
            name,
            false,
            ContainerState {
                running: Some(ContainerStateRunning { started_at }),
                ..ContainerState::default()
            },
        );
    }

    /// The startup probe passes.
    pub(crate) fn ready_pod(&mut self, name: &str) {
        let started_at = Some(Time(self.now));
        self.set_container(
            name,
            true,
            ContainerState {
                running: Some(ContainerStateRunning { started_at }),
                ..ContainerState::default()
            },
        );
    }

    /// The readiness probe passes.
    pub(crate) fn run_pod(&mut self, name: &str) {
        self.ready_pod(name);
        self.set_pod_condition(name, "ContainersReady", "True", "");
        self.set_pod_condition(name, "Ready", "True", "");
    }

    /// The container is waiting for something.
    pub(crate) fn stick_pod(&mut self, name: &str, reason: &str) {
        self.set_container(
            name,
            false,
            ContainerState {
                waiting: Some(ContainerStateWaiting {
                    reason: Some(reason.to_owned()),
                    message: Some(format!("because of {reason}")),
                }),
                ..ContainerState::default()
            },
        );
    }

    /// The container ends.
    pub(crate) fn end_pod(&mut self, name: &str, code: i32, message: Option<String>) {
        self.end_pod_with(name, code, "", message);
    }

    pub(crate) fn end_pod_with(
        &mut self,
        name: &str,
        code: i32,
        reason: &str,
        message: Option<String>,
    ) {
        let at = Some(Time(self.now));
        self.set_container(
            name,
            false,
            ContainerState {
                terminated: Some(ContainerStateTerminated {
                    exit_code: code,
                    finished_at: at.clone(),
                    started_at: at,
                    reason: (!reason.is_empty()).then(|| reason.to_owned()),
                    message,
                    ..ContainerStateTerminated::default()
                }),
                ..ContainerState::default()
            },
        );
        self.end_jobs();
    }

    /// A Job whose pods have all ended has ended, too.
    fn end_jobs(&mut self) {
        let mut children = vec![Child::Preflight, Child::Finish];
        children.extend(self.observed.dynos.keys().cloned().map(Child::Dynos));
        for child in children {
            let pods = self.pods_of(&child);
            let phases: Vec<String> = pods
                .iter()
                .map(|name| self.pod(name).status.clone().unwrap().phase.unwrap())
                .collect();
            let all_ended = !phases.is_empty()
                && phases
                    .iter()
                    .all(|phase| phase == "Succeeded" || phase == "Failed");
            if self.observed.job(&child).is_some() && all_ended {
                let type_ = if phases.iter().all(|phase| phase == "Succeeded") {
                    "Complete"
                } else {
                    "Failed"
                };
                self.end_job(&child, type_, "");
            }
        }
    }

    pub(crate) fn end_job(&mut self, child: &Child, type_: &str, reason: &str) {
        let now = Time(self.now);
        let job = self.job_mut(child);
        if crate::cluster::job_end(job).is_some() {
            return;
        }
        job.status = Some(JobStatus {
            conditions: Some(vec![JobCondition {
                type_: type_.to_owned(),
                status: "True".to_owned(),
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
                last_transition_time: Some(now),
                ..JobCondition::default()
            }]),
            ..JobStatus::default()
        });
    }

    /// The pod goes: SIGTERM, its last words, and it is gone. What it leaves is kept first, as
    /// [`crate::pods`] does it.
    pub(crate) fn delete_pod(&mut self, name: &str) {
        let now = Time(self.now);
        self.change_pod(name, |pod| {
            pod.metadata.deletion_timestamp.get_or_insert(now);
        });
        let pod = self.pod(name).clone();
        let runs = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            == Some("Running");
        if runs {
            let message = crate::evidence::dyno_of(&pod).map(|dyno| {
                dyno_record(
                    RecordKind::Final,
                    &report(
                        &self.plan(),
                        &dyno,
                        pod.metadata.uid.as_deref().unwrap(),
                        Ending::Terminated,
                    ),
                )
            });
            self.end_pod(name, 143, message);
        }
        self.remove_pod(name);
    }

    /// The pod is gone.
    pub(crate) fn remove_pod(&mut self, name: &str) {
        let pod = self.pod(name).clone();
        if let Some(report) = self.observed.report.as_mut() {
            let additions = Collected::read(Some(report)).last_words(&pod);
            report.data.get_or_insert_default().extend(additions);
        }
        self.observed
            .pods
            .retain(|pod| pod.metadata.name.as_deref() != Some(name));
    }

    pub(crate) fn event(&mut self, uid: &str, reason: &str, message: &str) {
        self.observed.events.push(EventSeen {
            uid: uid.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            at: Some(self.now),
        });
    }

    pub(crate) fn pod_event(&mut self, name: &str, reason: &str, message: &str) {
        let uid = self.pod(name).metadata.uid.clone().unwrap();
        self.event(&uid, reason, message);
    }

    pub(crate) fn largest_node(&mut self) {
        self.observed.largest_node = Some(NodeRoom {
            name: "node-1".to_owned(),
            cpu_millis: 2000,
            memory_bytes: 8 << 30,
        });
    }

    // === A run, up to some point ===

    /// The managed Redis is ready.
    pub(crate) fn redis_ready(&mut self) {
        let now = Time(self.now);
        let Some(pod) = self.observed.redis_pod.as_mut() else {
            return;
        };
        pod.status = Some(PodStatus {
            phase: Some("Running".to_owned()),
            conditions: Some(vec![PodCondition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(now),
                ..PodCondition::default()
            }]),
            ..PodStatus::default()
        });
    }

    /// The managed Redis has ended.
    pub(crate) fn redis_ended(&mut self, code: i32, reason: &str) {
        let pod = self.observed.redis_pod.as_mut().unwrap();
        pod.status = Some(PodStatus {
            phase: Some("Failed".to_owned()),
            container_statuses: Some(vec![ContainerStatus {
                name: "redis".to_owned(),
                state: Some(ContainerState {
                    terminated: Some(ContainerStateTerminated {
                        exit_code: code,
                        reason: (!reason.is_empty()).then(|| reason.to_owned()),
                        ..ContainerStateTerminated::default()
                    }),
                    ..ContainerState::default()
                }),
                ..ContainerStatus::default()
            }]),
            ..PodStatus::default()
        });
    }

    pub(crate) fn until_preflight(&mut self) -> &mut Self {
        self.look();
        self.wait(2).redis_ready();
        self.look();
        self
    }

    pub(crate) fn preflight_ends(&mut self, result: PreflightResult, message: &str) {
        self.start_pod("preflight");
        self.look();
        self.wait(1);
        let record = preflight_record(result, message);
        let code = if result == PreflightResult::Passed {
            0
        } else {
            65
        };
        self.end_pod("preflight", code, Some(record));
        self.look();
    }

    pub(crate) fn until_dynos(&mut self) -> &mut Self {
        self.until_preflight();
        if self.observed.dynos.is_empty() {
            self.preflight_ends(PreflightResult::Passed, "Redis 7.0.15, 80 connections");
        }
        self
    }

    pub(crate) fn dyno_names(&self) -> Vec<String> {
        self.plan().dynos().map(|dyno| dyno.to_string()).collect()
    }

    pub(crate) fn until_ready(&mut self) -> &mut Self {
        self.until_dynos().wait(2);
        for name in self.dyno_names() {
            self.ready_pod(&name);
        }
        self.look();
        self
    }

    pub(crate) fn until_running(&mut self) -> &mut Self {
        self.until_ready().wait(3);
        for name in self.dyno_names() {
            self.run_pod(&name);
        }
        self.look();
        self
    }

    /// A dyno ends by itself.
    pub(crate) fn dyno_ends(&mut self, name: &str, code: i32, ending: Ending) {
        let record = self.final_record(name, ending);
        self.end_pod(name, code, Some(record));
    }

    pub(crate) fn final_record(&self, name: &str, ending: Ending) -> String {
        dyno_record(RecordKind::Final, &self.report_of(name, ending))
    }

    pub(crate) fn report_of(&self, name: &str, ending: Ending) -> Report {
        let plan = self.plan();
        let dyno = plan.dynos().find(|dyno| dyno.to_string() == name).unwrap();
        let pod = self.pod(name).metadata.uid.clone().unwrap();
        report(&plan, &dyno, &pod, ending)
    }

    pub(crate) fn until_ended(&mut self) -> &mut Self {
        self.until_running().wait(25);
        for name in self.dyno_names() {
            self.dyno_ends(&name, 0, Ending::Completed);
        }
        self.look();
        self
    }

    pub(crate) fn finish_ends(&mut self) {
        self.start_pod("finish");
        self.end_pod("finish", 0, Some(finish_record("12 keys removed")));
        self.look();
    }

    pub(crate) fn cancel(&mut self) -> &mut Self {
        self.load_test.spec.desired_state = DesiredState::Cancelled;
        self.load_test.metadata.generation = Some(2);
        self
    }

    /// An object of this name that belongs to somebody else.
    pub(crate) fn squat(&mut self, child: &Child, owner: Option<(&str, &str, &str)>) {
        let metadata = ObjectMeta {
            name: Some(child.name("friday")),
            uid: Some("theirs".to_owned()),
            creation_timestamp: Some(Time(self.now)),
            owner_references: owner.map(|(kind, name, uid)| {
                vec![OwnerReference {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    uid: uid.to_owned(),
                    controller: Some(true),
                    ..OwnerReference::default()
                }]
            }),
            ..ObjectMeta::default()
        };
        match child {
            Child::Plan => {
                self.observed.plan = Some(k8s_openapi::api::core::v1::ConfigMap {
                    metadata,
                    ..k8s_openapi::api::core::v1::ConfigMap::default()
                });
            }
            Child::Dynos(_) | Child::Preflight | Child::Finish => {
                let job = Job {
                    metadata,
                    ..Job::default()
                };
                self.put_job(child, job);
            }
            other => panic!("{other:?} is not squatted"),
        }
    }

    /// What is kept in the report ConfigMap.
    pub(crate) fn kept(&self) -> BTreeMap<String, String> {
        self.observed
            .report
            .as_ref()
            .and_then(|report| report.data.clone())
            .unwrap_or_default()
    }

    /// How the preflight refuses.
    pub(crate) fn refuse(&mut self, reason: Refusal) {
        self.preflight_ends(PreflightResult::Refused { reason }, "it was refused");
    }
}
