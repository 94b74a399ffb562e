//! Reports to test with.

use super::RUN;
use crate::failure::{ClassFailures, FailureClass};
use crate::histogram::{Digits, Histogram};
use crate::limit::LimitCount;
use crate::plan::{DynoName, Plan, Step, TlsVerification};
use crate::report::{
    Ages, Allowance, Books, BusyWorker, CommandWork, End, Ending, Histograms, Incomplete,
    LastSeconds, Latencies, Lateness, OwnDelay, OwnVitals, Queues, REPORT_VERSION, Replies, Report,
    Start, StepTimes, TargetVitals, TargetWork, Times,
};
use crate::timeline::Timeline;

/// S of every sample, in microseconds since the epoch.
pub(crate) const START: u64 = 1_700_000_000_000_000;

/// The report of a dyno that carried out its part of the plan without a fault: every task took
/// 1 ms, a thousandth of it waiting.
pub(crate) fn held(plan: &Plan, dyno: &DynoName) -> Report {
    let dynos = plan.dyno_type(&dyno.dyno_type).unwrap();
    let scheduled = plan.schedule(dynos, dyno.index).count();
    let times = |microseconds: u64| Times {
        count: scheduled,
        sum_microseconds: scheduled * microseconds,
        max_microseconds: microseconds,
    };
    let histogram = |microseconds: u64| {
        let mut histogram = Histogram::new(Digits::Two);
        for _ in 0..scheduled {
            histogram.record(microseconds);
        }
        Some(histogram.encode())
    };
    let books = |count: u64| Books {
        scheduled: count,
        delivered: count,
        completed: count,
        in_time: count,
        ..Books::default()
    };
    let sampler = plan.sampler().as_ref() == Some(dyno);
    Report {
        version: REPORT_VERSION,
        run: plan.run.uid.clone(),
        dyno: dyno.clone(),
        pod: format!("pod-of-{dyno}"),
        end: Some(End {
            ending: Ending::Completed,
            after_milliseconds: u64::from(plan.warmup_seconds + plan.duration_seconds) * 1000,
            during_warmup: false,
        }),
        start: Some(Start {
            at_microseconds: START,
            offset_microseconds: 100 + i64::from(dyno.index) * 300,
            error_microseconds: 50,
            round_trip_microseconds: Some(100),
        }),
        books: books(scheduled),
        warmup: books(plan.warmup_schedule(dynos, dyno.index).count()),
        over: plan
            .latency_limits(&dyno.dyno_type)
            .map(|_| LimitCount {
                over: 0,
                excused: 0,
                unknown: 0,
                total: scheduled,
            })
            .collect(),
        failures: Some(Vec::new()),
        steps: [Step::Fetch, Step::Save, Step::Ping]
            .map(|step| StepTimes {
                step,
                service: times(300),
                replies: None,
            })
            .to_vec(),
        latencies: Latencies {
            response: times(1000),
            wait: times(100),
            service: times(900),
        },
        incomplete: None,
        busiest: vec![BusyWorker {
            worker: 17,
            tasks: scheduled / 63,
            peak_backlog: 9,
            peak_at_milliseconds: 131_400,
            busy_per_mille: 10,
            response: times(1000),
            step_means_microseconds: vec![300; 3],
        }],
        other_workers_backlog: 5,
        tls: None,
        own: OwnVitals {
            schedule_lag_p99_microseconds: 100,
            schedule_lag: times(10),
            loop_lag: times(10),
            load_threads: 1,
            load_thread_busy_per_mille: 150,
            cpu_microseconds: u64::from(plan.duration_seconds) * 200_000,
            throttled_per_mille: 0,
            memory_bytes: 38 << 20,
            bytes_out: 32_200 * scheduled,
            bytes_in: 26_600 * scheduled,
            reconnects: 0,
            coordination_failures: 0,
            load_threads_cpu_microseconds: Some(u64::from(plan.duration_seconds) * 190_000),
            cpu_allowance_millis: dynos
                .cpu_millis
                .map(|millis| Allowance::Limited(millis.into())),
            memory_allowance_bytes: dynos.memory_bytes.map(Allowance::Limited),
        },
        lateness: Some(Lateness::default()),
        queues: Some(Queues::default()),
        last: LastSeconds {
            throttled_per_mille: 0,
            schedule_lag_p99_microseconds: 100,
            response_p99_microseconds: 1000,
            cpu_per_mille: 200,
            load_thread_busy_per_mille: 150,
            workers_busy_per_mille: 990,
            redis_main_thread_per_mille: sampler.then_some(410),
            redis_evicted_keys: sampler.then_some(0),
            redis_rejected_connections: sampler.then_some(0),
            redis_memory_bytes: sampler.then_some(4 << 30),
            redis_work: if sampler {
                one_thread()
            } else {
                TargetWork::default()
            },
        },
        target: sampler.then(|| TargetVitals {
            samples: plan.duration_seconds,
            server: None,
            version: Some("7.0.15".to_owned()),
            role: Some("master".to_owned()),
            maxmemory_bytes: Some(100 << 30),
            maxmemory_policy: Some("noeviction".to_owned()),
            maxclients: Some(65_000),
            main_thread_per_mille: Some(410),
            memory_at_start_bytes: Some(1 << 30),
            memory_at_end_bytes: Some(4 << 30),
            connections_max: Some(130),
            evicted_keys: Some(0),
            rejected_connections: Some(0),
            append_only_file: Some(false),
            replicas: Some(0),
            work: one_thread(),
            commands: Vec::new(),
        }),
        timeline: None,
        histograms: Histograms {
            response: histogram(1000),
            wait: histogram(100),
            service: histogram(900),
            steps: None,
            schedule_lag: None,
        },
    }
}

/// Of a target that has no I/O threads.
fn one_thread() -> TargetWork {
    TargetWork {
        io_threads: Some(false),
        ..TargetWork::default()
    }
}

/// A report whose every number and choice is drawn from `next`.
pub(crate) fn drawn(next: &mut dyn FnMut() -> u64) -> Report {
    fn short(next: &mut dyn FnMut() -> u64) -> u32 {
        u32::try_from(next() & u64::from(u32::MAX)).unwrap()
    }
    fn times(next: &mut dyn FnMut() -> u64) -> Times {
        Times {
            count: next(),
            sum_microseconds: next(),
            max_microseconds: next(),
        }
    }
    fn books(next: &mut dyn FnMut() -> u64) -> Books {
        Books {
            scheduled: next(),
            delivered: next(),
            rejected: next(),
            undispatched: next(),
            completed: next(),
            in_time: next(),
            failed: next(),
            timed_out: next(),
            abandoned: next(),
        }
    }
    fn maybe<T>(
        next: &mut dyn FnMut() -> u64,
        of: impl Fn(&mut dyn FnMut() -> u64) -> T,
    ) -> Option<T> {
        next().is_multiple_of(2).then(|| of(next))
    }
    fn allowance(next: &mut dyn FnMut() -> u64) -> Allowance {
        if next().is_multiple_of(4) {
            Allowance::Unlimited
        } else {
            Allowance::Limited(next())
        }
    }
    fn work(next: &mut dyn FnMut() -> u64) -> TargetWork {
        TargetWork {
            process_per_mille: maybe(next, short),
            event_loop_per_mille: maybe(next, short),
            executing_per_mille: maybe(next, short),
            io_thread_per_mille: maybe(next, short),
            io_threads: maybe(next, |next| next().is_multiple_of(2)),
        }
    }
    fn text(next: &mut dyn FnMut() -> u64) -> String {
        let length = next() % 40;
        (0..length)
            .map(|_| char::from_u32(short(next) % 0x500).unwrap())
            .collect()
    }
    fn histogram(next: &mut dyn FnMut() -> u64, digits: Digits) -> Option<crate::EncodedHistogram> {
        let count = next() % 30;
        (count > 0).then(|| {
            let mut histogram = Histogram::new(digits);
            for _ in 1..count {
                histogram.record(next() >> (next() % 64));
            }
            histogram.encode()
        })
    }
    let ending = match next() % 13 {
        0 => Ending::BacklogLimit {
            worker: short(next),
            backlog: short(next),
            on_time: next().is_multiple_of(2).then(|| short(next)),
        },
        1 => Ending::ErrorLimit {
            threshold: "errors".to_owned(),
            cause: text(next),
        },
        2 => Ending::LatencyLimit {
            threshold: "p99".to_owned(),
        },
        3 => Ending::Stopped,
        4 => Ending::Terminated,
        5 => Ending::TargetLost { detail: text(next) },
        6 => Ending::TargetChanged { detail: text(next) },
        7 => Ending::StartTimeout { detail: text(next) },
        8 => Ending::DuplicateDyno { holder: text(next) },
        9 => Ending::Internal { detail: text(next) },
        10 => Ending::ForeignKeysEvicted { keys: next() },
        11 => Ending::TargetRefused { detail: text(next) },
        _ => Ending::Completed,
    };
    Report {
        version: REPORT_VERSION,
        run: RUN.to_owned(),
        dyno: DynoName {
            dyno_type: "web".to_owned(),
            index: short(next) % 3,
        },
        pod: text(next),
        end: (!next().is_multiple_of(4)).then_some(End {
            ending,
            after_milliseconds: next(),
            during_warmup: next().is_multiple_of(2),
        }),
        start: (!next().is_multiple_of(4)).then(|| Start {
            at_microseconds: next(),
            offset_microseconds: next().cast_signed(),
            error_microseconds: next(),
            round_trip_microseconds: maybe(next, |next| next()),
        }),
        books: books(next),
        warmup: books(next),
        over: (0..next() % 4)
            .map(|_| LimitCount {
                over: next(),
                excused: next(),
                unknown: next(),
                total: next(),
            })
            .collect(),
        failures: next().is_multiple_of(2).then(|| {
            let classes = usize::try_from(next() % 3).unwrap();
            FailureClass::ALL
                .iter()
                .take(classes)
                .map(|class| ClassFailures {
                    class: *class,
                    measured: next(),
                    warmup: next(),
                    example: next().is_multiple_of(2).then(|| text(next)),
                })
                .collect()
        }),
        steps: [Step::Fetch, Step::Save, Step::Ping]
            .into_iter()
            .take(usize::try_from(next() % 4).unwrap())
            .map(|step| StepTimes {
                step,
                service: times(next),
                replies: next().is_multiple_of(2).then(|| Replies {
                    hits: next(),
                    misses: next(),
                }),
            })
            .collect(),
        latencies: Latencies {
            response: times(next),
            wait: times(next),
            service: times(next),
        },
        incomplete: next().is_multiple_of(2).then(|| Incomplete {
            failed_response_max_microseconds: next(),
            failed_wait_max_microseconds: next(),
            failed_service_max_microseconds: next(),
            steps: None,
            ages: histogram(next, Digits::One)
                .zip(histogram(next, Digits::One))
                .zip(histogram(next, Digits::One))
                .map(|((response, wait), service)| Ages {
                    response,
                    wait,
                    service,
                }),
        }),
        busiest: (0..next() % 6)
            .map(|_| BusyWorker {
                worker: short(next),
                tasks: next(),
                peak_backlog: short(next),
                peak_at_milliseconds: next(),
                busy_per_mille: short(next),
                response: times(next),
                step_means_microseconds: (0..next() % 4).map(|_| next()).collect(),
            })
            .collect(),
        other_workers_backlog: short(next),
        tls: next()
            .is_multiple_of(2)
            .then_some(TlsVerification::SkipVerification),
        own: OwnVitals {
            schedule_lag_p99_microseconds: next(),
            schedule_lag: times(next),
            loop_lag: times(next),
            load_threads: short(next),
            load_thread_busy_per_mille: short(next),
            cpu_microseconds: next(),
            throttled_per_mille: short(next),
            memory_bytes: next(),
            bytes_out: next(),
            bytes_in: next(),
            reconnects: next(),
            coordination_failures: next(),
            load_threads_cpu_microseconds: maybe(next, |next| next()),
            cpu_allowance_millis: maybe(next, allowance),
            memory_allowance_bytes: maybe(next, allowance),
        },
        lateness: next().is_multiple_of(2).then(|| Lateness {
            longest: (0..next() % 9)
                .map(|_| OwnDelay {
                    at_milliseconds: next(),
                    microseconds: next(),
                })
                .collect(),
            timed_out: next(),
            timed_out_in_warmup: next(),
        }),
        queues: next().is_multiple_of(2).then(|| Queues {
            at_middle: next(),
            at_end: next(),
        }),
        last: LastSeconds {
            throttled_per_mille: short(next),
            schedule_lag_p99_microseconds: next(),
            response_p99_microseconds: next(),
            cpu_per_mille: short(next),
            load_thread_busy_per_mille: short(next),
            workers_busy_per_mille: short(next),
            redis_main_thread_per_mille: maybe(next, short),
            redis_evicted_keys: maybe(next, |next| next()),
            redis_rejected_connections: maybe(next, |next| next()),
            redis_memory_bytes: maybe(next, |next| next()),
            redis_work: work(next),
        },
        target: next().is_multiple_of(2).then(|| TargetVitals {
            samples: short(next),
            server: maybe(next, text),
            version: maybe(next, text),
            role: maybe(next, text),
            maxmemory_bytes: maybe(next, |next| next()),
            maxmemory_policy: maybe(next, text),
            maxclients: maybe(next, |next| next()),
            main_thread_per_mille: maybe(next, short),
            memory_at_start_bytes: maybe(next, |next| next()),
            memory_at_end_bytes: maybe(next, |next| next()),
            connections_max: maybe(next, |next| next()),
            evicted_keys: maybe(next, |next| next()),
            rejected_connections: maybe(next, |next| next()),
            append_only_file: maybe(next, |next| next().is_multiple_of(2)),
            replicas: maybe(next, |next| next()),
            work: work(next),
            commands: (0..next() % 9)
                .map(|_| CommandWork {
                    name: text(next),
                    calls: next(),
                    microseconds: next(),
                })
                .collect(),
        }),
        timeline: next().is_multiple_of(2).then(|| Timeline {
            slot_seconds: short(next),
            completed: (0..next() % 25).map(|_| next()).collect(),
            response_p99_microseconds: (0..next() % 25)
                .map(|_| maybe(next, |next| next()))
                .collect(),
            peak_backlog: (0..next() % 25).map(|_| maybe(next, short)).collect(),
            redis_main_thread_per_mille: (0..next() % 25).map(|_| maybe(next, short)).collect(),
        }),
        histograms: Histograms {
            response: histogram(next, Digits::Three),
            wait: histogram(next, Digits::Three),
            service: histogram(next, Digits::Three),
            steps: None,
            schedule_lag: histogram(next, Digits::Three),
        },
    }
}

/// Numbers from a seed: small, large and extreme ones (SplitMix64, public domain).
pub(crate) fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        let mut mixed = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        match mixed() % 8 {
            0 => 0,
            1 => u64::MAX - mixed() % 2,
            2..=4 => mixed() % 1000,
            _ => mixed() >> (mixed() % 64),
        }
    }
}
