//! What ends a run early.

use redyno_contract::report::Books;

use super::*;

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
            backlog: 7,
            // None of them has begun, even after the drain.
            on_time: Some(7),
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
        engine.fail(
            woken[0],
            FailureClass::Connection,
            ConnectionAfter::Dropped,
            seconds(1),
        );
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
    engine.fail(
        woken[0],
        FailureClass::OutOfMemory,
        ConnectionAfter::Dropped,
        seconds(1),
    );
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
    engine.fail(
        woken[0],
        FailureClass::OutOfMemory,
        ConnectionAfter::Dropped,
        seconds(2),
    );
    let snapshot = close(&mut engine, &whole, seconds(2));
    assert_eq!(snapshot.end.unwrap().ending, Ending::Stopped);
    assert_eq!(snapshot.measured.failed, 1);
}
