//! One row per planned dyno.

use super::percentiles;
use super::run::{Dyno, Known, Run};
use super::sums;
use crate::judgement::{DynoNumbers, DynoResult, DynoVerdict, ReportState};
use crate::outcome::Fate;
use crate::report::{Ending, Report};

/// One row per planned dyno, in the order of the plan.
pub(super) fn rows(run: &Run<'_>) -> Vec<DynoResult> {
    run.dynos.iter().map(|dyno| row(run, dyno)).collect()
}

fn row(run: &Run<'_>, dyno: &Dyno<'_>) -> DynoResult {
    let (result, reason) = result(dyno);
    DynoResult {
        dyno: dyno.name.clone(),
        pod_name: dyno.pod_name.map(str::to_owned),
        node_name: dyno.node_name.map(str::to_owned),
        result,
        reason,
        fate: dyno.fate.clone(),
        end: dyno.end().cloned(),
        report: match dyno.known {
            Known::Complete(..) => ReportState::Complete,
            Known::Partial(_) => ReportState::Partial,
            Known::Missing(_) => ReportState::Missing,
        },
        numbers: dyno.report().map(|report| numbers(run, dyno, report)),
    }
}

fn result(dyno: &Dyno<'_>) -> (DynoVerdict, Option<String>) {
    let (result, reason) = match (&dyno.known, dyno.fate) {
        (Known::Complete(_, end), fate) => match &end.ending {
            Ending::Completed => return (DynoVerdict::Passed, None),
            Ending::BacklogLimit { .. } => (DynoVerdict::Failed, "BacklogLimit"),
            Ending::ErrorLimit { .. } => (DynoVerdict::Failed, "ErrorLimit"),
            Ending::LatencyLimit { .. } => (DynoVerdict::Failed, "LatencyLimit"),
            Ending::Stopped => (DynoVerdict::Stopped, "Stopped"),
            Ending::Terminated => match fate {
                Fate::Exited { .. } | Fate::NeverSeen | Fate::Running => {
                    (DynoVerdict::Stopped, "Terminated")
                }
                Fate::OutOfMemory
                | Fate::Evicted { .. }
                | Fate::Lost { .. }
                | Fate::DeadlineExceeded => (DynoVerdict::Errored, fate_name(fate)),
            },
            Ending::TargetLost { .. } => (DynoVerdict::Errored, "TargetLost"),
            Ending::ForeignKeysEvicted { .. } => (DynoVerdict::Errored, "ForeignKeysEvicted"),
            Ending::TargetChanged { .. } => (DynoVerdict::Errored, "TargetChanged"),
            Ending::TargetRefused { .. } => (DynoVerdict::Errored, "TargetRefused"),
            Ending::StartTimeout { .. } => (DynoVerdict::Errored, "StartTimeout"),
            Ending::DuplicateDyno { .. } => (DynoVerdict::Errored, "DuplicateDyno"),
            Ending::Internal { .. } => (DynoVerdict::Errored, "Internal"),
        },
        (Known::Partial(_), Fate::Exited { code: 0 }) => (DynoVerdict::Errored, "ReportPartial"),
        (Known::Missing(_), Fate::Exited { code: 0 }) => (DynoVerdict::Missing, "ReportMissing"),
        (Known::Missing(_), Fate::NeverSeen) => (DynoVerdict::Missing, "NeverSeen"),
        (Known::Partial(_) | Known::Missing(_), fate) => (DynoVerdict::Errored, fate_name(fate)),
    };
    (result, Some(reason.to_owned()))
}

const fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::NeverSeen => "NeverSeen",
        Fate::Running => "Running",
        Fate::Exited { .. } => "Exited",
        Fate::OutOfMemory => "OutOfMemory",
        Fate::Evicted { .. } => "Evicted",
        Fate::Lost { .. } => "Lost",
        Fate::DeadlineExceeded => "DeadlineExceeded",
    }
}

fn numbers(run: &Run<'_>, dyno: &Dyno<'_>, report: &Report) -> DynoNumbers {
    let peak = report
        .busiest
        .iter()
        .map(|busy| busy.peak_backlog)
        .chain(dyno.end().and_then(|end| match end.ending {
            Ending::BacklogLimit { backlog, .. } => Some(backlog),
            _ => None,
        }))
        .max()
        .unwrap_or(0);
    DynoNumbers {
        books: report.books,
        achieved_tasks_per_second: sums::achieved_by(run, dyno),
        max_worker_backlog: peak.max(report.other_workers_backlog),
        response_p99: percentiles::response_p99(run, dyno),
        own: report.own,
        start_offset_microseconds: run.start_offset_microseconds(dyno),
        busiest: report.busiest.clone(),
        other_workers_backlog: report.other_workers_backlog,
    }
}
