//! What the finish says that it did.

use redyno_contract::Plan;
use redyno_contract::figures::counted;
use redyno_contract::plan::{Flush, TargetKind};

use super::{Data, PATIENCE_WITH_DYNOS, Progress};

pub(super) fn of(plan: &Plan, progress: &Progress, failure: Option<&str>) -> String {
    let Progress {
        removed,
        removed_by_dynos,
        data,
        coordination_keys,
        left_behind,
        lock,
        cleaned,
    } = progress;
    let mut parts = Vec::new();
    let coordination = format!("{coordination_keys} of coordination");
    match data {
        Data::Unfinished | Data::Gone => {
            let all = removed + removed_by_dynos;
            let by_dynos = match removed_by_dynos {
                0 => String::new(),
                count => format!(" ({count} of them by dynos that were told to end)"),
            };
            parts.push(format!(
                "removed {all} data keys{by_dynos} and {coordination}"
            ));
        }
        Data::Stays(count, why) => {
            let (left, unknown) = match count {
                Some(count) => (format!("{count} data keys"), String::new()),
                None => (
                    "its data keys".to_owned(),
                    format!(" (how many is not known: {why})"),
                ),
            };
            parts.push(format!(
                "left {left} of the run, as flush: {} says{unknown}",
                flush(plan)
            ));
            parts.push(format!("removed {coordination}"));
        }
    }
    if let Some(lock) = lock {
        parts.push(format!("lock {lock}"));
    }
    if *left_behind > 0 {
        parts.push(format!(
            "{} had not left after {} s",
            counted(*left_behind as u64, "dyno", "dynos"),
            PATIENCE_WITH_DYNOS.as_secs()
        ));
    }
    parts.extend(cleaned.sentence());
    if let Some(failure) = failure {
        // Many a server ends its words as a sentence.
        parts.push(format!("not complete: {}", failure.trim_end_matches('.')));
    }
    if *data == Data::Unfinished {
        parts.push(
            "what is left is removed by the next run on this target, or by redyno clean".to_owned(),
        );
    }
    parts.join("; ")
}

const fn flush(plan: &Plan) -> &'static str {
    match plan.target.kind {
        TargetKind::Managed
        | TargetKind::Existing {
            flush: Flush::RunKeys,
        } => "RunKeys",
        TargetKind::Existing { flush: Flush::None } => "None",
        TargetKind::Existing {
            flush: Flush::Database,
        } => "Database",
        TargetKind::Existing {
            flush: Flush::AllDatabases,
        } => "AllDatabases",
    }
}
