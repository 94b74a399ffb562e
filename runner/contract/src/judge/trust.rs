//! Whether the numbers of a run that came to its end can be trusted.

use super::percentiles;
use super::run::{Dyno, Known, Run};
use crate::figures;
use crate::judgement::{Quantile, ThresholdResult};
use crate::limit::Holding;
use crate::outcome::Fate;
use crate::report::{Allowance, Report};

/// Fewer delivered tasks than this, in percent of those that were due, were not the asked load.
pub const LEAST_DELIVERED_PERCENT: u64 = 99;

/// A generator later than this is late: an absolute bound for fast targets, and a share of the
/// response p99 for slow ones, whose numbers it then no longer moves.
const MOST_LAG_MICROSECONDS: u64 = 5_000;
const MOST_LAG_SHARE: u64 = 10;

/// Dynos that began further apart than this, in microseconds, did not make one load.
pub const MOST_SKEW_MICROSECONDS: u64 = 100_000;

/// A limit that differs from the planned one by no more than this part of it was rounded.
const SIZE_TOLERANCE: u64 = 100;

/// Why the numbers cannot be trusted.
#[derive(Debug, PartialEq)]
pub(super) enum Doubt<'a> {
    /// A dyno's final report is not there: which dyno, and what there is instead.
    ReportMissing { dyno: String, found: String },
    /// A dyno was handed less than was due.
    NotDelivered {
        dyno: String,
        delivered: u64,
        scheduled: u64,
        throttled_per_mille: u32,
    },
    /// A dyno's generator was late.
    Late {
        dyno: String,
        lag: u64,
        limit: u64,
        throttled_per_mille: u32,
    },
    /// What a dyno may use is not what its size has: which dyno, what it is that differs, how much
    /// it may use and how much its size has.
    OtherSize {
        dyno: String,
        resource: &'static str,
        found: String,
        planned: String,
    },
    /// The dynos did not start together.
    Skewed { microseconds: u64, limit: u64 },
    /// A limit depends on tasks that never ended, or never came.
    Unknown { threshold: &'a ThresholdResult },
}

/// The first doubt, if there is any.
pub(super) fn doubt<'a>(run: &Run<'_>, thresholds: &'a [ThresholdResult]) -> Option<Doubt<'a>> {
    let reports = || {
        run.dynos
            .iter()
            .filter_map(|dyno| Some((dyno, dyno.report()?)))
    };
    run.dynos
        .iter()
        .find_map(missing)
        .or_else(|| {
            reports().find_map(|(dyno, report)| {
                let (delivered, scheduled) = (report.books.delivered, report.books.scheduled);
                (u128::from(delivered) * 100
                    < u128::from(scheduled) * u128::from(LEAST_DELIVERED_PERCENT))
                .then(|| Doubt::NotDelivered {
                    dyno: dyno.name.to_string(),
                    delivered,
                    scheduled,
                    throttled_per_mille: report.own.throttled_per_mille,
                })
            })
        })
        .or_else(|| {
            reports().find_map(|(dyno, report)| {
                let (lag, limit) = lag_over_window(run, dyno, report);
                (lag > limit).then(|| Doubt::Late {
                    dyno: dyno.name.to_string(),
                    lag,
                    limit,
                    throttled_per_mille: report.own.throttled_per_mille,
                })
            })
        })
        .or_else(|| reports().find_map(|(dyno, report)| other_size(dyno, report)))
        .or_else(|| {
            run.start_skew_microseconds()
                .filter(|skew| *skew > MOST_SKEW_MICROSECONDS)
                .map(|microseconds| Doubt::Skewed {
                    microseconds,
                    limit: MOST_SKEW_MICROSECONDS,
                })
        })
        .or_else(|| {
            thresholds
                .iter()
                .find(|threshold| threshold.holding == Holding::Unknown)
                .map(|threshold| Doubt::Unknown { threshold })
        })
}

/// Where its size is enforced, the dyno's control group tells whether it is. What the kernel does
/// not say is no reason to doubt.
fn other_size(dyno: &Dyno<'_>, report: &Report) -> Option<Doubt<'static>> {
    let differs = |found: Option<Allowance>, planned: Option<u64>| {
        let (found, planned) = (found?, planned?);
        let is_other = match found {
            Allowance::Unlimited => true,
            Allowance::Limited(found) => found.abs_diff(planned) > planned / SIZE_TOLERANCE,
        };
        is_other.then_some((found, planned))
    };
    let shown = |found: Allowance, show: &dyn Fn(u64) -> String| match found {
        Allowance::Unlimited => "no limit".to_owned(),
        Allowance::Limited(found) => show(found),
    };
    let cpu = |millis: u64| figures::cpu(u32::try_from(millis).unwrap_or(u32::MAX));
    let of = |resource, show: &dyn Fn(u64) -> String, (found, planned)| Doubt::OtherSize {
        dyno: dyno.name.to_string(),
        resource,
        found: shown(found, show),
        planned: show(planned),
    };
    differs(
        report.own.cpu_allowance_millis,
        dyno.plan.cpu_millis.map(u64::from),
    )
    .map(|differing| of("CPU", &cpu, differing))
    .or_else(|| {
        differs(report.own.memory_allowance_bytes, dyno.plan.memory_bytes)
            .map(|differing| of("memory", &figures::bytes, differing))
    })
}

fn missing(dyno: &Dyno<'_>) -> Option<Doubt<'static>> {
    let found = match &dyno.known {
        Known::Complete(..) => return None,
        Known::Partial(_) => "only a checkpoint".to_owned(),
        Known::Missing(detail) if detail.is_empty() => "nothing".to_owned(),
        Known::Missing(detail) => detail.clone(),
    };
    let found = match dyno.fate {
        Fate::Exited { code } => format!("{found}, though it exited with {code}"),
        _ => found,
    };
    Some(Doubt::ReportMissing {
        dyno: dyno.name.to_string(),
        found,
    })
}

/// The lag that a generator may have, in microseconds, by the response p99 of the same time.
pub fn most_lag(response_p99: Option<u64>) -> u64 {
    response_p99.map_or(MOST_LAG_MICROSECONDS, |p99| {
        (p99 / MOST_LAG_SHARE).max(MOST_LAG_MICROSECONDS)
    })
}

/// A dyno's schedule lag p99 over its window, and what it may be.
pub(super) fn lag_over_window(run: &Run<'_>, dyno: &Dyno<'_>, report: &Report) -> (u64, u64) {
    let response_p99 = percentiles::response_p99(run, dyno).map(Quantile::microseconds);
    (
        report.own.schedule_lag_p99_microseconds,
        most_lag(response_p99),
    )
}
