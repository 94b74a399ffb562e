//! Sums of what the dynos counted.

use super::run::{Dyno, Run};
use crate::failure::ClassFailures;
use crate::limit::LimitCount;
use crate::plan::Step;
use crate::report::{Books, Replies, StepTimes, Times};

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
pub(super) fn per_second<'b, 'a: 'b>(
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
pub(super) fn measured_milliseconds<'b, 'a: 'b>(
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

pub(super) fn steps<'b, 'a: 'b>(
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
) -> Vec<StepTimes> {
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

/// What some dynos counted of the latency limit at this position of the plan.
pub(super) fn over_limit<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
    position: usize,
) -> LimitCount {
    dynos
        .filter_map(|dyno| {
            let place = run
                .plan
                .latency_limits(&dyno.name.dyno_type)
                .position(|(limit, _)| limit == position)?;
            dyno.report()?.over.get(place).copied()
        })
        .fold(LimitCount::default(), LimitCount::plus)
}
