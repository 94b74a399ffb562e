//! What holds whatever the reports say.

use proptest::prelude::*;

use super::{Case, evicted, lost};
use crate::histogram::{Digits, Histogram};
use crate::judge::judge;
use crate::judgement::{DynoVerdict, ReportState};
use crate::limit::{Holding, LimitCount};
use crate::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use crate::plan::{DynoName, Latency, LatencyLimit, Limit, Percentile, Plan, Step};
use crate::report::{Ending, Report, Times};
use crate::samples;
use crate::schedule::Rate;
use crate::verdict::{Reason, Verdict};

fn small_plan() -> Plan {
    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation = vec![
        samples::dyno_type("web", 2),
        samples::dyno_type("worker", 1),
    ];
    for dynos in &mut plan.formation {
        dynos.rate = Rate::per_second(100);
    }
    plan.thresholds[2].limit = Limit::Rate {
        min_tasks_per_second: 290,
    };
    plan
}

/// Evidence of harm, of every kind. Each finds its dyno, or leaves things as bad as they are.
fn harms() -> Vec<fn(&mut Case, usize)> {
    fn with(case: &mut Case, dyno: usize, spoil: impl FnOnce(&mut Report)) {
        if let Evidence::Complete(report) | Evidence::Partial(report) = &mut case.dynos[dyno].report
        {
            spoil(report);
        }
    }
    fn ending(case: &mut Case, dyno: usize, ending: Ending) {
        with(case, dyno, |report| {
            if let Some(end) = &mut report.end {
                end.ending = ending;
            }
        });
    }
    vec![
        |case, _| case.facts.cancelled = true,
        |case, _| case.facts.child_lost = Some("Job".to_owned()),
        |case, _| case.facts.managed_redis_taken = Some("gone".to_owned()),
        |case, _| case.facts.managed_redis_ended = Some("gone".to_owned()),
        |case, dyno| case.facts.duplicate = Some(case.dynos[dyno].dyno.clone()),
        |case, dyno| case.dynos[dyno].fate = Fate::OutOfMemory,
        |case, dyno| case.dynos[dyno].fate = Fate::NeverSeen,
        |case, dyno| case.dynos[dyno].fate = Fate::Running,
        |case, dyno| case.dynos[dyno].fate = Fate::Exited { code: 1 },
        |case, dyno| case.dynos[dyno].fate = Fate::Exited { code: 143 },
        |case, dyno| case.dynos[dyno].fate = lost(),
        |case, dyno| case.miss(dyno, Fate::Exited { code: 0 }),
        |case, dyno| with(case, dyno, |report| report.end = None),
        |case, dyno| with(case, dyno, |report| report.start = None),
        |case, dyno| ending(case, dyno, Ending::Stopped),
        |case, dyno| ending(case, dyno, Ending::Terminated),
        |case, dyno| {
            ending(
                case,
                dyno,
                Ending::TargetLost {
                    detail: String::new(),
                },
            );
        },
        |case, dyno| {
            ending(
                case,
                dyno,
                Ending::Internal {
                    detail: String::new(),
                },
            );
        },
        |case, dyno| {
            ending(
                case,
                dyno,
                Ending::BacklogLimit {
                    worker: 0,
                    backlog: 100,
                    on_time: Some(100),
                },
            );
        },
        |case, dyno| with(case, dyno, |report| report.books.failed += 1),
        |case, dyno| with(case, dyno, |report| report.books.in_time /= 2),
        |case, dyno| with(case, dyno, |report| report.books.delivered /= 2),
        |case, dyno| with(case, dyno, |report| report.warmup.failed += 1),
        |case, dyno| with(case, dyno, |report| report.over[0].over += 81),
        |case, dyno| with(case, dyno, |report| report.over[0].unknown += 81),
        |case, dyno| {
            with(case, dyno, |report| {
                report.own.schedule_lag_p99_microseconds += 6_000;
            });
        },
        |case, dyno| with(case, dyno, |report| report.last.throttled_per_mille += 500),
        |case, dyno| {
            with(case, dyno, |report| {
                report.last.schedule_lag_p99_microseconds += 1_000_000;
            });
        },
        |case, dyno| {
            with(case, dyno, |report| {
                if let Some(start) = &mut report.start {
                    start.offset_microseconds += 200_000 * (1 + i64::from(report.dyno.index));
                }
            });
        },
    ]
}

/// Anything at all as outcomes.
fn anything(seed: u64, plan: &Plan) -> (RunFacts, Vec<DynoOutcome>) {
    let mut next = samples::numbers(seed);
    let facts = RunFacts {
        cancelled: next().is_multiple_of(4),
        child_lost: next().is_multiple_of(4).then(|| "Job".to_owned()),
        managed_redis_taken: next().is_multiple_of(8).then(String::new),
        managed_redis_ended: next().is_multiple_of(8).then(String::new),
        managed_redis_node: None,
        duplicate: next().is_multiple_of(8).then(|| DynoName {
            dyno_type: "web".to_owned(),
            index: u32::MAX - 1,
        }),
    };
    let mut outcomes = Vec::new();
    for dyno in plan.dynos() {
        if next().is_multiple_of(10) {
            continue;
        }
        let mut report = samples::drawn(&mut next);
        if !next().is_multiple_of(8) {
            report.dyno = dyno.clone();
            let count = LimitCount {
                over: next(),
                excused: next(),
                unknown: next(),
                total: next(),
            };
            report
                .over
                .resize(plan.latency_limits(&dyno.dyno_type).count(), count);
        }
        if next().is_multiple_of(2) {
            report.books = samples::held(plan, &dyno).books;
        }
        let report = Box::new(report);
        outcomes.push(DynoOutcome {
            dyno,
            pod_name: None,
            node_name: None,
            fate: match next() % 8 {
                0 => Fate::NeverSeen,
                1 => Fate::Running,
                2 => Fate::OutOfMemory,
                3 => evicted(),
                4 => lost(),
                5 => Fate::DeadlineExceeded,
                _ => Fate::Exited {
                    code: [0, 0, 0, 1, 69, 70, 75, 76, 77, 128, 137, 143, -1]
                        [usize::try_from(next() % 12).unwrap()],
                },
            },
            report: match next() % 4 {
                0 => Evidence::Missing {
                    detail: String::new(),
                },
                1 => Evidence::Partial(report),
                _ => Evidence::Complete(report),
            },
        });
    }
    (facts, outcomes)
}

/// What a recorder counts of these response times against a limit.
fn counted(samples: &[u64], limit: u64) -> LimitCount {
    LimitCount {
        over: samples.iter().filter(|sample| **sample > limit).count() as u64,
        excused: 0,
        unknown: 0,
        total: samples.len() as u64,
    }
}

/// `4.8 ms` in microseconds, whatever stands before it.
fn shown_microseconds(observed: &str) -> f64 {
    let number: String = observed
        .chars()
        .filter(|character| character.is_ascii_digit() || *character == '.')
        .collect();
    number.parse::<f64>().unwrap() * 1000.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_told_it_never_panics_and_never_passes_without_every_report(seed in any::<u64>()) {
        let plan = small_plan();
        let (facts, outcomes) = anything(seed, &plan);
        let judgement = judge(&plan, &facts, &outcomes);
        prop_assert_eq!(judgement.dynos.len(), 3);
        prop_assert_eq!(judgement.thresholds.len(), plan.thresholds.len());
        prop_assert_eq!(judgement.verdict == Verdict::Passed, judgement.reason == Reason::Passed);
        prop_assert!(judgement.message.chars().count() < 2000);
        if judgement.verdict == Verdict::Passed {
            for row in &judgement.dynos {
                prop_assert_eq!(row.report, ReportState::Complete);
                prop_assert_eq!(row.result, DynoVerdict::Passed);
            }
            for threshold in &judgement.thresholds {
                prop_assert_eq!(threshold.holding, Holding::Held);
            }
        }
        let mut reversed = outcomes.clone();
        reversed.reverse();
        prop_assert_eq!(judge(&plan, &facts, &reversed), judgement);
    }

    #[test]
    fn more_harm_never_makes_a_pass(
        chosen in prop::collection::vec((0_usize..29, 0_usize..3), 1..6),
    ) {
        let harms = harms();
        prop_assert_eq!(harms.len(), 29);
        let mut case = Case::of(small_plan());
        let mut passed = case.judge().verdict == Verdict::Passed;
        prop_assert!(passed);
        for (harm, dyno) in chosen {
            harms[harm](&mut case, dyno);
            let judgement = case.judge();
            let passes = judgement.verdict == Verdict::Passed;
            prop_assert!(passed || !passes, "{harm} mended it: {:?}", judgement);
            passed = passes;
            let every = judgement.dynos.iter().all(|row| row.result == DynoVerdict::Passed);
            prop_assert!(!passes || every);
        }
    }

    #[test]
    fn a_percentile_holds_exactly_by_its_rank(
        mut responses in prop::collection::vec(1_u64..2_000_000, 200),
        split in 1_usize..100,
        rank in 0_usize..200,
        aside in -1_i64..=1,
        thousandths in prop::sample::select(vec![1_u32, 500, 50_000, 90_000, 99_000, 99_400, 99_500, 99_900, 99_999]),
        digits in prop::sample::select(vec![Digits::One, Digits::Two, Digits::Three]),
    ) {
        // The limit is one of the samples, or one microsecond to either side of it.
        let max_microseconds = responses[rank].saturating_add_signed(aside).max(1);
        let percentile = Percentile::try_from(thousandths).unwrap();
        let mut plan = samples::plan();
        plan.duration_seconds = 1;
        plan.formation[0].rate = Rate::per_second(100);
        plan.thresholds = vec![samples::threshold("limit", Limit::Latency(LatencyLimit {
            of: Latency::Response,
            step: Step::Task,
            percentile,
            max_microseconds,
        }))];
        let mut case = Case::of(plan);
        // Every dyno has 100 of the 200: shifted by `split`, whose are whose makes no difference.
        responses.rotate_left(split);
        for dyno in 0..2 {
            let own = &responses[dyno * 100..(dyno + 1) * 100];
            let report = case.report(dyno);
            report.over[0] = counted(own, max_microseconds);
            let mut histogram = Histogram::new(digits);
            let mut times = Times::default();
            for response in own {
                histogram.record(*response);
                times.record(*response);
            }
            report.histograms.response = Some(histogram.encode());
            report.latencies.response = times;
        }
        let judgement = case.judge();
        responses.sort_unstable();
        let over = responses.iter().filter(|response| **response > max_microseconds).count();
        let allowed = usize::try_from(200 * u64::from(100_000 - thousandths) / 100_000).unwrap();
        let holds = responses[199 - allowed] <= max_microseconds;
        let result = &judgement.thresholds[0];
        prop_assert_eq!(result.holding, if holds { Holding::Held } else { Holding::Breached });
        prop_assert_eq!(result.over_count, Some(over as u64));
        prop_assert_eq!(result.allowed_count, Some(allowed as u64));
        prop_assert_eq!(judgement.verdict, if holds { Verdict::Passed } else { Verdict::Failed });
        // What is printed never contradicts the count.
        let limit = max_microseconds as f64;
        if result.observed.ends_with("(counted)") {
            let sign = if holds { "<= " } else { "> " };
            prop_assert!(result.observed.starts_with(sign), "{}", result.observed);
        } else if holds {
            prop_assert!(shown_microseconds(&result.observed) <= limit + 0.01, "{}", result.observed);
        } else {
            prop_assert!(shown_microseconds(&result.observed) > limit, "{}", result.observed);
        }
    }

    #[test]
    fn the_order_of_outcomes_does_not_matter(seed in any::<u64>()) {
        let mut next = samples::numbers(seed);
        let mut case = Case::of(small_plan());
        for _ in 0..3 {
            let harm = usize::try_from(next() % 29).unwrap();
            harms()[harm](&mut case, usize::try_from(next() % 3).unwrap());
        }
        let judgement = case.judge();
        case.dynos.rotate_left(1);
        prop_assert_eq!(&case.judge(), &judgement);
        case.dynos.reverse();
        prop_assert_eq!(&case.judge(), &judgement);
    }
}
