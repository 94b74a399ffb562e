//! Rows 6 and 9: which breach is the cause, and what it did to the others.

use super::{Case, expect, fail};
use crate::judgement::DynoVerdict;
use crate::limit::{Holding, LimitCount};
use crate::plan::{Latency, LatencyLimit, Limit, OnDynoFailure, Percentile, Step};
use crate::report::{Ending, Queues};
use crate::samples;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn a_breach_in_the_warm_up_says_so() {
    let mut case = Case::held();
    case.backlog(1);
    let end = case.report(1).end.as_mut().unwrap();
    end.during_warmup = true;
    end.after_milliseconds = 3_200;
    let judgement = case.judge();
    assert!(judgement.during_warmup);
    assert_eq!(judgement.reason, Reason::BacklogLimitReached);
    assert!(
        judgement
            .message
            .starts_with("web.2 FAILED after 3.2 s, in the warm-up: worker 17 had 100 waiting"),
        "{}",
        judgement.message
    );
    let numbers = judgement.dynos[1].numbers.as_ref().unwrap();
    assert!(numbers.achieved_tasks_per_second.abs() < f64::EPSILON);
    assert_eq!(numbers.max_worker_backlog, 100);
}

#[test]
fn the_first_breach_in_time_is_the_cause() {
    let mut case = Case::held();
    case.backlog(0);
    case.end(
        1,
        Ending::LatencyLimit {
            threshold: "p99".to_owned(),
        },
    );
    case.report(1).end.as_mut().unwrap().after_milliseconds = 8_399;
    let judgement = case.judge();
    assert_eq!(judgement.reason, Reason::ThresholdsBreached);
    assert!(
        judgement.message.starts_with(
            "web.2 FAILED after 8.3 s: more tasks were over threshold p99 (response p99 250 ms) \
             than it allows"
        ),
        "{}",
        judgement.message
    );
    // What a dyno found broken is shown as broken, whatever the sum of what is left says.
    assert_eq!(judgement.thresholds[0].holding, Holding::Breached);
    assert_eq!(judgement.thresholds[0].observed, "> 250 ms (counted)");
}

#[test]
fn with_continue_the_others_ran_relieved() {
    let mut case = Case::held();
    case.plan.on_dyno_failure = OnDynoFailure::Continue;
    case.backlog(1);
    let judgement = case.judge();
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(
        judgement
            .message
            .contains("; 1 other dyno ran to its end, relieved of this one's load. "),
        "{}",
        judgement.message
    );
    let rows: Vec<_> = judgement
        .dynos
        .iter()
        .map(|row| (row.result, row.reason.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            (DynoVerdict::Passed, None),
            (DynoVerdict::Failed, Some("BacklogLimit"))
        ]
    );
    // Over the 3.4 s that it ran.
    let achieved = judgement.dynos[1]
        .numbers
        .as_ref()
        .unwrap()
        .achieved_tasks_per_second;
    assert!((achieved - 4000.0 / 3.4).abs() < 1e-6, "{achieved}");
}

#[test]
fn row_9_breached_at_the_end() {
    expect(
        "the rate",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::RedisCpu,
        "Threshold rate BREACHED: 1989.7 /s (limit 1990 /s); Redis was at 95 % of its core. Try",
        |case| {
            case.report(1).books.in_time -= 41;
            let target = case.report(0).target.as_mut().unwrap();
            target.main_thread_per_mille = Some(950);
        },
    );
    expect(
        "a step's limit, by the tasks in which the step began",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold fetch BREACHED: > 5 ms (counted) (limit fetch service p90 5 ms)",
        |case| {
            case.plan.thresholds[0] = samples::threshold(
                "fetch",
                Limit::Latency(LatencyLimit {
                    of: Latency::Service,
                    step: Step::Fetch,
                    percentile: Percentile::P90,
                    max_microseconds: 5000,
                }),
            );
            for dyno in 0..2 {
                case.report(dyno).over[0] = LimitCount {
                    over: 101,
                    excused: 0,
                    unknown: 0,
                    total: 1000,
                };
            }
        },
    );
    let waiting = |case: &mut Case, at_middle: u64, at_end: u64| {
        case.report(1).queues = Some(Queues { at_middle, at_end });
    };
    expect(
        "not kept up",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Unknown,
        "web did not keep up: 81 of 8,000 tasks had not begun when the window ended, 1 % may, and \
         40 in its middle; Redis was at 41 % of its core",
        |case| waiting(case, 40, 81),
    );
    expect(
        "not kept up, with a long way to Redis",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Network,
        "and 0 in its middle; neither Redis (41 % of its core) nor the dyno (1 % of its CPU)",
        |case| {
            waiting(case, 0, 200);
            for dyno in 0..2 {
                case.distant(dyno);
            }
        },
    );
    for (name, at_middle, at_end) in [
        ("just kept up", 0, 80),
        ("a long queue that does not grow", 700, 740),
        ("a queue that gets shorter", 700, 300),
    ] {
        expect(
            name,
            Verdict::Passed,
            Reason::Passed,
            Bottleneck::RedisCpu,
            "held",
            |case| {
                // However little of it ended within the window.
                case.plan.thresholds.remove(2);
                case.report(1).books.in_time = 0;
                waiting(case, at_middle, at_end);
            },
        );
    }
    expect(
        "errors that are allowed are no reason not to keep up",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::RedisCpu,
        "held",
        |case| {
            case.plan.thresholds = vec![samples::threshold(
                "errors",
                Limit::Errors {
                    max_per_million: 50_000,
                },
            )];
            for dyno in 0..2 {
                fail(case, dyno, 150);
                case.report(dyno).over.clear();
            }
        },
    );
    for (in_time, verdict) in [(3956, Verdict::Failed), (3960, Verdict::Passed)] {
        let mut case = Case::held();
        case.plan.thresholds.remove(2);
        for dyno in 0..2 {
            // As former releases told it.
            case.report(dyno).queues = None;
            case.report(dyno).books.in_time = in_time;
        }
        let judgement = case.judge();
        assert_eq!(judgement.verdict, verdict, "{}", judgement.message);
    }
    expect(
        "a threshold comes before the schedule",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold rate BREACHED: 1978 /s",
        |case| {
            waiting(case, 0, 200);
            for dyno in 0..2 {
                case.report(dyno).books.in_time = 3956;
            }
        },
    );
}
