//! Handing over what is due, and everything else that happens by the clock.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Instant;

use redyno_contract::report::Times;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::ready::{self, ReadyWorker};
use super::timer::Timer;
use super::{Sample, ShardCommand, ShardEvent, ShardSettings, probe, tell, worker};
use crate::engine::{Arrival, Engine, Interval, Moment, Stage};

/// Above this many tasks per second, due times are served on a grid: a wake-up for every single
/// one would cost more than the tasks.
const FINE_RATE: f64 = 2000.0;
const GRID_NANOSECONDS: u64 = 100_000;

/// What all parts of the load thread share.
pub(super) struct Shared {
    /// The state machine. Borrowed only between two awaits.
    pub(super) engine: RefCell<Engine>,
    /// Its clock.
    pub(super) clock: Clock,
    /// One for every worker: a task is in its hands.
    pub(super) wakes: Vec<Notify>,
    /// The pacer has to look at the engine before its next due time.
    pub(super) changed: Notify,
    /// How late the probe's timer was.
    pub(super) loop_lag: Cell<Times>,
}

/// Runs the load from S until nothing is left to wait for.
pub(super) async fn run(
    settings: &ShardSettings,
    workers: Vec<ReadyWorker>,
    clock: Clock,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ShardEvent>,
) -> io::Result<()> {
    let timer = Timer::new()?;
    let shared = Rc::new(Shared {
        engine: RefCell::new(Engine::new(ready::engine_settings(settings))),
        clock,
        wakes: workers.iter().map(|_| Notify::new()).collect(),
        changed: Notify::new(),
        loop_lag: Cell::default(),
    });
    let mut tasks = JoinSet::new();
    for ready in workers {
        tasks.spawn_local(worker::run(settings.clone(), ready, Rc::clone(&shared)));
    }
    tasks.spawn_local(probe::run(settings.clone(), Rc::clone(&shared)));
    let grid = settings.dynos.rate.tasks_per_second() > FINE_RATE;
    let mut told = Told::Nothing;
    loop {
        let at = Instant::now();
        let now = clock.moment(at);
        // Until S has come, the only thing that can happen is an end.
        let started = at >= clock.instant(Moment::default());
        if started && told == Told::Nothing {
            told = Told::Started;
            tell(events, ShardEvent::Started { at });
        }
        let (done, next) = {
            let mut engine = shared.engine.borrow_mut();
            if started {
                hand_over(&mut engine, &shared.wakes, now);
            }
            let next = engine.next_event();
            (
                engine.advance(now),
                if started {
                    next
                } else {
                    Some(Moment::default())
                },
            )
        };
        told.catch_up(&shared, now, events);
        if done {
            let sample = close(&shared, now);
            tasks.shutdown().await;
            tell(events, ShardEvent::Closed(Box::new(sample)));
            return Ok(());
        }
        let next = next.map(|moment| clock.instant(on_grid(moment, grid)));
        tokio::select! {
            result = wait(&timer, next) => result?,
            command = commands.recv() => match command {
                Some(command) => obey(&shared, command, events),
                // Nobody is left to report to.
                None => return Ok(()),
            },
            () = shared.changed.notified() => {}
        }
    }
}

fn hand_over(engine: &mut Engine, wakes: &[Notify], now: Moment) {
    while let Some(arrival) = engine.arrive(now) {
        if let Arrival::Wake(worker) = arrival {
            wakes[worker as usize].notify_one();
        }
    }
}

async fn wait(timer: &Timer, until: Option<Instant>) -> io::Result<()> {
    match until {
        Some(instant) => timer.wait_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Rounded up, so that nothing is handed over before it is due.
const fn on_grid(moment: Moment, grid: bool) -> Moment {
    if grid {
        let nanoseconds = moment.nanoseconds();
        Moment::from_nanoseconds(nanoseconds.div_ceil(GRID_NANOSECONDS) * GRID_NANOSECONDS)
    } else {
        moment
    }
}

fn obey(shared: &Shared, command: ShardCommand, events: &UnboundedSender<ShardEvent>) {
    let now = shared.clock.now();
    match command {
        // S is known already.
        ShardCommand::Start { .. } => {}
        ShardCommand::Sample { fresh } => {
            let sample = sample(shared, now, fresh);
            tell(events, ShardEvent::Sample(Box::new(sample)));
        }
        ShardCommand::End(ending) => shared.engine.borrow_mut().end(ending, now),
        ShardCommand::Resolve { target_lost } => {
            shared.engine.borrow_mut().resolve(target_lost, now);
        }
    }
}

fn sample(shared: &Shared, now: Moment, fresh: Box<Interval>) -> Sample {
    let mut engine = shared.engine.borrow_mut();
    Sample {
        snapshot: engine.snapshot(now),
        loop_lag: shared.loop_lag.get(),
        interval: engine.take_interval(fresh),
    }
}

fn close(shared: &Shared, now: Moment) -> Sample {
    let mut engine = shared.engine.borrow_mut();
    Sample {
        snapshot: engine.close(now),
        loop_lag: shared.loop_lag.get(),
        interval: {
            let fresh = Interval::new(engine.steps());
            engine.take_interval(Box::new(fresh))
        },
    }
}

/// What the control thread was told of the engine's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Started,
    Held,
    Ended,
}

impl Told {
    fn catch_up(&mut self, shared: &Shared, now: Moment, events: &UnboundedSender<ShardEvent>) {
        let stage = match shared.engine.borrow().stage() {
            Stage::Running => return,
            Stage::Held { .. } => Self::Held,
            Stage::Draining { .. } => Self::Ended,
        };
        if stage == *self {
            return;
        }
        *self = stage;
        match stage {
            Self::Nothing | Self::Started => {}
            Self::Held => tell(events, ShardEvent::Held),
            Self::Ended => {
                let fresh = Interval::new(shared.engine.borrow().steps());
                let sample = sample(shared, now, Box::new(fresh));
                tell(events, ShardEvent::Ended(Box::new(sample)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_only_ever_delays() {
        for (moment, fine, coarse) in [
            (0, 0, 0),
            (1, 1, 100_000),
            (100_000, 100_000, 100_000),
            (250_001, 250_001, 300_000),
        ] {
            let moment = Moment::from_nanoseconds(moment);
            assert_eq!(on_grid(moment, false).nanoseconds(), fine);
            assert_eq!(on_grid(moment, true).nanoseconds(), coarse);
        }
    }
}
