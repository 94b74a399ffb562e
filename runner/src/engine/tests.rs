//! The engine on a simulated clock.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proptest::prelude::*;
use redyno_contract::limit::LimitCount;
use redyno_contract::plan::{Assignment, Latency, Percentile};
use redyno_contract::report::{Books, Ending};
use redyno_contract::schedule::{Rate, Schedule};

use super::fixtures::{seed, settings};
use super::settings::{PlannedErrorLimit, PlannedLatencyLimit, Scope};
use super::*;

/// An engine with all workers, and what its numbers are held against.
fn alone(settings: EngineSettings) -> (Engine, Whole) {
    let whole = Whole::new(&settings);
    (Engine::new(settings, Share::WHOLE), whole)
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
    let mut engines: Vec<Engine> = Share::of(NonZeroU32::new(threads).unwrap())
        .map(|share| Engine::new(settings.clone(), share))
        .collect();
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
                engine.fail(worker, FailureClass::OutOfMemory, now);
                engine.reconnected(worker);
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

#[test]
fn a_run_that_keeps_up_completes_everything_in_time() {
    let (interval, snapshot, _) =
        simulate(settings(333, 10, 5), |now| now.plus(1_000_000), |due| due);
    assert_eq!(snapshot.measured.scheduled, 3330);
    assert_eq!(snapshot.measured.completed, 3330);
    assert!(snapshot.measured.in_time >= 3329);
    assert!(snapshot.measured.balanced() && snapshot.warmup.balanced());
    assert_eq!(snapshot.warmup.completed, 67);
    let end = snapshot.end.unwrap();
    assert_eq!(end.ending, Ending::Completed);
    assert_eq!(end.after_milliseconds, 12_000);
    assert!(!end.during_warmup);
    assert_eq!(interval.measured.response.count(), 3330);
    assert_eq!(interval.warmup.response.count(), 67);
    assert_eq!(snapshot.counted.latencies.service.max_microseconds, 1000);
    assert_eq!(
        snapshot.counted.latencies.service.mean_microseconds(),
        Some(1000)
    );
}

#[test]
fn ten_percent_too_much_does_not_keep_up_and_nothing_is_skipped() {
    // One worker with 10 ms a task carries 100/s; asked for 110.
    let mut settings = settings(110, 60, 1);
    settings.max_worker_backlog = 10_000;
    let (_, snapshot, _) = simulate(settings, |now| now.plus(10_000_000), |due| due);
    let books = snapshot.measured;
    assert_eq!(books.scheduled, 6600);
    assert_eq!(books.delivered, 6600);
    assert!(books.in_time * 100 < books.scheduled * 99, "{books:?}");
    // The drain lets the rest end, which makes it complete but not in time.
    assert_eq!(books.completed, 6600);
    assert!(snapshot.counted.latencies.response.max_microseconds > 5_000_000);
    assert_eq!(snapshot.counted.latencies.service.max_microseconds, 10_000);
}

#[test]
fn a_stalled_second_shows_in_the_response_and_not_in_the_service() {
    let stall = (seconds(12), seconds(13));
    let (interval, snapshot, _) = simulate(
        settings(300, 20, 20),
        |now| {
            let end = now.plus(1_000_000);
            if end > stall.0 && now < stall.1 {
                stall.1.plus(1_000_000)
            } else {
                end
            }
        },
        |due| due,
    );
    let measured = interval.measured;
    assert!(measured.response.percentile(Percentile::P99) >= 200_000);
    assert!(measured.service.percentile(Percentile::P99) < 20_000);
    assert!(measured.schedule_lag.max_microseconds() <= 1);
    assert_eq!(snapshot.measured.completed, 6000);
}

#[test]
fn a_late_generator_hands_over_everything_with_its_own_due_time() {
    // The generator's own loop stands still for the second before 12 s.
    let (interval, snapshot, _) = simulate(
        settings(300, 20, 20),
        |now| now.plus(1_000_000),
        |due| {
            if (seconds(11)..seconds(12)).contains(&due) {
                seconds(12)
            } else {
                due
            }
        },
    );
    let measured = interval.measured;
    assert_eq!(snapshot.measured.delivered, 6000);
    assert_eq!(snapshot.counted.schedule_lag.max_microseconds, 1_000_000);
    assert!(measured.schedule_lag.percentile(Percentile::P99) > 700_000);
    assert!(measured.service.percentile(Percentile::P99) < 20_000);
}

#[test]
fn the_arrival_that_finds_the_limit_waiting_is_rejected_and_ends_the_run() {
    let mut settings = settings(100, 10, 1);
    settings.max_worker_backlog = 7;
    settings.windows.warmup = Schedule::new(Rate::per_second(0), 0, 1, 0);
    // The first task never ends: 1 in its hands, 7 waiting, and the ninth arrival is rejected.
    let (_, snapshot, _) = simulate(settings, |_| seconds(1000), |due| due);
    let end = snapshot.end.unwrap();
    assert_eq!(
        end.ending,
        Ending::BacklogLimit {
            worker: 0,
            backlog: 7
        }
    );
    assert_eq!(end.after_milliseconds, 80);
    let books = snapshot.measured;
    assert_eq!(
        (
            books.scheduled,
            books.delivered,
            books.rejected,
            books.abandoned
        ),
        (9, 8, 1, 8)
    );
    assert!(books.balanced());
    assert_eq!(snapshot.counted.busiest[0].peak_backlog, 7);
    assert_eq!(snapshot.counted.busiest[0].peak_at_milliseconds, 70);
}

#[test]
fn the_backlog_counts_in_the_warmup_too() {
    let mut settings = settings(100, 10, 1);
    settings.max_worker_backlog = 3;
    let (_, snapshot, _) = simulate(settings, |_| seconds(1000), |due| due);
    let end = snapshot.end.unwrap();
    assert!(end.during_warmup);
    assert_eq!(snapshot.warmup.rejected, 1);
    assert_eq!(snapshot.measured, Books::default());
    assert_eq!(snapshot.over, []);
}

#[test]
fn unfinished_tasks_are_settled_by_their_age_at_the_end() {
    let mut settings = settings(10, 2, 1);
    settings.windows.warmup = Schedule::new(Rate::per_second(0), 0, 1, 0);
    settings.drain_seconds = 1;
    settings.limits.latencies = vec![
        limit_on(Latency::Response, 1_500_000, 1000),
        limit_on(Latency::Wait, 1_500_000, 1000),
        limit_on(Latency::Service, 1_500_000, 1000),
    ];
    let (_, snapshot, _) = simulate(settings, |_| seconds(1000), |due| due);
    // Closed at 3 s. Due at 0.0, 0.1 .. 1.9: those before 1.5 s are over; the last five unknown.
    let counts: Vec<_> = snapshot
        .over
        .iter()
        .map(|count| (count.over, count.unknown, count.total))
        .collect();
    // The one that began waited for nothing, and its service is over by age.
    assert_eq!(counts, [(15, 5, 20), (14, 5, 20), (1, 19, 20)]);
}

#[test]
fn undispatched_tasks_are_counted_against_the_limits() {
    let mut settings = settings(10, 2, 1);
    settings.windows.warmup = Schedule::new(Rate::per_second(0), 0, 1, 0);
    settings.limits.latencies = vec![limit_on(Latency::Response, 400_000, 1000)];
    let (mut engine, whole) = alone(settings);
    // Nothing was handed over for a second, then SIGTERM came.
    engine.end(Ending::Terminated, None, seconds(1));
    assert!(engine.advance(seconds(1)));
    let snapshot = close(&mut engine, &whole, seconds(1));
    assert_eq!(snapshot.measured.undispatched, 11);
    assert!(snapshot.measured.balanced());
    // Due at 0.0 to 0.5 are older than 400 ms, 0.6 to 1.0 are not.
    assert_eq!(snapshot.over[0].over, 6);
    assert_eq!(snapshot.over[0].unknown, 5);
}

#[test]
fn a_latency_limit_ends_the_run_at_the_sample_that_makes_it_final() {
    let mut settings = settings(100, 10, 1);
    settings.limits.latencies = vec![limit_on(Latency::Service, 999, 10)];
    let (_, snapshot, _) = simulate(settings, |now| now.plus(1_000_000), |due| due);
    assert_eq!(snapshot.over[0].over, 11);
    assert_eq!(snapshot.measured.completed, 11);
    assert_eq!(
        snapshot.end.unwrap().ending,
        Ending::LatencyLimit {
            threshold: "limit".to_owned()
        }
    );
}

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

fn hand_over(engine: &mut Engine, now: Moment) -> Vec<u32> {
    let mut woken = Vec::new();
    while let Some(arrival) = engine.arrive(now) {
        if let Arrival::Wake(worker) = arrival {
            woken.push(worker);
        }
    }
    woken
}

#[test]
fn a_breach_by_connection_errors_is_held_until_it_is_known_whether_the_target_is_there() {
    for expected in [
        Ending::TargetLost {
            detail: "gone".to_owned(),
        },
        Ending::ErrorLimit {
            threshold: "errors".to_owned(),
            cause: "connection 1".to_owned(),
        },
    ] {
        let (mut engine, whole) = with_error_limit(0);
        let woken = hand_over(&mut engine, seconds(0));
        engine.begin(woken[0], seconds(0)).unwrap();
        engine.fail(woken[0], FailureClass::Connection, seconds(1));
        assert!(matches!(engine.stage(), Stage::Held { .. }));
        // Arrivals go on meanwhile; the books already say what they will if the run has ended.
        hand_over(&mut engine, seconds(2));
        assert_eq!(
            whole
                .so_far([engine.snapshot(seconds(2))])
                .measured
                .scheduled,
            21
        );
        engine.end(expected.clone(), Some(seconds(1)), seconds(3));
        let snapshot = close(&mut engine, &whole, seconds(3));
        let end = snapshot.end.unwrap();
        assert_eq!(end.ending, expected);
        // It ended when it was held, not when it was known.
        assert_eq!(end.after_milliseconds, 1000);
        assert!(snapshot.measured.balanced());
        // Of those due after it, what was handed over counts and the rest does not.
        assert_eq!(snapshot.measured.scheduled, 21);
        assert_eq!(snapshot.measured.undispatched, 0);
    }
}

#[test]
fn a_breach_by_other_errors_ends_the_run_at_once() {
    let (mut engine, _) = with_error_limit(0);
    let woken = hand_over(&mut engine, seconds(0));
    engine.begin(woken[0], seconds(0)).unwrap();
    engine.fail(woken[0], FailureClass::OutOfMemory, seconds(1));
    assert!(matches!(
        engine.stage(),
        Stage::Draining {
            ending: Ending::ErrorLimit { .. },
            ..
        }
    ));
}

#[test]
fn nothing_after_a_stop_is_a_breach() {
    let (mut engine, whole) = with_error_limit(0);
    let woken = hand_over(&mut engine, seconds(0));
    engine.begin(woken[0], seconds(0)).unwrap();
    engine.end(Ending::Stopped, None, seconds(1));
    engine.fail(woken[0], FailureClass::OutOfMemory, seconds(2));
    let snapshot = close(&mut engine, &whole, seconds(2));
    assert_eq!(snapshot.end.unwrap().ending, Ending::Stopped);
    assert_eq!(snapshot.measured.failed, 1);
}

#[test]
fn a_worker_without_a_connection_queues_what_comes() {
    let (mut engine, _) = with_error_limit(10);
    let woken = hand_over(&mut engine, seconds(0));
    let worker = woken[0];
    engine.begin(worker, seconds(0)).unwrap();
    engine.fail(worker, FailureClass::Timeout, seconds(0));
    hand_over(&mut engine, seconds(9));
    assert_eq!(engine.begin(worker, seconds(9)), None);
    engine.reconnected(worker);
    let task = engine.begin(worker, seconds(10)).unwrap();
    assert!(task.due > seconds(0));
}

#[test]
fn which_worker_takes_a_task_depends_on_seed_dyno_and_number_alone() {
    let workers = |settings: EngineSettings, step_milliseconds: u64| {
        let (mut engine, _) = alone(settings);
        let mut queues = Vec::new();
        let mut now = Moment::default();
        while now < seconds(3) {
            now = now.plus(step_milliseconds * 1_000_000);
            hand_over(&mut engine, now);
        }
        for worker in 0..7 {
            let mut numbers = Vec::new();
            while let Some(task) = engine.begin(worker, now) {
                numbers.push((task.phase, task.number));
                engine.complete(worker, now);
            }
            queues.push(numbers);
        }
        queues
    };
    let first = workers(settings(50, 1, 7), 10);
    assert!(first.iter().all(|numbers| !numbers.is_empty()));
    // However late the tasks were handed over.
    assert_eq!(first, workers(settings(50, 1, 7), 900));
    let mut other = settings(50, 1, 7);
    other.choice.seed = seed(1);
    assert_ne!(first, workers(other, 10));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass { milliseconds: u16 },
    HandOver { at_most: u8 },
    Begin { worker: u8 },
    Step { worker: u8, step: u8 },
    StepEnd { worker: u8 },
    Complete { worker: u8 },
    Fail { worker: u8, class: u8 },
    Reconnect { worker: u8 },
    Resolve { lost: bool },
    End,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..200_u16).prop_map(|milliseconds| Event::Pass { milliseconds }),
        8 => (1..20_u8).prop_map(|at_most| Event::HandOver { at_most }),
        8 => (0..4_u8).prop_map(|worker| Event::Begin { worker }),
        4 => (0..4_u8, 0..4_u8).prop_map(|(worker, step)| Event::Step { worker, step }),
        1 => (0..4_u8).prop_map(|worker| Event::StepEnd { worker }),
        6 => (0..4_u8).prop_map(|worker| Event::Complete { worker }),
        2 => (0..4_u8, 0..11_u8).prop_map(|(worker, class)| Event::Fail { worker, class }),
        3 => (0..4_u8).prop_map(|worker| Event::Reconnect { worker }),
        1 => any::<bool>().prop_map(|lost| Event::Resolve { lost }),
        1 => Just(Event::End),
    ]
}

proptest! {
    /// Whatever happens in whatever order, both laws hold at every moment, and at the end every
    /// task that was due is accounted for exactly once.
    #[test]
    fn the_books_balance_under_any_sequence_of_events(
        events in prop::collection::vec(event(), 0..600),
        rate in 1..200_u32,
        backlog in 1..30_u32,
        allowed in 0..5_u64,
    ) {
        let mut settings = settings(rate, 5, 4);
        settings.max_worker_backlog = backlog;
        settings.limits.latencies = vec![limit_on(Latency::Response, 300_000, allowed * 20)];
        settings.limits.errors = vec![PlannedErrorLimit {
            threshold: "errors".to_owned(),
            allowed,
            allowed_in_warmup: allowed,
        }];
        let (mut engine, whole) = alone(settings);
        let mut now = Moment::default();
        let mut connected = [true; 4];
        let mut scheduled = 0;
        for event in events {
            match event {
                Event::Pass { milliseconds } => now = now.plus(u64::from(milliseconds) * 1_000_000),
                Event::HandOver { at_most } => {
                    for _ in 0..at_most {
                        if engine.arrive(now).is_none() {
                            break;
                        }
                    }
                    engine.advance(now);
                }
                Event::Begin { worker } => {
                    let begun = engine.begin(worker.into(), now);
                    prop_assert!(begun.is_none_or(|task| task.due <= now));
                }
                Event::Step { worker, step } => {
                    engine.begin_step(worker.into(), step.into(), now);
                }
                Event::StepEnd { worker } => engine.end_step(worker.into(), now),
                Event::Complete { worker } => engine.complete(worker.into(), now),
                Event::Fail { worker, class } => {
                    connected[usize::from(worker)] = false;
                    engine.fail(worker.into(), FailureClass::ALL[usize::from(class)], now);
                }
                Event::Reconnect { worker } => {
                    connected[usize::from(worker)] = true;
                    engine.reconnected(worker.into());
                }
                Event::Resolve { lost } => {
                    if let Stage::Held { since, ending } = engine.stage().clone() {
                        let gone = Ending::TargetLost {
                            detail: "gone".to_owned(),
                        };
                        engine.end(if lost { gone } else { ending }, Some(since), now);
                    }
                }
                Event::End => engine.end(Ending::Stopped, None, now),
            }
            let snapshot = whole.so_far([engine.snapshot(now)]);
            prop_assert!(snapshot.measured.scheduled >= scheduled);
            scheduled = snapshot.measured.scheduled;
            prop_assert!(snapshot.measured.balanced(), "{:?}", snapshot.measured);
            prop_assert!(snapshot.warmup.balanced(), "{:?}", snapshot.warmup);
            prop_assert!(snapshot.longest_queue() <= backlog);
        }
        let snapshot = close(&mut engine, &whole, now);
        let books = snapshot.measured;
        prop_assert!(books.scheduled >= scheduled);
        prop_assert!(books.balanced());
        prop_assert!(snapshot.warmup.balanced());
        let count = snapshot.over[0];
        prop_assert_eq!(count.total, books.scheduled);
        prop_assert!(count.over + count.unknown <= books.scheduled);
        let unfinished = books.rejected + books.undispatched + books.abandoned;
        prop_assert!(count.unknown <= unfinished);
        // Each of them is one or the other, none is lost.
        prop_assert!(count.over + count.unknown >= books.failed + unfinished);
    }

    /// The limit is counted exactly: set to the k-th highest latency, k - 1 tasks or fewer are
    /// over it (ties), and one microsecond below it at least k are.
    #[test]
    fn the_kth_sample_decides(
        services in prop::collection::vec(1..100_000_u64, 1..200),
        pick in any::<prop::sample::Index>(),
    ) {
        let mut sorted = services.clone();
        sorted.sort_unstable();
        let value = sorted[pick.index(sorted.len())];
        let above = sorted.iter().filter(|service| **service > value).count() as u64;
        let at_least = sorted.iter().filter(|service| **service >= value).count() as u64;
        let mut settings = settings(1, u32::try_from(services.len()).unwrap(), 1);
        settings.windows.warmup = Schedule::new(Rate::per_second(0), 0, 1, 0);
        settings.limits.latencies = [value, value - 1]
            .map(|max| limit_on(Latency::Service, max, 1_000_000))
            .to_vec();
        let (_, snapshot, _) = simulate(
            settings,
            |now| {
                let second = usize::try_from(now.milliseconds() / 1000).unwrap();
                now.plus(services[second] * 1000)
            },
            |due| due,
        );
        prop_assert_eq!(snapshot.over[0].over, above);
        prop_assert_eq!(snapshot.over[1].over, at_least);
    }
}

#[test]
fn round_robin_takes_one_worker_after_the_other() {
    let mut settings = settings(10, 1, 4);
    settings.choice.assignment = Assignment::RoundRobin;
    let (mut engine, whole) = alone(settings);
    let mut woken = Vec::new();
    while let Some(arrival) = engine.arrive(seconds(3)) {
        if let Arrival::Wake(worker) = arrival {
            woken.push(worker);
        }
    }
    assert_eq!(woken, [0, 1, 2, 3]);
    // Two of the warm-up go to the first two workers, and so do two more of the ten measured ones
    // than to the others. The first of each is in its hands.
    let mut peaks: Vec<_> = whole
        .so_far([engine.snapshot(seconds(3))])
        .counted
        .busiest
        .iter()
        .map(|worker| (worker.worker, worker.peak_backlog))
        .collect();
    peaks.sort_unstable();
    assert_eq!(peaks, [(0, 3), (1, 3), (2, 1), (3, 1)]);
}

#[test]
fn the_newest_task_comes_first_where_that_is_asked_for() {
    let order = |queue_order| {
        let (mut engine, _) = alone(EngineSettings {
            queue_order,
            ..settings(5, 1, 1)
        });
        while engine.arrive(seconds(3)).is_some() {}
        let mut numbers = Vec::new();
        while let Some(task) = engine.begin(0, seconds(3)) {
            numbers.push((task.phase, task.number));
            engine.complete(0, seconds(3));
        }
        numbers
    };
    let measured = |numbers: [u64; 4]| numbers.map(|number| (Phase::Measured, number));
    // The first is in the worker's hands before any other waits.
    let first = (Phase::Warmup, 0);
    assert_eq!(order(QueueOrder::OldestFirst)[0], first);
    assert_eq!(order(QueueOrder::NewestFirst)[0], first);
    assert_eq!(order(QueueOrder::OldestFirst)[2..], measured([1, 2, 3, 4]));
    assert_eq!(order(QueueOrder::NewestFirst)[1..5], measured([4, 3, 2, 1]));
}

#[test]
fn steps_count_where_they_belong() {
    let mut settings = settings(1, 2, 1);
    settings.limits.latencies = vec![PlannedLatencyLimit {
        scope: Scope::Step(2),
        ..limit_on(Latency::Service, 1_000_000, 100)
    }];
    let (mut engine, whole) = alone(settings);
    // The warm-up's only task.
    assert!(engine.arrive(seconds(0)).is_some());
    engine.begin(0, seconds(0)).unwrap();
    engine.complete(0, seconds(0));
    // One task of a mix takes its third step alone, between two seconds of the application.
    assert!(engine.arrive(seconds(2)).is_some());
    engine.begin(0, seconds(2)).unwrap();
    engine.end_step(0, seconds(2));
    engine.begin_step(0, 2, seconds(3));
    engine.end_step(0, seconds(5));
    engine.complete(0, seconds(6));
    let snapshot = whole.so_far([engine.snapshot(seconds(6))]);
    assert_eq!(snapshot.counted.steps[2].max_microseconds, 2_000_000);
    assert_eq!(snapshot.counted.steps[0].count, 0);
    assert_eq!(
        snapshot.counted.latencies.service.max_microseconds,
        4_000_000
    );
    let LimitCount { over, total, .. } = snapshot.over[0];
    assert_eq!((over, total), (1, 1));
    assert_eq!(
        snapshot.counted.busiest[0].step_means_microseconds,
        [0, 0, 2_000_000]
    );
}

proptest! {
    // Each case is two whole runs.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many load threads there are, and however a run ends: the same tasks have the same
    /// fate, and all counts are those of one thread.
    #[test]
    fn several_engines_count_what_one_would(
        threads in 2..6_u32,
        rate in 1..400_u32,
        workers in 1..12_u32,
        backlog in 1..20_u32,
        round_robin: bool,
        milliseconds in 1..60_u64,
        failing in 2..50_u64,
    ) {
        let mut settings = settings(rate, 3, workers);
        settings.max_worker_backlog = backlog;
        if round_robin {
            settings.choice.assignment = Assignment::RoundRobin;
        }
        settings.limits.latencies = vec![
            limit_on(Latency::Response, 20_000, 1_000_000),
            limit_on(Latency::Wait, 5_000, 1_000_000),
            PlannedLatencyLimit {
                scope: Scope::Step(0),
                ..limit_on(Latency::Service, 10_000, 1_000_000)
            },
        ];
        // What a task takes depends on its number alone; no two things happen at the same time.
        let served = |task: Task, begun: Moment| {
            let random = task.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let took = random % (milliseconds * 1_000_000) + 2 * task.number + 1;
            (begun.plus(took), task.number.is_multiple_of(failing))
        };
        let run = |threads| {
            let (interval, mut snapshot, end) =
                simulate_threads(settings.clone(), threads, served, |due| due);
            snapshot.counted.backlogs.sort_unstable();
            let measured = &interval.measured;
            let recorded: Vec<u64> = [&measured.response, &measured.wait, &measured.service]
                .into_iter()
                .chain(&measured.steps)
                .flat_map(|histogram| histogram.buckets().flat_map(|(value, count)| [value, count]))
                .collect();
            (snapshot, recorded, interval.peak_backlog, end)
        };
        let (one, several) = (run(1), run(threads));
        prop_assert!(one.0.measured.balanced() && one.0.warmup.balanced());
        prop_assert_eq!(one, several);
    }

    /// Whatever each thread was up to when the run ended, what was due is what was handed over and
    /// what was not.
    #[test]
    fn the_books_of_several_engines_balance_whenever_each_of_them_hears_of_the_end(
        threads in 1..5_u32,
        rate in 1..300_u32,
        at in 0..6_000_u64,
        heard in prop::collection::vec((0..500_u64, 0..500_u64), 4),
    ) {
        let mut settings = settings(rate, 3, 7);
        settings.limits.latencies = vec![limit_on(Latency::Response, 100_000, 1_000_000)];
        let whole = Whole::new(&settings);
        let milliseconds = |count: u64| Moment::from_nanoseconds(count * 1_000_000);
        let at = milliseconds(at).min(settings.windows.measured_until());
        let now = at.plus(1_000_000_000);
        let mut engines: Vec<Engine> = Share::of(NonZeroU32::new(threads).unwrap())
            .map(|share| Engine::new(settings.clone(), share))
            .collect();
        let mut unhandled = 0;
        for (engine, (behind, ahead)) in engines.iter_mut().zip(&heard) {
            // One is behind with handing over, another went on for a while.
            let until = Moment::from_nanoseconds(
                (at.nanoseconds() + ahead * 1_000_000).saturating_sub(behind * 1_000_000),
            );
            hand_over(engine, until);
            engine.end(Ending::Stopped, Some(at), now);
            unhandled += engine.snapshot(now).measured.unfinished();
        }
        // A full backlog may have ended it before.
        let (ending, at) =
            whole::first_end(engines.iter().map(|engine| &engine.stage)).unwrap();
        let open = whole.so_far(engines.iter().map(|engine| engine.snapshot(now)));
        let closed = engines
            .iter_mut()
            .map(|engine| engine.close(ending.clone(), at, now))
            .collect::<Vec<_>>();
        let snapshot = whole.closed(closed);
        for books in [snapshot.measured, snapshot.warmup] {
            prop_assert!(books.balanced(), "{:?}", books);
        }
        prop_assert_eq!(snapshot.measured, open.measured);
        prop_assert_eq!(snapshot.measured.abandoned, unhandled);
        // Nothing was done, so every task that was due is over the limit or unknown.
        let count = snapshot.over[0];
        prop_assert_eq!(count.total, snapshot.measured.scheduled);
        prop_assert_eq!(count.over + count.unknown, snapshot.measured.scheduled);
        prop_assert!(snapshot.measured.scheduled >= settings.windows.due_until(Phase::Measured, at));
    }
}
