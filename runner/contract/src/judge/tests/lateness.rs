//! Rows 4 to 6: whose fault it is that a limit was broken.

use super::{Case, expect, fail};
use crate::report::Ending;
use crate::samples;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_4_the_quota_throttled_it() {
    let throttled = |case: &mut Case| {
        let last = &mut case.report(1).last;
        last.throttled_per_mille = 100;
        last.schedule_lag_p99_microseconds = 1_000_000;
    };
    expect(
        "throttled",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::DynoCpu,
        "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; the dyno's CPU quota throttled it \
         in 10 % of all periods. Try a larger size, more dynos or a lower rate.",
        |case| {
            case.backlog(1);
            throttled(case);
        },
    );
    expect(
        "throttled, but what the quota did is not what broke the limit",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "with its own load threads on time only 99 are certain",
        |case| {
            case.backlog_of_ours(1, Some(99));
            throttled(case);
        },
    );
}

#[test]
fn row_5_a_backlog_that_would_not_have_been() {
    for (name, on_time, verdict, reason, bottleneck, says) in [
        (
            "fewer would have waited",
            Some(99),
            Verdict::Inconclusive,
            Reason::ScheduleLag,
            Bottleneck::Generator,
            "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; but with its own load threads \
             on time only 99 are certain: the longest delay of their own was 44 ms after 8.3 s. \
             Run it on quieter nodes, or give the dyno more CPU.",
        ),
        (
            "as many would have waited, however late the dyno was",
            Some(100),
            Verdict::Failed,
            Reason::BacklogLimitReached,
            Bottleneck::Unknown,
            "worker 17 had 100 waiting; Redis was at 41 % of its core. Try a lower rate",
        ),
        (
            "nobody counted",
            None,
            Verdict::Inconclusive,
            Reason::ScheduleLag,
            Bottleneck::Unknown,
            "whether it would have come with the load threads on time, nobody counted",
        ),
    ] {
        expect(name, verdict, reason, bottleneck, says, |case| {
            case.backlog_of_ours(1, on_time);
            case.end(0, Ending::Stopped);
            case.delays(1, &[(8_300, 44), (10, 7)]);
            // A percentile of the lateness says nothing.
            case.report(1).last.schedule_lag_p99_microseconds = 1_000_000;
        });
    }
}

#[test]
fn row_5_a_count_that_would_not_have_been() {
    // 8000 planned: p99 allows 80 over the limit.
    let over = |counts: [(u64, u64); 2]| {
        move |case: &mut Case| {
            for (dyno, (over, excused)) in counts.into_iter().enumerate() {
                case.report(dyno).over[0].over = over;
                case.report(dyno).over[0].excused = excused;
            }
        }
    };
    expect(
        "one too many on time",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold p99 FAILED: 100 tasks over response p99 250 ms, 80 allowed; Redis was",
        over([(60, 10), (40, 9)]),
    );
    expect(
        "none too many on time",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "Threshold p99 FAILED: 100 tasks over response p99 250 ms, 80 allowed; but with its own \
         load threads on time only 80 are certain. Run it on quieter nodes",
        over([(60, 10), (40, 10)]),
    );
    expect(
        "one of them did not count",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Unknown,
        "nobody counted",
        |case| {
            over([(60, 0), (40, 0)])(case);
            case.report(1).lateness = None;
        },
    );
    expect(
        "who had none over need not have counted",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "81 tasks",
        |case| {
            over([(81, 0), (0, 0)])(case);
            case.report(1).lateness = None;
        },
    );
    expect(
        "timeouts that were disturbed",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "Threshold errors FAILED: 2 tasks failed, 0 allowed; but with its own load threads on \
         time only 0 are certain",
        |case| {
            fail(case, 0, 2);
            case.report(0).lateness.as_mut().unwrap().timed_out = 2;
        },
    );
}

#[test]
fn row_5_at_the_end_of_a_window() {
    // 900 of the tasks began this step: of 18 over its limit, 9 are allowed, of the plan's 8000, 80.
    let step = |excused: u64| {
        move |case: &mut Case| {
            case.plan.thresholds[0] = samples::threshold(
                "fetch",
                crate::plan::Limit::Latency(crate::plan::LatencyLimit {
                    of: crate::plan::Latency::Service,
                    step: crate::plan::Step::Fetch,
                    percentile: crate::plan::Percentile::P99,
                    max_microseconds: 5000,
                }),
            );
            for dyno in 0..2 {
                let count = &mut case.report(dyno).over[0];
                (count.over, count.total, count.excused) = (9, 450, 0);
            }
            case.report(1).over[0].excused = excused;
        }
    };
    expect(
        "by the target",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold fetch BREACHED: > 5 ms (counted)",
        step(8),
    );
    expect(
        "by the generator",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "(limit fetch service p99 5 ms); but with its own load threads on time only 9 are certain",
        step(9),
    );
}

/// A breach on time by any dyno decides, whenever another stopped by its own lateness.
#[test]
fn the_generator_is_named_only_if_no_breach_was_on_time() {
    expect(
        "a later one of another dyno",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Unknown,
        "web.1 FAILED after 8.5 s",
        |case| {
            case.backlog_of_ours(1, Some(3));
            case.backlog(0);
            case.report(0).end.as_mut().unwrap().after_milliseconds = 8_500;
        },
    );
    expect(
        "counts together",
        Verdict::Failed,
        Reason::ThresholdsBreached,
        Bottleneck::Unknown,
        "Threshold p99 FAILED: 81 tasks",
        |case| {
            case.backlog_of_ours(1, Some(3));
            case.report(0).over[0].over = 81;
        },
    );
}

#[test]
fn another_dyno_s_burst_makes_a_breach_inconclusive() {
    // The breach is 8.4 s after S, and the response p99 before it 1 ms.
    for (name, delay, verdict) in [
        ("just before", (8_300, 44), Verdict::Inconclusive),
        (
            "it was over within the 2 s",
            (6_300, 101),
            Verdict::Inconclusive,
        ),
        ("it was over before", (6_300, 99), Verdict::Failed),
        ("after it", (8_401, 44), Verdict::Failed),
        ("too short to matter", (8_300, 5), Verdict::Failed),
    ] {
        let mut case = Case::held();
        case.backlog(1);
        case.end(0, Ending::Stopped);
        case.delays(0, &[(100, 1_000), delay]);
        let judgement = case.judge();
        assert_eq!(judgement.verdict, verdict, "{name}: {}", judgement.message);
        let named = judgement
            .message
            .contains("the load threads of web.1 were late");
        assert_eq!(
            named,
            verdict == Verdict::Inconclusive,
            "{}",
            judgement.message
        );
        // Beside a response that takes ten times as long, it is nothing.
        case.report(1).last.response_p99_microseconds = 1_100_000;
        assert_eq!(case.judge().verdict, Verdict::Failed, "{name}");
    }
    let mut refused = Case::held();
    fail(&mut refused, 1, 17);
    refused.end(
        1,
        Ending::ErrorLimit {
            threshold: "errors".to_owned(),
            cause: "oom 17".to_owned(),
        },
    );
    refused.delays(0, &[(8_300, 44)]);
    assert_eq!(refused.judge().reason, Reason::ErrorLimitReached);
}

#[test]
fn a_run_that_rejected_tasks_has_reached_its_backlog_limit_whatever_it_says() {
    expect(
        "rejected",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Unknown,
        "web.2 FAILED: 1 task was rejected, for a worker had 100 waiting; Redis was",
        |case| {
            let books = &mut case.report(1).books;
            books.delivered -= 1;
            books.completed -= 1;
            books.in_time -= 1;
            books.rejected += 1;
        },
    );
}
