//! Every row and every reason of the table, the precedence between them, and what holds whatever
//! the reports say.

use proptest::prelude::*;

use super::judge;
use crate::histogram::{Digits, Histogram};
use crate::judgement::{DynoVerdict, Judgement, Quantile, ReportState};
use crate::limit::{Holding, LimitCount};
use crate::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use crate::plan::{
    DynoName, Latency, LatencyLimit, Limit, OnDynoFailure, Percentile, Plan, Step, Workload,
};
use crate::report::{Ending, Report, Times};
use crate::samples;
use crate::schedule::Rate;
use crate::verdict::{Bottleneck, Reason, Verdict};

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
            },
        );
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

#[test]
fn smoke() {
    let judgement = Case::held().judge();
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", judgement.message);
    eprintln!("{judgement:#?}");
}
