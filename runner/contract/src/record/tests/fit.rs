//! A report too large for its record loses precision, never numbers.

use super::*;

#[test]
fn a_report_keeps_latencies_at_two_digits_where_they_fit() {
    let plan = samples::plan();
    let report = samples::held(&plan, &web_1());
    let read = read_report(&write_report(1, RecordKind::Final, &report).unwrap());
    assert_eq!(read.histograms.response.as_ref().unwrap().digits, 2);
    assert_eq!(read.histograms.wait.as_ref().unwrap().digits, 2);
    assert_eq!(read.histograms.service.as_ref().unwrap().digits, 2);
    assert_eq!(
        Report {
            histograms: report.histograms.clone(),
            ..read
        },
        report
    );
}

#[test]
fn a_wide_distribution_is_coarsened() {
    let plan = samples::plan();
    let mut report = samples::held(&plan, &web_1());
    report.histograms = Histograms {
        response: Some(wide()),
        wait: Some(wide()),
        service: Some(wide()),
        steps: Some(vec![wide(), wide(), wide()]),
        schedule_lag: Some(wide()),
    };
    let read = read_report(&write_report(1, RecordKind::Final, &report).unwrap());
    let response = read.histograms.response.unwrap();
    assert_eq!(response.digits, 1);
    assert_eq!(
        response.decode().unwrap(),
        wide().decode().unwrap().coarser(Digits::One)
    );
    assert_eq!(read.histograms.steps, None);
    assert_eq!(read.histograms.schedule_lag, None);
    assert_eq!(read.books, report.books);
}

#[test]
fn a_timeline_costs_no_distribution() {
    let mut report = busy();
    report.histograms = Histograms {
        response: Some(stalled(1)),
        wait: Some(stalled(2)),
        service: Some(stalled(3)),
        steps: None,
        schedule_lag: None,
    };
    let kept = |report: &Report| {
        let record = write_report(1, RecordKind::Final, report).unwrap();
        let Report {
            histograms,
            timeline,
            ..
        } = read_report(&record);
        let histograms = [histograms.response, histograms.wait, histograms.service];
        (histograms.map(|histogram| histogram.is_some()), timeline)
    };
    report.timeline = None;
    let (without, _) = kept(&report);
    // Twenty slots of numbers that do not repeat.
    let numbers = || (1..=20_u32).map(|slot| slot.wrapping_mul(2_654_435_761));
    report.timeline = Some(Timeline {
        slot_seconds: 1,
        completed: numbers().map(u64::from).collect(),
        response_p99_microseconds: numbers().map(u64::from).map(Some).collect(),
        peak_backlog: numbers().map(Some).collect(),
        redis_main_thread_per_mille: numbers().map(Some).collect(),
    });
    let (with, timeline) = kept(&report);
    assert_eq!(without, [true; 3]);
    assert_eq!(with, without);
    assert!(timeline.is_some());
}

#[test]
fn failures_without_room_are_counted_together() {
    let row = |class, measured| ClassFailures {
        class,
        measured,
        warmup: 1,
        example: Some("words".to_owned()),
    };
    let mut failures = vec![
        row(FailureClass::Timeout, 9),
        row(FailureClass::OutOfMemory, 5),
        row(FailureClass::Lost, 3),
    ];
    fold_failures(&mut failures, 3);
    assert_eq!(failures.len(), 3);
    fold_failures(&mut failures, 2);
    let rest = ClassFailures {
        class: FailureClass::Other,
        measured: 8,
        warmup: 2,
        example: None,
    };
    assert_eq!(failures, [row(FailureClass::Timeout, 9), rest]);
}

/// A report whose numbers have as many digits as those of a run have.
fn busy() -> Report {
    let mut report = samples::held(&samples::plan(), &web_1());
    let times = |seed: u64| Times {
        count: 2_900 + seed,
        sum_microseconds: 97_304_211 + seed * 7_919,
        max_microseconds: 1_101_377 + seed * 6_287,
    };
    report.busiest = (0..5)
        .map(|worker| BusyWorker {
            worker: worker * 3,
            tasks: 290 + u64::from(worker) * 7,
            peak_backlog: 25 - worker,
            peak_at_milliseconds: 16_104 + u64::from(worker) * 37,
            busy_per_mille: 71 + worker,
            response: times(worker.into()),
            step_means_microseconds: vec![3_904, 251, 117],
        })
        .collect();
    for (position, step) in (10..).zip(&mut report.steps) {
        step.service = times(position);
    }
    report.own = OwnVitals {
        schedule_lag_p99_microseconds: 1_031,
        schedule_lag: times(20),
        loop_lag: times(21),
        cpu_microseconds: 1_213_377,
        memory_bytes: 25_583_616,
        bytes_out: 92_103_377,
        bytes_in: 87_001_233,
        ..report.own
    };
    report.lateness = Some(Lateness {
        longest: (0..8)
            .map(|delay| OwnDelay {
                at_milliseconds: 3_103 + delay * 1_357,
                microseconds: 21_377 - delay * 2_011,
            })
            .collect(),
        ..Lateness::default()
    });
    report
}

/// Three thousand tasks of between half a millisecond and two seconds, as after a stall.
fn stalled(seed: u64) -> EncodedHistogram {
    let mut histogram = Histogram::new(Digits::Three);
    let mut state = seed;
    for _ in 0..3_000 {
        // Knuth's generator (The Art of Computer Programming 2, 3.3.4).
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let octave = (state >> 32) % 12;
        histogram.record((512 + (state >> 40) % 512) << octave);
    }
    histogram.encode()
}

#[test]
fn an_unreadable_histogram_costs_no_numbers() {
    let mut report = samples::held(&samples::plan(), &web_1());
    report.histograms.response = Some(EncodedHistogram {
        digits: 3,
        data: "?".to_owned(),
    });
    let read = read_report(&write_report(1, RecordKind::Final, &report).unwrap());
    assert_eq!(read.histograms.response, None);
    assert!(read.histograms.wait.is_some());
    assert_eq!(read.books, report.books);
}

/// The report of one of 100 dynos in a run with 32 thresholds: five busy workers, hours of load,
/// petabytes of traffic, and an error text without end.
fn largest() -> Report {
    /// 100,000 a second, for a day.
    const TASKS: u64 = 10_000_000_000;
    /// At 10,000 workers, a hundred each.
    const WAITING: u64 = 1_000_000;
    const BYTES: u64 = 1_000_000_000_000_000;
    const TIME: u64 = 3_600_000_000;
    const HOURS: u64 = 86_400_000;
    const SECONDS: u64 = 10_000_000;
    let mut plan = samples::plan();
    plan.formation = vec![samples::dyno_type("abcdefghijklmno", 100)];
    plan.thresholds = (0..32)
        .map(|number| {
            samples::threshold(
                &format!("threshold-number-{number}"),
                Limit::Latency(LatencyLimit {
                    of: Latency::Response,
                    step: Step::Task,
                    percentile: Percentile::P99,
                    max_microseconds: 1000 + number,
                }),
            )
        })
        .collect();
    plan.duration_seconds = 10;
    let mut next = samples::numbers(11);
    let mut large = |limit: u64| limit / 2 + (next() ^ next().rotate_left(32)) % (limit / 2);
    let name = plan.dynos().last().unwrap();
    let mut report = samples::held(&plan, &name);
    report.pod = "9b2d7c1e-44aa-4f0e-9c55-1234567890ab".to_owned();
    report.target = samples::held(&plan, &plan.sampler().unwrap()).target;
    let target = report.target.as_mut().unwrap();
    target.server = Some("a server of whatever name".to_owned());
    target.work = TargetWork {
        process_per_mille: Some(16_000),
        event_loop_per_mille: Some(1000),
        executing_per_mille: Some(999),
        io_thread_per_mille: Some(998),
        io_threads: Some(true),
    };
    target.version = Some("255.255.255-".repeat(100));
    target.memory_at_start_bytes = Some(large(BYTES));
    target.memory_at_end_bytes = Some(large(BYTES));
    target.evicted_keys = Some(large(TASKS));
    target.rejected_connections = Some(large(TASKS));
    target.commands = (0..8)
        .map(|number| CommandWork {
            name: format!("command-{number}"),
            calls: large(TASKS),
            microseconds: large(TIME * 1000),
        })
        .collect();
    report.end = Some(End {
        ending: Ending::TargetLost {
            detail: (0..2000)
                .map(|_| char::from(b' ' + u8::try_from(large(190) - 95).unwrap()))
                .collect(),
        },
        after_milliseconds: large(TIME),
        during_warmup: false,
    });
    let mut times = || Times {
        count: large(TASKS),
        sum_microseconds: large(TASKS * 1_000_000),
        max_microseconds: large(TIME),
    };
    report.latencies.response = times();
    report.latencies.wait = times();
    report.latencies.service = times();
    for step in &mut report.steps {
        step.service = times();
    }
    report.own.schedule_lag = times();
    report.own.loop_lag = times();
    report.busiest = (0..5)
        .map(|_| BusyWorker {
            worker: 0,
            tasks: 0,
            peak_backlog: 0,
            peak_at_milliseconds: 0,
            busy_per_mille: 0,
            response: times(),
            step_means_microseconds: vec![0; 3],
        })
        .collect();
    for busy in &mut report.busiest {
        busy.worker = u32::try_from(large(10_000)).unwrap();
        busy.tasks = large(TASKS);
        busy.peak_backlog = u32::try_from(large(1_000_000)).unwrap();
        busy.peak_at_milliseconds = large(TIME);
        busy.busy_per_mille = u32::try_from(large(1000)).unwrap();
        busy.step_means_microseconds = vec![large(TIME), large(TIME), large(TIME)];
    }
    report.tls = Some(TlsVerification::SkipVerification);
    report.failures = Some(vec![ClassFailures {
        class: FailureClass::OutOfMemory,
        measured: large(TASKS),
        warmup: large(TASKS),
        example: Some("OOM command not allowed when used memory > 'maxmemory'. ".repeat(10)),
    }]);
    report.own.cpu_microseconds = large(TIME * 1000);
    report.lateness = Some(Lateness {
        longest: (0..MOST_DELAYS)
            .map(|_| OwnDelay {
                at_milliseconds: large(HOURS),
                microseconds: large(SECONDS),
            })
            .collect(),
        timed_out: large(WAITING),
        timed_out_in_warmup: large(WAITING),
    });
    report.queues = Some(Queues {
        at_middle: large(WAITING),
        at_end: large(WAITING),
    });
    report.own.bytes_in = large(BYTES);
    report.own.bytes_out = large(BYTES);
    report.own.reconnects = large(TASKS);
    for books in [&mut report.books, &mut report.warmup] {
        books.failed = large(TASKS);
        books.timed_out = large(TASKS);
        books.abandoned = large(TASKS);
        books.in_time = large(TASKS);
        books.completed = large(TASKS);
        books.delivered = large(TASKS);
        books.rejected = large(TASKS);
        books.undispatched = large(TASKS);
        books.scheduled = large(TASKS);
    }
    for (position, count) in report.over.iter_mut().enumerate() {
        *count = LimitCount {
            over: large(TASKS),
            // Most limits are broken by the target, if at all.
            excused: if position % 8 == 0 { large(WAITING) } else { 0 },
            unknown: large(WAITING),
            total: report.books.scheduled,
        };
    }
    report.incomplete = Some(Incomplete {
        failed_response_max_microseconds: large(TIME),
        failed_wait_max_microseconds: large(TIME),
        failed_service_max_microseconds: large(TIME),
        steps: None,
        ages: None,
    });
    report.histograms.response = Some(wide());
    report.histograms.wait = Some(wide());
    report.histograms.service = Some(wide());
    report
}

#[test]
fn the_largest_report_fits_with_all_its_numbers() {
    let report = largest();
    let read = read_report(&write_report(u64::MAX, RecordKind::Checkpoint, &report).unwrap());
    let mut expected = report.clone();
    cut_texts(&mut expected, LONGEST_TEXT);
    // They are only shown.
    expected.target.as_mut().unwrap().commands.clear();
    expected.histograms = read.histograms.clone();
    expected.incomplete.clone_from(&read.incomplete);
    assert_eq!(read.busiest.len(), 5);
    assert_eq!(read, expected);
}

#[test]
fn beyond_all_bounds_it_still_fits_without_its_busiest_workers() {
    let mut next = samples::numbers(5);
    let mut huge = || u64::MAX - (next() ^ next().rotate_left(20)) % (u64::MAX / 2);
    let mut report = largest();
    for books in [&mut report.books, &mut report.warmup] {
        *books = crate::report::Books {
            scheduled: huge(),
            delivered: huge(),
            rejected: huge(),
            undispatched: huge(),
            completed: huge(),
            in_time: huge(),
            failed: huge(),
            timed_out: huge(),
            abandoned: huge(),
        };
    }
    for count in &mut report.over {
        *count = LimitCount {
            over: huge(),
            excused: 0,
            unknown: huge(),
            total: huge(),
        };
    }
    let peak = report.busiest.iter().map(|busy| busy.peak_backlog).max();
    let read = read_report(&write_report(u64::MAX, RecordKind::Final, &report).unwrap());
    assert_eq!(read.books, report.books);
    assert_eq!(read.over, report.over);
    let kept = read.busiest.iter().map(|busy| busy.peak_backlog).max();
    assert_eq!(kept.max(Some(read.other_workers_backlog)), peak);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let mut text = "ä".repeat(40);
    cut(&mut text, 20);
    assert_eq!(text, format!("{}...", "ä".repeat(8)));
    let mut text = "short".to_owned();
    cut(&mut text, 5);
    assert_eq!(text, "short");
}
