//! The load thread: a thread and a runtime of its own, so that nothing else delays an arrival.
//!
//! It gets its workers ready, waits for the common start, and then drives the [`Engine`] with the
//! clock: the pacer hands over what is due, one task per worker talks to the target. All of it
//! shares the engine without a lock, for all of it runs on this one thread. What was recorded
//! leaves the thread whole, once a second, when the control thread sends an empty [`Interval`]
//! to take its place.
//!
//! [`Engine`]: crate::engine::Engine

mod application;
mod clock;
mod pacer;
mod probe;
mod ready;
mod timer;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan};
use redyno_contract::report::{Ending, Times};
use redyno_target::{ByteCounters, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::LocalSet;

use crate::engine::{Interval, Snapshot};

/// What the load thread has to know.
#[derive(Clone, Debug)]
pub(crate) struct ShardSettings {
    /// The plan.
    pub(crate) plan: Arc<Plan>,
    /// The plan of this dyno's type.
    pub(crate) dynos: DynoTypePlan,
    /// Which dyno this is.
    pub(crate) dyno: DynoName,
    /// Where the load goes.
    pub(crate) target: Target,
    /// Counts the workers' bytes.
    pub(crate) bytes: Arc<ByteCounters>,
}

/// What the load thread is told.
#[derive(Debug)]
pub(crate) enum ShardCommand {
    /// The common start is known.
    Start {
        /// S, which may lie ahead.
        at: Instant,
    },
    /// Hand over what was recorded, and go on with this empty interval.
    Sample {
        /// Takes the place of what was recorded.
        fresh: Box<Interval>,
    },
    /// The run is over for this reason.
    End(Ending),
    /// Ends a hold: whether the target is lost, and how that was seen.
    Resolve {
        /// None if it is there.
        target_lost: Option<String>,
    },
}

/// What the load thread tells.
#[derive(Debug)]
pub(crate) enum ShardEvent {
    /// Workers are still without connection, for this reason; they go on trying.
    NotReady {
        /// How many.
        workers: u32,
        /// Of how many.
        of: u32,
        /// Why the last one failed.
        detail: String,
    },
    /// All workers are connected, their buildings are filled.
    Ready,
    /// The load thread was there for S, at this instant: the dyno's true start.
    Started {
        /// By the monotonic clock.
        at: Instant,
    },
    /// A limit was broken by connection errors alone.
    Held,
    /// No more arrivals; the numbers of that moment.
    Ended(Box<Sample>),
    /// The answer to [`ShardCommand::Sample`].
    Sample(Box<Sample>),
    /// Nothing is left to wait for: the final numbers. The last event of a run that started.
    Closed(Box<Sample>),
    /// A mistake of ours, or of the machine. The last event.
    Broken(String),
}

/// The numbers of one moment.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Counts since S.
    pub(crate) snapshot: Snapshot,
    /// How late a 10 ms timer of the load thread was, in the measured window.
    pub(crate) loop_lag: Times,
    /// What was recorded since the last sample.
    pub(crate) interval: Box<Interval>,
}

/// The load thread, seen from the control thread. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Shard {
    commands: UnboundedSender<ShardCommand>,
    events: UnboundedReceiver<ShardEvent>,
    thread: JoinHandle<()>,
}

impl Shard {
    /// Starts the thread, which at once begins to get its workers ready.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn spawn(settings: ShardSettings) -> io::Result<Self> {
        let (commands, received) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || run(&settings, received, &sender))?;
        Ok(Self {
            commands,
            events,
            thread,
        })
    }

    /// Tells the thread something; nothing happens if it is gone, which its events tell.
    pub(crate) fn tell(&self, command: ShardCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the load thread is gone");
        }
    }

    /// What it tells next.
    pub(crate) async fn event(&mut self) -> ShardEvent {
        self.events.recv().await.unwrap_or_else(|| {
            ShardEvent::Broken("the load thread ended without a word".to_owned())
        })
    }

    /// Ends the thread and waits for it, so that its connections are closed.
    pub(crate) fn join(self) {
        let Self {
            commands,
            events,
            thread,
        } = self;
        drop(commands);
        drop(events);
        if thread.join().is_err() {
            tracing::error!("the load thread panicked");
        }
    }
}

fn run(
    settings: &ShardSettings,
    commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ShardEvent>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = LocalSet::new().block_on(&runtime, live(settings, commands, events));
            // Without waiting for a name that does not resolve.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tell(events, ShardEvent::Broken(error.to_string()));
    }
}

async fn live(
    settings: &ShardSettings,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ShardEvent>,
) -> io::Result<()> {
    let start = {
        let getting_ready = ready::all_workers(settings, events);
        tokio::pin!(getting_ready);
        let mut workers = None;
        loop {
            tokio::select! {
                ready = &mut getting_ready, if workers.is_none() => {
                    workers = Some(ready);
                    tell(events, ShardEvent::Ready);
                }
                command = commands.recv() => match command {
                    Some(ShardCommand::Start { at }) => break workers.take().map(|ready| (at, ready)),
                    Some(ShardCommand::Sample { .. } | ShardCommand::Resolve { .. }) => {}
                    Some(ShardCommand::End(_)) | None => break None,
                },
            }
        }
    };
    match start {
        Some((at, workers)) => {
            pacer::run(settings, workers, clock::Clock::from(at), commands, events).await
        }
        None => Ok(()),
    }
}

/// The control thread may be gone; then nobody needs to know.
fn tell(events: &UnboundedSender<ShardEvent>, event: ShardEvent) {
    if events.send(event).is_err() {
        tracing::debug!("the control thread is gone");
    }
}
