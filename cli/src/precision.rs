//! Full precision: what the reports that the dynos printed say, and their records had no room for.
//! Whatever a record says is shown as it stands there, because it is what was judged. So no number
//! stands beside a more precise version of itself.

use std::collections::BTreeMap;

use redyno_contract::judgement::{DynoNumbers, DynoResult, Totals, TypeResult};
use redyno_contract::outcome::{DynoOutcome, Evidence, RunFacts};
use redyno_contract::plan::{DynoName, Latency, Plan};
use redyno_contract::{Histogram, Judgement, Report, judge};

use crate::progress::merge;
use crate::report::Curve;

/// Full reports by dyno.
pub(crate) type FullReports = BTreeMap<DynoName, Report>;

/// A judgement to show.
pub(crate) struct Shown {
    /// The judgement, with the verdict that follows from the records.
    pub(crate) judgement: Judgement,
    /// Whole distributions of the latencies of which the judgement has percentiles.
    pub(crate) curves: Vec<Curve>,
}

/// The judgement with what its records had no room for, wherever it is at hand.
pub(crate) fn shown(
    plan: &Plan,
    facts: &RunFacts,
    outcomes: &[DynoOutcome],
    judgement: &Judgement,
    full: &FullReports,
) -> Shown {
    let replaced: Vec<DynoOutcome> = outcomes
        .iter()
        .map(|outcome| replaced(outcome, full))
        .collect();
    let precise = judge(plan, facts, &replaced);
    let formation = judgement.formation.iter().zip(precise.formation);
    let dynos = judgement.dynos.iter().zip(precise.dynos);
    let judgement = Judgement {
        formation: formation
            .map(|(row, precise)| TypeResult {
                dyno_type: row.dyno_type.clone(),
                totals: filled(&row.totals, precise.totals),
                timeline: row.timeline.clone().or(precise.timeline),
                time_spent: row.time_spent.or(precise.time_spent),
            })
            .collect(),
        summary: filled(&judgement.summary, precise.summary),
        dynos: dynos
            .map(|(row, precise)| DynoResult {
                numbers: precise.numbers.map(|numbers| {
                    let response_p99 = row.numbers.as_ref().and_then(|row| row.response_p99);
                    DynoNumbers {
                        response_p99: response_p99.or(numbers.response_p99),
                        ..numbers
                    }
                }),
                ..row.clone()
            })
            .collect(),
        timeline: judgement.timeline.clone().or(precise.timeline),
        ..judgement.clone()
    };
    Shown {
        curves: curves(&judgement, &replaced),
        judgement,
    }
}

/// Totals with what was left out of them.
fn filled(totals: &Totals, precise: Totals) -> Totals {
    Totals {
        response: totals.response.or(precise.response),
        wait: totals.wait.or(precise.wait),
        service: totals.service.or(precise.service),
        step_distributions: precise.step_distributions,
        ..totals.clone()
    }
}

/// The latencies of all dynos together where they have common percentiles, otherwise of each type.
fn curves(judgement: &Judgement, outcomes: &[DynoOutcome]) -> Vec<Curve> {
    let of = |dyno_type: Option<&str>, totals: &Totals| {
        [Latency::Response, Latency::Wait, Latency::Service]
            .into_iter()
            .filter_map(|latency| {
                Some(Curve {
                    distribution: *totals.distribution(latency)?,
                    dyno_type: dyno_type.map(str::to_owned),
                    latency,
                    histogram: merged(outcomes, dyno_type, latency)?,
                    scheduled: totals.books.scheduled,
                })
            })
            .collect::<Vec<Curve>>()
    };
    let all = of(None, &judgement.summary);
    if !all.is_empty() {
        return all;
    }
    judgement
        .formation
        .iter()
        .flat_map(|row| of(Some(&row.dyno_type), &row.totals))
        .collect()
}

/// A latency of some dynos, as precise as the coarsest of their histograms; None unless all of them
/// can be read.
fn merged(
    outcomes: &[DynoOutcome],
    dyno_type: Option<&str>,
    latency: Latency,
) -> Option<Histogram> {
    let mut merged: Option<Histogram> = None;
    let outcomes = outcomes
        .iter()
        .filter(|outcome| dyno_type.is_none_or(|name| outcome.dyno.dyno_type == name));
    for outcome in outcomes {
        let histograms = &outcome.report.report()?.histograms;
        let encoded = match latency {
            Latency::Response => histograms.response.as_ref(),
            Latency::Wait => histograms.wait.as_ref(),
            Latency::Service => histograms.service.as_ref(),
        };
        merge(&mut merged, &encoded?.decode().ok()?);
    }
    merged
}

/// Replaces a complete report by the same report at full precision.
fn replaced(outcome: &DynoOutcome, full: &FullReports) -> DynoOutcome {
    let report = match (&outcome.report, full.get(&outcome.dyno)) {
        (Evidence::Complete(record), Some(full)) if same(record, full) => {
            Evidence::Complete(Box::new(full.clone()))
        }
        (other, _) => other.clone(),
    };
    DynoOutcome {
        report,
        ..outcome.clone()
    }
}

/// Whether two reports differ in the precision of their histograms only.
fn same(record: &Report, full: &Report) -> bool {
    record.run == full.run
        && record.dyno == full.dyno
        && record.pod == full.pod
        && record.books == full.books
        && record.over == full.over
        && record.end == full.end
}
