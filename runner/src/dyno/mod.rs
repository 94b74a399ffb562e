//! The life of one dyno: get ready, wait for the common start, carry the load, report, leave.

mod control;
mod hold;
mod leaving;
mod running;
mod sampler;
mod startup;
mod surroundings;
mod totals;

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redyno_contract::exit::Exit;
use redyno_contract::plan::{DynoName, DynoTypePlan, Plan};
use redyno_contract::record::RecordKind;
use redyno_contract::report::{End, Ending};
use redyno_contract::{Event, Report};
use redyno_target::coordination::Seat;
use redyno_target::{ByteCounters, Target};

use crate::arguments::DynoArguments;
use crate::command_error::CommandError;
use crate::configuration::ConfigurationError;
use crate::http::{self, Metrics, Shown};
use crate::machine::{Machine, SystemMachine};
use crate::observe::control_group::ControlGroup;
use crate::observe::own::OwnProcess;
use crate::output::{Events, Lines, RecordFile, WriteAt, record_file};
use crate::shard::{Filling, FinalRefusal, Load, PhaseQuestion, ShardSettings, load_threads};
use crate::termination::Termination;
use redyno_engine::Share;

pub use totals::{Identity, Totals};

/// For the last lines on standard output: who does not read them by then reads nothing.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Which dyno it is, and what it is told beside the plan.
#[derive(Clone, Debug)]
pub struct DynoSettings {
    /// Its name.
    pub name: DynoName,
    /// The pod's uid, or a stand-in for it.
    pub pod: String,
    /// Seconds between two progress lines.
    pub progress_seconds: u32,
    /// How many load threads.
    pub load_threads: NonZeroU32,
}

/// What a dyno finds around itself, apart from its target.
#[derive(Debug)]
pub struct Surroundings<M> {
    /// The machine that it runs on.
    pub machine: M,
    /// Where its events go.
    pub events: Lines,
    /// Where its record goes.
    pub record: Box<dyn WriteAt>,
    /// What errors call that.
    pub record_path: PathBuf,
    /// Tells it to go.
    pub termination: Termination,
}

/// Everything that one dyno has at hand.
struct Dyno {
    plan: Arc<Plan>,
    dynos: DynoTypePlan,
    identity: Identity,
    target: Target,
    seat: Seat,
    phase: Arc<PhaseQuestion>,
    refusal: Arc<FinalRefusal>,
    filling: Arc<Filling>,
    own: OwnProcess,
    start_load: StartLoad,
    shown: Arc<Shown>,
    events: Events,
    record: RecordFile,
    progress_seconds: u32,
    termination: Termination,
}

/// How the dyno's machine starts its load threads.
type StartLoad = Box<dyn Fn(&ShardSettings, &[Arc<ByteCounters>]) -> io::Result<Load> + Send>;

/// Lives on this machine, and serves its probes and metrics.
pub(crate) async fn run(
    arguments: DynoArguments,
    plan: Plan,
    target: Target,
    termination: Termination,
) -> Result<Exit, CommandError> {
    let DynoArguments {
        common,
        dyno_type,
        index,
        progress_seconds,
        load_threads: threads,
    } = arguments;
    let name = DynoName { dyno_type, index };
    let dynos = planned(&plan, &name)?.clone();
    let record = record_file::open(&common.report)?;
    let listener = http::bind(&common.http)
        .await
        .map_err(|error| CommandError::Http {
            address: common.http.clone(),
            error,
        })?;
    let address = listener.local_addr()?;
    let group = ControlGroup::find();
    let settings = DynoSettings {
        load_threads: threads.unwrap_or_else(|| load_threads(group.cpu_limit_millis(), &dynos)),
        name,
        pod: common.pod_uid,
        progress_seconds,
    };
    let surroundings = Surroundings {
        machine: SystemMachine::new(group.clone()),
        events: Lines::to(io::stdout(), "events")?,
        record: Box::new(record),
        record_path: common.report,
        termination,
    };
    let mut dyno = Dyno::new(settings, plan, target, group, surroundings)?;
    let metrics = Metrics::new(
        Arc::clone(&dyno.plan),
        dynos,
        &dyno.identity,
        dyno.own.clone(),
        Arc::clone(&dyno.shown),
    );
    let shown = Arc::clone(&dyno.shown);
    let server = tokio::spawn(http::serve(listener, shown, Arc::new(metrics)));
    dyno.events.print(&Event::Listening {
        address: address.to_string(),
    });
    let result = dyno.live().await;
    dyno.events.printed(LAST_LINES).await;
    server.abort();
    result
}

/// Lives on a machine that is given, without probes and metrics; the code that its process ends
/// with. Must be called where `tokio::task::spawn_local` may be, if the machine needs that.
///
/// # Errors
/// Why it could not do its work, in a sentence, and the code that the process ends with then.
pub async fn live(
    settings: DynoSettings,
    plan: Plan,
    target: Target,
    surroundings: Surroundings<impl Machine>,
) -> Result<u8, (String, u8)> {
    let result = async {
        let group = ControlGroup::default();
        let mut dyno = Dyno::new(settings, plan, target, group, surroundings)?;
        let result = dyno.live().await;
        dyno.events.printed(LAST_LINES).await;
        result
    };
    match result.await {
        Ok(exit) => Ok(exit.code()),
        Err(error) => Err((error.to_string(), error.exit().code())),
    }
}

fn planned<'a>(plan: &'a Plan, name: &DynoName) -> Result<&'a DynoTypePlan, ConfigurationError> {
    plan.dyno_type(&name.dyno_type)
        .filter(|dynos| name.index < dynos.quantity)
        .ok_or_else(|| ConfigurationError::NoSuchDyno {
            name: format!("{} with index {}", name.dyno_type, name.index),
            planned: plan
                .formation
                .iter()
                .map(|dynos| format!("{} x {}", dynos.quantity, dynos.dyno_type))
                .collect::<Vec<_>>()
                .join(", "),
        })
}

impl Dyno {
    fn new(
        settings: DynoSettings,
        plan: Plan,
        target: Target,
        group: ControlGroup,
        surroundings: Surroundings<impl Machine>,
    ) -> Result<Self, ConfigurationError> {
        let DynoSettings {
            name,
            pod,
            progress_seconds,
            load_threads,
        } = settings;
        let Surroundings {
            machine,
            events,
            record,
            record_path,
            termination,
        } = surroundings;
        let dynos = planned(&plan, &name)?.clone();
        let threads = load_threads.get();
        let allowances = group.allowances();
        let bytes = (0..threads).map(|_| Arc::new(ByteCounters::default()));
        let own = OwnProcess::new(Arc::new(machine.clone()), group, bytes.collect());
        let asks_target = plan.sampler().as_ref() == Some(&name);
        let totals = Totals::new(
            &plan,
            &dynos,
            threads,
            own.sample(),
            allowances,
            asks_target,
        );
        let seat = Seat::new(&plan, &target, name.clone(), &pod);
        Ok(Self {
            phase: Arc::new(PhaseQuestion::new(seat.phase_key())),
            refusal: Arc::default(),
            filling: Arc::new(Filling::of(&dynos, name.index)),
            seat,
            identity: Identity {
                dyno: name,
                pod,
                tls: target.is_encrypted().then_some(plan.target.tls),
            },
            plan: Arc::new(plan),
            dynos,
            target,
            own,
            start_load: Box::new(move |settings, counters| {
                Load::spawn(settings, counters, &machine)
            }),
            shown: Arc::new(Shown::new(totals)),
            events: Events::on(events),
            record: RecordFile::over(record, &record_path),
            progress_seconds,
            termination,
        })
    }

    async fn live(&mut self) -> Result<Exit, CommandError> {
        let ending = match self.start().await {
            Ok(begun) => self.carry_load(begun).await?,
            Err(ending) => {
                self.never_started(&ending)?;
                self.leave_without_start(&ending).await;
                ending
            }
        };
        tracing::info!(?ending, "the dyno has ended");
        self.linger().await;
        Ok(Exit::of(&ending))
    }

    fn shard_settings(&self) -> ShardSettings {
        ShardSettings {
            plan: Arc::clone(&self.plan),
            dynos: self.dynos.clone(),
            dyno: self.identity.dyno.clone(),
            share: Share::WHOLE,
            target: self.target.clone(),
            phase: Arc::clone(&self.phase),
            refusal: Arc::clone(&self.refusal),
            filling: Arc::clone(&self.filling),
            bytes: Arc::default(),
        }
    }

    fn never_started(&mut self, ending: &Ending) -> Result<(), CommandError> {
        let end = End {
            ending: ending.clone(),
            after_milliseconds: 0,
            during_warmup: true,
        };
        let report = self.report(Some(end));
        self.finish(report)
    }

    fn report(&self, end: Option<End>) -> Report {
        self.shown
            .totals(|totals| totals.report(&self.plan, &self.identity, end))
    }

    /// The last record, and the last line.
    fn finish(&mut self, report: Report) -> Result<(), CommandError> {
        let written = self.record.write_report(RecordKind::Final, &report);
        self.events.print(&Event::Report {
            report: Box::new(report),
        });
        Ok(written?)
    }

    /// Stays to be scraped once more, so that the last numbers are not lost.
    async fn linger(&mut self) {
        let longest = Duration::from_secs(u64::from(self.plan.linger_seconds));
        if longest.is_zero() {
            return;
        }
        let shown = Arc::clone(&self.shown);
        tokio::select! {
            () = shown.scraped.notified() => {}
            () = tokio::time::sleep(longest) => {}
            () = self.termination.wait() => {}
        }
    }
}
