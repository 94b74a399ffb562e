//! Of two that apply, the first decides.

use super::{Case, Spoil, evicted, lost};
use crate::outcome::{Evidence, Fate};
use crate::report::Ending;
use crate::samples;
use crate::verdict::{Reason, Verdict};

fn four_dynos() -> Case {
    let mut plan = samples::plan();
    plan.duration_seconds = 4;
    plan.formation[0].quantity = 4;
    Case::of(plan)
}

/// One way to spoil a run for every row, each on what the others leave alone.
fn spoilers() -> Vec<(Verdict, Reason, Spoil)> {
    vec![
        (Verdict::Errored, Reason::TargetLost, |case| {
            for dyno in 0..4 {
                if let Some(report) = match &mut case.dynos[dyno].report {
                    Evidence::Complete(report) | Evidence::Partial(report) => Some(report),
                    Evidence::Missing { .. } => None,
                } {
                    report.start = None;
                }
                case.dynos[dyno].fate = Fate::Exited { code: 69 };
            }
            case.end(
                3,
                Ending::TargetLost {
                    detail: String::new(),
                },
            );
        }),
        (Verdict::Errored, Reason::TargetLost, |case| {
            case.facts.managed_redis_taken = Some("evicted".to_owned());
            case.end(3, Ending::Terminated);
        }),
        (Verdict::Failed, Reason::TargetLost, |case| {
            case.facts.managed_redis_ended = Some("exit code 1".to_owned());
            case.end(3, Ending::Terminated);
        }),
        (Verdict::Failed, Reason::BacklogLimitReached, |case| {
            case.backlog(0);
            case.report(0).last.throttled_per_mille = 500;
        }),
        (Verdict::Inconclusive, Reason::ScheduleLag, |case| {
            case.backlog_of_ours(0, Some(3));
        }),
        (Verdict::Failed, Reason::BacklogLimitReached, |case| {
            case.backlog(0);
        }),
        (Verdict::Errored, Reason::DynoLost, |case| {
            case.lose(1, lost());
        }),
        (Verdict::Inconclusive, Reason::ReportMissing, |case| {
            case.miss(2, Fate::Exited { code: 0 });
        }),
        (Verdict::Failed, Reason::RateNotSustained, |case| {
            case.plan.thresholds.truncate(2);
            case.report(0).queues.as_mut().unwrap().at_end = 2000;
            case.report(0).busiest.clear();
        }),
    ]
}

#[test]
fn of_two_rows_the_first_decides() {
    let spoilers = spoilers();
    for (position, (verdict, reason, spoil)) in spoilers.iter().enumerate() {
        let mut alone = four_dynos();
        spoil(&mut alone);
        let judged = alone.judge();
        assert_eq!(
            (judged.verdict, judged.reason),
            (*verdict, *reason),
            "row {} alone: {}",
            position + 1,
            judged.message
        );
        for (later, (_, _, spoil_more)) in spoilers.iter().enumerate().skip(position + 1) {
            let mut both = four_dynos();
            spoil_more(&mut both);
            spoil(&mut both);
            let judged = both.judge();
            assert_eq!(
                (judged.verdict, judged.reason),
                (*verdict, *reason),
                "rows {} and {}: {}",
                position + 1,
                later + 1,
                judged.message
            );
        }
    }
}

#[test]
fn of_two_reasons_within_row_7_the_first_decides() {
    let reasons: [(Reason, Spoil); 8] = [
        (Reason::Cancelled, |case| case.facts.cancelled = true),
        (Reason::ChildLost, |case| {
            case.facts.child_lost = Some("Job run-web".to_owned());
        }),
        (Reason::TargetLost, |case| {
            case.miss(0, Fate::Exited { code: 69 });
        }),
        (Reason::Evicted, |case| case.dynos[1].fate = evicted()),
        (Reason::DynoOutOfMemory, |case| {
            case.lose(2, Fate::OutOfMemory);
        }),
        (Reason::DynoLost, |case| case.lose(3, lost())),
        (Reason::DuplicateDyno, |case| {
            case.facts.duplicate = Some(case.dynos[4].dyno.clone());
        }),
        (Reason::DeadlineExceeded, |case| {
            case.lose(5, Fate::DeadlineExceeded);
        }),
    ];
    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation[0].quantity = 7;
    let mut base = Case::of(plan);
    // One was told to end, for whatever reason, and of one there is nothing.
    base.end(1, Ending::Terminated);
    base.dynos[6].fate = Fate::NeverSeen;
    base.dynos[6].report = Evidence::Missing {
        detail: String::new(),
    };
    base.dynos[1].fate = Fate::DeadlineExceeded;
    for (position, (reason, _)) in reasons.iter().enumerate() {
        let mut case = base.clone();
        for (_, spoil) in &reasons[position..] {
            spoil(&mut case);
        }
        let judged = case.judge();
        assert_eq!(judged.verdict, Verdict::Errored);
        assert_eq!(judged.reason, *reason, "{}", judged.message);
    }
}
