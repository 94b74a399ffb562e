//! The thresholds, and the one that is always there.

use redyno_contract::plan::{self, LatencyLimit, Limit, Percentile, ThresholdPlan};

use super::Problems;
use crate::spec::{ErrorsThreshold, LatencyOf, LatencyThreshold, RateThreshold, Threshold};

/// The threshold by which no task may fail, for a LoadTest without an errors threshold. Its name
/// gets a number if a limit of another kind has that name.
fn implied(thresholds: &[ThresholdPlan]) -> ThresholdPlan {
    let taken = |name: &str| thresholds.iter().any(|threshold| threshold.name == name);
    // There are more candidate names than thresholds, so one is always free.
    let name = (1..=thresholds.len() + 1)
        .map(|number| match number {
            1 => "errors".to_owned(),
            _ => format!("errors-{number}"),
        })
        .find(|name| !taken(name))
        .unwrap_or_default();
    ThresholdPlan {
        name,
        dyno_type: None,
        limit: Limit::Errors { max_per_million: 0 },
    }
}

pub(super) fn resolve(thresholds: &[Threshold], problems: &mut Problems) -> Vec<ThresholdPlan> {
    let mut all: Vec<ThresholdPlan> = thresholds
        .iter()
        .enumerate()
        .filter_map(|(position, threshold)| {
            one(&format!("spec.thresholds[{position}]"), threshold, problems)
        })
        .collect();
    if !thresholds
        .iter()
        .any(|threshold| threshold.errors.is_some())
    {
        let implied = implied(&all);
        all.push(implied);
    }
    all
}

fn one(field: &str, threshold: &Threshold, problems: &mut Problems) -> Option<ThresholdPlan> {
    let Threshold {
        name,
        dyno_type,
        step,
        latency,
        errors,
        rate,
    } = threshold;
    let limit = match (latency, errors, rate) {
        (Some(latency), None, None) => self::latency(field, latency, step.as_deref(), problems)?,
        (None, Some(ErrorsThreshold { max_per_million }), None) => Limit::Errors {
            max_per_million: problems
                .natural(&format!("{field}.errors.maxPerMillion"), *max_per_million),
        },
        (
            None,
            None,
            Some(RateThreshold {
                min_tasks_per_second,
            }),
        ) => Limit::Rate {
            min_tasks_per_second: problems.natural(
                &format!("{field}.rate.minTasksPerSecond"),
                *min_tasks_per_second,
            ),
        },
        _ => {
            problems.add(field, "exactly one of latency, errors and rate");
            return None;
        }
    };
    Some(ThresholdPlan {
        name: name.clone(),
        dyno_type: dyno_type.clone(),
        limit,
    })
}

fn latency(
    field: &str,
    latency: &LatencyThreshold,
    step: Option<&str>,
    problems: &mut Problems,
) -> Option<Limit> {
    let LatencyThreshold {
        of,
        percentile,
        max_microseconds,
    } = latency;
    let percentile = match Percentile::parse(percentile) {
        Ok(percentile) => percentile,
        Err(error) => {
            problems.add(format!("{field}.latency.percentile"), error.to_string());
            return None;
        }
    };
    let step = match step.map_or(Ok(plan::Step::Task), str::parse) {
        Ok(step) => step,
        Err(error) => {
            problems.add(format!("{field}.step"), error.to_string());
            return None;
        }
    };
    Some(Limit::Latency(LatencyLimit {
        of: match of {
            LatencyOf::Response => plan::Latency::Response,
            LatencyOf::Wait => plan::Latency::Wait,
            LatencyOf::Service => plan::Latency::Service,
        },
        step,
        percentile,
        max_microseconds: problems.natural(
            &format!("{field}.latency.maxMicroseconds"),
            *max_microseconds,
        ),
    }))
}
