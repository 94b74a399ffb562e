//! From nothing to the common start.

use std::cell::RefCell;
use std::time::Duration;

use redis::RedisError;
use redis::aio::ConnectionLike;
use redyno_contract::Event;
use redyno_contract::plan::{DynoTypePlan, Expectation, Fetch, MixedCommand, Workload};
use redyno_contract::report::Ending;
use redyno_target::coordination::{
    self, Barrier, Claim, ClockMapping, Evictions, Ready, Seat, Watch, map_clock,
};
use redyno_target::{ConnectOptions, Connection, Info, Target};

use tokio::time::Instant;

use super::{Dyno, surroundings};
use crate::shard::Load;
use crate::workload::failure::TaskFailure;
use crate::workload::object_graph::script;
use redyno_engine::LoadEvent;

const POLL: Duration = Duration::from_millis(100);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// Between two looks at what is around the run, while the workers get ready.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How long whoever misses the run's phase waits for an answer to what that means.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever waits longer than this says what for.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Questions of the time, of which the one that was answered fastest counts.
const CLOCK_SAMPLES: u32 = 10;

/// A dyno that knows when to start.
pub(super) struct Begun {
    /// Its control connection.
    pub(super) control: Connection,
    /// Its load threads, ready.
    pub(super) load: Load,
    /// S by the clock of Redis, in microseconds since the epoch.
    pub(super) at_microseconds: u64,
    /// Redis' clock as it was mapped best.
    pub(super) clock: ClockMapping,
    /// How far the mappings before and after were apart, in microseconds.
    pub(super) drift_microseconds: u64,
    /// The server that all of this happened on.
    pub(super) run_id: Option<String>,
    /// What it has evicted, where others' keys are to be spared.
    pub(super) evictions: Option<Evictions>,
}

impl Dyno {
    /// Gets ready and waits for the common start, for as long as the plan allows.
    pub(super) async fn start(&mut self) -> Result<Begun, Ending> {
        let waiting_for = RefCell::new("the target".to_owned());
        let limit = Duration::from_secs(u64::from(self.plan.start_timeout_seconds));
        let mut termination = self.termination.clone();
        tokio::select! {
            biased;
            () = termination.wait() => Err(Ending::Terminated),
            result = async {
                let getting_ready = std::pin::pin!(self.get_ready(&waiting_for));
                let telling = std::pin::pin!(self.tell_of_waiting(&waiting_for));
                match futures::future::select(getting_ready, telling).await {
                    futures::future::Either::Left((result, _)) => result,
                    futures::future::Either::Right((never, _)) => match never {},
                }
            } => result,
            () = tokio::time::sleep(limit) => Err(Ending::StartTimeout {
                detail: format!(
                    "not started after {} s: waiting for {}",
                    limit.as_secs(),
                    self.with_progress(&waiting_for)
                ),
            }),
        }
    }

    /// Says every two seconds what is waited for, unless that is what was said last.
    async fn tell_of_waiting(&self, waiting_for: &RefCell<String>) -> std::convert::Infallible {
        let mut said = String::new();
        loop {
            tokio::time::sleep(TOLD_AFTER).await;
            let detail = self.with_progress(waiting_for);
            if detail != said {
                self.events.print(&Event::Waiting {
                    detail: detail.clone(),
                });
                said = detail;
            }
        }
    }

    /// What is waited for, and how far the dyno itself is.
    fn with_progress(&self, waiting_for: &RefCell<String>) -> String {
        let what = waiting_for.borrow();
        match self.filling.words() {
            Some(words) => format!("{what} ({words})"),
            None => what.clone(),
        }
    }

    async fn get_ready(&self, waiting_for: &RefCell<String>) -> Result<Begun, Ending> {
        let mut control = connect(&self.target, &self.seat_name(), waiting_for).await?;
        check_phase(self, &mut control, waiting_for).await?;
        let evictions = spared(self, &mut control, waiting_for).await?;
        let mut settings = self.shard_settings();
        settle_expectations(self, &mut settings.dynos, &mut control, waiting_for).await?;
        let mut load =
            (self.start_load)(&settings, self.own.bytes()).map_err(|error| Ending::Internal {
                detail: format!("no load thread: {error}"),
            })?;
        tokio::select! {
            ready = workers_ready(&mut load, waiting_for) => ready?,
            () = self.phase.missing() => return Err(self.identify(&mut control, waiting_for).await),
            words = self.refusal.heard() => return Err(Ending::TargetRefused { detail: words }),
            ending = self.danger(control.clone(), evictions) => return Err(ending),
        }
        loop {
            match self.coordinate(&mut control, waiting_for).await {
                Ok(Ok(coordinated)) => {
                    let Coordinated {
                        at_microseconds,
                        clock,
                        drift_microseconds,
                        run_id,
                    } = coordinated;
                    return Ok(Begun {
                        control,
                        load,
                        at_microseconds,
                        clock,
                        drift_microseconds,
                        run_id,
                        evictions,
                    });
                }
                Ok(Err(ending)) => return Err(ending),
                Err(error) => try_again(self, &mut control, waiting_for, &error).await?,
            }
        }
    }

    /// What is seen on the control connection while the workers get ready, and ends the run: another
    /// dyno that cannot get ready, keys that are evicted, a phase that is gone.
    async fn danger(&self, mut control: Connection, mut evictions: Option<Evictions>) -> Ending {
        loop {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            match coordination::watch_stop(&mut control, &self.seat).await {
                Ok(Watch::Quiet) => {}
                Ok(Watch::Stopped(_)) => return Ending::Stopped,
                Ok(Watch::PhaseGone) => return phase_gone(),
                Err(error) => tracing::debug!(%error, "the target does not answer"),
            }
            // Where nobody's keys are to be spared there is nothing else to see before the start.
            if evictions.is_none() {
                continue;
            }
            match surroundings::look(&mut control, &self.seat, &mut evictions).await {
                Ok(Some(ending)) => return ending,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the target does not say what it evicts"),
            }
        }
    }

    /// A worker's connection led to a Redis without the run's phase: what that means, if the
    /// control connection can tell soon.
    async fn identify(&self, control: &mut Connection, waiting_for: &RefCell<String>) -> Ending {
        let looked = tokio::time::timeout(PATIENCE, check_phase(self, control, waiting_for)).await;
        match looked {
            Ok(Err(ending)) => ending,
            Ok(Ok(())) => Ending::TargetChanged {
                detail: "a worker's connection led to a Redis that knows nothing of this run, while the control connection's does: something between them leads to several servers".to_owned(),
            },
            Err(_) => Ending::TargetLost {
                detail: format!(
                    "the run's phase was missing for a worker, and the control connection got no answer within {} s",
                    PATIENCE.as_secs()
                ),
            },
        }
    }

    fn seat_name(&self) -> String {
        format!("redyno {} control", self.identity.dyno)
    }

    /// Claims, says ready, and waits at the barrier. All of it may be done again.
    async fn coordinate(
        &self,
        control: &mut Connection,
        waiting_for: &RefCell<String>,
    ) -> Result<Result<Coordinated, Ending>, RedisError> {
        if needs_script(&self.dynos.workload) {
            let loaded = control.req_packed_command(&script::load()).await?;
            if let Err(failure) = script::check_loaded(loaded) {
                waiting_for.replace(format!("the script: {failure}"));
                return Err(RedisError::from((
                    redis::ErrorKind::UnexpectedReturnType,
                    "the script could not be loaded",
                    failure.to_string(),
                )));
            }
        }
        let run_id = Info::read(control).await?.run_id;
        match coordination::claim(control, &self.seat).await? {
            Claim::Claimed => {}
            Claim::HeldBy(holder) => return Ok(Err(Ending::DuplicateDyno { holder })),
            Claim::PhaseGone => return Ok(Err(phase_gone())),
        }
        let before = map_clock(control, CLOCK_SAMPLES).await?;
        self.shown.set_ready();
        match coordination::mark_ready(control, &self.seat).await? {
            Ready::Marked => {}
            Ready::HeldBy(holder) => return Ok(Err(Ending::DuplicateDyno { holder })),
            Ready::TooLate => return Ok(Err(too_late())),
            Ready::PhaseGone => return Ok(Err(phase_gone())),
        }
        self.events.print(&Event::Ready);
        let at_microseconds = match barrier(control, &self.seat, waiting_for).await? {
            Ok(at_microseconds) => at_microseconds,
            Err(ending) => return Ok(Err(ending)),
        };
        // From here on nothing may stand in the way of the start: without an answer the first
        // mapping is all there is.
        let (clock, drift_microseconds) = match map_clock(control, CLOCK_SAMPLES).await {
            Ok(after) => {
                let drift = before.drift_microseconds(&after);
                let errors = before
                    .error_microseconds()
                    .saturating_add(after.error_microseconds());
                // More than both errors explain: the clock moved, and only the fresh mapping
                // tells of now.
                let clock = if drift <= errors {
                    before.better(after)
                } else {
                    after
                };
                (clock, drift)
            }
            Err(error) => {
                tracing::warn!(%error, "Redis' clock could not be mapped again");
                (before, 0)
            }
        };
        Ok(Ok(Coordinated {
            at_microseconds,
            clock,
            drift_microseconds,
            run_id,
        }))
    }
}

const fn needs_script(workload: &Workload) -> bool {
    match workload {
        Workload::ObjectGraph(graph) => matches!(graph.fetch, Fetch::Lua),
        Workload::Commands(_) => false,
    }
}

struct Coordinated {
    at_microseconds: u64,
    clock: ClockMapping,
    drift_microseconds: u64,
    run_id: Option<String>,
}

async fn connect(
    target: &Target,
    name: &str,
    waiting_for: &RefCell<String>,
) -> Result<Connection, Ending> {
    loop {
        match target.connect(&ConnectOptions::patient(name)).await {
            Ok(connection) => return Ok(connection),
            Err(failure) if !failure.may_heal => {
                return Err(Ending::TargetRefused {
                    detail: failure.to_string(),
                });
            }
            Err(failure) => {
                tracing::warn!(%failure, "no control connection yet");
                waiting_for.replace(format!("the target: {failure}"));
            }
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// What the target refused and would refuse again ends the waiting, in its own words.
fn unless_it_may_heal(target: &Target, error: &RedisError) -> Result<(), Ending> {
    let Some(code) = error.code() else {
        return Ok(());
    };
    let words = format!("{code} {}", error.detail().unwrap_or_default());
    let class = TaskFailure::of_error_reply(words.as_bytes()).class;
    if class.may_heal() {
        return Ok(());
    }
    Err(Ending::TargetRefused {
        detail: format!(
            "the target refused what the dynos agree by ({}): {}",
            class.as_str(),
            target.presentable(&words)
        ),
    })
}

/// What the target answers on the control connection, which is made anew until it does. What it
/// refused and would refuse again ends the waiting.
async fn answered<T>(
    dyno: &Dyno,
    control: &mut Connection,
    waiting_for: &RefCell<String>,
    ask: impl AsyncFn(&mut Connection) -> Result<T, RedisError>,
) -> Result<T, Ending> {
    loop {
        match ask(control).await {
            Ok(answer) => return Ok(answer),
            Err(error) => try_again(dyno, control, waiting_for, &error).await?,
        }
    }
}

/// After an error that may heal, waits a little and connects anew.
async fn try_again(
    dyno: &Dyno,
    control: &mut Connection,
    waiting_for: &RefCell<String>,
    error: &RedisError,
) -> Result<(), Ending> {
    unless_it_may_heal(&dyno.target, error)?;
    tracing::warn!(%error, "the target did not answer as it should, trying again");
    waiting_for.replace(format!("the target: {error}"));
    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    *control = connect(&dyno.target, &dyno.seat_name(), waiting_for).await?;
    Ok(())
}

/// Nothing may be written to a Redis that is not the one that the preflight saw.
async fn check_phase(
    dyno: &Dyno,
    control: &mut Connection,
    waiting_for: &RefCell<String>,
) -> Result<(), Ending> {
    let ask = async |control: &mut Connection| coordination::watch_stop(control, &dyno.seat).await;
    match answered(dyno, control, waiting_for, ask).await? {
        Watch::Quiet => Ok(()),
        Watch::Stopped(_) => Err(Ending::Stopped),
        Watch::PhaseGone => Err(phase_gone()),
    }
}

/// What the target has evicted, where others' keys are to be spared.
async fn spared(
    dyno: &Dyno,
    control: &mut Connection,
    waiting_for: &RefCell<String>,
) -> Result<Option<Evictions>, Ending> {
    let ask = async |control: &mut Connection| coordination::evictions(control, &dyno.seat).await;
    answered(dyno, control, waiting_for, ask).await
}

/// What the replies of a mix must hold depends on whether the target evicts.
async fn settle_expectations(
    dyno: &Dyno,
    dynos: &mut DynoTypePlan,
    control: &mut Connection,
    waiting_for: &RefCell<String>,
) -> Result<(), Ending> {
    let Workload::Commands(commands) = &mut dynos.workload else {
        return Ok(());
    };
    let is_open = |entry: &MixedCommand| entry.expect == Expectation::HitUnlessEvicted;
    if !commands.mix.iter().any(is_open) {
        return Ok(());
    }
    let ask = async |control: &mut Connection| Info::read(control).await;
    let info = answered(dyno, control, waiting_for, ask).await?;
    for entry in &mut commands.mix {
        entry.expect = entry.expect.settled(info.evicts_any_key());
    }
    Ok(())
}

async fn workers_ready(load: &mut Load, waiting_for: &RefCell<String>) -> Result<(), Ending> {
    waiting_for
        .replace("its own workers to connect and to write what the run begins with".to_owned());
    loop {
        match load.event().await {
            LoadEvent::Ready => return Ok(()),
            LoadEvent::NotReady {
                workers,
                of,
                detail,
            } => {
                tracing::warn!(workers, of, %detail, "workers are not ready yet");
                waiting_for.replace(format!("{workers} of {of} workers: {detail}"));
            }
            LoadEvent::Broken(detail) => return Err(Ending::Internal { detail }),
            LoadEvent::Started { .. }
            | LoadEvent::Held { .. }
            | LoadEvent::Ending(_)
            | LoadEvent::Ended(_)
            | LoadEvent::Sample(_)
            | LoadEvent::Closed(_) => {}
        }
    }
}

async fn barrier(
    control: &mut Connection,
    seat: &Seat,
    waiting_for: &RefCell<String>,
) -> Result<Result<u64, Ending>, RedisError> {
    loop {
        let asked = Instant::now();
        match coordination::poll_barrier(control, seat).await? {
            Barrier::Start { at_microseconds } => return Ok(Ok(at_microseconds)),
            Barrier::Waiting { ready, planned } => {
                waiting_for.replace(format!(
                    "{} of {planned} dynos to be ready",
                    planned.saturating_sub(ready)
                ));
            }
            Barrier::TooLate => return Ok(Err(too_late())),
            Barrier::Stopped(_) => return Ok(Err(Ending::Stopped)),
            Barrier::PhaseGone => return Ok(Err(phase_gone())),
        }
        tokio::time::sleep(POLL.saturating_sub(asked.elapsed())).await;
    }
}

fn phase_gone() -> Ending {
    Ending::TargetChanged {
        detail: "the run's phase is not there: this is not the Redis that the preflight saw, or it was flushed or restarted since".to_owned(),
    }
}

fn too_late() -> Ending {
    Ending::StartTimeout {
        detail: "the run had started without this pod".to_owned(),
    }
}
