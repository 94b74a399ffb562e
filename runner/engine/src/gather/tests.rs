//! How load threads' ends are gathered, as tables of (thread, event, moment).

use redyno_contract::report::Ending;

use super::*;
use crate::fixtures::{engines, settings};
use crate::{
    ConnectionAfter, Engine, FailureClass, Pace, PlannedErrorLimit, PlannedLimits, ThreadVitals,
};

/// The window of the fixtures ends 5 s after S: 2 s of warm-up, 3 s measured.
const WINDOW_END: u64 = 5_000_000_000;

fn at(nanoseconds: u64) -> Moment {
    Moment::from_nanoseconds(nanoseconds)
}

fn after(milliseconds: u64) -> Moment {
    at(WINDOW_END + milliseconds * 1_000_000)
}

fn before(milliseconds: u64) -> Moment {
    at(WINDOW_END - milliseconds * 1_000_000)
}

fn window() -> EngineSettings {
    EngineSettings {
        limits: PlannedLimits {
            latencies: Vec::new(),
            errors: vec![PlannedErrorLimit {
                threshold: "errors".to_owned(),
                allowed: 1,
                allowed_in_warmup: 0,
            }],
        },
        max_worker_backlog: 5,
        ..settings(100, 3, 4)
    }
}

fn backlog() -> Ending {
    Ending::BacklogLimit {
        worker: 1,
        backlog: 5,
        on_time: None,
    }
}

fn lost() -> Ending {
    Ending::TargetLost {
        detail: "gone".to_owned(),
    }
}

/// Load threads with real engines, and what they together told.
struct Dyno {
    gather: Gather,
    threads: Vec<(Engine, Pace)>,
    told: Vec<LoadEvent>,
}

impl Dyno {
    fn new(settings: &EngineSettings, threads: u32) -> Self {
        let threads = NonZeroU32::new(threads).unwrap();
        let mut dyno = Self {
            gather: Gather::new(settings, threads, 0),
            threads: engines(settings, threads)
                .into_iter()
                .map(|engine| (engine, Pace::new(25.0)))
                .collect(),
            told: Vec::new(),
        };
        dyno.gather.start();
        dyno
    }

    /// A thread makes a turn. The tasks that it hands over end at once, unless `serve` says no.
    fn turn(&mut self, thread: usize, now: Moment, serve: bool) {
        self.turn_alone(thread, now, serve);
        self.pass_on(now);
    }

    fn turn_alone(&mut self, thread: usize, now: Moment, serve: bool) {
        let (engine, pace) = &mut self.threads[thread];
        loop {
            let mut woken = Vec::new();
            let turn = pace.turn(engine, Some(now), false, |worker| woken.push(worker));
            for event in turn.events {
                self.gather.take(thread, event, now);
            }
            if !serve || woken.is_empty() {
                return;
            }
            for worker in woken {
                while engine.begin(worker, now).is_some() {
                    engine.complete(worker, now);
                }
            }
        }
    }

    /// A thread makes a turn every 5 ms.
    fn run(&mut self, thread: usize, from: Moment, until: Moment) {
        let steps = until.nanoseconds_since(from) / 5_000_000;
        for step in 0..=steps {
            self.turn(thread, from.plus(step * 5_000_000), true);
        }
    }

    /// Commands go to their threads at once, and their answers back.
    fn pass_on(&mut self, now: Moment) {
        while let Some((thread, command)) = self.gather.next_command() {
            let (engine, pace) = &mut self.threads[thread];
            let answer = pace.obey(engine, command, now, ThreadVitals::default());
            let closed = matches!(answer, Some(ThreadEvent::Closed(_)));
            if let Some(answer) = answer {
                self.gather.take(thread, answer, now);
            }
            if !closed {
                self.turn_alone(thread, now, true);
            }
        }
        while let Some(event) = self.gather.next_event() {
            let empty = match event {
                LoadEvent::Sample(mut sample) | LoadEvent::Ended(mut sample) => {
                    sample.interval.clear();
                    self.told.push(LoadEvent::Ended(Box::new(Sample {
                        interval: Box::new(Interval::new(0)),
                        snapshot: sample.snapshot,
                        loop_lag: sample.loop_lag,
                        threads: sample.threads,
                    })));
                    sample.interval
                }
                event => {
                    self.told.push(event);
                    continue;
                }
            };
            self.gather.give_back(empty, now);
            return self.pass_on(now);
        }
    }

    fn resolve(&mut self, lost: Option<Ending>, now: Moment) {
        self.gather.resolve(lost, now);
        self.pass_on(now);
    }

    fn holds(&self) -> usize {
        let held = |event: &&LoadEvent| matches!(event, LoadEvent::Held { .. });
        self.told.iter().filter(held).count()
    }

    /// The end of the run whose books are closed.
    fn end(&self) -> Option<(Ending, u64)> {
        self.told.iter().find_map(|event| match event {
            LoadEvent::Closed(sample) => {
                let end = sample.snapshot.end.clone()?;
                Some((end.ending, end.after_milliseconds))
            }
            _ => None,
        })
    }

    fn endings(&self) -> Vec<&Ending> {
        self.told
            .iter()
            .filter_map(|event| match event {
                LoadEvent::Ending(ending) => Some(ending),
                _ => None,
            })
            .collect()
    }

    fn broken(&self) -> Option<&str> {
        self.told.iter().find_map(|event| match event {
            LoadEvent::Broken(detail) => Some(detail.as_str()),
            _ => None,
        })
    }
}

/// One of two load threads stands still from 0.3 s before the end of the window to 0.03 s after it.
/// Its workers then have more waiting than the limit allows: whoever is heard first.
#[test]
fn a_backlog_at_the_windows_end_ends_the_run_and_not_that_it_was_over() {
    for late_thread_first in [false, true] {
        let mut dyno = Dyno::new(&window(), 2);
        dyno.run(0, at(0), before(0));
        dyno.run(1, at(0), before(300));
        let order = if late_thread_first { [1, 0] } else { [0, 1] };
        for thread in order {
            dyno.turn(thread, after(30), thread == 0);
        }
        // Its tasks end.
        let (engine, _) = &mut dyno.threads[1];
        for worker in [1, 3] {
            while engine.begin(worker, after(40)).is_some() {
                engine.complete(worker, after(40));
            }
        }
        for thread in order {
            dyno.turn(thread, after(50), true);
        }
        let end = dyno.end();
        assert!(
            matches!(end, Some((Ending::BacklogLimit { .. }, 5000))),
            "{end:?}"
        );
        // And the other dynos were told to stop, as they have to be.
        assert!(matches!(
            dyno.endings().last(),
            Some(Ending::BacklogLimit { .. })
        ));
    }
}

/// Connections break just before the end of the window, while the other thread comes to it.
#[test]
fn a_breach_that_is_held_when_another_thread_has_come_to_its_end_is_resolved() {
    for (found, expected) in [
        (
            None,
            Ending::ErrorLimit {
                threshold: "errors".to_owned(),
                cause: "connection 2".to_owned(),
            },
        ),
        (Some(lost()), lost()),
    ] {
        let mut dyno = Dyno::new(&window(), 2);
        for thread in [0, 1] {
            dyno.run(thread, at(0), before(100));
        }
        dyno.run(0, before(100), after(0));
        assert_eq!(dyno.endings(), [&Ending::Completed]);
        // The thread was elsewhere across the end, and now sees that its connections are gone.
        let (engine, _) = &mut dyno.threads[1];
        engine.hand_over(after(10), |_| {});
        for worker in [1, 3] {
            assert!(engine.begin(worker, after(10)).is_some());
            engine.fail(
                worker,
                FailureClass::Connection,
                ConnectionAfter::Dropped,
                after(11),
            );
        }
        dyno.turn(1, after(12), true);
        assert_eq!(dyno.holds(), 1, "{:?}", dyno.endings());
        assert_eq!(dyno.end(), None);
        dyno.resolve(found, after(5000));
        dyno.turn(1, after(10_000), true);
        assert_eq!(dyno.end(), Some((expected, 5000)));
    }
}

/// Both threads have ended before it is known whether what they broke together was a breach.
#[test]
fn no_books_are_closed_before_a_hold_is_resolved() {
    let mut dyno = Dyno::new(&window(), 2);
    for thread in [0, 1] {
        dyno.run(thread, at(0), before(1000));
        let (engine, _) = &mut dyno.threads[thread];
        engine.hand_over(before(900), |_| {});
        let workers = [thread, thread + 2].map(|worker| u32::try_from(worker).unwrap());
        let begins = |worker: &u32| engine.begin(*worker, before(900)).is_some();
        let worker = workers.into_iter().find(begins).unwrap();
        engine.fail(
            worker,
            FailureClass::Connection,
            ConnectionAfter::Dropped,
            before(900),
        );
        engine.reconnected(worker, before(900));
        for worker in workers {
            while engine.begin(worker, before(900)).is_some() {
                engine.complete(worker, before(900));
            }
        }
    }
    dyno.gather.sample();
    dyno.pass_on(before(890));
    assert_eq!(dyno.holds(), 1, "{:?}", dyno.endings());
    for thread in [0, 1] {
        dyno.run(thread, before(890), after(5));
    }
    assert_eq!(dyno.end(), None);
    dyno.resolve(Some(lost()), after(2000));
    for thread in [0, 1] {
        dyno.turn(thread, after(2001), true);
    }
    assert_eq!(dyno.end(), Some((lost(), 4110)));
}

#[test]
fn the_first_of_several_holds_is_asked_for_and_is_the_cause() {
    let mut gather = Gather::new(&window(), NonZeroU32::new(2).unwrap(), 0);
    gather.start();
    for (thread, since) in [(0, before(100)), (1, before(200))] {
        let ending = backlog();
        gather.take(thread, ThreadEvent::Held { ending, since }, after(0));
    }
    assert!(matches!(
        gather.next_event(),
        Some(LoadEvent::Held { since }) if since == before(100)
    ));
    assert!(gather.next_event().is_none());
    gather.resolve(None, after(1));
    for expected in [0, 1] {
        let (thread, command) = gather.next_command().unwrap();
        assert_eq!(thread, expected);
        assert!(matches!(command, ThreadCommand::End { at: Some(at), .. } if at == before(200)));
    }
    // Answered once.
    gather.resolve(Some(lost()), after(2));
    assert!(gather.next_command().is_none());
}

#[test]
fn who_is_told_to_go_waits_for_no_answer() {
    let mut gather = Gather::new(&window(), NonZeroU32::MIN, 0);
    gather.start();
    let held = ThreadEvent::Held {
        ending: backlog(),
        since: before(100),
    };
    gather.take(0, held, before(99));
    gather.end(&Ending::Terminated, before(50));
    gather.resolve(Some(lost()), before(40));
    let Some((0, ThreadCommand::End { ending, at: None })) = gather.next_command() else {
        panic!("told of no end");
    };
    assert_eq!(ending, Ending::Terminated);
    assert!(gather.next_command().is_none());
}

/// Whatever a stage waits for: it is over at last, and never well.
#[test]
fn every_stage_has_a_deadline() {
    type Step = fn(&mut Gather);
    let ended = |gather: &mut Gather, thread, ending| {
        let event = ThreadEvent::Ended {
            ending,
            at: before(1),
        };
        gather.take(thread, event, before(1));
    };
    let steps: [(Step, &str); 4] = [
        (|_| {}, "load thread 0 did not see the end of the window"),
        (
            |gather| {
                let event = ThreadEvent::Ended {
                    ending: Ending::Completed,
                    at: after(0),
                };
                gather.take(0, event, after(0));
            },
            "load thread 1 did not see the end of the window",
        ),
        (
            |gather| {
                let held = ThreadEvent::Held {
                    ending: backlog(),
                    since: before(1),
                };
                gather.take(0, held, after(0));
            },
            "nobody could tell in time whether the target was still there",
        ),
        (
            |gather| {
                for thread in [0, 1] {
                    let event = ThreadEvent::Ended {
                        ending: Ending::Completed,
                        at: after(0),
                    };
                    gather.take(thread, event, after(0));
                }
            },
            "load thread 0 did not tell its numbers",
        ),
    ];
    for (step, expected) in steps {
        let mut gather = Gather::new(&window(), NonZeroU32::new(2).unwrap(), 0);
        assert_eq!(gather.deadline(), None);
        gather.start();
        step(&mut gather);
        let deadline = gather.deadline().unwrap();
        gather.expire(at(deadline.nanoseconds() - 1));
        assert!(gather.listens_to(0));
        // Who looks much later stood still himself, and so may the threads have: once more.
        gather.expire(deadline.plus(LATE_LOOK_NANOSECONDS + 1));
        let deadline = gather.deadline().unwrap();
        gather.expire(deadline);
        assert_eq!(gather.deadline(), None);
        let broken = std::iter::from_fn(|| gather.next_event())
            .find_map(|event| match event {
                LoadEvent::Broken(detail) => Some(detail),
                _ => None,
            })
            .unwrap();
        assert!(broken.contains(expected), "{broken}");
        assert!(!gather.listens_to(0) && !gather.listens_to(1));
    }
    // An end that does not wait for the window's.
    let mut gather = Gather::new(&window(), NonZeroU32::new(2).unwrap(), 0);
    gather.start();
    ended(&mut gather, 0, backlog());
    assert_eq!(
        gather.deadline(),
        Some(before(1).plus(PATIENCE_NANOSECONDS))
    );
}

/// A dyno with one thread that runs well is at its end without a deadline.
#[test]
fn a_run_that_ends_well_waits_for_nothing() {
    let mut dyno = Dyno::new(&window(), 3);
    for thread in [0, 1, 2] {
        dyno.run(thread, at(0), before(5));
    }
    for thread in [0, 1, 2] {
        dyno.turn(thread, after(thread as u64), true);
    }
    assert_eq!(dyno.end(), Some((Ending::Completed, 5000)));
    assert_eq!(dyno.gather.deadline(), None);
    assert_eq!(dyno.broken(), None);
    assert_eq!(dyno.endings(), [&Ending::Completed]);
}
