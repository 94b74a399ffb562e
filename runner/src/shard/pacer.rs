//! Handing over what is due, and everything else that happens by the clock.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use redyno_contract::report::Ending;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::busy::ThreadTime;
use super::clock::Clock;
use super::ready::ReadyWorker;
use super::shared::Shared;
use super::timer::Timer;
use super::{
    ShardCommand, ShardEvent, ShardSample, ShardSettings, engine_settings, probe, tell, worker,
};
use redyno_engine::{Engine, Interval, Moment, ShareSnapshot, Stage};

/// Above so many tasks per second, due times are served on a grid of so many nanoseconds: a
/// wake-up for every single one would cost more than the tasks.
const GRIDS: [(f64, u64); 2] = [(20_000.0, 200_000), (2000.0, 100_000)];

/// Where there is a grid, and as long as no worker is idle, due times are served on this one, in
/// nanoseconds: what falls due can only join a queue, and whoever ends a task sees to that first.
const GRID_WHILE_ALL_ARE_BUSY: u64 = 1_000_000;

/// Runs the load from S until nothing is left to wait for.
pub(super) async fn run(
    settings: &ShardSettings,
    workers: Vec<ReadyWorker>,
    clock: Clock,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ShardEvent>,
) -> io::Result<()> {
    let timer = Timer::new()?;
    let engine = Engine::new(engine_settings(settings), settings.share);
    let grid = grid(settings.dynos.rate.tasks_per_second() / settings.share.threads());
    let shared = Rc::new(Shared::new(engine, clock, settings.dynos.workers));
    let mut tasks = JoinSet::new();
    for ready in workers {
        tasks.spawn_local(worker::run(settings.clone(), ready, Rc::clone(&shared)));
    }
    tasks.spawn_local(probe::run(settings.clone(), Rc::clone(&shared)));
    let mut told = Told::Nothing;
    loop {
        let at = Instant::now();
        let now = clock.moment(at);
        // Until S has come, the only thing that can happen is an end.
        let started = at >= clock.instant(Moment::default());
        if started && told == Told::Nothing {
            told = Told::Started;
            shared.spent_before.set(ThreadTime::of_this_thread());
            tell(events, ShardEvent::Started { at });
        }
        let (drained, next) = {
            let mut engine = shared.engine.borrow_mut();
            if started {
                shared.hand_over(&mut engine, now);
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
        told.catch_up(shared.engine.borrow().stage(), drained, events);
        let grid = if grid > NO_GRID && shared.relies_on_all_being_busy() {
            GRID_WHILE_ALL_ARE_BUSY
        } else {
            grid
        };
        let next = next
            .filter(|_| told != Told::Drained)
            .map(|moment| clock.instant(on_grid(moment, grid)));
        tokio::select! {
            result = wait(&timer, next) => result?,
            command = commands.recv() => match command {
                Some(ShardCommand::Close { ending, at }) => {
                    let sample = close(&shared, ending, at);
                    tasks.shutdown().await;
                    tell(events, ShardEvent::Closed(Box::new(sample)));
                    return Ok(());
                }
                Some(command) => obey(&shared, command, events),
                // Nobody is left to report to.
                None => return Ok(()),
            },
            () = shared.changed() => {}
        }
    }
}

async fn wait(timer: &Timer, until: Option<Instant>) -> io::Result<()> {
    match until {
        Some(instant) => timer.wait_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Due times are served one by one.
const NO_GRID: u64 = 1;

/// The grid of a thread that hands over so many tasks per second.
fn grid(tasks_per_second: f64) -> u64 {
    GRIDS
        .into_iter()
        .find(|(rate, _)| tasks_per_second > *rate)
        .map_or(NO_GRID, |(_, nanoseconds)| nanoseconds)
}

/// Rounded up, so that nothing is handed over before it is due.
const fn on_grid(moment: Moment, grid: u64) -> Moment {
    Moment::from_nanoseconds(moment.nanoseconds().div_ceil(grid).saturating_mul(grid))
}

fn obey(shared: &Shared, command: ShardCommand, events: &UnboundedSender<ShardEvent>) {
    let now = shared.clock.now();
    match command {
        // S is known already, and who closes the books does nothing else any more.
        ShardCommand::Start { .. } | ShardCommand::Close { .. } => {}
        ShardCommand::Sample { fresh } => {
            let snapshot = shared.engine.borrow().snapshot(now);
            let sample = sample(shared, snapshot, fresh);
            tell(events, ShardEvent::Sample(Box::new(sample)));
        }
        ShardCommand::End { ending, at } => shared.engine.borrow_mut().end(ending, at, now),
    }
}

fn close(shared: &Shared, ending: Ending, at: Moment) -> ShardSample {
    let snapshot = shared
        .engine
        .borrow_mut()
        .close(ending, at, shared.clock.now());
    sample(shared, snapshot, Box::new(Interval::new(0)))
}

fn sample(shared: &Shared, snapshot: ShareSnapshot, fresh: Box<Interval>) -> ShardSample {
    ShardSample {
        snapshot,
        loop_lag: shared.loop_lag.get(),
        thread: ThreadTime::of_this_thread().since(shared.spent_before.get()),
        interval: shared.engine.borrow_mut().take_interval(fresh),
    }
}

/// What the control thread was told of the engine's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Started,
    Held,
    Ended,
    Drained,
}

impl Told {
    fn catch_up(&mut self, stage: &Stage, drained: bool, events: &UnboundedSender<ShardEvent>) {
        match (stage, &self) {
            (Stage::Held { since, ending }, Self::Nothing | Self::Started) => {
                *self = Self::Held;
                let (ending, since) = (ending.clone(), *since);
                tell(events, ShardEvent::Held { ending, since });
            }
            (Stage::Draining { ending, at, .. }, Self::Nothing | Self::Started | Self::Held) => {
                *self = Self::Ended;
                let (ending, at) = (ending.clone(), *at);
                tell(events, ShardEvent::Ended { ending, at });
            }
            (Stage::Running | Stage::Held { .. } | Stage::Draining { .. }, _) => {}
        }
        if drained && *self == Self::Ended {
            *self = Self::Drained;
            tell(events, ShardEvent::Drained);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_only_ever_delays() {
        for (moment, none, fine, coarse) in [
            (0, 0, 0, 0),
            (1, 1, 100_000, 200_000),
            (100_000, 100_000, 100_000, 200_000),
            (250_001, 250_001, 300_000, 400_000),
        ] {
            let moment = Moment::from_nanoseconds(moment);
            for (grid, expected) in [(1, none), (100_000, fine), (200_000, coarse)] {
                assert_eq!(on_grid(moment, grid).nanoseconds(), expected);
            }
        }
    }

    #[test]
    fn the_faster_the_coarser() {
        for (rate, nanoseconds) in [
            (0.0, 1),
            (2000.0, 1),
            (2000.5, 100_000),
            (20_000.0, 100_000),
            (20_001.0, 200_000),
        ] {
            assert_eq!(grid(rate), nanoseconds, "{rate}");
        }
    }
}
