//! Merging what the dynos counted: totals by addition, distributions from merged histograms.

use super::percentiles::{self, OfTasks};
use super::run::{Dyno, Run};
use super::{sums, time_spent};
use crate::judgement::{StepDistribution, Totals, TypeResult};
use crate::plan::Latency;
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
    let books = sums::books(dynos());
    let of_tasks = with_latencies.then(|| OfTasks::of(run, dynos()));
    let distribution = |latency| of_tasks.as_ref()?.distribution(latency);
    Totals {
        planned: run.plan.scheduled(dyno_type),
        books,
        measured_milliseconds: sums::measured_milliseconds(run, dynos()),
        asked_tasks_per_second: sums::per_second(run, dynos(), |books| books.scheduled),
        achieved_tasks_per_second: sums::achieved_tasks_per_second(run, dynos()),
        achieved_per_mille: sums::per_mille(books.in_time, books.scheduled),
        response: distribution(Latency::Response),
        wait: distribution(Latency::Wait),
        service: distribution(Latency::Service),
        steps: if with_latencies {
            sums::steps(dynos())
        } else {
            Vec::new()
        },
        step_distributions: if with_latencies {
            step_distributions(run, dynos())
        } else {
            Vec::new()
        },
        failures: sums::failures(dynos()),
    }
}

/// The course of a run, of those that told of theirs.
pub(super) fn timeline<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Option<Timeline> {
    Timeline::merge(dynos.filter_map(|dyno| dyno.report()?.timeline.as_ref()))
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
