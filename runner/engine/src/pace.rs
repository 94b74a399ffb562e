//! Handing over what is due, and everything else that a load thread does by the clock: one turn of
//! its loop at a time.
//!
//! Whoever drives it looks at the clock, makes a [`Pace::turn`], passes on what came of it, and
//! waits until the moment that the turn names, until a command comes, or until the engine needs
//! attention. It may come back sooner or later than that: every turn does all that is due.

use crate::thread::{ThreadCommand, ThreadEvent, ThreadSample, ThreadVitals};
use crate::{Arrival, Engine, Interval, Moment, Stage};

/// Above so many tasks per second, due times are served on a grid of so many nanoseconds: a
/// wake-up for every single one would cost more than the tasks.
const GRIDS: [(f64, u64); 2] = [(20_000.0, 200_000), (2000.0, 100_000)];

/// Where there is a grid, and as long as no worker is idle, due times are served on this one, in
/// nanoseconds: what falls due can only join a queue, and whoever ends a task sees to that first.
const GRID_WHILE_ALL_ARE_BUSY: u64 = 1_000_000;

/// Due times are served one by one.
const NO_GRID: u64 = 1;

/// What a load thread's loop knows beside its engine.
#[derive(Debug)]
pub struct Pace {
    grid: u64,
    /// S has come.
    started: bool,
    told: Told,
}

/// What came of a turn.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    /// What the control thread is to be told, in this order.
    pub events: Vec<ThreadEvent>,
    /// When the next turn has something to do by the clock alone; None if only a command or a
    /// worker can bring more.
    pub next: Option<Moment>,
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

impl Pace {
    /// Of a load thread that hands over so many tasks per second.
    pub fn new(tasks_per_second: f64) -> Self {
        Self {
            grid: grid(tasks_per_second),
            started: false,
            told: Told::Nothing,
        }
    }

    /// Whether it makes a difference for [`Pace::turn`] if all workers are busy.
    pub const fn serves_on_a_grid(&self) -> bool {
        self.grid > NO_GRID
    }

    /// Whether there was a turn since S.
    pub const fn has_started(&self) -> bool {
        self.started
    }

    /// Does everything that is due at `now`, which is None while S lies ahead: until then, the only
    /// thing that can happen is an end. `all_are_busy` says that no worker waits for a task, and
    /// that there will be another turn at once when one does. `wake` is called with every worker
    /// that has to begin with a task.
    pub fn turn(
        &mut self,
        engine: &mut Engine,
        now: Option<Moment>,
        all_are_busy: bool,
        wake: impl FnMut(u32),
    ) -> Turn {
        let mut events = Vec::new();
        if let Some(now) = now {
            self.started = true;
            if self.told == Told::Nothing {
                self.told = Told::Started;
                events.push(ThreadEvent::Started { at: now });
            }
            engine.hand_over(now, wake);
        }
        let drained = engine.advance(now.unwrap_or_default());
        self.told.catch_up(engine.stage(), drained, &mut events);
        let next = match now {
            _ if self.told == Told::Drained => None,
            None => Some(Moment::default()),
            Some(_) => engine.next_event(),
        };
        let grid = if self.serves_on_a_grid() && all_are_busy {
            GRID_WHILE_ALL_ARE_BUSY
        } else {
            self.grid
        };
        Turn {
            events,
            next: next.map(|moment| on_grid(moment, grid)),
        }
    }

    /// Does what the control thread says, in or right after a turn at the same moment: what was due
    /// before a command is handed over before it. The answer, if there is one; after
    /// [`ThreadEvent::Closed`] there must be no more turns.
    pub fn obey(
        &self,
        engine: &mut Engine,
        command: ThreadCommand,
        now: Moment,
        vitals: ThreadVitals,
    ) -> Option<ThreadEvent> {
        match command {
            ThreadCommand::Sample { fresh } => Some(ThreadEvent::Sample(Box::new(ThreadSample {
                snapshot: engine.snapshot(now),
                vitals,
                interval: engine.take_interval(fresh),
            }))),
            ThreadCommand::End { ending, at } => {
                engine.end(ending, at, now);
                None
            }
            ThreadCommand::Close { ending, at } => {
                Some(ThreadEvent::Closed(Box::new(ThreadSample {
                    snapshot: engine.close(ending, at, now),
                    vitals,
                    interval: engine.take_interval(Box::new(Interval::new(0))),
                })))
            }
        }
    }
}

impl Engine {
    /// Hands over everything that is due, and calls `wake` with every worker that has to begin with
    /// a task.
    pub fn hand_over(&mut self, now: Moment, mut wake: impl FnMut(u32)) {
        while let Some(arrival) = self.arrive(now) {
            if let Arrival::Wake(worker) = arrival {
                wake(worker);
            }
        }
    }
}

impl Told {
    fn catch_up(&mut self, stage: &Stage, drained: bool, events: &mut Vec<ThreadEvent>) {
        match (stage, &self) {
            (Stage::Held { since, ending }, Self::Nothing | Self::Started) => {
                *self = Self::Held;
                let (ending, since) = (ending.clone(), *since);
                events.push(ThreadEvent::Held { ending, since });
            }
            (Stage::Draining { ending, at, .. }, Self::Nothing | Self::Started | Self::Held) => {
                *self = Self::Ended;
                let (ending, at) = (ending.clone(), *at);
                events.push(ThreadEvent::Ended { ending, at });
            }
            (Stage::Running | Stage::Held { .. } | Stage::Draining { .. }, _) => {}
        }
        if drained && *self == Self::Ended {
            *self = Self::Drained;
            events.push(ThreadEvent::Drained);
        }
    }
}

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

#[cfg(test)]
mod tests {
    use redyno_contract::report::Ending;

    use super::*;
    use crate::fixtures::{engine, settings};
    use crate::{ConnectionAfter, EngineSettings, FailureClass};

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

    fn fast() -> Engine {
        engine(settings(1000, 10, 1))
    }

    #[test]
    fn before_the_start_only_an_end_can_come() {
        let mut engine = fast();
        let mut pace = Pace::new(1000.0);
        let Turn { events, next } = pace.turn(&mut engine, None, true, |_| panic!("woken"));
        assert!(events.is_empty());
        assert_eq!(next, Some(Moment::default()));
        engine.end(Ending::Stopped, None, Moment::default());
        let Turn { events, next } = pace.turn(&mut engine, None, true, |_| panic!("woken"));
        assert!(matches!(
            events[..],
            [ThreadEvent::Ended { .. }, ThreadEvent::Drained]
        ));
        assert_eq!(next, None);
        assert!(!pace.has_started());
    }

    #[test]
    fn whoever_is_to_begin_is_woken_and_each_stage_is_told_once() {
        let mut engine = fast();
        let mut pace = Pace::new(1000.0);
        let mut woken = Vec::new();
        let late = Moment::from_nanoseconds(5);
        let Turn { events, next } = pace.turn(&mut engine, Some(late), false, |worker| {
            woken.push(worker);
        });
        assert!(matches!(events[..], [ThreadEvent::Started { at }] if at == late));
        assert_eq!(woken, [0]);
        assert_eq!(next, Some(Moment::from_nanoseconds(10_000_000)));
        let end = Moment::from_seconds(12);
        let Turn { events, .. } = pace.turn(&mut engine, Some(end), false, |_| {});
        // A backlog of a hundred was reached on the way.
        assert!(matches!(events[..], [ThreadEvent::Ended { .. }]));
        let Turn { events, .. } = pace.turn(&mut engine, Some(end), false, |_| {});
        assert!(events.is_empty());
    }

    /// Only who is asked can end a hold: there is nothing to wait for by the clock.
    #[test]
    fn a_hold_beyond_the_window_waits_for_its_resolution_alone() {
        let mut engine = engine(EngineSettings {
            max_worker_backlog: 1,
            ..settings(10, 1, 1)
        });
        let mut pace = Pace::new(10.0);
        let start = Moment::default();
        drop(pace.turn(&mut engine, Some(start), false, |_| {}));
        engine.begin(0, start);
        engine.fail(0, FailureClass::Connection, ConnectionAfter::Dropped, start);
        let end = Moment::from_seconds(3);
        let Turn { events, next } = pace.turn(&mut engine, Some(end), false, |_| {});
        assert!(matches!(events[..], [ThreadEvent::Held { .. }]));
        assert_eq!(next, None);
    }

    /// A thread that slept across the window's end and is then told to go has run it all the same.
    #[test]
    fn what_was_due_before_a_command_comes_before_it() {
        let mut engine = engine(settings(10, 1, 1));
        let mut pace = Pace::new(10.0);
        drop(pace.turn(&mut engine, Some(Moment::default()), false, |_| {}));
        let late = Moment::from_seconds(4);
        let Turn { events, .. } = pace.turn(&mut engine, Some(late), false, |_| {});
        let stop = ThreadCommand::End {
            ending: Ending::Stopped,
            at: None,
        };
        assert!(
            pace.obey(&mut engine, stop, late, ThreadVitals::default())
                .is_none()
        );
        let [ThreadEvent::Ended { ending, at }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(*ending, Ending::Completed);
        assert_eq!(*at, Moment::from_seconds(3));
        assert!(matches!(
            engine.stage(),
            Stage::Draining { ending: Ending::Completed, until, .. }
                if *until == Moment::from_seconds(9)
        ));
        assert_eq!(engine.unfinished(), 12);
    }
}
