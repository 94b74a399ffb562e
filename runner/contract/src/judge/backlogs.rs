//! Backlog limits: one row for each limit of the plan, which types may share.

use super::run::{Dyno, Run};
use crate::judgement::{BacklogPlace, BacklogResult};
use crate::limit::Holding;
use crate::report::{End, Ending};

/// One row per limit, in the order of the plan's types.
pub(super) fn results(run: &Run<'_>) -> Vec<BacklogResult> {
    let mut limits: Vec<u32> = Vec::new();
    for dynos in &run.plan.formation {
        if !limits.contains(&dynos.max_worker_backlog) {
            limits.push(dynos.max_worker_backlog);
        }
    }
    limits.into_iter().map(|limit| result(run, limit)).collect()
}

fn result(run: &Run<'_>, limit: u32) -> BacklogResult {
    let dynos = || {
        run.dynos
            .iter()
            .filter(move |dyno| dyno.plan.max_worker_backlog == limit)
    };
    // A breach is told of as the message tells of it: the first in time.
    let breach = dynos()
        .filter_map(|dyno| Some((dyno.own_breach()?.after_milliseconds, breach(dyno)?)))
        .min_by_key(|(after_milliseconds, _)| *after_milliseconds)
        .map(|(_, breach)| breach);
    // The first of equals, so that the row does not depend on the order of the reports.
    let highest = dynos()
        .filter_map(highest)
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    let rejected = dynos()
        .filter_map(Dyno::report)
        .any(|report| report.books.rejected > 0 || report.warmup.rejected > 0);
    let holding = if breach.is_some() || rejected {
        Holding::Breached
    } else if dynos().all(Dyno::complete) {
        Holding::Held
    } else {
        Holding::Unknown
    };
    let (peak, place) = breach
        .map(|(peak, place)| (peak, Some(place)))
        .or(highest)
        .map_or((None, None), |(peak, place)| (Some(peak), place));
    BacklogResult {
        max_worker_backlog: limit,
        dyno_types: run
            .plan
            .formation
            .iter()
            .filter(|dynos| dynos.max_worker_backlog == limit)
            .map(|dynos| dynos.dyno_type.clone())
            .collect(),
        peak,
        place,
        holding,
    }
}

/// A task was rejected for this many that waited.
fn breach(dyno: &Dyno<'_>) -> Option<(u32, BacklogPlace)> {
    let End {
        ending,
        after_milliseconds,
        during_warmup: _,
    } = dyno.own_breach()?;
    match ending {
        Ending::BacklogLimit {
            worker, backlog, ..
        } => Some((
            *backlog,
            BacklogPlace {
                dyno: dyno.name.clone(),
                worker: *worker,
                at_milliseconds: *after_milliseconds,
            },
        )),
        _ => None,
    }
}

/// The highest backlog of a dyno, and where it was, if anywhere.
fn highest(dyno: &Dyno<'_>) -> Option<(u32, Option<BacklogPlace>)> {
    let report = dyno.report()?;
    let busiest = report.busiest.iter().reduce(|best, next| {
        if next.peak_backlog > best.peak_backlog {
            next
        } else {
            best
        }
    });
    match busiest {
        Some(busiest) if busiest.peak_backlog >= report.other_workers_backlog => Some((
            busiest.peak_backlog,
            (busiest.peak_backlog > 0).then(|| BacklogPlace {
                dyno: dyno.name.clone(),
                worker: busiest.worker,
                at_milliseconds: busiest.peak_at_milliseconds,
            }),
        )),
        _ => Some((report.other_workers_backlog, None)),
    }
}
