//! The load threads: threads and runtimes of their own, so that nothing else delays an arrival.
//!
//! Each gets its workers ready, waits for the common start, and then drives its [`Engine`] with the
//! clock: the pacer hands over what is due, one task per worker talks to the target. All of it
//! shares the engine without a lock, for all of it runs on this one thread, and no thread needs
//! anything of another. What was recorded leaves the thread whole, once a second, when the control
//! thread sends an empty [`Interval`] to take its place.
//!
//! [`Engine`]: redyno_engine::Engine

pub(crate) mod application;
pub(crate) mod attention;
pub(crate) mod busy;
mod clock;
mod filling;
mod load;
mod pacer;
mod phase;
mod probe;
mod ready;
mod refusal;
mod shared;
mod threads;
mod timer;
mod worker;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan};
use redyno_target::{ByteCounters, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use redyno_engine::{Disturbances, Engine, EngineSettings, Share, ThreadCommand, ThreadEvent};

use crate::machine::{LoadThread, Machine};
use clock::Clock;
use shared::Shared;

pub(crate) use filling::Filling;
pub(crate) use load::Load;
pub(crate) use phase::PhaseQuestion;
pub(crate) use refusal::FinalRefusal;
pub(crate) use threads::load_threads;
pub use timer::SystemTimer;

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
    /// Whether that is still the Redis that the preflight saw.
    pub(crate) phase: Arc<PhaseQuestion>,
    /// Where a worker tells that it will never get ready.
    pub(crate) refusal: Arc<FinalRefusal>,
    /// How far its workers are with what has to be there before the start.
    pub(crate) filling: Arc<Filling>,
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
    thread: Box<dyn LoadThread>,
}

impl Shard {
    /// Starts the thread, which at once begins to get its workers ready.
    ///
    /// # Errors
    /// The system has no thread left.
    fn spawn(
        settings: ShardSettings,
        disturbances: Disturbances,
        machine: &impl Machine,
    ) -> io::Result<Self> {
        let (commands, received) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::unbounded_channel();
        let (its_machine, told) = (machine.clone(), sender.clone());
        let thread = machine.start(
            move || live(settings, disturbances, received, sender, its_machine),
            move |error| tell(&told, ThreadEvent::Broken(error.to_string())),
        )?;
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
    thread: Box<dyn LoadThread>,
}

impl Dismissed {
    /// Waits until it has ended, so that its connections are closed.
    async fn join(mut self) {
        // It holds the other end of the channel to its last moment.
        while self.events.recv().await.is_some() {}
        if !self.thread.join() {
            tracing::error!("the load thread panicked");
        }
    }
}

async fn live(
    settings: ShardSettings,
    disturbances: Disturbances,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: UnboundedSender<ThreadEvent>,
    machine: impl Machine,
) -> io::Result<()> {
    let start = {
        let getting_ready = ready::all_workers(&settings, &events);
        tokio::pin!(getting_ready);
        let mut workers = None;
        loop {
            // Commands first: there are few of them, so they keep no worker from getting ready.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(ShardCommand::Start { at }) => break workers.take().map(|ready| (at, ready)),
                    Some(ShardCommand::Load(ThreadCommand::Sample { .. })) => {}
                    Some(ShardCommand::Load(
                        ThreadCommand::End { .. } | ThreadCommand::Close { .. },
                    ))
                    | None => break None,
                },
                ready = &mut getting_ready, if workers.is_none() => {
                    workers = Some(ready);
                    tell(&events, ThreadEvent::Ready);
                }
            }
        }
    };
    match start {
        Some((at, workers)) => {
            let engine = Engine::new(engine_settings(&settings), settings.share, &disturbances);
            let clock = Clock::from(at);
            let shared = Shared::new(engine, clock, settings.dynos.workers, machine.attention());
            pacer::run(
                &settings,
                workers,
                Rc::new(shared),
                commands,
                &events,
                machine,
            )
            .await
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
