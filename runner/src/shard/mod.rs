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
use redyno_target::{ByteCounters, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::LocalSet;

use redyno_engine::{EngineSettings, Share, ThreadCommand, ThreadEvent};

pub(crate) use load::Load;
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
    /// Once it is.
    Load(ThreadCommand),
}

/// A load thread, seen from the control thread. Dropping it ends the thread.
#[derive(Debug)]
struct Shard {
    commands: UnboundedSender<ShardCommand>,
    events: UnboundedReceiver<ThreadEvent>,
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
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<ThreadEvent> {
        self.events.poll_recv(context).map(|event| {
            event.unwrap_or_else(|| {
                ThreadEvent::Broken("a load thread ended without a word".to_owned())
            })
        })
    }

    /// Tells the thread that nobody needs it any more.
    fn dismiss(self) -> Dismissed {
        let Self {
            commands,
            events,
            thread,
        } = self;
        drop(commands);
        Dismissed { events, thread }
    }
}

/// A load thread that was told to end.
struct Dismissed {
    events: UnboundedReceiver<ThreadEvent>,
    thread: JoinHandle<()>,
}

impl Dismissed {
    /// Waits until it has ended, so that its connections are closed.
    async fn join(mut self) {
        // It holds the other end of the channel to its last moment.
        while self.events.recv().await.is_some() {}
        if self.thread.join().is_err() {
            tracing::error!("the load thread panicked");
        }
    }
}

fn run(
    settings: &ShardSettings,
    commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ThreadEvent>,
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
        tell(events, ThreadEvent::Broken(error.to_string()));
    }
}

async fn live(
    settings: &ShardSettings,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ThreadEvent>,
) -> io::Result<()> {
    let start = {
        let getting_ready = ready::all_workers(settings, events);
        tokio::pin!(getting_ready);
        let mut workers = None;
        loop {
            tokio::select! {
                ready = &mut getting_ready, if workers.is_none() => {
                    workers = Some(ready);
                    tell(events, ThreadEvent::Ready);
                }
                command = commands.recv() => match command {
                    Some(ShardCommand::Start { at }) => break workers.take().map(|ready| (at, ready)),
                    Some(ShardCommand::Load(ThreadCommand::Sample { .. })) => {}
                    Some(ShardCommand::Load(
                        ThreadCommand::End { .. } | ThreadCommand::Close { .. },
                    ))
                    | None => break None,
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
fn tell(events: &UnboundedSender<ThreadEvent>, event: ThreadEvent) {
    if events.send(event).is_err() {
        tracing::debug!("the control thread is gone");
    }
}
