//! The engine on a simulated clock.

mod books;
mod breaches;
mod model;
mod on_time;
mod order;

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use redyno_contract::plan::Latency;
use redyno_contract::report::Ending;
use redyno_contract::schedule::{Rate, Schedule};

use super::fixtures::{engine, engines, seed, settings};
use super::settings::{PlannedErrorLimit, PlannedLatencyLimit, Scope};
use super::*;

/// An engine with all workers, and what its numbers are held against.
fn alone(settings: EngineSettings) -> (Engine, Whole) {
    let whole = Whole::new(&settings);
    (engine(settings), whole)
}

/// Closes an engine that has all workers, as it ended or else now.
fn close(engine: &mut Engine, whole: &Whole, now: Moment) -> Snapshot {
    let (ending, at) =
        whole::first_end(std::iter::once(&engine.stage)).unwrap_or((Ending::Stopped, now));
    whole.closed([engine.close(ending, at, now)])
}

fn limit_on(of: Latency, max_microseconds: u64, allowed: u64) -> PlannedLatencyLimit {
    PlannedLatencyLimit {
        threshold: "limit".to_owned(),
        scope: Scope::Task(of),
        max_microseconds,
        allowed,
    }
}

fn seconds(seconds: u32) -> Moment {
    Moment::from_seconds(seconds)
}

/// Drives an engine to its end, and gives what it recorded, its numbers and when that was. The
/// target handles all workers at once; `end_of` tells when a task that begins at a moment ends.
/// `late` tells when the generator's loop gets to something that should happen at a moment.
fn simulate(
    settings: EngineSettings,
    end_of: impl Fn(Moment) -> Moment,
    late: impl Fn(Moment) -> Moment,
) -> (Interval, Snapshot, Moment) {
    simulate_threads(settings, 1, |_, begun| (end_of(begun), false), late)
}

/// The same with so many load threads, of which each hears at once what another finds. `served`
/// tells when a task that begins at a moment ends, and whether in an error.
fn simulate_threads(
    settings: EngineSettings,
    threads: u32,
    served: impl Fn(Task, Moment) -> (Moment, bool),
    late: impl Fn(Moment) -> Moment,
) -> (Interval, Snapshot, Moment) {
    let whole = Whole::new(&settings);
    let mut engines = engines(&settings, NonZeroU32::new(threads).unwrap());
    let mut running: BTreeSet<(Moment, u32, bool)> = BTreeSet::new();
    let begin = |engine: &mut Engine, running: &mut BTreeSet<_>, worker, now| {
        if let Some(task) = engine.begin(worker, now) {
            engine.begin_step(worker, 0, now);
            let (end, fails) = served(task, now);
            running.insert((end, worker, fails));
        }
    };
    let mut drained = vec![false; engines.len()];
    loop {
        let completion = running.first().copied();
        let event = engines
            .iter()
            .zip(&drained)
            .filter(|(_, drained)| !**drained)
            .filter_map(|(engine, _)| engine.next_event().map(&late))
            .min();
        let now = match (completion, event) {
            (Some((at, ..)), Some(event)) => at.min(event),
            (Some((at, ..)), None) => at,
            (None, Some(event)) => event,
            (None, None) => unreachable!("the engines wait for nothing"),
        };
        if let Some((at, worker, fails)) = completion
            && at == now
        {
            running.pop_first();
            let engine = &mut engines[(worker % threads) as usize];
            engine.begin_step(worker, 1, now);
            if fails {
                engine.fail(
                    worker,
                    FailureClass::OutOfMemory,
                    ConnectionAfter::Dropped,
                    now,
                );
                engine.reconnected(worker, now);
            } else {
                engine.begin_step(worker, 2, now);
                engine.complete(worker, now);
            }
            begin(engine, &mut running, worker, now);
        } else {
            for engine in &mut engines {
                for worker in hand_over(engine, now) {
                    begin(engine, &mut running, worker, now);
                }
            }
        }
        if let Some((ending, at)) = whole::first_end(engines.iter().map(|engine| &engine.stage)) {
            for engine in &mut engines {
                if ending != Ending::Completed && engine.takes_arrivals() {
                    engine.end(ending.clone(), Some(at), now);
                }
            }
        }
        drained = engines
            .iter_mut()
            .map(|engine| engine.advance(now))
            .collect();
        if drained.iter().all(|drained| *drained) {
            let (ending, at) =
                whole::first_end(engines.iter().map(|engine| &engine.stage)).unwrap();
            let closed: Vec<_> = engines
                .iter_mut()
                .map(|engine| engine.close(ending.clone(), at, now))
                .collect();
            let mut recorded = Interval::new(3);
            for mut engine in engines {
                recorded.add(&engine.take_interval(Box::new(Interval::new(0))));
            }
            return (recorded, whole.closed(closed), now);
        }
    }
}

fn hand_over(engine: &mut Engine, now: Moment) -> Vec<u32> {
    let mut woken = Vec::new();
    while let Some(arrival) = engine.arrive(now) {
        if let Arrival::Wake(worker) = arrival {
            woken.push(worker);
        }
    }
    woken
}

/// An engine without a warm-up, in which so many errors are allowed.
fn with_error_limit(allowed: u64) -> (Engine, Whole) {
    let mut settings = settings(10, 10, 2);
    settings.windows.warmup = Schedule::new(Rate::per_second(0), 0, 1, 0);
    settings.limits.errors = vec![PlannedErrorLimit {
        threshold: "errors".to_owned(),
        allowed,
        allowed_in_warmup: 0,
    }];
    alone(settings)
}
