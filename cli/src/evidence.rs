//! What processes and pods leave behind, read as evidence. Pure.

use redyno_contract::message::{FinishReport, PreflightReport};
use redyno_contract::outcome::Evidence;
use redyno_contract::plan::DynoName;
use redyno_contract::record::{self, Record, RecordKind};
use redyno_contract::{Message, Report};

/// What a dyno says of itself; a report of another run, dyno or pod is none.
pub(crate) fn of_dyno(bytes: &[u8], run: &str, dyno: &DynoName, pod: Option<&str>) -> Evidence {
    let missing = |detail: String| Evidence::Missing { detail };
    let Record {
        sequence: _,
        kind,
        message,
    } = match record::read(bytes) {
        Ok(record) => record,
        Err(error) => return missing(error.to_string()),
    };
    let Message::Dyno(report) = message else {
        return missing("the report is not a dyno's".to_owned());
    };
    if let Err(detail) = is_of(&report, run, dyno, pod) {
        return missing(detail);
    }
    match kind {
        RecordKind::Final if report.end.is_some() => Evidence::Complete(report),
        RecordKind::Final | RecordKind::Checkpoint => Evidence::Partial(report),
    }
}

/// Whether a report is of this run, dyno and, if that is known, pod.
pub(crate) fn is_of(
    report: &Report,
    run: &str,
    dyno: &DynoName,
    pod: Option<&str>,
) -> Result<(), String> {
    if report.run != run {
        return Err(format!(
            "the report is of run {}, this is {run}",
            report.run
        ));
    }
    if report.dyno != *dyno {
        return Err(format!("the report is of {}, this is {dyno}", report.dyno));
    }
    if pod.is_some_and(|pod| pod != report.pod) {
        return Err("the report is of another pod".to_owned());
    }
    Ok(())
}

/// What the preflight says; else, in a sentence, why that cannot be told.
pub(crate) fn of_preflight(bytes: &[u8], run: &str) -> Result<PreflightReport, String> {
    match record::read(bytes)
        .map_err(|error| error.to_string())?
        .message
    {
        Message::Preflight(report) if report.run == run => Ok(report),
        Message::Preflight(_) => Err("the report is of another run".to_owned()),
        Message::Dyno(_) | Message::Finish(_) => Err("the report is not a preflight's".to_owned()),
    }
}

/// What the finish says; else, in a sentence, why that cannot be told.
pub(crate) fn of_finish(bytes: &[u8], run: &str) -> Result<FinishReport, String> {
    match record::read(bytes)
        .map_err(|error| error.to_string())?
        .message
    {
        Message::Finish(report) if report.run == run => Ok(report),
        Message::Finish(_) => Err("the report is of another run".to_owned()),
        Message::Dyno(_) | Message::Preflight(_) => Err("the report is not a finish's".to_owned()),
    }
}
