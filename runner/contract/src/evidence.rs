//! What a pod of a run left behind, or a process without a cluster, read as evidence. It is taken
//! for hostile: bounded before it is parsed ([`record`]), and that of another run, dyno or pod is
//! none.

use crate::message::{FinishReport, Message, PreflightReport};
use crate::outcome::Evidence;
use crate::plan::DynoName;
use crate::record::{self, Record, RecordKind};
use crate::report::Report;

/// What a dyno says of itself.
pub fn of_dyno(bytes: &[u8], run: &str, dyno: &DynoName, pod: Option<&str>) -> Evidence {
    match dyno_report(bytes, run, dyno, pod) {
        Ok((RecordKind::Final, report)) if report.end.is_some() => Evidence::Complete(report),
        Ok((RecordKind::Final | RecordKind::Checkpoint, report)) => Evidence::Partial(report),
        Err(detail) => Evidence::Missing { detail },
    }
}

fn dyno_report(
    bytes: &[u8],
    run: &str,
    dyno: &DynoName,
    pod: Option<&str>,
) -> Result<(RecordKind, Box<Report>), String> {
    let Record {
        sequence: _,
        kind,
        message,
    } = read(bytes)?;
    let Message::Dyno(report) = message else {
        return Err("the report is not a dyno's".to_owned());
    };
    is_of(&report, run, dyno, pod)?;
    Ok((kind, report))
}

/// Whether a report is of this run, dyno and, if that is known, pod.
///
/// # Errors
/// In a sentence, whose it is instead.
pub fn is_of(report: &Report, run: &str, dyno: &DynoName, pod: Option<&str>) -> Result<(), String> {
    is_of_run(&report.run, run)?;
    if report.dyno != *dyno {
        return Err(format!(
            "the report is of {}, the pod ran {dyno}",
            report.dyno
        ));
    }
    if pod.is_some_and(|pod| pod != report.pod) {
        return Err("the report is of another pod".to_owned());
    }
    Ok(())
}

/// What the preflight says.
///
/// # Errors
/// In a sentence, why that cannot be told.
pub fn of_preflight(bytes: &[u8], run: &str) -> Result<PreflightReport, String> {
    let Message::Preflight(report) = read(bytes)?.message else {
        return Err("the report is not a preflight's".to_owned());
    };
    is_of_run(&report.run, run)?;
    Ok(report)
}

/// What the finish says.
///
/// # Errors
/// In a sentence, why that cannot be told.
pub fn of_finish(bytes: &[u8], run: &str) -> Result<FinishReport, String> {
    let Message::Finish(report) = read(bytes)?.message else {
        return Err("the report is not a finish's".to_owned());
    };
    is_of_run(&report.run, run)?;
    Ok(report)
}

fn read(bytes: &[u8]) -> Result<Record, String> {
    record::read(bytes).map_err(|error| error.to_string())
}

fn is_of_run(found: &str, run: &str) -> Result<(), String> {
    if found == run {
        Ok(())
    } else {
        Err(format!("the report is of run {found}, this is {run}"))
    }
}
