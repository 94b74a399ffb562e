//! Rows 4, 5, 6 and 9: limits that were broken, and by whom.

use super::{Case, expect, fail, lost};
use crate::judgement::DynoVerdict;
use crate::limit::{Holding, LimitCount};
use crate::outcome::Fate;
use crate::plan::{Latency, LatencyLimit, Limit, OnDynoFailure, Percentile, Step};
use crate::report::Ending;
use crate::samples;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_4_the_quota_throttled_it() {
    expect(
        "throttled",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::DynoCpu,
        "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; the dyno's CPU quota throttled it \
         in 10 % of all periods. Try a larger size, more dynos or a lower rate.",
        |case| {
            case.backlog(1);
            let last = &mut case.report(1).last;
            last.throttled_per_mille = 100;
            last.schedule_lag_p99_microseconds = 1_000_000;
        },
    );
}

#[test]
fn row_5_the_generator_was_late() {
    let late = |lag: u64, throttled: u32| {
        move |case: &mut Case| {
            case.backlog(1);
            case.end(0, Ending::Stopped);
            let last = &mut case.report(1).last;
            last.throttled_per_mille = throttled;
            last.schedule_lag_p99_microseconds = lag;
        }
    };
    expect(
        "late",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "worker 17 had 100 waiting; but the generator itself was late, schedule lag p99 5.0 ms \
         (limit 5.0 ms). Run it on quieter nodes, or give the dyno more CPU.",
        late(5_001, 99),
    );
    expect(
        "not late enough",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Network,
        "neither Redis (41 % of its core) nor the dyno (1 % of its CPU) was busy",
        late(5_000, 99),
    );
    expect(
        "late, but Redis was busy",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::RedisCpu,
        "; Redis was at 90 % of its core. Try a lower rate, fewer flats or smaller items.",
        |case| {
            late(5_001, 99)(case);
            case.report(0).last.redis_main_thread_per_mille = Some(900);
        },
    );
    expect(
        "late, and nobody saw Redis",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "the generator itself was late",
        |case| {
            late(5_001, 99)(case);
            case.miss(0, Fate::Exited { code: 0 });
        },
    );
    expect(
        "late by a tenth of a slow response",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Network,
        "FAILED",
        |case| {
            late(20_000, 0)(case);
            case.report(1).last.response_p99_microseconds = 200_000;
        },
    );
}

#[test]
fn row_6_the_bottleneck_of_a_breach() {
    let failed = |name, bottleneck, says, spoil: &dyn Fn(&mut Case)| {
        expect(
            name,
            Verdict::Failed,
            Reason::BacklogLimitReached,
            bottleneck,
            says,
            |case| {
                case.backlog(1);
                case.end(0, Ending::Stopped);
                spoil(case);
            },
        );
    };
    failed(
        "Redis' thread, seen by the sampler",
        Bottleneck::RedisCpu,
        "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; Redis was at 99 % of its core. \
         Try a lower rate, fewer flats or smaller items.",
        &|case| case.report(0).last.redis_main_thread_per_mille = Some(990),
    );
    failed(
        "Redis' thread in another time proves nothing",
        Bottleneck::Unknown,
        "waiting. Try a lower rate, more workers, or a smaller object graph.",
        &|case| {
            let report = case.report(0);
            report.last.redis_main_thread_per_mille = Some(990);
            report.end.as_mut().unwrap().after_milliseconds = 60_000;
        },
    );
    failed(
        "Redis' thread over the whole window",
        Bottleneck::RedisCpu,
        "Redis was at 95 % of its core",
        &|case| {
            let report = case.report(0);
            report.target.as_mut().unwrap().main_thread_per_mille = 950;
            report.end.as_mut().unwrap().after_milliseconds = 60_000;
        },
    );
    failed(
        "evictions",
        Bottleneck::RedisMemory,
        "Redis ran out of memory and evicted 3 keys. Try a target with more memory",
        &|case| case.report(0).last.redis_evicted_keys = Some(3),
    );
    failed(
        "full memory",
        Bottleneck::RedisMemory,
        "Redis was out of memory",
        &|case| case.report(0).last.redis_memory_bytes = Some(100 << 30),
    );
    failed(
        "refused connections",
        Bottleneck::RedisConnections,
        "Redis refused 7 connections. Try fewer workers",
        &|case| case.report(0).last.redis_rejected_connections = Some(7),
    );
    failed(
        "refused connections, seen by the dyno itself",
        Bottleneck::RedisConnections,
        "Redis refused 1 connections. Try fewer workers",
        &|case| case.report(1).last.redis_rejected_connections = Some(1),
    );
    failed(
        "what was before the last seconds proves nothing where they were sampled",
        Bottleneck::Network,
        "neither Redis",
        &|case| {
            let target = case.report(0).target.as_mut().unwrap();
            target.evicted_keys = 3;
            target.rejected_connections = 7;
            target.memory_at_end_bytes = 100 << 30;
        },
    );
    failed(
        "the whole run's where they were not",
        Bottleneck::RedisMemory,
        "Redis ran out of memory and evicted 3 keys",
        &|case| {
            case.report(0).target.as_mut().unwrap().evicted_keys = 3;
            case.report(0).last.redis_evicted_keys = None;
        },
    );
    failed(
        "the dyno's CPU",
        Bottleneck::DynoCpu,
        "the dyno used 90 % of its CPU",
        &|case| case.report(1).last.cpu_per_mille = 14_400,
    );
    failed(
        "the dyno's CPU, of which there is not more, explains that it was late",
        Bottleneck::DynoCpu,
        "the dyno used 90 % of its CPU",
        &|case| {
            let last = &mut case.report(1).last;
            last.cpu_per_mille = 14_400;
            last.schedule_lag_p99_microseconds = 1_000_000;
        },
    );
    failed(
        "the load thread",
        Bottleneck::Generator,
        "; the generator's own load thread was busy for 90 % of the time. Run it on quieter",
        &|case| case.report(1).last.load_thread_busy_per_mille = 900,
    );
    failed(
        "neither end",
        Bottleneck::Network,
        "neither Redis (41 % of its core) nor the dyno (1 % of its CPU) was busy, tasks waited in \
         between. Look at the network",
        &|_| {},
    );
    failed(
        "neither end, of a dyno of unknown CPU",
        Bottleneck::Network,
        "nor the dyno (its load thread 15 %) was busy",
        &|case| case.plan.formation[0].cpu_millis = None,
    );
    failed(
        "both ends at work for as long as tasks take",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core. Try a lower rate, more workers",
        // 5 of 63 workers, and 0.61 of a core.
        &|case| case.report(1).last.workers_busy_per_mille = 80,
    );
    failed(
        "a Redis that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 50 % of its core",
        &|case| case.report(0).last.redis_main_thread_per_mille = Some(500),
    );
    failed(
        "a dyno that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| {
            case.plan.formation[0].cpu_millis = None;
            case.report(1).last.load_thread_busy_per_mille = 500;
        },
    );
    failed(
        "a dyno that others kept from working",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| case.report(1).last.load_thread_busy_per_mille = 400,
    );
    failed(
        "nobody saw Redis",
        Bottleneck::Unknown,
        "worker 17 had 100 waiting. Try a lower rate",
        &|case| case.miss(0, Fate::Exited { code: 0 }),
    );
}

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
    let late = |cause: &'static str| {
        move |case: &mut Case| {
            fail(case, 1, 17);
            case.end(
                1,
                Ending::ErrorLimit {
                    threshold: "errors".to_owned(),
                    cause: cause.to_owned(),
                },
            );
            case.report(1).last.schedule_lag_p99_microseconds = 1_000_000;
        }
    };
    expect(
        "a late generator makes no Redis run out of memory",
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::RedisMemory,
        "(oom 17); Redis was out of memory",
        late("oom 17"),
    );
    expect(
        "but it makes tasks time out",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "the generator itself was late",
        late("timeout 17"),
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
        "response p99 1.0 ms",
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
    expect(
        "late over the window",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "the generator itself was late",
        |case| {
            fail(case, 0, 1);
            case.report(1).own.schedule_lag_p99_microseconds = 6_000;
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
            target.main_thread_per_mille = 950;
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
                    unknown: 0,
                    total: 1000,
                };
            }
        },
    );
    let slow = |case: &mut Case| {
        // 98.9 % in time.
        case.plan.thresholds.remove(2);
        for dyno in 0..2 {
            case.report(dyno).books.in_time = 3956;
        }
    };
    expect(
        "not kept up",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Unknown,
        "web did not keep up: 7912 of 8000 tasks ended in time, at least 99 % must; Redis was at 41 % of its core",
        slow,
    );
    expect(
        "not kept up, with tasks under way for a second each",
        Verdict::Failed,
        Reason::RateNotSustained,
        Bottleneck::Network,
        "at least 99 % must; neither Redis (41 % of its core) nor the dyno (1 % of its CPU)",
        |case| {
            slow(case);
            for dyno in 0..2 {
                case.report(dyno).latencies.service.sum_microseconds = 4_000_000_000;
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
            for dyno in 0..2 {
                case.report(dyno).books.in_time = 3960;
            }
        },
    );
    expect(
        "a threshold comes before the schedule",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold rate BREACHED: 1978.0 /s",
        |case| {
            for dyno in 0..2 {
                case.report(dyno).books.in_time = 3956;
            }
        },
    );
}
