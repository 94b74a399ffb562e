//! The dynos of a run, each a task that can be killed.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use redyno_contract::outcome::{DynoOutcome, Evidence, Fate};
use redyno_contract::plan::{DynoName, Plan};
use redyno_runner::{DynoSettings, LineReader, Lines, Surroundings, Termination, live};
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep, timeout_at};

use super::fault::{FaultKind, Stage};
use super::record::{Flag, MemoryFile, evidence};
use super::{Stagecraft, UID};
use crate::machine::ModelledMachine;
use crate::world::Host;

/// How much later than the others a dyno starts at most, in milliseconds.
const LATEST: u64 = 9_000;

/// After the loss of a dyno the others are told to go.
const OTHERS_END_AFTER: Duration = Duration::from_secs(2);

/// What a dyno allows itself beyond what its plan says: a hold, leaving, removing, the last lines.
const BEYOND_THE_PLAN: Duration = Duration::from_secs(5 + 3 + 3 + 10 + 10 + 5 + 5);

/// The dynos.
pub(super) struct Dynos {
    pods: Vec<Pod>,
    handles: RefCell<Vec<AbortHandle>>,
}

/// What a dyno has at hand, seen from outside.
struct Pod {
    name: DynoName,
    uid: String,
    host: Host,
    tell: watch::Sender<bool>,
    told: watch::Receiver<bool>,
    record: MemoryFile,
    killed: Flag,
}

/// A dyno that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Which dyno.
    pub name: DynoName,
    /// Where it lived.
    pub host: Host,
    /// Its code, or None if it was killed.
    pub code: Option<u8>,
    /// Why it could not do its work, if so.
    pub error: Option<String>,
    /// What it said of itself.
    pub evidence: Evidence,
    /// The bytes of that.
    pub record: Vec<u8>,
    /// How long it lived.
    pub took: Duration,
    /// It was still there when it should have ended.
    pub too_long: bool,
}

impl Ended {
    /// For the judge.
    pub fn outcome(&self) -> DynoOutcome {
        DynoOutcome {
            dyno: self.name.clone(),
            pod_name: Some(format!("pod-{}", self.name)),
            node_name: None,
            fate: match self.code {
                Some(code) => Fate::Exited { code: code.into() },
                None => Fate::Lost {
                    detail: "killed".to_owned(),
                },
            },
            report: self.evidence.clone(),
        }
    }
}

/// The first host that is a dyno's; the one before it is that of a second pod of the first dyno.
const FIRST_HOST: usize = 10;

/// Whether a dyno lives there, one that nobody judges among them.
pub const fn is_a_pod_of_a_dyno(host: Host) -> bool {
    host.0 >= FIRST_HOST - 1
}

impl Dynos {
    /// Those of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let pods = plan
            .dynos()
            .enumerate()
            .map(|(number, name)| {
                let (tell, told) = watch::channel(false);
                Pod {
                    uid: format!("pod-{number}"),
                    host: Host(FIRST_HOST + number),
                    name,
                    tell,
                    told,
                    record: MemoryFile::default(),
                    killed: Flag::default(),
                }
            })
            .collect();
        Self {
            pods,
            handles: RefCell::default(),
        }
    }

    fn pod(&self, number: u64) -> &Pod {
        let count = self.pods.len() as u64;
        &self.pods[usize::try_from(number % count).unwrap_or(0)]
    }

    /// Ends a dyno at once.
    pub(super) fn kill(&self, craft: &Stagecraft, number: u64) {
        let pod = self.pod(number);
        pod.killed.set();
        craft.network.cut_off(pod.host);
        let count = self.pods.len() as u64;
        let place = usize::try_from(number % count).unwrap_or(0);
        if let Some(handle) = self.handles.borrow().get(place) {
            handle.abort();
        }
    }

    /// Tells a dyno to go.
    pub(super) fn terminate(&self, number: u64) {
        self.pod(number).tell.send_replace(true);
    }

    /// Tells all dynos to go.
    pub(super) fn terminate_all(&self) {
        for pod in &self.pods {
            pod.tell.send_replace(true);
        }
    }

    /// From now on the record of a dyno cannot be written.
    pub(super) fn break_record(&self, number: u64) {
        self.pod(number).record.break_it();
    }

    /// Lives as all of them, and tells the stages; ends when all of them have ended.
    pub(super) async fn live(&self, craft: &Rc<Stagecraft>) -> Vec<Ended> {
        let plan = &craft.scenario.plan;
        let begun = Instant::now();
        let longest = [
            plan.start_timeout_seconds,
            plan.warmup_seconds,
            plan.duration_seconds,
            plan.drain_seconds,
        ];
        let deadline = begun
            + Duration::from_secs(longest.into_iter().map(u64::from).sum())
            + BEYOND_THE_PLAN
            + Duration::from_millis(LATEST);
        let mut tasks = Vec::new();
        for (number, pod) in self.pods.iter().enumerate() {
            let late = craft
                .scenario
                .faults
                .iter()
                .filter(|fault| {
                    fault.kind == FaultKind::DynoLate
                        && fault.amount % self.pods.len() as u64 == number as u64
                })
                .map(|fault| Duration::from_millis(fault.amount.min(LATEST)))
                .sum();
            let task = spawn_local(start(
                Rc::clone(craft),
                pod.name.clone(),
                pod.uid.clone(),
                pod.host,
                pod.told.clone(),
                pod.record.clone(),
                late,
            ));
            self.handles.borrow_mut().push(task.abort_handle());
            // A killed one has no handle yet if it was killed before.
            if pod.killed.is_set() {
                task.abort();
            }
            tasks.push(task);
        }
        let stages = spawn_local(tell_stages(Rc::clone(craft)));
        let mut ended = Vec::new();
        for (pod, mut task) in self.pods.iter().zip(tasks) {
            let result = timeout_at(deadline, &mut task).await;
            let too_long = result.is_err();
            if too_long {
                task.abort();
                craft.network.cut_off(pod.host);
            }
            let (code, error, took) = match result {
                Ok(Ok((Ok(code), took))) => (Some(code), None, took),
                Ok(Ok((Err((error, code)), took))) => (Some(code), Some(error), took),
                // Killed, or not ended.
                Ok(Err(_)) | Err(_) => (None, None, begun.elapsed()),
            };
            let record = pod.record.bytes();
            ended.push(Ended {
                name: pod.name.clone(),
                host: pod.host,
                code,
                error,
                evidence: evidence(&record, UID, &pod.name, &pod.uid),
                record,
                took,
                too_long,
            });
            // Without every dyno there is no verdict: the others are not worth waiting for.
            if code != Some(0) {
                let tells: Vec<_> = self.pods.iter().map(|pod| pod.tell.clone()).collect();
                spawn_local(async move {
                    sleep(OTHERS_END_AFTER).await;
                    for tell in tells {
                        tell.send_replace(true);
                    }
                });
            }
        }
        stages.abort();
        ended
    }

    /// A second pod lives as the first dyno.
    pub(super) async fn double(craft: Rc<Stagecraft>) {
        let (_tell, told) = watch::channel(false);
        let name = craft.dynos.pods[0].name.clone();
        let host = Host(FIRST_HOST - 1);
        drop(
            start(
                Rc::clone(&craft),
                name,
                "pod-b".to_owned(),
                host,
                told,
                MemoryFile::default(),
                Duration::ZERO,
            )
            .await,
        );
    }
}

type Result = (std::result::Result<u8, (String, u8)>, Duration);

async fn start(
    craft: Rc<Stagecraft>,
    name: DynoName,
    pod: String,
    host: Host,
    told: watch::Receiver<bool>,
    record: MemoryFile,
    late: Duration,
) -> Result {
    sleep(late).await;
    let begun = Instant::now();
    let settings = DynoSettings {
        name,
        pod,
        progress_seconds: 1,
        load_threads: NonZeroU32::new(craft.scenario.load_threads).unwrap_or(NonZeroU32::MIN),
    };
    let unread = craft
        .scenario
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::OutputUnread);
    let (events, reader) = Lines::queue();
    let reading = spawn_local(read(reader, unread));
    let surroundings = Surroundings {
        machine: ModelledMachine,
        events,
        record: Box::new(record),
        record_path: PathBuf::from("/dev/termination-log"),
        termination: Termination::by(told),
    };
    let plan = craft.scenario.plan.clone();
    let result = live(settings, plan, craft.target(host), surroundings).await;
    reading.abort();
    (result, begun.elapsed())
}

async fn read(mut lines: LineReader, unread: bool) {
    if unread {
        std::future::pending::<()>().await;
    }
    while lines.line().await.is_some() {}
}

/// Tells when the start is agreed, when it has come, and when the window is over.
async fn tell_stages(craft: Rc<Stagecraft>) {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let plan = &craft.scenario.plan;
    let key = redyno_target::keys::RunKeys::new(UID).start();
    let database = craft.scenario.database as usize;
    let at = loop {
        let start = {
            let server = craft.main.server();
            match server.databases[database]
                .get(key.as_bytes())
                .map(|entry| &entry.value)
            {
                Some(crate::model::Value::Text(text)) => {
                    String::from_utf8_lossy(text).parse::<u64>().ok()
                }
                _ => None,
            }
        };
        if let Some(start) = start {
            break start;
        }
        sleep(LOOK_EVERY).await;
    };
    craft.stage.send_replace(Stage::BeforeStart);
    sleep(Duration::from_micros(at.saturating_sub(craft.main.now()))).await;
    craft.stage.send_replace(Stage::Load);
    sleep(Duration::from_secs(u64::from(
        plan.warmup_seconds + plan.duration_seconds,
    )))
    .await;
    craft.stage.send_replace(Stage::Drain);
}
