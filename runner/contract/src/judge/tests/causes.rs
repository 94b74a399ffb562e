//! Rows 6 and 9: which breach is the cause, and what it did to the others.

use super::{Case, expect};
use crate::judgement::DynoVerdict;
use crate::limit::{Holding, LimitCount};
use crate::plan::{Latency, LatencyLimit, Limit, OnDynoFailure, Percentile, Step};
use crate::report::Ending;
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
    let in_time = |case: &mut Case, tasks: u64| {
        for dyno in 0..2 {
            case.report(dyno).books.in_time = tasks;
        }
    };
    let slow = |case: &mut Case| {
        // 98.9 % in time.
        case.plan.thresholds.remove(2);
        in_time(case, 3956);
    };
    expect(
        "not kept up",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Unknown,
        "web did not keep up: 7,912 of 8,000 tasks ended in time, at least 99 % must; Redis was at 41 % of its core",
        slow,
    );
    expect(
        "not kept up, with a long way to Redis",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Network,
        "at least 99 % must; neither Redis (41 % of its core) nor the dyno (1 % of its CPU)",
        |case| {
            slow(case);
            for dyno in 0..2 {
                case.distant(dyno);
            }
        },
    );
    expect(
        "just kept up",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::RedisCpu,
        "held",
        |case| {
            slow(case);
            in_time(case, 3960);
        },
    );
    expect(
        "a threshold comes before the schedule",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold rate BREACHED: 1978 /s",
        |case| in_time(case, 3956),
    );
}
