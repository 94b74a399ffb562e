//! Full precision: the same judgement from the reports as the dynos printed them, not as they fitted
//! into their records. For showing only; the verdict always rests on the records.

use std::collections::BTreeMap;

use redyno_contract::figures;
use redyno_contract::judgement::{Distribution, DynoResult, Quantile, Totals};
use redyno_contract::outcome::{DynoOutcome, Evidence, RunFacts};
use redyno_contract::plan::{DynoName, Latency, Percentile, Plan};
use redyno_contract::{Histogram, Judgement, Report, judge};

use crate::progress::merge;
use crate::report::{Curve, StepDistribution};

/// Full reports by dyno.
pub(crate) type FullReports = BTreeMap<DynoName, Report>;

/// A judgement to show.
pub(crate) struct Shown {
    /// With the verdict of the records.
    pub(crate) judgement: Judgement,
    /// Distributions of the steps; empty unless every dyno's are there.
    pub(crate) steps: Vec<StepDistribution>,
    /// Whole distributions of the latencies of which the judgement has percentiles.
    pub(crate) curves: Vec<Curve>,
}

/// The judgement with full precision wherever it is at hand.
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
    // Percentiles may say more; whatever decides may not say anything else.
    let dynos = judgement.dynos.iter().zip(precise.dynos);
    let dynos = dynos
        .map(|(row, precise)| DynoResult {
            numbers: precise.numbers,
            ..row.clone()
        })
        .collect();
    let judgement = Judgement {
        formation: precise.formation,
        summary: precise.summary,
        dynos,
        // A record may have had no room for it.
        timeline: precise.timeline,
        ..judgement.clone()
    };
    Shown {
        steps: steps(&judgement, outcomes, full),
        curves: curves(&judgement, &replaced),
        judgement,
    }
}

/// Of all dynos together where they have common percentiles, else of each type.
fn curves(judgement: &Judgement, outcomes: &[DynoOutcome]) -> Vec<Curve> {
    let of = |dyno_type: Option<&str>, totals: &Totals| {
        [Latency::Response, Latency::Wait, Latency::Service]
            .into_iter()
            .filter(|latency| totals.distribution(*latency).is_some())
            .filter_map(|latency| {
                Some(Curve {
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

/// A complete report is replaced by the same at full precision.
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

fn steps(
    judgement: &Judgement,
    outcomes: &[DynoOutcome],
    full: &FullReports,
) -> Vec<StepDistribution> {
    judgement
        .summary
        .steps
        .iter()
        .map(|times| times.step.clone())
        .enumerate()
        .filter_map(|(position, step)| {
            let mut merged: Option<Histogram> = None;
            for outcome in outcomes {
                let report = full.get(&outcome.dyno)?;
                let histogram = report
                    .histograms
                    .steps
                    .as_ref()?
                    .get(position)?
                    .decode()
                    .ok()?;
                match &mut merged {
                    Some(merged) => merged.add(&histogram),
                    None => merged = Some(histogram),
                }
            }
            let times = judgement
                .summary
                .steps
                .iter()
                .find(|times| times.step == step)?
                .service;
            let histogram = merged.filter(|histogram| histogram.count() == times.count)?;
            Some(StepDistribution {
                step,
                service: Distribution {
                    p50: quantile(&histogram, Percentile::P50, times.max_microseconds),
                    p90: quantile(&histogram, Percentile::P90, times.max_microseconds),
                    p99: quantile(&histogram, Percentile::P99, times.max_microseconds),
                    p999: quantile(&histogram, Percentile::P999, times.max_microseconds),
                    times,
                    digits: histogram.digits(),
                },
            })
        })
        .collect()
}

fn quantile(histogram: &Histogram, percentile: Percentile, max_microseconds: u64) -> Quantile {
    let beyond = u128::from(100_000 - percentile.thousandths());
    // Fewer samples than one in its tail: the percentile is the maximum, and says so.
    if u128::from(histogram.count()) * beyond < 100_000 {
        Quantile::Maximum(max_microseconds)
    } else {
        // A bucket's upper end can lie beyond the true maximum.
        let known = histogram.percentile(percentile).min(max_microseconds);
        Quantile::At(figures::beside(known, max_microseconds, histogram.digits()))
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::histogram::Digits;

    use super::*;

    #[test]
    fn a_percentile_of_too_few_samples_is_the_maximum() {
        let mut histogram = Histogram::new(Digits::Three);
        for microseconds in 1..=100 {
            histogram.record(microseconds * 10);
        }
        assert_eq!(
            quantile(&histogram, Percentile::P99, 1_000),
            Quantile::At(990)
        );
        assert_eq!(
            quantile(&histogram, Percentile::P999, 1_000),
            Quantile::Maximum(1_000)
        );
    }
}
