//! Properties: whatever happens, every task is accounted for.

use proptest::prelude::*;
use redyno_contract::plan::Assignment;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass {
        milliseconds: u16,
    },
    HandOver {
        at_most: u8,
    },
    Begin {
        worker: u8,
    },
    Step {
        worker: u8,
        step: u8,
    },
    StepEnd {
        worker: u8,
    },
    Complete {
        worker: u8,
    },
    Fail {
        worker: u8,
        class: usize,
        usable: bool,
    },
    Reconnect {
        worker: u8,
    },
    Resolve {
        lost: bool,
    },
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
        2 => (0..4_u8, 0..FailureClass::ALL.len(), any::<bool>())
            .prop_map(|(worker, class, usable)| Event::Fail { worker, class, usable }),
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
                Event::Fail {
                    worker,
                    class,
                    usable,
                } => {
                    connected[usize::from(worker)] &= usable;
                    let connection = if usable {
                        ConnectionAfter::Usable
                    } else {
                        ConnectionAfter::Dropped
                    };
                    let class = FailureClass::ALL[class];
                    engine.fail(worker.into(), class, connection, now);
                }
                Event::Reconnect { worker } => {
                    connected[usize::from(worker)] = true;
                    engine.reconnected(worker.into(), now);
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
        // What is known of those that did not complete, and what happened when, is of each of them.
        let incomplete = &snapshot.counted.incomplete;
        prop_assert_eq!(incomplete.failed.response.count, books.failed);
        let ages = incomplete.ages.as_ref().map_or(0, |ages| ages.response.count());
        prop_assert_eq!(ages, unfinished);
        let interval = engine.take_interval(Box::new(Interval::new(0)));
        let sum = |of: fn(&Slot) -> u64| interval.slots.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|slot| slot.completed), books.in_time);
        prop_assert_eq!(sum(|slot| slot.response.count()), books.scheduled);
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
                .flat_map(|histogram| histogram.buckets().flat_map(|bucket| [bucket.highest, bucket.count]))
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
        let mut engines = engines(&settings, NonZeroU32::new(threads).unwrap());
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
