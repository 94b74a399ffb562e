//! Every row and every reason of the table, the precedence between them, and what holds whatever
//! the reports say.

mod breaches;
mod causes;
mod counts;
mod interruptions;
mod lateness;
mod next;
mod percentiles;
mod precedence;
mod properties;
mod results;
mod time_spent;
mod trust;
mod unknown;

use crate::judge::judge;
use crate::judgement::{DynoVerdict, Judgement, Quantile, ReportState};
use crate::limit::Holding;
use crate::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use crate::plan::Plan;
use crate::report::{Ending, OwnDelay, Report, Times};
use crate::samples;
use crate::verdict::{Bottleneck, Reason, Verdict};

/// One way to spoil a run.
type Spoil = fn(&mut Case);

/// A run to spoil: what is known of it, each dyno's report apart until it is judged.
#[derive(Clone)]
struct Case {
    plan: Plan,
    facts: RunFacts,
    dynos: Vec<DynoOutcome>,
}

impl Case {
    /// 240 s of two dynos are shortened to 4 s: less to record.
    fn held() -> Self {
        let mut plan = samples::plan();
        plan.duration_seconds = 4;
        Self::of(plan)
    }

    fn of(plan: Plan) -> Self {
        let dynos = plan
            .dynos()
            .map(|name| DynoOutcome {
                pod_name: Some(format!("pod-of-{name}")),
                node_name: Some("n1".to_owned()),
                fate: Fate::Exited { code: 0 },
                report: Evidence::Complete(Box::new(samples::held(&plan, &name))),
                dyno: name,
            })
            .collect();
        Self {
            plan,
            facts: RunFacts::default(),
            dynos,
        }
    }

    fn judge(&self) -> Judgement {
        judge(&self.plan, &self.facts, &self.dynos)
    }

    fn report(&mut self, dyno: usize) -> &mut Report {
        match &mut self.dynos[dyno].report {
            Evidence::Complete(report) | Evidence::Partial(report) => report,
            Evidence::Missing { .. } => panic!("dyno {dyno} has no report"),
        }
    }

    /// The dyno ends so, at 28.4 s after S, having done what it had done by then.
    fn end(&mut self, dyno: usize, ending: Ending) {
        let end = self.report(dyno).end.as_mut().unwrap();
        end.ending = ending;
        end.after_milliseconds = 8_400;
    }

    fn backlog(&mut self, dyno: usize) {
        self.end(
            dyno,
            Ending::BacklogLimit {
                worker: 17,
                backlog: 100,
                on_time: Some(100),
            },
        );
    }

    /// A long way to the target: 100 ms for each of four round trips of a task.
    fn distant(&mut self, dyno: usize) {
        let report = self.report(dyno);
        report.start.as_mut().unwrap().round_trip_microseconds = Some(100_000);
        let service = &mut report.latencies.service;
        service.sum_microseconds = service.count * 405_000;
    }

    /// The same, but with its load threads on time only so many would have been waiting.
    fn backlog_of_ours(&mut self, dyno: usize, on_time: Option<u32>) {
        self.end(
            dyno,
            Ending::BacklogLimit {
                worker: 17,
                backlog: 100,
                on_time,
            },
        );
    }

    /// The dyno was late itself, by so many milliseconds at a time, in milliseconds since S.
    fn delays(&mut self, dyno: usize, delays: &[(u64, u64)]) {
        let lateness = self.report(dyno).lateness.as_mut().unwrap();
        lateness.longest = delays
            .iter()
            .map(|(at, milliseconds)| OwnDelay {
                at_milliseconds: *at,
                microseconds: milliseconds * 1000,
            })
            .collect();
    }

    /// The dyno is gone, and this is all that is left of its report.
    fn lose(&mut self, dyno: usize, fate: Fate) {
        self.dynos[dyno].fate = fate;
        let mut report = self.report(dyno).clone();
        report.end = None;
        self.dynos[dyno].report = Evidence::Partial(Box::new(report));
    }

    fn miss(&mut self, dyno: usize, fate: Fate) {
        self.dynos[dyno].fate = fate;
        self.dynos[dyno].report = Evidence::Missing {
            detail: "the termination message is empty".to_owned(),
        };
    }

    fn no_start(&mut self) {
        for dyno in 0..self.dynos.len() {
            self.report(dyno).start = None;
            self.end(
                dyno,
                Ending::StartTimeout {
                    detail: "1 of 2 dynos were ready".to_owned(),
                },
            );
            self.dynos[dyno].fate = Fate::Exited { code: 75 };
        }
    }
}

fn lost() -> Fate {
    Fate::Lost {
        detail: "its pod was deleted".to_owned(),
    }
}

fn evicted() -> Fate {
    Fate::Evicted {
        detail: "the node had too little memory".to_owned(),
    }
}

/// So many of the dyno's tasks fail.
fn fail(case: &mut Case, dyno: usize, failed: u64) {
    let report = case.report(dyno);
    report.books.completed -= failed;
    report.books.in_time -= failed;
    report.books.failed += failed;
    for count in &mut report.over {
        count.over += failed;
    }
}

fn expect(
    name: &'static str,
    verdict: Verdict,
    reason: Reason,
    bottleneck: impl Into<Option<Bottleneck>>,
    says: &'static str,
    spoil: impl FnOnce(&mut Case),
) -> Reason {
    let mut case = Case::held();
    spoil(&mut case);
    check(
        &case,
        &Expected {
            name,
            verdict,
            reason,
            bottleneck: bottleneck.into(),
            says,
        },
    );
    reason
}

fn check(case: &Case, expected: &Expected) {
    let Expected {
        name,
        verdict,
        reason,
        bottleneck,
        says,
    } = expected;
    let judgement = case.judge();
    assert_eq!(
        (
            judgement.verdict,
            judgement.reason,
            judgement.bottleneck,
            judgement.message.contains(says)
        ),
        (*verdict, *reason, *bottleneck, true),
        "{name}: {:?} lacks {says:?}",
        judgement.message
    );
    assert!(judgement.message.ends_with('.'), "{}", judgement.message);
}

struct Expected {
    name: &'static str,
    verdict: Verdict,
    reason: Reason,
    bottleneck: Option<Bottleneck>,
    says: &'static str,
}

#[test]
fn a_run_that_held_passes() {
    let judgement = Case::held().judge();
    assert_eq!(judgement.verdict, Verdict::Passed);
    assert_eq!(judgement.reason, Reason::Passed);
    assert_eq!(judgement.bottleneck, Some(Bottleneck::RedisCpu));
    assert_eq!(
        judgement.message,
        "2 of 2 dynos held 2000 tasks/s for 4 s; response p99 1 ms (limit 250 ms). \
         Next limit: Redis, at 41 % of its core."
    );
    assert_eq!(judgement.start_microseconds, Some(samples::START));
    assert_eq!(judgement.start_skew_microseconds, Some(300));
    assert!(!judgement.during_warmup);
    assert_eq!(judgement.target.unwrap().version.as_deref(), Some("7.0.15"));

    let [web] = judgement.formation.as_slice() else {
        panic!("one type");
    };
    assert_eq!(web.dyno_type, "web");
    assert_eq!(web.totals, judgement.summary);
    assert_eq!(web.totals.planned, 8000);
    assert_eq!(web.totals.books.in_time, 8000);
    assert!((web.totals.achieved_tasks_per_second - 2000.0).abs() < 1e-9);
    assert_eq!(web.totals.achieved_per_mille, Some(1000));
    let response = web.totals.response.unwrap();
    assert_eq!(response.p99, Quantile::At(1000));
    assert_eq!(response.digits, 2);
    assert_eq!(
        response.times,
        Times {
            count: 8000,
            sum_microseconds: 8_000_000,
            max_microseconds: 1000
        }
    );
    assert_eq!(web.totals.steps.len(), 3);
    assert_eq!(web.totals.steps[0].service.count, 8000);

    let shown: Vec<_> = judgement
        .thresholds
        .iter()
        .map(|threshold| {
            (
                threshold.name.as_str(),
                threshold.holding,
                threshold.observed.as_str(),
                threshold.limit.as_str(),
                threshold.over_count,
                threshold.allowed_count,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "p99",
                Holding::Held,
                "1 ms",
                "response p99 250 ms",
                Some(0),
                Some(80)
            ),
            (
                "errors",
                Holding::Held,
                "0",
                "0 per million",
                Some(0),
                Some(0)
            ),
            ("rate", Holding::Held, "2000 /s", "1990 /s", None, None),
        ]
    );

    let [first, second] = judgement.dynos.as_slice() else {
        panic!("two dynos");
    };
    assert_eq!(first.dyno.to_string(), "web.1");
    assert_eq!(second.dyno.to_string(), "web.2");
    assert_eq!(second.result, DynoVerdict::Passed);
    assert_eq!(second.reason, None);
    assert_eq!(second.report, ReportState::Complete);
    let numbers = second.numbers.as_ref().unwrap();
    assert_eq!(numbers.start_offset_microseconds, Some(300));
    assert_eq!(numbers.max_worker_backlog, 9);
    assert_eq!(numbers.response_p99, Some(Quantile::At(1000)));
}

#[test]
fn the_next_limit_is_the_most_used_of_both_ends() {
    expect(
        "a busy dyno",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::DynoCpu,
        "Next limit: the dynos' CPU, web.2 at 75 % of it.",
        |case| case.report(1).own.cpu_microseconds = 4 * 12_000_000,
    );
    expect(
        "no evidence",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::Unknown,
        "response p99 1 ms (limit 250 ms).",
        |case| {
            case.plan.formation[0].cpu_millis = None;
            case.report(0).target = None;
            for dyno in 0..2 {
                case.report(dyno).own.load_thread_busy_per_mille = 0;
            }
        },
    );
    expect(
        "a dyno of unknown CPU",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::Generator,
        "Next limit: the generator, whose load thread of web.2 was busy for 60 % of the time.",
        |case| {
            case.plan.formation[0].cpu_millis = None;
            case.report(1).own.load_thread_busy_per_mille = 600;
        },
    );
    expect(
        "a dyno of known CPU",
        Verdict::Passed,
        Reason::Passed,
        Bottleneck::RedisCpu,
        "Next limit: Redis, at 41 % of its core.",
        |case| case.report(1).own.load_thread_busy_per_mille = 600,
    );
}

#[test]
fn every_reason_that_evidence_can_give_has_a_sentence_to_try() {
    for reason in Reason::ALL {
        assert_eq!(reason.advice().is_empty(), *reason == Reason::Passed);
        assert!(reason.advice().is_empty() || reason.advice().ends_with('.'));
    }
}
