//! The control connection while the load runs: hears of a stop, tells of one, and leaves.
//!
//! A task of its own, so that a target that answers late delays nothing else.

use std::time::Duration;

use redis::RedisResult;
use redyno_contract::report::Ending;
use redyno_target::coordination::{self, Evictions, Leave, Seat, Watch};
use redyno_target::{ConnectOptions, Connection, Info, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::{hold, surroundings};

const POLL: Duration = Duration::from_millis(250);
/// Between two looks at what is around the run.
const LOOK: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long whoever misses the run's phase waits for an answer to what that means.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the control connection is told.
#[derive(Debug)]
enum Command {
    Stop(String),
    Identify {
        run_id: Option<String>,
        answer: oneshot::Sender<Identity>,
    },
    LastLook {
        run_id: Option<String>,
        answer: oneshot::Sender<RedisResult<Option<Ending>>>,
    },
    Leave(oneshot::Sender<RedisResult<Leave>>),
}

/// What it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ControlEvent {
    /// The run is to end: by whom and why.
    Stopped(String),
    /// The run's phase is not there any more.
    PhaseGone,
    /// Something is wrong around the run: how it ends.
    Endangered(Ending),
    /// A coordination write failed.
    WriteFailed,
}

/// What the control connection finds where the run's phase was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The run is to end anyway: by whom and why.
    Stopped(String),
    /// Another server answers, or none: how that was seen.
    Lost(String),
    /// The server is the one of the start, and what was prepared on it is not all there: what was
    /// seen.
    Changed(String),
}

/// The control connection, seen from the dyno.
#[derive(Debug)]
pub(super) struct Control {
    commands: UnboundedSender<Command>,
    events: UnboundedReceiver<ControlEvent>,
    task: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Control {
    /// Takes over the connection that was made at the start.
    pub(super) fn new(
        connection: Connection,
        target: Target,
        seat: Seat,
        name: String,
        evictions: Option<Evictions>,
    ) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::unbounded_channel();
        let line = Line {
            connection: Some(connection),
            target,
            seat,
            options: ConnectOptions {
                name,
                connect_timeout: CONNECT_TIMEOUT,
                response_timeout: Some(RESPONSE_TIMEOUT),
                expects_key: None,
                counters: None,
            },
            events: sender,
            evictions,
        };
        Self {
            commands,
            events,
            task: tokio::spawn(line.live(received)),
        }
    }

    /// What it tells next.
    pub(super) async fn event(&mut self) -> ControlEvent {
        match self.events.recv().await {
            Some(event) => event,
            // Only a panic ends the task; the load goes on without it.
            None => std::future::pending().await,
        }
    }

    /// Ends the run for the other dynos, too.
    pub(super) fn stop(&self, reason: String) {
        self.tell(Command::Stop(reason));
    }

    /// Finds out, within five seconds, whether the server is the one of the start.
    pub(super) fn identify(&self, run_id: Option<String>) -> oneshot::Receiver<Identity> {
        let (answer, receiver) = oneshot::channel();
        self.tell(Command::Identify { run_id, answer });
        receiver
    }

    /// Looks once more at what is around the run: what ended it, if anything did. The error says
    /// that nobody knows.
    pub(super) async fn last_look(
        &self,
        run_id: Option<String>,
        at_most: Duration,
    ) -> Result<Option<Ending>, String> {
        let (answer, seen) = oneshot::channel();
        self.tell(Command::LastLook { run_id, answer });
        match tokio::time::timeout(at_most, seen).await {
            Ok(Ok(Ok(ending))) => Ok(ending),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(_)) | Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Leaves the run; None if that failed or took too long.
    pub(super) async fn leave(&self, at_most: Duration) -> Option<Leave> {
        let (sender, answer) = oneshot::channel();
        self.tell(Command::Leave(sender));
        match tokio::time::timeout(at_most, answer).await {
            Ok(Ok(Ok(left))) => {
                tracing::debug!(?left, "left the run");
                Some(left)
            }
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "could not leave the run");
                None
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("could not leave the run in time");
                None
            }
        }
    }

    fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!("the control task is gone");
        }
    }
}

struct Line {
    connection: Option<Connection>,
    target: Target,
    seat: Seat,
    options: ConnectOptions,
    events: UnboundedSender<ControlEvent>,
    evictions: Option<Evictions>,
}

impl Line {
    async fn live(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watching = true;
        let mut phase_noted = false;
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Stop(reason)) => self.stop(&reason).await,
                    Some(Command::Identify { run_id, answer }) => {
                        let identity = self.identify(run_id.as_deref()).await;
                        if answer.send(identity).is_err() {
                            tracing::debug!("the run ended before its target was identified");
                        }
                    }
                    Some(Command::LastLook { run_id, answer }) => {
                        let seen = match self.last_look(run_id.as_deref()).await {
                            // The first look may be what finds the connection broken.
                            Err(_) => self.last_look(run_id.as_deref()).await,
                            seen => seen,
                        };
                        if answer.send(seen).is_err() {
                            tracing::debug!("nobody waits for the last look any more");
                        }
                    }
                    Some(Command::Leave(answer)) => {
                        let left = self.leave().await;
                        if answer.send(left).is_err() {
                            tracing::debug!("nobody waits for the leave any more");
                        }
                    }
                    None => return,
                },
                _ = ticks.tick(), if watching => match self.watch().await {
                    Some(Watch::Stopped(reason)) => {
                        watching = false;
                        self.tell(ControlEvent::Stopped(reason));
                    }
                    Some(Watch::PhaseGone) if !phase_noted => {
                        phase_noted = true;
                        self.tell(ControlEvent::PhaseGone);
                    }
                    Some(Watch::PhaseGone | Watch::Quiet) | None => {}
                },
                _ = looks.tick(), if watching => {
                    match self.look_around().await {
                        Ok(Some(ending)) => {
                            watching = false;
                            self.tell(ControlEvent::Endangered(ending));
                        }
                        Ok(None) => {}
                        Err(error) => tracing::debug!(%error, "nobody knows what is around the run"),
                    }
                }
            }
        }
    }

    async fn connect(&mut self) -> Option<Connection> {
        if self.connection.is_none() {
            match self.target.connect(&self.options).await {
                Ok(connection) => self.connection = Some(connection),
                Err(failure) => tracing::debug!(%failure, "no control connection"),
            }
        }
        self.connection.clone()
    }

    async fn watch(&mut self) -> Option<Watch> {
        let mut connection = self.connect().await?;
        match coordination::watch_stop(&mut connection, &self.seat).await {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::debug!(%error, "the control connection failed");
                self.connection = None;
                None
            }
        }
    }

    async fn look_around(&mut self) -> RedisResult<Option<Ending>> {
        let mut connection = self.connect().await.ok_or_else(no_connection)?;
        let seen = surroundings::look(&mut connection, &self.seat, &mut self.evictions).await;
        if seen.is_err() {
            self.connection = None;
        }
        seen
    }

    /// What is wrong around a run whose load is over: nobody else would see what happened since the
    /// last looks. The phase is there until the last dyno has left.
    async fn last_look(&mut self, run_id: Option<&str>) -> RedisResult<Option<Ending>> {
        if let Some(ending) = self.look_around().await? {
            return Ok(Some(ending));
        }
        match self.watch().await.ok_or_else(no_connection)? {
            Watch::Quiet | Watch::Stopped(_) => Ok(None),
            Watch::PhaseGone => Ok(match self.identify(run_id).await {
                Identity::Stopped(_) => None,
                Identity::Lost(detail) => Some(Ending::TargetLost { detail }),
                Identity::Changed(detail) => Some(Ending::TargetChanged { detail }),
            }),
        }
    }

    /// Which server answers, and whether the phase is there for this connection.
    async fn identify(&mut self, run_id: Option<&str>) -> Identity {
        let asking = async {
            loop {
                if let Some(identity) = self.ask_for_identity(run_id).await {
                    return identity;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking)
            .await
            .unwrap_or_else(|_| {
                Identity::Lost(format!(
                    "the run's phase was gone, and the control connection did not come back within {} s",
                    PATIENCE.as_secs()
                ))
            })
    }

    async fn ask_for_identity(&mut self, run_id: Option<&str>) -> Option<Identity> {
        let mut connection = self.connect().await?;
        let info = match Info::read(&mut connection).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "the control connection failed");
                self.connection = None;
                return None;
            }
        };
        if let Some(detail) = hold::restarted(run_id, info.run_id.as_deref()) {
            return Some(Identity::Lost(detail));
        }
        Some(match self.watch().await? {
            Watch::Stopped(reason) => Identity::Stopped(reason),
            Watch::Quiet => Identity::Changed(
                "a worker's new connection led to a Redis that knows nothing of this run, while the control connection's still does: something between them leads to several servers".to_owned(),
            ),
            Watch::PhaseGone => Identity::Changed(match info.evicted_keys {
                Some(evicted @ 1..) => format!(
                    "the run's phase is gone from the target, which has evicted {evicted} keys since its start"
                ),
                Some(0) | None => {
                    "the run's phase is gone from the target: somebody flushed it, or removed the run's keys".to_owned()
                }
            }),
        })
    }

    /// Writes are tried twice: the first may be what finds the connection broken.
    async fn stop(&mut self, reason: &str) {
        for last in [false, true] {
            let done = match self.connect().await {
                Some(mut connection) => {
                    coordination::set_stop(&mut connection, &self.seat, reason).await
                }
                None => Err(no_connection()),
            };
            let Err(error) = done else {
                return;
            };
            self.connection = None;
            if last {
                tracing::warn!(%error, "the others could not be told to stop");
                self.tell(ControlEvent::WriteFailed);
            }
        }
    }

    async fn leave(&mut self) -> RedisResult<Leave> {
        for _ in 0..2 {
            if let Some(mut connection) = self.connect().await {
                match coordination::leave(&mut connection, &self.seat).await {
                    Ok(left) => return Ok(left),
                    Err(error) => tracing::debug!(%error, "the control connection failed"),
                }
                self.connection = None;
            }
        }
        Err(no_connection())
    }

    fn tell(&self, event: ControlEvent) {
        if self.events.send(event).is_err() {
            tracing::debug!("the dyno is gone");
        }
    }
}

fn no_connection() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::NotConnected).into()
}
