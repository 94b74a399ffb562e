//! Where a task's time went, of one type: parts that were measured apart and add up.

use super::bottleneck;
use super::run::{Dyno, Run};
use crate::judgement::TimeSpent;
use crate::plan::{DynoTypePlan, Fetch, Workload};
use crate::report::{CommandWork, Times};

/// None if no task of it ended, or a dyno did not tell of the CPU of its load threads.
pub(super) fn of(run: &Run<'_>, dynos: &DynoTypePlan) -> Option<TimeSpent> {
    let reports = || run.of_type(Some(&dynos.dyno_type)).filter_map(Dyno::report);
    let sum = |of: fn(&crate::Report) -> Times| {
        reports().fold(Times::default(), |sum, report| sum.plus(of(report)))
    };
    let waiting_microseconds = sum(|report| report.latencies.wait).mean_microseconds()?;
    let service = sum(|report| report.latencies.service);
    let service_microseconds = service.mean_microseconds()?;
    let cpu = reports()
        .map(|report| report.own.load_threads_cpu_microseconds)
        .try_fold(0_u64, |sum, cpu| Some(sum.saturating_add(cpu?)));
    // What is measured of both ends is over the window, and what of a task is over the tasks of the
    // window: where the latter took less, the rest was no part of them.
    let executing_microseconds =
        executing(run, dynos).map(|executing| executing.min(service_microseconds));
    let left = service_microseconds - executing_microseconds.unwrap_or(0);
    let dyno_microseconds = cpu?.checked_div(service.count)?.min(left);
    Some(TimeSpent {
        waiting_microseconds,
        dyno_microseconds,
        executing_microseconds,
        elsewhere_microseconds: left - dyno_microseconds,
    })
}

/// The mean time for which Redis executes the commands of a task. None where it does not say, and
/// where types that do other work send commands of the same names.
fn executing(run: &Run<'_>, dynos: &DynoTypePlan) -> Option<u64> {
    let spent = &bottleneck::vitals(run)?.commands;
    let own = commands(&dynos.workload);
    let others = run
        .plan
        .formation
        .iter()
        .filter(|other| other.workload != dynos.workload)
        .flat_map(|other| commands(&other.workload));
    if others
        .into_iter()
        .any(|(name, _)| own.iter().any(|(own, _)| *own == name))
    {
        return None;
    }
    let weights: u128 = match &dynos.workload {
        Workload::ObjectGraph(_) => 1,
        Workload::Commands(_) => own.iter().map(|(_, weight)| u128::from(*weight)).sum(),
    };
    let nanoseconds: Option<u128> = own
        .iter()
        .map(|(name, weight)| {
            let CommandWork {
                name: _,
                calls,
                microseconds,
            } = spent.iter().find(|spent| spent.name == *name)?;
            (u128::from(*microseconds) * 1000 * u128::from(*weight)).checked_div(u128::from(*calls))
        })
        .sum();
    u64::try_from(nanoseconds?.checked_div(weights)? / 1000).ok()
}

/// The commands that Redis executes for a task, by the names that it has for them, and how often
/// each, or by which weight. What a script or a transaction executes is in its time.
fn commands(workload: &Workload) -> Vec<(String, u32)> {
    match workload {
        Workload::ObjectGraph(graph) => {
            let flats = match graph.fetch {
                Fetch::Lua => "evalsha",
                Fetch::Hgetall => "hgetall",
            };
            ["get", flats, "multi", "exec", "ping"]
                .map(|name| (name.to_owned(), 1))
                .to_vec()
        }
        Workload::Commands(commands) => commands
            .mix
            .iter()
            .map(|entry| {
                let name = entry.command.first().map(|name| name.to_ascii_lowercase());
                (name.unwrap_or_default(), entry.weight)
            })
            .collect(),
    }
}
