//! Merging what the dynos counted: totals by addition, distributions from merged histograms.

use super::percentiles::{self, OfTasks};
use super::run::{Dyno, Run};
use super::time_spent;
use crate::failure::ClassFailures;
use crate::judgement::{StepDistribution, Totals, TypeResult};
use crate::plan::{Latency, Step};
use crate::report::{Books, Replies, StepTimes, Times};
use crate::timeline::Timeline;

/// One row per type, in the order of the plan.
pub(super) fn formation(run: &Run<'_>) -> Vec<TypeResult> {
    run.plan
        .formation
        .iter()
        .map(|dynos| {
            let name = dynos.dyno_type.as_str();
            TypeResult {
                dyno_type: name.to_owned(),
                totals: totals(run, Some(name), true),
                timeline: timeline(run.of_type(Some(name))),
                time_spent: time_spent::of(run, dynos),
            }
        })
        .collect()
}

/// The totals over all types; latencies only where all types do the same work.
pub(super) fn summary(run: &Run<'_>) -> Totals {
    let mut workloads = run.plan.formation.iter().map(|dynos| &dynos.workload);
    let first = workloads.next();
    let same = workloads.all(|workload| Some(workload) == first);
    totals(run, None, same)
}

fn totals(run: &Run<'_>, dyno_type: Option<&str>, with_latencies: bool) -> Totals {
    let dynos = || run.of_type(dyno_type);
    let books = books(dynos());
    let of_tasks = with_latencies.then(|| OfTasks::of(run, dynos()));
    let distribution = |latency| of_tasks.as_ref()?.distribution(latency);
    Totals {
        planned: run.plan.scheduled(dyno_type),
        books,
        measured_milliseconds: measured_milliseconds(run, dynos()),
        asked_tasks_per_second: per_second(run, dynos(), |books| books.scheduled),
        achieved_tasks_per_second: achieved_tasks_per_second(run, dynos()),
        achieved_per_mille: per_mille(books.in_time, books.scheduled),
        response: distribution(Latency::Response),
        wait: distribution(Latency::Wait),
        service: distribution(Latency::Service),
        steps: if with_latencies {
            steps(dynos())
        } else {
            Vec::new()
        },
        step_distributions: if with_latencies {
            step_distributions(run, dynos())
        } else {
            Vec::new()
        },
        failures: failures(dynos()),
    }
}

/// Failed tasks by class, of those that told.
pub(super) fn failures<'b, 'a: 'b>(
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
) -> Vec<ClassFailures> {
    ClassFailures::merge(
        dynos
            .filter_map(Dyno::report)
            .flat_map(|report| report.failures.iter().flatten()),
    )
}

/// The course of a run, of those that told of theirs.
pub(super) fn timeline<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Option<Timeline> {
    Timeline::merge(dynos.filter_map(|dyno| dyno.report()?.timeline.as_ref()))
}

/// The sum of what was told of the measured window.
pub(super) fn books<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Books {
    dynos
        .filter_map(Dyno::report)
        .fold(Books::default(), |sum, report| sum.plus(report.books))
}

/// A part of a whole in thousandths, rounded down; None without a whole.
pub(super) fn per_mille(part: u64, whole: u64) -> Option<u32> {
    (u128::from(part) * 1000)
        .checked_div(u128::from(whole))
        .map(|share| u32::try_from(share).unwrap_or(u32::MAX))
}

/// Completions inside the window per second of the window that each dyno ran.
pub(super) fn achieved_tasks_per_second<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
) -> f64 {
    per_second(run, dynos, |books| books.in_time)
}

/// The same of one dyno; 0 if nothing was told of it.
pub(super) fn achieved_by(run: &Run<'_>, dyno: &Dyno<'_>) -> f64 {
    achieved_tasks_per_second(run, std::iter::once(dyno))
}

/// Counts per second of the window that each dyno ran. Where all ran it whole, this is one division
/// of whole numbers.
fn per_second<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
    count: impl Fn(Books) -> u64,
) -> f64 {
    if dynos.clone().all(Dyno::completed) {
        return count(books(dynos)) as f64 / f64::from(run.plan.duration_seconds.max(1));
    }
    dynos
        .filter_map(|dyno| {
            let window = window_seconds(run, dyno);
            (window > 0.0).then_some(count(dyno.report()?.books) as f64 / window)
        })
        .sum()
}

/// How much of the window was run, by the dyno that ran most of it.
fn measured_milliseconds<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
) -> u64 {
    let longest = dynos
        .map(|dyno| window_seconds(run, dyno))
        .fold(0.0, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no less than 0 and no more than the plan's window"
    )]
    let milliseconds = (longest * 1000.0).round() as u64;
    milliseconds
}

/// How much of its measured window a dyno ran, in seconds.
pub(super) fn window_seconds(run: &Run<'_>, dyno: &Dyno<'_>) -> f64 {
    let whole = f64::from(run.plan.duration_seconds);
    match (dyno.end(), dyno.report()) {
        (Some(_), _) if dyno.completed() => whole,
        (Some(end), _) => {
            let since_start = end.after_milliseconds as f64 / 1000.0;
            (since_start - f64::from(run.plan.warmup_seconds)).clamp(0.0, whole)
        }
        // A checkpoint does not say when it was written, but how many tasks were due by then does.
        (None, Some(report)) => {
            let rate = dyno.plan.rate.tasks_per_second();
            if rate > 0.0 {
                (report.books.scheduled as f64 / rate).clamp(0.0, whole)
            } else {
                0.0
            }
        }
        (None, None) => 0.0,
    }
}

fn steps<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone) -> Vec<StepTimes> {
    let Some(first) = dynos.clone().next() else {
        return Vec::new();
    };
    first
        .plan
        .workload
        .steps()
        .into_iter()
        .map(|step| StepTimes {
            service: step_times(dynos.clone(), &step),
            replies: replies(dynos.clone(), &step),
            step,
        })
        .collect()
}

/// Of each step that is known at full precision.
fn step_distributions<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
) -> Vec<StepDistribution> {
    let Some(first) = dynos.clone().next() else {
        return Vec::new();
    };
    let steps = first.plan.workload.steps().into_iter();
    steps
        .filter_map(|step| Some(percentiles::of_step(run, dynos.clone(), &step)?.0))
        .collect()
}

/// What a step took in some dynos.
pub(super) fn step_times<'b, 'a: 'b>(
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
    step: &Step,
) -> Times {
    dynos
        .filter_map(Dyno::report)
        .flat_map(|report| &report.steps)
        .filter(|times| times.step == *step)
        .fold(Times::default(), |sum, times| sum.plus(times.service))
}

/// What was in the replies of a step; None if no dyno looks at them.
fn replies<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>, step: &Step) -> Option<Replies> {
    dynos
        .filter_map(Dyno::report)
        .flat_map(|report| &report.steps)
        .filter(|times| times.step == *step)
        .filter_map(|times| times.replies)
        .reduce(Replies::plus)
}
