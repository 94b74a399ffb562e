//! Thresholds: latencies and errors by what the dynos counted, rates by what they achieved.

use super::percentiles::{self, OfTasks};
use super::run::{Dyno, Run};
use super::sums;
use crate::figures;
use crate::judgement::{Quantile, ThresholdResult};
use crate::limit::{Holding, allowed_errors, allowed_over, holding};
use crate::plan::{Latency, LatencyLimit, Limit, Step, ThresholdPlan};
use crate::report::{Ending, Lateness};

/// One row per threshold, in the order of the plan.
pub(super) fn results(run: &Run<'_>) -> Vec<ThresholdResult> {
    (0..run.plan.thresholds.len())
        .map(|position| result(run, position))
        .collect()
}

fn result(run: &Run<'_>, position: usize) -> ThresholdResult {
    let threshold = &run.plan.thresholds[position];
    let of = threshold.dyno_type.as_deref();
    // What a dyno found broken is broken: it counted against what the whole plan allows.
    let broken =
        run.dynos.iter().any(|dyno| broke(dyno, threshold)) || excess(run, position).is_some();
    let mut result = match &threshold.limit {
        Limit::Latency(limit) => latency(run, position, limit, broken),
        Limit::Errors { max_per_million } => errors(run, position, *max_per_million, broken),
        Limit::Rate {
            min_tasks_per_second,
        } => rate(run, of, *min_tasks_per_second),
    };
    result.name.clone_from(&threshold.name);
    if let Some(dyno_type) = of {
        result.limit = format!("{} of {dyno_type}", result.limit);
    }
    result
}

fn broke(dyno: &Dyno<'_>, threshold: &ThresholdPlan) -> bool {
    dyno.own_breach().is_some_and(|end| match &end.ending {
        Ending::ErrorLimit {
            threshold: name, ..
        }
        | Ending::LatencyLimit { threshold: name } => *name == threshold.name,
        _ => false,
    })
}

/// What is counted against what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// Tasks over the limit.
    pub(super) over: u64,
    /// Those of them that would have been over it with the load threads on time; None where nobody
    /// counted them.
    pub(super) on_time: Option<u64>,
    /// What the whole plan allows.
    pub(super) allowed: u64,
    /// Whether this was in the warm-up.
    pub(super) during_warmup: bool,
}

/// Whether the dynos' counts together exceed what the whole plan allows: then nothing that is still
/// unknown can mend it. What a dyno counted that was told to end is left out.
pub(super) fn excess(run: &Run<'_>, position: usize) -> Option<Excess> {
    let threshold = &run.plan.thresholds[position];
    let of = threshold.dyno_type.as_deref();
    let firm = || run.of_type(of).filter(|dyno| !dyno.told_to_end());
    let found = |over: u64, on_time: Option<u64>, allowed: u64, during_warmup: bool| {
        (over > allowed).then_some(Excess {
            over,
            on_time,
            allowed,
            during_warmup,
        })
    };
    match &threshold.limit {
        Limit::Latency(limit) => {
            let allowed = allowed_over(limit.percentile, run.plan.scheduled(of));
            let over = sums::over_limit(run, firm(), position).over;
            found(over, over_on_time(run, firm(), position), allowed, false)
        }
        Limit::Errors { max_per_million } => {
            let max_per_million = *max_per_million;
            let warmup = firm().filter_map(Dyno::report).fold(0_u64, |sum, report| {
                sum.saturating_add(report.warmup.failed)
            });
            let planned = planned_warmup(run, of);
            let allowed = allowed_errors(max_per_million, planned);
            found(warmup, failed_in_warmup_on_time(firm()), allowed, true).or_else(|| {
                let allowed = allowed_errors(max_per_million, run.plan.scheduled(of));
                let failed = sums::books(firm()).failed;
                found(failed, failed_on_time(firm()), allowed, false)
            })
        }
        Limit::Rate { .. } => None,
    }
}

/// Whether a threshold is broken that only the whole window can break, by what ended by then.
pub(super) fn excess_at_the_end(run: &Run<'_>, position: usize) -> Option<Excess> {
    let threshold = &run.plan.thresholds[position];
    let dynos = || run.of_type(threshold.dyno_type.as_deref());
    let (over, on_time, allowed) = match &threshold.limit {
        Limit::Latency(limit) => {
            let count = sums::over_limit(run, dynos(), position);
            let allowed = allowed_over(limit.percentile, count.total);
            (count.over, over_on_time(run, dynos(), position), allowed)
        }
        Limit::Errors { max_per_million } => {
            let books = sums::books(dynos());
            let allowed = allowed_errors(*max_per_million, books.scheduled);
            (books.failed, failed_on_time(dynos()), allowed)
        }
        Limit::Rate { .. } => return None,
    };
    (over > allowed).then_some(Excess {
        over,
        on_time,
        allowed,
        during_warmup: false,
    })
}

/// Tasks over a latency limit that would have been so with the load threads on time; None where a
/// dyno has some and did not count.
fn over_on_time<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
    position: usize,
) -> Option<u64> {
    dynos
        .map(|dyno| {
            let count = sums::over_limit(run, std::iter::once(dyno), position);
            on_time(dyno, count.over, |_| count.excused)
        })
        .try_fold(0_u64, |sum, on_time| Some(sum.saturating_add(on_time?)))
}

/// Failed tasks but those that timed out because their dyno was late.
fn failed_on_time<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Option<u64> {
    dynos
        .map(|dyno| {
            let failed = dyno.report().map_or(0, |report| report.books.failed);
            on_time(dyno, failed, |lateness| lateness.timed_out)
        })
        .try_fold(0_u64, |sum, on_time| Some(sum.saturating_add(on_time?)))
}

/// The same of the warm-up.
fn failed_in_warmup_on_time<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Option<u64> {
    dynos
        .map(|dyno| {
            let failed = dyno.report().map_or(0, |report| report.warmup.failed);
            on_time(dyno, failed, |lateness| lateness.timed_out_in_warmup)
        })
        .try_fold(0_u64, |sum, on_time| Some(sum.saturating_add(on_time?)))
}

/// What is left of a dyno's count without what is excused; None if nobody counted that.
fn on_time(dyno: &Dyno<'_>, count: u64, excused: impl Fn(&Lateness) -> u64) -> Option<u64> {
    if count == 0 {
        return Some(0);
    }
    let lateness = dyno.report()?.lateness.as_ref()?;
    Some(count.saturating_sub(excused(lateness)))
}

fn planned_warmup(run: &Run<'_>, of: Option<&str>) -> u64 {
    run.of_type(of).fold(0, |sum, dyno| {
        let schedule = run.plan.warmup_schedule(dyno.plan, dyno.name.index);
        sum.saturating_add(schedule.count())
    })
}

fn latency(run: &Run<'_>, position: usize, limit: &LatencyLimit, broken: bool) -> ThresholdResult {
    let of = run.plan.thresholds[position].dyno_type.as_deref();
    let count = sums::over_limit(run, run.of_type(of), position);
    let allowed = allowed_over(limit.percentile, count.total);
    let holding = if broken {
        Holding::Breached
    } else if count.total > 0 && run.of_type(of).all(Dyno::complete) {
        // Without a single task nobody knows whether the limit would have held.
        holding(count, allowed)
    } else {
        Holding::Unknown
    };
    let seen = match &limit.step {
        Step::Task => OfTasks::of(run, run.of_type(of)).quantile(limit.of, limit.percentile),
        step => percentiles::of_step(run, run.of_type(of), step)
            .and_then(|(_, quantile)| quantile(limit.percentile)),
    };
    ThresholdResult {
        name: String::new(),
        holding,
        observed: observed_latency(limit, seen, holding),
        limit: shown_limit(limit),
        over_count: Some(count.over),
        allowed_count: Some(allowed),
    }
}

/// `response p99 250 ms`, `fetch service p99.9 5 ms`.
pub(super) fn shown_limit(limit: &LatencyLimit) -> String {
    let step = match &limit.step {
        Step::Task => String::new(),
        step => format!("{} ", step.as_str().to_lowercase()),
    };
    let of = match limit.of {
        Latency::Response => "response",
        Latency::Wait => "wait",
        Latency::Service => "service",
    };
    format!(
        "{step}{of} p{} {}",
        limit.percentile,
        figures::milliseconds(limit.max_microseconds)
    )
}

/// The percentile as it is shown everywhere; where that does not say on which side of its limit it
/// is, what the count says.
fn observed_latency(limit: &LatencyLimit, seen: Option<Quantile>, holding: Holding) -> String {
    let max = figures::milliseconds(limit.max_microseconds);
    let within = |quantile: &Quantile| quantile.shown_microseconds() <= limit.max_microseconds;
    match (holding, seen) {
        (Holding::Held, Some(quantile)) if within(&quantile) => quantile.to_string(),
        (Holding::Held, _) => format!("<= {max} (counted)"),
        (Holding::Breached, Some(quantile)) if !within(&quantile) => quantile.to_string(),
        (Holding::Breached, _) => format!("> {max} (counted)"),
        (Holding::Unknown, Some(quantile)) => quantile.to_string(),
        (Holding::Unknown, None) => "unknown".to_owned(),
    }
}

fn errors(run: &Run<'_>, position: usize, max_per_million: u32, broken: bool) -> ThresholdResult {
    let of = run.plan.thresholds[position].dyno_type.as_deref();
    let books = sums::books(run.of_type(of));
    let allowed = allowed_errors(max_per_million, books.scheduled);
    let complete = run.of_type(of).all(Dyno::complete);
    // Whether what never ended would have failed, nobody knows.
    let never_ended = books
        .abandoned
        .saturating_add(books.undispatched)
        .saturating_add(books.rejected);
    let holding = if broken || (complete && books.failed > allowed) {
        Holding::Breached
    } else if complete && books.failed.saturating_add(never_ended) <= allowed {
        Holding::Held
    } else {
        Holding::Unknown
    };
    // Rounded up, this is over the limit exactly when the count is over what is allowed.
    let per_million =
        (u128::from(books.failed) * 1_000_000).div_ceil(u128::from(books.scheduled.max(1)));
    let observed = match excess(run, position) {
        Some(excess) if excess.during_warmup => format!("{} in the warm-up", excess.over),
        _ if holding == Holding::Unknown && complete => {
            format!("{} failed, {never_ended} never ended", books.failed)
        }
        _ if books.failed == 0 => "0".to_owned(),
        _ => format!("{per_million} per million"),
    };
    ThresholdResult {
        name: String::new(),
        holding,
        observed,
        limit: format!("{max_per_million} per million"),
        over_count: Some(books.failed),
        allowed_count: Some(allowed),
    }
}

fn rate(run: &Run<'_>, of: Option<&str>, min_tasks_per_second: u32) -> ThresholdResult {
    let in_time = sums::books(run.of_type(of)).in_time;
    let needed = u128::from(min_tasks_per_second) * u128::from(run.plan.duration_seconds);
    let holding = if run.of_type(of).all(Dyno::completed) {
        if u128::from(in_time) >= needed {
            Holding::Held
        } else {
            Holding::Breached
        }
    } else {
        // Of a window that was cut short, or not told of, nobody knows.
        Holding::Unknown
    };
    ThresholdResult {
        name: String::new(),
        holding,
        // A run without a task has no rate, rather than one of 0.
        observed: if sums::books(run.of_type(of)).scheduled == 0 {
            "unknown".to_owned()
        } else {
            let achieved = sums::achieved_tasks_per_second(run, run.of_type(of));
            format!("{} /s", figures::rate(achieved))
        },
        limit: format!("{min_tasks_per_second} /s"),
        over_count: None,
        allowed_count: None,
    }
}
