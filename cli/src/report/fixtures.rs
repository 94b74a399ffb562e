//! Runs that are made up for the tests; their numbers obey the laws of the books.

use redyno_contract::figures;
use redyno_contract::histogram::Digits;
use redyno_contract::judgement::{
    BacklogPlace, BacklogResult, Distribution, DynoNumbers, DynoResult, DynoVerdict, Encryption,
    Judgement, Quantile, ReportState, StepDistribution, ThresholdResult, TimeSpent, Totals,
    TypeResult,
};
use redyno_contract::limit::Holding;
use redyno_contract::outcome::Fate;
use redyno_contract::plan::{
    self, Arrivals, Assignment, Commands, DynoName, Expectation, Keyspace, Latency, MixedCommand,
    Prefill, QueueOrder, Step, Workload,
};
use redyno_contract::report::{
    Books, BusyWorker, End, Ending, OwnVitals, Replies, StepTimes, TargetVitals, Times,
};
use redyno_contract::samples;
use redyno_contract::timeline::Timeline;
use redyno_contract::{Bottleneck, Plan, Reason};

use super::*;

pub(crate) const UID: &str = "7f3c0a11-9d2e-4c58-8a51-0d6f2b1e9c44";
const GIBIBYTE: u64 = 1 << 30;

pub(crate) fn plan(quantity: u32) -> Plan {
    let mut plan = samples::plan();
    UID.clone_into(&mut plan.run.uid);
    plan.target.connections = quantity * 64 + 2;
    plan.formation = vec![samples::dyno_type("web", quantity)];
    plan.thresholds.retain(|threshold| threshold.name == "p99");
    plan
}

/// Nine GETs to one SET, with everything that is not a default.
pub(crate) fn plan_of_commands() -> Plan {
    let mut plan = plan(1);
    let command = |name: &str, weight, command: &[&str]| MixedCommand {
        name: name.to_owned(),
        weight,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        expect: Expectation::Any,
    };
    let dynos = &mut plan.formation[0];
    dynos.arrivals = Arrivals::Poisson;
    dynos.assignment = Assignment::RoundRobin;
    dynos.queue_order = QueueOrder::NewestFirst;
    dynos.application_cpu_microseconds = 1_500;
    dynos.workload = Workload::Commands(Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys: 100_000,
            distribution: plan::Distribution::Zipf {
                exponent_percent: 99,
            },
        },
        value_bytes: 512,
        prefill: Prefill::Full,
        mix: vec![
            command("get", 9, &["GET", "{key}"]),
            command("set", 1, &["SET", "{key}", "{value}"]),
        ],
    });
    plan
}

pub(crate) fn passed_with_commands() -> Judgement {
    let mut judgement = passed(1);
    let steps: Vec<StepTimes> = [
        ("get", 216_031, 1_730, 9_100),
        ("set", 23_969, 1_790, 12_630),
    ]
    .map(|(name, count, mean, max)| StepTimes {
        step: Step::Command(name.to_owned()),
        service: times(count, mean, max),
        replies: Some(Replies {
            hits: count,
            misses: 0,
        }),
    })
    .into();
    judgement.summary.steps.clone_from(&steps);
    judgement.formation[0].totals.steps = steps;
    if let Some(numbers) = &mut judgement.dynos[0].numbers {
        numbers.own.bytes_out = 240_000 * 180;
        numbers.own.bytes_in = 240_000 * 470;
        for worker in &mut numbers.busiest {
            worker.step_means_microseconds = vec![1_731, 1_812];
        }
    }
    judgement
}

pub(crate) fn times(count: u64, mean: u64, max_microseconds: u64) -> Times {
    Times {
        count,
        sum_microseconds: count * mean,
        max_microseconds,
    }
}

pub(crate) fn distribution(quantiles: [u64; 4], times: Times, digits: u8) -> Distribution {
    let [p50, p90, p99, p999] =
        quantiles.map(|value| Quantile::At(figures::rounded(value, digits)));
    Distribution {
        p50,
        p90,
        p99,
        p999,
        max: Quantile::Maximum(times.max_microseconds),
        times,
        digits,
    }
}

fn passed_books() -> Books {
    Books {
        scheduled: 240_000,
        delivered: 240_000,
        completed: 240_000,
        in_time: 239_999,
        ..Books::default()
    }
}

fn worker(worker: u32, peak_backlog: u32) -> BusyWorker {
    BusyWorker {
        worker,
        tasks: 3_871,
        peak_backlog,
        peak_at_milliseconds: 131_404,
        busy_per_mille: 11,
        response: times(3_871, 1_310, 31_204),
        step_means_microseconds: vec![440, 310, 100],
    }
}

pub(crate) fn numbers(books: Books, offset: i64) -> DynoNumbers {
    DynoNumbers {
        books,
        achieved_tasks_per_second: books.in_time as f64 / 240.0,
        max_worker_backlog: 9,
        response_p99: Some(Quantile::At(4_800)),
        own: OwnVitals {
            schedule_lag_p99_microseconds: 96,
            schedule_lag: times(240_000, 31, 4_100),
            loop_lag: times(24_000, 50, 1_900),
            load_threads: 1,
            load_thread_busy_per_mille: 150,
            cpu_microseconds: 48_000_000,
            throttled_per_mille: 0,
            memory_bytes: 38 << 20,
            bytes_out: 240_000 * 32_200,
            bytes_in: 240_000 * 26_600,
            reconnects: 0,
            coordination_failures: 0,
            load_threads_cpu_microseconds: Some(35_000_000),
            cpu_allowance_millis: None,
            memory_allowance_bytes: None,
        },
        start_offset_microseconds: Some(offset),
        busiest: vec![
            worker(17, 9),
            worker(3, 8),
            worker(40, 6),
            worker(8, 5),
            worker(1, 5),
        ],
        other_workers_backlog: 5,
    }
}

pub(crate) fn dyno(
    index: u32,
    ending: Ending,
    after_milliseconds: u64,
    numbers: DynoNumbers,
) -> DynoResult {
    let (result, reason) = match ending {
        Ending::Completed => (DynoVerdict::Passed, None),
        Ending::Stopped => (DynoVerdict::Stopped, Some("Stopped")),
        _ => (DynoVerdict::Failed, Some("BacklogLimit")),
    };
    DynoResult {
        dyno: DynoName {
            dyno_type: "web".to_owned(),
            index,
        },
        pod_name: Some(format!("vertical-up-6-web-{index}")),
        node_name: Some(format!("n{}", index % 3 + 1)),
        result,
        reason: reason.map(str::to_owned),
        fate: Fate::Exited { code: 0 },
        end: Some(End {
            ending,
            after_milliseconds,
            during_warmup: false,
        }),
        report: ReportState::Complete,
        numbers: Some(numbers),
    }
}

fn totals(dynos: &[DynoResult], planned: u64) -> Totals {
    let books = dynos
        .iter()
        .filter_map(|row| row.numbers.as_ref())
        .fold(Books::default(), |sum, row| sum.plus(row.books));
    let count = books.completed;
    Totals {
        planned,
        books,
        measured_milliseconds: 240_000,
        asked_tasks_per_second: books.scheduled as f64 / 240.0,
        achieved_tasks_per_second: books.in_time as f64 / 240.0,
        achieved_per_mille: Some(999),
        response: Some(distribution(
            [903, 1_912, 4_812, 11_040],
            times(count, 1_104, 31_249),
            2,
        )),
        wait: Some(distribution(
            [94, 612, 2_900, 8_120],
            times(count, 271, 27_914),
            1,
        )),
        service: Some(distribution(
            [804, 1_304, 2_430, 4_410],
            times(count, 833, 12_630),
            1,
        )),
        steps: [
            (Step::Fetch, 430, 7_710),
            (Step::Save, 300, 6_120),
            (Step::Ping, 100, 2_900),
        ]
        .into_iter()
        .map(|(step, mean, max)| StepTimes {
            step,
            service: times(count, mean, max),
            replies: None,
        })
        .collect(),
        step_distributions: Vec::new(),
        failures: Vec::new(),
    }
}

pub(crate) fn passed(quantity: u32) -> Judgement {
    let dynos: Vec<DynoResult> = (0..quantity)
        .map(|index| {
            dyno(
                index,
                Ending::Completed,
                245_012,
                numbers(passed_books(), i64::from(index) * 300),
            )
        })
        .collect();
    let summary = totals(&dynos, 240_000 * u64::from(quantity));
    Judgement {
        verdict: Verdict::Passed,
        reason: Reason::Passed,
        during_warmup: false,
        bottleneck: Some(Bottleneck::RedisCpu),
        message: "2 of 2 dynos held 2000 tasks/s for 240 s; response p99 4.8 ms (limit 250 ms). \
                  Next limit: Redis, at 41 % of its core."
            .to_owned(),
        start_microseconds: Some(1_790_000_000_000_000),
        start_skew_microseconds: Some(300),
        encryption: Some(Encryption::Plain),
        formation: vec![TypeResult {
            dyno_type: "web".to_owned(),
            totals: summary.clone(),
            timeline: Some(timeline()),
            time_spent: Some(TimeSpent {
                waiting_microseconds: 104,
                dyno_microseconds: 62,
                executing_microseconds: Some(231),
                elsewhere_microseconds: 1_903,
            }),
        }],
        summary,
        thresholds: vec![
            ThresholdResult {
                name: "p99".to_owned(),
                holding: Holding::Held,
                observed: "4.8 ms".to_owned(),
                limit: "response p99 250 ms".to_owned(),
                over_count: Some(0),
                allowed_count: Some(4_800),
            },
            ThresholdResult {
                name: "errors".to_owned(),
                holding: Holding::Held,
                observed: "0".to_owned(),
                limit: "0 per million".to_owned(),
                over_count: Some(0),
                allowed_count: Some(0),
            },
            ThresholdResult {
                name: "rate".to_owned(),
                holding: Holding::Held,
                observed: "2000 /s".to_owned(),
                limit: "1990 /s".to_owned(),
                over_count: None,
                allowed_count: None,
            },
        ],
        backlogs: vec![BacklogResult {
            max_worker_backlog: 100,
            dyno_types: vec!["web".to_owned()],
            peak: Some(9),
            place: Some(place(0, 131_404)),
            holding: Holding::Held,
        }],
        dynos,
        target: Some(TargetVitals {
            samples: 240,
            version: Some("7.0.15".to_owned()),
            role: Some("master".to_owned()),
            maxmemory_bytes: Some(100 * GIBIBYTE),
            maxmemory_policy: Some("noeviction".to_owned()),
            maxclients: Some(65_000),
            main_thread_per_mille: Some(412),
            memory_at_start_bytes: Some(40_000_000),
            memory_at_end_bytes: Some(3_020_000_000),
            connections_max: Some(130),
            evicted_keys: Some(0),
            rejected_connections: Some(0),
            ..TargetVitals::default()
        }),
        timeline: Some(timeline()),
    }
}

fn place(index: u32, at_milliseconds: u64) -> BacklogPlace {
    BacklogPlace {
        dyno: DynoName {
            dyno_type: "web".to_owned(),
            index,
        },
        worker: 17,
        at_milliseconds,
    }
}

pub(crate) fn sizes() -> Vec<String> {
    vec!["performance-2xl (16 CPU, 126 GiB)".to_owned()]
}

/// A window of 24 slots, in the fourteenth of which Redis had a hiccup.
pub(crate) fn timeline() -> Timeline {
    fn slots<T>(of: impl Fn(u32) -> T) -> Vec<T> {
        (0..24).map(of).collect()
    }
    Timeline {
        slot_seconds: 10,
        completed: slots(|slot| match slot {
            13 => 19_100,
            14 => 20_900,
            _ => 20_000,
        }),
        response_p99_microseconds: slots(|slot| {
            Some(match slot {
                13 => 11_900,
                14 => 6_300,
                other => 4_100 + u64::from(other),
            })
        }),
        peak_backlog: slots(|slot| Some(if slot == 13 { 9 } else { slot % 3 })),
        redis_main_thread_per_mille: slots(|slot| Some(405 + slot)),
    }
}

pub(crate) fn failed_by_backlog() -> Judgement {
    let mut judgement = passed(2);
    let books = Books {
        scheduled: 23_400,
        delivered: 22_900,
        rejected: 1,
        undispatched: 499,
        completed: 21_000,
        in_time: 21_000,
        abandoned: 1_900,
        ..Books::default()
    };
    let mut hot = numbers(books, 0);
    hot.max_worker_backlog = 100;
    hot.busiest[0] = BusyWorker {
        peak_backlog: 100,
        peak_at_milliseconds: 28_400,
        busy_per_mille: 1000,
        ..worker(17, 100)
    };
    judgement.dynos = vec![
        dyno(0, Ending::Stopped, 28_611, numbers(books, 0)),
        dyno(
            1,
            Ending::BacklogLimit {
                worker: 17,
                backlog: 100,
                on_time: Some(100),
            },
            28_400,
            hot,
        ),
    ];
    judgement.summary = totals(&judgement.dynos, 480_000);
    judgement.summary.measured_milliseconds = 23_611;
    judgement.backlogs[0].peak = Some(100);
    judgement.backlogs[0].place = Some(place(1, 28_400));
    judgement.backlogs[0].holding = Holding::Breached;
    judgement.timeline = Some(Timeline {
        slot_seconds: 10,
        completed: vec![20_000, 20_000, 2_000],
        response_p99_microseconds: vec![Some(4_800), Some(91_000), Some(1_204_000)],
        peak_backlog: vec![Some(9), Some(41), Some(100)],
        // The dyno that samples Redis did not report.
        redis_main_thread_per_mille: Vec::new(),
    });
    let response = judgement.summary.response.as_mut().unwrap();
    response.p99 = Quantile::AtLeast(1_200_000);
    response.p999 = Quantile::Maximum(1_204_000);
    judgement.verdict = Verdict::Failed;
    judgement.reason = Reason::BacklogLimitReached;
    judgement.message =
        "web.2 FAILED after 28.4 s: worker 17 had 100 waiting; Redis was at 99 % of its core. \
                         Try a lower rate, more workers, or a smaller object graph."
            .to_owned();
    judgement.thresholds[0].holding = Holding::Breached;
    judgement.thresholds[0].observed = "> 250 ms (counted)".to_owned();
    judgement.thresholds[0].over_count = Some(4_812);
    judgement
}

/// Whole distributions of the latencies of [`passed`], through the quantiles that it has.
pub(crate) fn curves(scheduled: u64, completed: u64) -> Vec<Curve> {
    [
        (Latency::Response, [310, 903, 1_912, 4_812, 11_040, 31_249]),
        (Latency::Service, [290, 804, 1_304, 2_430, 4_410, 12_630]),
    ]
    .into_iter()
    .map(|(latency, values)| Curve {
        dyno_type: None,
        latency,
        histogram: through(values, scheduled, completed),
        distribution: {
            let [_, p50, p90, p99, p999, max] = values;
            let times = times(completed, p50, max);
            let bound = |rank: u64, quantile: Quantile| {
                if rank * scheduled > completed * 1000 {
                    Quantile::AtLeast(quantile.microseconds())
                } else {
                    quantile
                }
            };
            let all = distribution([p50, p90, p99, p999], times, 2);
            Distribution {
                p50: bound(500, all.p50),
                p90: bound(900, all.p90),
                p99: bound(990, all.p99),
                p999: bound(999, all.p999),
                max: bound(1000, all.max),
                ..all
            }
        },
        scheduled,
    })
    .collect()
}

/// The quickest `completed` of `scheduled` values whose minimum, p50, p90, p99, p99.9 and maximum are
/// these.
fn through(values: [u64; 6], scheduled: u64, completed: u64) -> Histogram {
    // Positions of the quantiles, in decades of 1 / (1 - p).
    let decades = [
        0.0,
        2_f64.log10(),
        1.0,
        2.0,
        3.0,
        (scheduled as f64).log10(),
    ];
    let mut histogram = Histogram::new(Digits::Two);
    for rank in 0..completed {
        let decade = -(1.0 - (rank as f64 / scheduled as f64)).log10();
        let after = decades
            .iter()
            .position(|known| *known > decade)
            .unwrap_or(decades.len() - 1)
            .max(1);
        let share = (decade - decades[after - 1]) / (decades[after] - decades[after - 1]);
        let (low, high) = (values[after - 1] as f64, values[after] as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        histogram.record((low * (high / low).powf(share)) as u64);
    }
    histogram
}

/// The report of a run of which only records are at hand.
pub(crate) fn report_of<'a>(
    judgement: &'a Judgement,
    plan: &'a Plan,
    sizes: &'a [String],
) -> TerminalReport<'a> {
    TerminalReport {
        namespace: "default",
        name: "vertical-up-6",
        version: "0.1.0",
        uid: UID,
        verdict: judgement.verdict,
        message: &judgement.message,
        run: Some(PlannedRun {
            plan,
            sizes,
            enforcement: Enforcement::Enforced,
            found: None,
            judgement: Some(judgement),
            curves: &[],
            cleanup: None,
        }),
    }
}

/// A run of which one dyno was lost, and its report with it.
pub(crate) fn with_a_lost_dyno() -> Judgement {
    let mut judgement = passed(2);
    judgement.verdict = Verdict::Errored;
    judgement.reason = Reason::DynoLost;
    judgement.message = "web.2 was lost: killed by signal 9. Run the test again.".to_owned();
    judgement.dynos[1] = DynoResult {
        result: DynoVerdict::Errored,
        reason: Some("Lost".to_owned()),
        fate: Fate::Lost {
            detail: "killed by signal 9".to_owned(),
        },
        end: None,
        report: ReportState::Missing,
        numbers: None,
        ..judgement.dynos[1].clone()
    };
    judgement.start_skew_microseconds = None;
    judgement.summary.response = None;
    judgement.summary.wait = None;
    judgement.summary.service = None;
    judgement.thresholds[0].holding = Holding::Unknown;
    judgement
}

/// Distributions of two steps.
pub(crate) fn step_distributions() -> Vec<StepDistribution> {
    [
        (Step::Fetch, [412, 703, 1_300, 2_410]),
        (Step::Save, [301, 502, 904, 1_700]),
    ]
    .map(|(step, quantiles)| StepDistribution {
        step,
        service: distribution(quantiles, times(480_000, 430, 7_710), 3),
    })
    .to_vec()
}
