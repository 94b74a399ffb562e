//! Merging what the dynos counted: totals by addition, distributions from merged histograms.

use super::run::{Dyno, Run};
use crate::failure::ClassFailures;
use crate::figures;
use crate::histogram::{Digits, Histogram};
use crate::judgement::{Distribution, Quantile, Totals, TypeResult};
use crate::limit::allowed_over;
use crate::plan::{Latency, Percentile, Step};
use crate::report::{Books, Latencies, Replies, StepTimes, Times};
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
    let distribution = |latency| {
        with_latencies
            .then(|| distribution(dynos(), latency))
            .flatten()
    };
    Totals {
        planned: run.plan.scheduled(dyno_type),
        books,
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
        failures: ClassFailures::merge(
            dynos()
                .filter_map(Dyno::report)
                .flat_map(|report| report.failures.iter().flatten()),
        ),
    }
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

/// Completions inside the window per second of the window that each dyno ran. Where all ran it
/// whole, this is one division of whole numbers.
pub(super) fn achieved_tasks_per_second<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
) -> f64 {
    let books = books(dynos.clone());
    if dynos.clone().all(Dyno::completed) {
        books.in_time as f64 / f64::from(run.plan.duration_seconds.max(1))
    } else {
        dynos.map(|dyno| achieved_by(run, dyno)).sum()
    }
}

/// The same of one dyno; 0 if nothing was told of it.
pub(super) fn achieved_by(run: &Run<'_>, dyno: &Dyno<'_>) -> f64 {
    let Some(report) = dyno.report() else {
        return 0.0;
    };
    let window = window_seconds(run, dyno);
    if window > 0.0 {
        report.books.in_time as f64 / window
    } else {
        0.0
    }
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

/// A latency over all scheduled tasks of some dynos; None unless every histogram is there.
pub(super) fn distribution<'b, 'a: 'b>(
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
    latency: Latency,
) -> Option<Distribution> {
    let merged = Merged::new(dynos, latency)?;
    Some(Distribution {
        p50: merged.quantile(Percentile::P50),
        p90: merged.quantile(Percentile::P90),
        p99: merged.quantile(Percentile::P99),
        p999: merged.quantile(Percentile::P999),
        times: merged.times,
        digits: merged.histogram.digits(),
    })
}

/// A latency merged over some dynos, with the tasks that have none because they never ended.
pub(super) struct Merged {
    histogram: Histogram,
    times: Times,
    /// N: all scheduled tasks.
    scheduled: u64,
    /// Those that are over every limit: failed and timed-out ones.
    failed: u64,
}

impl Merged {
    /// None unless every dyno's histogram is there and anything was scheduled.
    pub(super) fn new<'b, 'a: 'b>(
        dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
        latency: Latency,
    ) -> Option<Self> {
        let histogram_of = |dyno: &'b Dyno<'a>| match latency {
            Latency::Response => dyno.histograms.response.as_ref(),
            Latency::Wait => dyno.histograms.wait.as_ref(),
            Latency::Service => dyno.histograms.service.as_ref(),
        };
        let books = books(dynos.clone());
        let times = dynos
            .clone()
            .filter_map(Dyno::report)
            .fold(Times::default(), |sum, report| {
                let Latencies {
                    response,
                    wait,
                    service,
                } = report.latencies;
                sum.plus(match latency {
                    Latency::Response => response,
                    Latency::Wait => wait,
                    Latency::Service => service,
                })
            });
        Self::of(
            dynos.map(histogram_of),
            times,
            books.scheduled,
            books.failed,
        )
    }

    /// Of one step, over the tasks in which it began.
    pub(super) fn of<'b>(
        histograms: impl Iterator<Item = Option<&'b Histogram>>,
        times: Times,
        scheduled: u64,
        failed: u64,
    ) -> Option<Self> {
        let histograms: Option<Vec<&Histogram>> = histograms.collect();
        let histograms = histograms?;
        if scheduled == 0 {
            return None;
        }
        let digits = match histograms
            .iter()
            .map(|histogram| histogram.digits())
            .min()?
        {
            1 => Digits::One,
            2 => Digits::Two,
            _ => Digits::Three,
        };
        let mut histogram = Histogram::new(digits);
        for other in histograms {
            histogram.add(other);
        }
        Some(Self {
            histogram,
            times,
            scheduled,
            failed,
        })
    }

    fn digits(&self) -> u8 {
        self.histogram.digits()
    }

    /// The quantile over all scheduled tasks: those that did not complete come after those that did.
    pub(super) fn quantile(&self, percentile: Percentile) -> Quantile {
        let rank = self.rank(percentile);
        if rank > self.histogram.count() {
            // How long the others would have taken is not known. At the least they were all quick,
            // but for the failed ones, which are over every limit.
            Quantile::AtLeast(self.at_least(rank, self.undecided()))
        } else if allowed_over(percentile, self.scheduled) == 0 {
            Quantile::Maximum(self.no_more_than_the_maximum(self.histogram.max_microseconds()))
        } else {
            Quantile::At(self.shown(self.histogram.at_rank(rank)))
        }
    }

    /// The least that the quantile can be if `unknown` tasks may have been quick.
    pub(super) fn quantile_at_least(&self, percentile: Percentile, unknown: u64) -> u64 {
        self.at_least(self.rank(percentile), unknown)
    }

    fn rank(&self, percentile: Percentile) -> u64 {
        let rank =
            (u128::from(self.scheduled) * u128::from(percentile.thousandths())).div_ceil(100_000);
        u64::try_from(rank).unwrap_or(u64::MAX).max(1)
    }

    /// Tasks of which nobody knows how long they would have taken.
    fn undecided(&self) -> u64 {
        self.scheduled
            .saturating_sub(self.histogram.count())
            .saturating_sub(self.failed)
    }

    fn at_least(&self, rank: u64, unknown: u64) -> u64 {
        let rank = rank.saturating_sub(unknown);
        if rank == 0 {
            return 0;
        }
        self.shown(self.histogram.at_rank(rank))
    }

    /// A value of the histogram as precisely as it is known, and no higher than the true maximum.
    fn shown(&self, microseconds: u64) -> u64 {
        let most = self.times.max_microseconds.max(1);
        figures::beside(microseconds.min(most), most, self.digits())
    }

    /// A bucket's upper end may lie above the true maximum, which is known exactly.
    fn no_more_than_the_maximum(&self, microseconds: u64) -> u64 {
        microseconds.min(self.times.max_microseconds.max(1))
    }
}
