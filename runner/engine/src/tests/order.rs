//! When tasks are handed over, to whom, and what their times are.

use redyno_contract::limit::LimitCount;
use redyno_contract::plan::{Assignment, Percentile};

use super::*;

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
fn a_worker_without_a_connection_queues_what_comes() {
    let (mut engine, _) = with_error_limit(10);
    let woken = hand_over(&mut engine, seconds(0));
    let worker = woken[0];
    engine.begin(worker, seconds(0)).unwrap();
    engine.fail(
        worker,
        FailureClass::Timeout,
        ConnectionAfter::Dropped,
        seconds(0),
    );
    hand_over(&mut engine, seconds(9));
    assert_eq!(engine.begin(worker, seconds(9)), None);
    engine.reconnected(worker, seconds(10));
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
