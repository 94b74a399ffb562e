//! Row 8: runs that came to their end with numbers that carry no verdict.

use super::{Case, expect};
use crate::histogram::{Digits, Histogram};
use crate::limit::{Holding, LimitCount};
use crate::outcome::Fate;
use crate::plan::Limit;
use crate::report::{Allowance, Books, Report};
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_8_not_to_be_trusted() {
    let doubtful = |reason, bottleneck, says, spoil: &dyn Fn(&mut Case)| {
        expect(
            says,
            Verdict::Inconclusive,
            reason,
            bottleneck,
            says,
            |case| {
                spoil(case);
            },
        );
    };
    doubtful(
        Reason::ReportMissing,
        Bottleneck::Unknown,
        "The final report of web.2 is missing: the termination message is empty, though it exited \
         with 0. Run the test again",
        &|case| case.miss(1, Fate::Exited { code: 0 }),
    );
    doubtful(
        Reason::ReportMissing,
        Bottleneck::Unknown,
        "The final report of web.2 is missing: only a checkpoint",
        &|case| case.lose(1, Fate::Exited { code: 0 }),
    );
    for (says, spoil) in [
        (
            "its report is of version 2",
            (|report| report.version = 2) as fn(&mut Report),
        ),
        ("its report is of another run", |report| {
            report.run = "another".to_owned();
        }),
        ("its report is of web.1", |report| report.dyno.index = 0),
        (
            "its report counts 0 latency limits, the plan has 1",
            |report| report.over.clear(),
        ),
        ("only a checkpoint", |report| report.end = None),
    ] {
        doubtful(Reason::ReportMissing, Bottleneck::Unknown, says, &|case| {
            spoil(case.report(1));
        });
    }
    let undispatched = |case: &mut Case| {
        let books = &mut case.report(1).books;
        books.delivered = 3959;
        books.undispatched = 41;
        books.completed = 3959;
        books.in_time = 3959;
    };
    doubtful(
        Reason::RateNotDelivered,
        Bottleneck::Generator,
        "web.2 handed only 3,959 of 4,000 due tasks to its workers, at least 99 % must be. Give",
        &undispatched,
    );
    doubtful(
        Reason::RateNotDelivered,
        Bottleneck::DynoCpu,
        "web.2 handed only 3,959 of 4,000",
        &|case| {
            undispatched(case);
            case.report(1).own.throttled_per_mille = 100;
        },
    );
    doubtful(
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "web.2 was late with its own tasks: schedule lag p99 5.001 ms (limit 5 ms)",
        &|case| case.report(1).own.schedule_lag_p99_microseconds = 5_001,
    );
    doubtful(
        Reason::SizeNotEnforced,
        Bottleneck::Unknown,
        "web.2 ran with other CPU than its size has: no limit, not 16 CPU. Find out what changes",
        &|case| case.report(1).own.cpu_allowance_millis = Some(Allowance::Unlimited),
    );
    doubtful(
        Reason::SizeNotEnforced,
        Bottleneck::Unknown,
        "web.2 ran with other CPU than its size has: 15.5 CPU, not 16 CPU. Find",
        &|case| case.report(1).own.cpu_allowance_millis = Some(Allowance::Limited(15_500)),
    );
    doubtful(
        Reason::SizeNotEnforced,
        Bottleneck::Unknown,
        "web.1 ran with other memory than its size has: 128 GiB, not 126 GiB. Find",
        &|case| {
            case.report(0).own.memory_allowance_bytes = Some(Allowance::Limited(128 << 30));
        },
    );
    doubtful(
        Reason::StartSkew,
        Bottleneck::Unknown,
        "The dynos started 101 ms apart (limit 100 ms). Run the test again",
        &|case| case.report(1).start.as_mut().unwrap().offset_microseconds = 101_100,
    );
    doubtful(
        Reason::LimitUnknown,
        Bottleneck::Unknown,
        "Threshold p99 (response p99 250 ms) depends on tasks that never ended. Raise drainSeconds",
        &|case| {
            let report = case.report(1);
            report.books.completed -= 30;
            report.books.in_time -= 30;
            report.books.abandoned += 30;
            report.over[0] = LimitCount {
                over: 60,
                excused: 0,
                unknown: 30,
                total: 4000,
            };
        },
    );
}

fn allow_errors(case: &mut Case, per_million: u32) {
    let limits = case.plan.thresholds.iter_mut();
    for limit in limits.map(|threshold| &mut threshold.limit) {
        if let Limit::Errors { max_per_million } = limit {
            *max_per_million = per_million;
        }
    }
}

/// A target that hangs as the window ends fails no task: those that it never answers are counted.
#[test]
fn a_task_that_never_ended_may_have_failed() {
    let judged = |allowed_per_million, never_ended: fn(&mut Books)| {
        let mut case = Case::held();
        allow_errors(&mut case, allowed_per_million);
        let books = &mut case.report(1).books;
        books.completed -= 1;
        books.in_time -= 1;
        never_ended(books);
        case.judge()
    };
    let abandoned = |books: &mut Books| books.abandoned += 1;
    let undispatched = |books: &mut Books| {
        books.delivered -= 1;
        books.undispatched += 1;
    };
    for never_ended in [abandoned as fn(&mut Books), undispatched] {
        // One task of 8,000.
        for (allowed_per_million, reason) in [(124, Reason::LimitUnknown), (125, Reason::Passed)] {
            let judgement = judged(allowed_per_million, never_ended);
            assert_eq!(judgement.reason, reason, "{}", judgement.message);
        }
    }
    let judgement = judged(0, abandoned);
    let errors = judgement
        .thresholds
        .iter()
        .find(|threshold| threshold.name == "errors")
        .unwrap();
    assert_eq!(errors.holding, Holding::Unknown);
    assert_eq!(errors.observed, "0 failed, 1 never ended");
}

#[test]
fn trust_has_exact_bounds() {
    let passes = |spoil: &dyn Fn(&mut Case)| {
        let mut case = Case::held();
        spoil(&mut case);
        let judgement = case.judge();
        assert_eq!(judgement.verdict, Verdict::Passed, "{}", judgement.message);
    };
    passes(&|case| case.report(1).own.schedule_lag_p99_microseconds = 5_000);
    passes(&|case| case.report(1).start.as_mut().unwrap().offset_microseconds = 100_100);
    passes(&|case| {
        // What never ended may have failed: so many errors would be allowed.
        allow_errors(case, 5_000);
        let books = &mut case.report(1).books;
        books.delivered = 3960;
        books.undispatched = 40;
        books.completed = 3960;
        books.in_time = 3960;
        case.plan.thresholds[2].limit = Limit::Rate {
            min_tasks_per_second: 1990,
        };
    });
    // A tenth of a slow response is no lateness: 60 ms of lag under a p99 of 600 ms.
    passes(&|case| {
        case.plan.thresholds.remove(0);
        for dyno in 0..2 {
            let report = case.report(dyno);
            let mut slow = Histogram::new(Digits::Two);
            for _ in 0..4000 {
                slow.record(640_000);
            }
            report.over.clear();
            report.histograms.response = Some(slow.encode());
            report.latencies.response.max_microseconds = 640_000;
            report.own.schedule_lag_p99_microseconds = 60_000;
        }
    });
}
