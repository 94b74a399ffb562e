//! Row 6: errors, and counts that only all dynos together make a breach.

use super::{Case, expect, fail, lost};
use crate::failure::{ClassFailures, FailureClass};
use crate::limit::Holding;
use crate::plan::Limit;
use crate::report::Ending;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_6_errors() {
    let failed = |cause: &'static str, bottleneck, says| {
        expect(
            cause,
            Verdict::Failed,
            Reason::ErrorLimitReached,
            bottleneck,
            says,
            |case| {
                case.distant(1);
                fail(case, 1, 17);
                case.end(
                    1,
                    Ending::ErrorLimit {
                        threshold: "errors".to_owned(),
                        cause: cause.to_owned(),
                    },
                );
            },
        );
    };
    failed(
        "oom 17",
        Bottleneck::RedisMemory,
        "web.2 FAILED after 8.4 s: more tasks failed than threshold errors allows (oom 17); \
         Redis was out of memory. Try a target with more memory",
    );
    failed(
        "maxclients 17",
        Bottleneck::RedisConnections,
        "; Redis refused connections",
    );
    failed("timeout 17", Bottleneck::Network, "neither Redis");
    failed("", Bottleneck::Unknown, "(nothing more is known)");
    failed(
        "wrongtype 17",
        Bottleneck::Unknown,
        "(wrongtype 17); Redis was at 41 % of its core. Look at the error class",
    );
    expect(
        "the target's own words, and what its class suggests",
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::Unknown,
        "(quota 17: ERR max daily request limit exceeded. Limit: 10000); Redis was at 41 % of its \
         core. Raise the limit of the provider's plan",
        |case| {
            fail(case, 1, 17);
            case.report(1).failures = Some(vec![ClassFailures {
                class: FailureClass::Quota,
                measured: 17,
                warmup: 0,
                example: Some("ERR max daily request limit exceeded. Limit: 10000.".to_owned()),
            }]);
            case.end(
                1,
                Ending::ErrorLimit {
                    threshold: "errors".to_owned(),
                    cause: "quota 17".to_owned(),
                },
            );
        },
    );
}

#[test]
fn row_6_counts_together_are_a_breach_that_no_dyno_saw() {
    // 8000 planned: p99 allows 80 over the limit.
    let over = |web_1: u64, web_2: u64| {
        move |case: &mut Case| {
            case.report(0).over[0].over = web_1;
            case.report(1).over[0].over = web_2;
        }
    };
    expect(
        "41 + 40 of 80 allowed",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold p99 FAILED: 81 tasks over response p99 250 ms, 80 allowed; Redis was at 41 % of its core. Try",
        over(41, 40),
    );
    expect(
        "40 + 40 of 80 allowed",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::RedisCpu,
        "response p99 1 ms",
        over(40, 40),
    );
    expect(
        "the lost dyno's checkpoint counts",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "81 tasks",
        |case| {
            over(41, 40)(case);
            case.lose(1, lost());
        },
    );
    expect(
        "what a dyno counted that was told to end does not",
        Verdict::Errored,
        Reason::Cancelled,
        Bottleneck::Unknown,
        "The run was cancelled after 8.4 s",
        |case| {
            over(0, 4000)(case);
            fail(case, 1, 100);
            case.end(1, Ending::Terminated);
            case.facts.cancelled = true;
        },
    );
    expect(
        "errors of both",
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::Unknown,
        "Threshold errors FAILED: 2 tasks failed, 0 allowed",
        |case| {
            fail(case, 0, 1);
            fail(case, 1, 1);
        },
    );
    expect(
        "throttled over the window",
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::DynoCpu,
        "throttled it in 20 % of all periods",
        |case| {
            fail(case, 0, 1);
            case.report(1).own.throttled_per_mille = 200;
        },
    );
}

#[test]
fn errors_of_the_warm_up_count_against_its_own_plan() {
    let mut case = Case::held();
    let warmup = &mut case.report(0).warmup;
    warmup.completed -= 1;
    warmup.in_time -= 1;
    warmup.failed += 1;
    let judgement = case.judge();
    assert_eq!(judgement.reason, Reason::ErrorLimitReached);
    assert!(judgement.during_warmup);
    assert!(
        judgement
            .message
            .starts_with("Threshold errors FAILED: 1 task of the warm-up failed, 0 allowed"),
        "{}",
        judgement.message
    );
    assert_eq!(judgement.thresholds[1].holding, Holding::Breached);
    assert_eq!(judgement.thresholds[1].observed, "1 in the warm-up");
    // 1000 tasks are planned for the warm-up: 1 in 1000 may fail.
    case.plan.thresholds[1].limit = Limit::Errors {
        max_per_million: 1000,
    };
    assert_eq!(case.judge().verdict, Verdict::Passed);
}

/// A step that never came holds no limit.
#[test]
fn a_limit_on_nothing_is_unknown() {
    let mut case = Case::held();
    if let Limit::Latency(limit) = &mut case.plan.thresholds[0].limit {
        limit.step = crate::plan::Step::Fetch;
    }
    for dyno in [0, 1] {
        case.report(dyno).over[0] = crate::limit::LimitCount::default();
    }
    let judgement = case.judge();
    assert_eq!(judgement.thresholds[0].holding, Holding::Unknown);
    assert_eq!(
        (judgement.verdict, judgement.reason),
        (Verdict::Inconclusive, Reason::LimitUnknown),
        "{}",
        judgement.message
    );
}
