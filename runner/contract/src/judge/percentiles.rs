//! Percentiles over all scheduled tasks of some dynos, those that never completed included.
//!
//! Of a completed task its time is known, within the precision of a histogram. A task that was
//! still unfinished at the end would have taken at least as long as it was old, and a failed one is
//! slower than all others: it is over every limit. So there are two orders of all tasks by time,
//! one by the least and one by the most that each can have taken. Where the task at a percentile's
//! rank has the same time in both, that is the percentile; elsewhere the lesser time is a bound.
//!
//! Limits are counted to the microsecond, so they know more than the histograms: a percentile that
//! holds its limit is never told to be above it, nor one that breaks it to be below.

use super::run::{Dyno, Run};
use super::sums;
use crate::figures;
use crate::histogram::{Digits, EncodedHistogram, Histogram};
use crate::judgement::{Distribution, Quantile, StepDistribution};
use crate::limit::{Holding, allowed_over, holding};
use crate::plan::{Latency, Limit, Percentile, Step};
use crate::report::{Ages, Incomplete, Latencies, Times};

/// The percentiles that every distribution has.
const SHOWN: [Percentile; 4] = [
    Percentile::P50,
    Percentile::P90,
    Percentile::P99,
    Percentile::P999,
];

/// What is known of a percentile by counting.
#[derive(Clone, Copy, Debug)]
struct Counted {
    percentile: Percentile,
    max_microseconds: u64,
    holds: bool,
}

/// A time over all scheduled tasks of some dynos.
struct Spread {
    completed: Histogram,
    times: Times,
    /// What unfinished tasks took at the least, rising, with how many did.
    unfinished: Vec<(u64, u64)>,
    /// Unfinished tasks of which not even that is known.
    unknown: u64,
    failed: u64,
    /// The longest that any task is known to have taken.
    longest: u64,
    counted: Vec<Counted>,
}

/// Quantiles of one time, rising, one for each percentile that is asked for.
type Quantiles = Vec<(Percentile, Quantile)>;

/// The three latencies of whole tasks.
pub(super) struct OfTasks {
    response: Option<(Quantiles, Distribution)>,
    wait: Option<(Quantiles, Distribution)>,
    service: Option<(Quantiles, Distribution)>,
}

impl OfTasks {
    /// Of some dynos; of each latency None unless every dyno's histogram is there and anything was
    /// scheduled.
    pub(super) fn of<'b, 'a: 'b>(
        run: &Run<'_>,
        dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
    ) -> Self {
        let asked = asked(run);
        let [mut response, mut wait, mut service] =
            [Latency::Response, Latency::Wait, Latency::Service].map(|latency| {
                let spread = Spread::of_tasks(run, dynos.clone(), latency)?;
                let quantiles = spread.quantiles(&asked);
                Some((quantiles, spread))
            });
        // No task waits, or is served, for longer than it takes in all. Its histograms do not know.
        if let Some((response, _)) = &mut response {
            for (part, _) in [&wait, &service].into_iter().flatten() {
                raise(response, part);
            }
            for (part, spread) in [&mut wait, &mut service].into_iter().flatten() {
                lower(part, response, spread.completed.digits());
            }
        }
        let finished = |of: Option<(Quantiles, Spread)>| {
            let (quantiles, spread) = of?;
            let distribution = spread.distribution(&quantiles);
            Some((quantiles, distribution))
        };
        Self {
            response: finished(response),
            wait: finished(wait),
            service: finished(service),
        }
    }

    const fn latency(&self, latency: Latency) -> Option<&(Quantiles, Distribution)> {
        match latency {
            Latency::Response => self.response.as_ref(),
            Latency::Wait => self.wait.as_ref(),
            Latency::Service => self.service.as_ref(),
        }
    }

    /// The distribution of a latency.
    pub(super) fn distribution(&self, latency: Latency) -> Option<Distribution> {
        self.latency(latency).map(|(_, distribution)| *distribution)
    }

    /// A percentile of a latency, which the plan limits or every distribution has.
    pub(super) fn quantile(&self, latency: Latency, percentile: Percentile) -> Option<Quantile> {
        at(&self.latency(latency)?.0, percentile)
    }
}

/// The distribution of a step's service time, and its quantile at a percentile that the plan limits;
/// None unless every dyno's histogram of it is there and any task began it.
pub(super) fn of_step<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
    step: &Step,
) -> Option<(StepDistribution, impl Fn(Percentile) -> Option<Quantile>)> {
    let spread = Spread::of_step(run, dynos, step)?;
    let quantiles = spread.quantiles(&asked(run));
    let distribution = StepDistribution {
        step: step.clone(),
        service: spread.distribution(&quantiles),
    };
    Some((distribution, move |percentile| at(&quantiles, percentile)))
}

/// A dyno's own response p99.
pub(super) fn response_p99(run: &Run<'_>, dyno: &Dyno<'_>) -> Option<Quantile> {
    OfTasks::of(run, std::iter::once(dyno)).quantile(Latency::Response, Percentile::P99)
}

fn at(quantiles: &Quantiles, percentile: Percentile) -> Option<Quantile> {
    quantiles
        .iter()
        .find(|(of, _)| *of == percentile)
        .map(|(_, quantile)| *quantile)
}

/// Every percentile that is asked for anywhere, rising: whichever is looked at, it is the same.
fn asked(run: &Run<'_>) -> Vec<Percentile> {
    let limited = run.plan.thresholds.iter().filter_map(|threshold| {
        if let Limit::Latency(limit) = &threshold.limit {
            Some(limit.percentile)
        } else {
            None
        }
    });
    let mut asked: Vec<Percentile> = SHOWN.into_iter().chain(limited).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

/// Raises bounds to what a part of the same time is.
fn raise(whole: &mut Quantiles, part: &Quantiles) {
    let mut before = 0;
    for ((_, whole), (_, part)) in whole.iter_mut().zip(part) {
        if let Quantile::AtLeast(bound) = whole {
            *bound = (*bound).max(part.microseconds()).max(before);
        }
        before = before.max(whole.microseconds());
    }
}

/// Lowers what is more than the whole is known to be.
fn lower(part: &mut Quantiles, whole: &Quantiles, digits: u8) {
    for ((_, part), (_, whole)) in part.iter_mut().zip(whole) {
        let most = match whole {
            Quantile::At(most) | Quantile::Maximum(most) => *most,
            Quantile::AtLeast(_) => continue,
        };
        if part.microseconds() > most {
            *part = match part {
                Quantile::AtLeast(_) => Quantile::AtLeast(most),
                Quantile::At(_) | Quantile::Maximum(_) => {
                    Quantile::At(figures::beside(most, most, digits))
                }
            };
        }
    }
}

impl Spread {
    fn of_tasks<'b, 'a: 'b>(
        run: &Run<'_>,
        dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
        latency: Latency,
    ) -> Option<Self> {
        let books = sums::books(dynos.clone());
        if books.scheduled == 0 {
            return None;
        }
        let completed = merged(dynos.clone().map(|dyno| match latency {
            Latency::Response => dyno.histograms.response.as_ref(),
            Latency::Wait => dyno.histograms.wait.as_ref(),
            Latency::Service => dyno.histograms.service.as_ref(),
        }))?;
        let reports = || dynos.clone().filter_map(Dyno::report);
        let times = reports().fold(Times::default(), |sum, report| {
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
        let mut longest = times.max_microseconds;
        let mut ages = Vec::new();
        for incomplete in reports().filter_map(|report| report.incomplete.as_ref()) {
            let Incomplete {
                failed_response_max_microseconds,
                failed_wait_max_microseconds,
                failed_service_max_microseconds,
                steps: _,
                ages: of_unfinished,
            } = incomplete;
            longest = longest.max(match latency {
                Latency::Response => *failed_response_max_microseconds,
                Latency::Wait => *failed_wait_max_microseconds,
                Latency::Service => *failed_service_max_microseconds,
            });
            let encoded = of_unfinished.as_ref().map(|ages| {
                let Ages {
                    response,
                    wait,
                    service,
                } = ages;
                match latency {
                    Latency::Response => response,
                    Latency::Wait => wait,
                    Latency::Service => service,
                }
            });
            ages.extend(encoded.into_iter().flat_map(lowest_values));
        }
        ages.sort_unstable();
        Some(Self::new(
            completed,
            times,
            ages,
            books.scheduled,
            books.failed,
            longest,
            counted(run, dynos, latency, &Step::Task),
        ))
    }

    fn of_step<'b, 'a: 'b>(
        run: &Run<'_>,
        dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
        step: &Step,
    ) -> Option<Self> {
        // Dynos of another workload have no such step.
        let takers = dynos.filter_map(|dyno| Some((dyno, dyno.plan.workload.position(step)?)));
        let completed = merged(takers.clone().map(|(dyno, position)| {
            dyno.histograms
                .steps
                .as_ref()
                .and_then(|steps| steps.get(position))
        }))?;
        let dynos = takers.clone().map(|(dyno, _)| dyno);
        let times = sums::step_times(dynos.clone(), step);
        let (mut begun, mut failed) = (0_u64, 0_u64);
        for (dyno, position) in takers {
            let report = dyno.report()?;
            let count = match &report.incomplete {
                Some(incomplete) => {
                    let count = incomplete.steps.as_ref()?.get(position)?;
                    (count.begun, count.failed)
                }
                // All tasks completed.
                None => (sums::step_times(std::iter::once(dyno), step).count, 0),
            };
            begun = begun.saturating_add(count.0);
            failed = failed.saturating_add(count.1);
        }
        if begun == 0 {
            return None;
        }
        Some(Self::new(
            completed,
            times,
            Vec::new(),
            begun,
            failed,
            times.max_microseconds,
            counted(run, dynos, Latency::Service, step),
        ))
    }

    fn new(
        completed: Histogram,
        times: Times,
        unfinished: Vec<(u64, u64)>,
        scheduled: u64,
        failed: u64,
        longest: u64,
        counted: Vec<Counted>,
    ) -> Self {
        let aged = unfinished
            .iter()
            .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let oldest = unfinished.last().map_or(0, |(age, _)| *age);
        let unknown = scheduled
            .saturating_sub(completed.count())
            .saturating_sub(failed)
            .saturating_sub(aged);
        Self {
            completed,
            times,
            unfinished,
            unknown,
            failed,
            longest: longest.max(oldest),
            counted,
        }
    }

    /// All tasks, whatever became of them.
    fn all(&self) -> u64 {
        self.unfinished
            .iter()
            .map(|(_, count)| *count)
            .chain([self.completed.count(), self.unknown, self.failed])
            .fold(0, u64::saturating_add)
    }

    fn all_completed(&self) -> bool {
        self.unfinished.is_empty() && self.unknown == 0 && self.failed == 0
    }

    /// The least that the task at this rank (from 1) took, if tasks are put in order by that; None if
    /// it failed.
    fn least(&self, rank: u64) -> Option<u64> {
        let mut left = rank.saturating_sub(self.unknown);
        if left == 0 {
            return Some(0);
        }
        let mut completed = self.completed.buckets().peekable();
        let mut unfinished = self.unfinished.iter().copied().peekable();
        loop {
            let next = match (completed.peek(), unfinished.peek()) {
                (Some(bucket), Some((age, _))) if bucket.lowest <= *age => true,
                (Some(_), None) => true,
                (_, Some(_)) => false,
                (None, None) => return None,
            };
            let (value, count) = if next {
                completed
                    .next()
                    .map_or((0, 0), |bucket| (bucket.lowest, bucket.count))
            } else {
                unfinished.next().unwrap_or((0, 0))
            };
            if count >= left {
                return Some(value);
            }
            left -= count;
        }
    }

    /// Lowest and highest value of the bucket in which the task at this rank lies, if everything
    /// that did not complete took for ever; None if it is one of those.
    fn most(&self, rank: u64) -> Option<(u64, u64)> {
        let mut left = rank;
        self.completed.buckets().find_map(|bucket| {
            let found = bucket.count >= left;
            left = left.saturating_sub(bucket.count);
            found.then_some((bucket.lowest, bucket.highest))
        })
    }

    /// One for each of these percentiles, which rise; so do the quantiles.
    fn quantiles(&self, asked: &[Percentile]) -> Quantiles {
        let mut before = 0;
        asked
            .iter()
            .map(|percentile| {
                let quantile = match self.quantile(*percentile) {
                    Quantile::At(value) => Quantile::At(value.max(before)),
                    Quantile::AtLeast(value) => Quantile::AtLeast(value.max(before)),
                    Quantile::Maximum(value) => Quantile::Maximum(value.max(before)),
                };
                before = quantile.microseconds();
                (*percentile, quantile)
            })
            .collect()
    }

    fn quantile(&self, percentile: Percentile) -> Quantile {
        let all = self.all();
        let rank = (u128::from(all) * u128::from(percentile.thousandths())).div_ceil(100_000);
        let rank = u64::try_from(rank).unwrap_or(u64::MAX).max(1);
        let digits = self.completed.digits();
        // What limits say of it that hold at this or a higher percentile, or break at a lower one.
        let holds = |limit: &&Counted| limit.holds && limit.percentile >= percentile;
        let breaks = |limit: &&Counted| !limit.holds && limit.percentile <= percentile;
        let max = |limit: &Counted| limit.max_microseconds;
        let no_more_than = self.counted.iter().filter(holds).map(max).min();
        let more_than = self.counted.iter().filter(breaks).map(max).max();
        let least = self.least(rank);
        if let Some((lowest, highest)) = self.most(rank)
            && least == Some(lowest)
        {
            if allowed_over(percentile, all) == 0 {
                return Quantile::Maximum(self.times.max_microseconds);
            }
            // A bucket's upper end may lie above the true maximum, which is known exactly, and a
            // time of 0 counts as 1 there.
            let most = no_more_than
                .unwrap_or(u64::MAX)
                .min(self.times.max_microseconds);
            let shown = figures::beside(highest.min(most), most, digits);
            if more_than.is_none_or(|limit| shown > limit) {
                return Quantile::At(shown);
            }
        }
        let least = match least {
            Some(least) => figures::rounded_down(least.min(self.longest), digits),
            // It is slower than all others, however long they took.
            None => self.longest_shown(),
        };
        Quantile::AtLeast(least.max(more_than.unwrap_or(0)))
    }

    /// The longest time that is known, as a bound: it is known exactly.
    fn longest_shown(&self) -> u64 {
        figures::rounded_down(self.longest, 3)
    }

    fn distribution(&self, quantiles: &Quantiles) -> Distribution {
        let [p50, p90, p99, p999] =
            SHOWN.map(|percentile| at(quantiles, percentile).unwrap_or(Quantile::AtLeast(0)));
        let max = if self.all_completed() {
            Quantile::Maximum(self.times.max_microseconds)
        } else {
            Quantile::AtLeast(self.longest_shown().max(p999.microseconds()))
        };
        Distribution {
            p50,
            p90,
            p99,
            p999,
            max,
            times: self.times,
            digits: self.completed.digits(),
        }
    }
}

/// At the precision of the coarsest; None unless all of them are there.
fn merged<'b>(histograms: impl Iterator<Item = Option<&'b Histogram>>) -> Option<Histogram> {
    let histograms: Vec<&Histogram> = histograms.collect::<Option<_>>()?;
    let digits = histograms.iter().map(|one| one.digits()).min()?;
    let mut merged = Histogram::new(match digits {
        1 => Digits::One,
        2 => Digits::Two,
        _ => Digits::Three,
    });
    for other in histograms {
        merged.add(other);
    }
    Some(merged)
}

/// The lowest values that a histogram's can have been, with their counts; none of one that cannot be
/// read.
fn lowest_values(encoded: &EncodedHistogram) -> Vec<(u64, u64)> {
    encoded.decode().map_or_else(
        |_| Vec::new(),
        |histogram| {
            let buckets = histogram.buckets();
            buckets
                .map(|bucket| (bucket.lowest, bucket.count))
                .collect()
        },
    )
}

/// What the limits on a time say of it, by what all of these dynos counted.
fn counted<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>> + Clone,
    latency: Latency,
    step: &Step,
) -> Vec<Counted> {
    let thresholds = run.plan.thresholds.iter().enumerate();
    thresholds
        .filter_map(|(position, threshold)| {
            let Limit::Latency(limit) = &threshold.limit else {
                return None;
            };
            let of_all = threshold
                .dyno_type
                .as_ref()
                .is_none_or(|name| dynos.clone().all(|dyno| dyno.name.dyno_type == *name));
            if limit.of != latency || limit.step != *step || !of_all {
                return None;
            }
            let count = sums::over_limit(run, dynos.clone(), position);
            let holds = match holding(count, allowed_over(limit.percentile, count.total)) {
                Holding::Held if dynos.clone().all(|dyno| dyno.report().is_some()) => true,
                Holding::Breached => false,
                Holding::Held | Holding::Unknown => return None,
            };
            Some(Counted {
                percentile: limit.percentile,
                max_microseconds: limit.max_microseconds,
                holds,
            })
        })
        .collect()
}
