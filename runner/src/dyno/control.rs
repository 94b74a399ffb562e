//! The control connection while the load runs: hears of a stop, tells of one, and leaves.
//!
//! A task of its own, so that a target that answers late delays nothing else.

use std::time::Duration;

use redis::RedisResult;
use redyno_target::coordination::{self, Leave, Seat, Watch};
use redyno_target::{ConnectOptions, Connection, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

const POLL: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the control connection is told.
#[derive(Debug)]
enum Command {
    Stop(String),
    Leave(oneshot::Sender<RedisResult<Leave>>),
}

/// What it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ControlEvent {
    /// The run is to end: by whom and why.
    Stopped(String),
    /// A coordination write failed.
    WriteFailed,
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
    pub(super) fn new(connection: Connection, target: Target, seat: Seat, name: String) -> Self {
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
                counters: None,
            },
            events: sender,
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

    /// Leaves the run; false if that failed or took too long.
    pub(super) async fn leave(&self, at_most: Duration) -> bool {
        let (sender, answer) = oneshot::channel();
        self.tell(Command::Leave(sender));
        match tokio::time::timeout(at_most, answer).await {
            Ok(Ok(Ok(left))) => {
                tracing::debug!(?left, "left the run");
                true
            }
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "could not leave the run");
                false
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("could not leave the run in time");
                false
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
}

impl Line {
    async fn live(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watching = true;
        let mut phase_noted = false;
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Stop(reason)) => self.stop(&reason).await,
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
                        tracing::warn!("the run's phase is gone: evicted, flushed, or another Redis");
                    }
                    Some(Watch::PhaseGone | Watch::Quiet) | None => {}
                },
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
