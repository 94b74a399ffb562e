//! The life of one dyno: get ready, wait for the common start, carry the load, report, leave.

mod control;
mod hold;
mod leaving;
mod running;
mod sampler;
mod startup;
mod totals;

use std::sync::Arc;
use std::time::Duration;

use redyno_contract::plan::{DynoName, DynoTypePlan, Plan};
use redyno_contract::record::RecordKind;
use redyno_contract::report::{End, Ending};
use redyno_contract::{Event, Report};
use redyno_target::coordination::Seat;
use redyno_target::{ByteCounters, Target};

use crate::arguments::DynoArguments;
use crate::command::CommandError;
use crate::configuration::ConfigurationError;
use crate::exit::Exit;
use crate::http::{self, Metrics, Shown};
use crate::observe::control_group::ControlGroup;
use crate::observe::own::OwnProcess;
use crate::output::{Events, RecordFile};
use crate::shard::{ShardSettings, load_threads};
use crate::termination::Termination;
use redyno_engine::Share;

pub use totals::{Identity, Totals};

/// For the last lines on standard output: who does not read them by then reads nothing.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Everything that one dyno has at hand.
struct Dyno {
    plan: Arc<Plan>,
    dynos: DynoTypePlan,
    identity: Identity,
    target: Target,
    seat: Seat,
    own: OwnProcess,
    shown: Arc<Shown>,
    events: Events,
    record: RecordFile,
    progress_seconds: u32,
    termination: Termination,
}

/// Lives.
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
    let record = RecordFile::open(&common.report)?;
    let listener = http::bind(&common.http)
        .await
        .map_err(|error| CommandError::Http {
            address: common.http.clone(),
            error,
        })?;
    let address = listener.local_addr()?;
    let identity = Identity {
        dyno: name,
        pod: common.pod_uid,
        tls: target.is_encrypted().then_some(plan.target.tls),
    };
    let group = ControlGroup::find();
    let allowances = group.allowances();
    let threads = threads
        .unwrap_or_else(|| load_threads(group.cpu_limit_millis, &dynos))
        .get();
    let bytes = (0..threads).map(|_| Arc::new(ByteCounters::default()));
    let own = OwnProcess::new(group, bytes.collect());
    let asks_target = plan.sampler().as_ref() == Some(&identity.dyno);
    let shown = Arc::new(Shown::new(Totals::new(
        &plan,
        &dynos,
        threads,
        own.sample(),
        allowances,
        asks_target,
    )));
    let plan = Arc::new(plan);
    let metrics = Metrics::new(
        Arc::clone(&plan),
        dynos.clone(),
        &identity,
        own.clone(),
        Arc::clone(&shown),
    );
    let server = tokio::spawn(http::serve(listener, Arc::clone(&shown), Arc::new(metrics)));
    let events = Events::on_standard_output()?;
    events.print(&Event::Listening {
        address: address.to_string(),
    });
    let seat = Seat::new(&plan, &target, identity.dyno.clone(), &identity.pod);
    let mut dyno = Dyno {
        plan,
        dynos,
        identity,
        target,
        seat,
        own,
        shown,
        events,
        record,
        progress_seconds,
        termination,
    };
    let result = dyno.live().await;
    dyno.events.printed(LAST_LINES).await;
    server.abort();
    result
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
    async fn live(&mut self) -> Result<Exit, CommandError> {
        let ending = match self.start().await {
            Ok(begun) => self.carry_load(begun).await?,
            Err(ending) => {
                self.never_started(&ending)?;
                leaving::without_start(self, &ending).await;
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
