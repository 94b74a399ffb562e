//! The load threads: threads and runtimes of their own, so that nothing else delays an arrival.
//!
//! Each gets its workers ready, waits for the common start, and then drives its [`Engine`] with the
//! clock: the pacer hands over what is due, one task per worker talks to the target. All of it
//! shares the engine without a lock, for all of it runs on this one thread, and no thread needs
//! anything of another. What was recorded leaves the thread whole, once a second, when the control
//! thread sends an empty [`Interval`] to take its place.
//!
//! [`Engine`]: redyno_engine::Engine

mod application;
mod busy;
mod clock;
mod load;
mod pacer;
mod probe;
mod ready;
mod shared;
mod threads;
mod timer;
mod worker;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan};
use redyno_contract::report::{Ending, Times};
use redyno_target::{ByteCounters, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::LocalSet;

use redyno_engine::{EngineSettings, Interval, Moment, Share, ShareSnapshot};

pub(crate) use busy::{ThreadTime, busiest};
pub(crate) use load::{Load, LoadEvent, Sample};
pub(crate) use threads::load_threads;

/// What a load thread has to know.
#[derive(Clone, Debug)]
pub(crate) struct ShardSettings {
    /// The plan.
    pub(crate) plan: Arc<Plan>,
    /// The plan of this dyno's type.
    pub(crate) dynos: DynoTypePlan,
    /// Which dyno this is.
    pub(crate) dyno: DynoName,
    /// Which of the dyno's workers are this thread's.
    pub(crate) share: Share,
    /// Where the load goes.
    pub(crate) target: Target,
    /// Counts its workers' bytes.
    pub(crate) bytes: Arc<ByteCounters>,
}

/// The engines' settings for the dyno.
fn engine_settings(settings: &ShardSettings) -> EngineSettings {
    EngineSettings::of(&settings.plan, &settings.dynos, &settings.dyno)
}

/// What a load thread is told.
#[derive(Debug)]
enum ShardCommand {
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
    End {
        /// Why.
        ending: Ending,
        /// Since when; since now if None.
        at: Option<Moment>,
    },
    /// No thread has anything left to wait for: close the books of a run that ended so.
    Close {
        /// Why it ended.
        ending: Ending,
        /// When.
        at: Moment,
    },
}

/// What a load thread tells.
#[derive(Debug)]
enum ShardEvent {
    /// Workers are still without connection, for this reason; they go on trying.
    NotReady {
        /// How many.
        workers: u32,
        /// Why the last one failed.
        detail: String,
    },
    /// All workers are connected, their buildings are filled.
    Ready,
    /// The load thread was there for S, at this instant.
    Started {
        /// By the monotonic clock.
        at: Instant,
    },
    /// A limit was broken by connection errors alone.
    Held {
        /// How the run ends if the target is there.
        ending: Ending,
        /// When.
        since: Moment,
    },
    /// No more arrivals.
    Ended {
        /// Why.
        ending: Ending,
        /// Since when.
        at: Moment,
    },
    /// The answer to [`ShardCommand::Sample`].
    Sample(Box<ShardSample>),
    /// Nothing is left to wait for.
    Drained,
    /// The answer to [`ShardCommand::Close`]: the final numbers. The last event of a run that
    /// started.
    Closed(Box<ShardSample>),
    /// A mistake of ours, or of the machine. The last event.
    Broken(String),
}

/// One load thread's numbers of one moment.
#[derive(Debug)]
struct ShardSample {
    /// Counts since S.
    snapshot: ShareSnapshot,
    /// How late a 10 ms timer of the load thread was, in the measured window.
    loop_lag: Times,
    /// What the thread has spent since S.
    thread: ThreadTime,
    /// What was recorded since the last sample.
    interval: Box<Interval>,
}

/// A load thread, seen from the control thread. Dropping it ends the thread.
#[derive(Debug)]
struct Shard {
    commands: UnboundedSender<ShardCommand>,
    events: UnboundedReceiver<ShardEvent>,
    thread: JoinHandle<()>,
}

impl Shard {
    /// Starts the thread, which at once begins to get its workers ready.
    ///
    /// # Errors
    /// The system has no thread left.
    fn spawn(settings: ShardSettings) -> io::Result<Self> {
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
    fn tell(&self, command: ShardCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the load thread is gone");
        }
    }

    /// What it tells next.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<ShardEvent> {
        self.events.poll_recv(context).map(|event| {
            event.unwrap_or_else(|| {
                ShardEvent::Broken("a load thread ended without a word".to_owned())
            })
        })
    }

    /// Ends the thread and waits for it, so that its connections are closed.
    fn join(self) {
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
                    Some(ShardCommand::Sample { .. }) => {}
                    Some(ShardCommand::End { .. } | ShardCommand::Close { .. }) | None => break None,
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
