//! Law 1, as far as the wire tells: every completed task did the work that was asked, on one
//! server, and what it left there has the right sizes.

use redyno_contract::plan::Workload;
use redyno_contract::{Reason, Report, Verdict};
use redyno_simulation::report::Broken;

use super::broken as breaks;
use crate::model::{ChangeKind, Database, Value};
use crate::run::{FaultKind, Scenario, Seen, UID};
use crate::world::{Host, Hosted};

pub(super) fn broken(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let passed = seen
        .judgement
        .as_ref()
        .is_some_and(|judgement| judgement.verdict == Verdict::Passed);
    for dyno in &seen.dynos {
        let Some(report) = dyno.evidence.report() else {
            if passed {
                return Some(breaks(1, "Passed without a report", dyno.name.to_string()));
            }
            continue;
        };
        let completed = report.books.completed + report.warmup.completed;
        let on_main = done(&scenario.plan.formation[0].workload, &seen.main, dyno.host);
        let on_other = done(&scenario.plan.formation[0].workload, &seen.other, dyno.host);
        if completed > on_main + on_other {
            return Some(breaks(
                1,
                "completed tasks that the target never carried out",
                format!(
                    "{} counts {completed}, the target carried out {on_main} and another {on_other}",
                    dyno.name
                ),
            ));
        }
        if passed && on_main > 0 && on_other > 0 {
            return Some(breaks(
                1,
                "Passed on two servers",
                format!(
                    "{}: {on_main} tasks on one, {on_other} on another",
                    dyno.name
                ),
            ));
        }
        if !balanced(report) {
            return Some(breaks(
                1,
                "the books do not balance",
                format!("{:?}", report.books),
            ));
        }
    }
    let unwritable = scenario
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::RecordUnwritable);
    if let Some(judgement) = &seen.judgement
        && judgement.reason == Reason::InternalInconsistency
        && !unwritable
    {
        return Some(breaks(1, "a mistake of ours", judgement.message.clone()));
    }
    if passed && let Some(at) = restarted_under_load(scenario, seen) {
        return Some(breaks(
            1,
            "Passed on a server that was restarted under load",
            format!("{at} us after the common start"),
        ));
    }
    sizes(scenario, seen)
}

/// How long after the common start the target was restarted, if that was before the window's end: in
/// the drain nothing may be left to be lost.
fn restarted_under_load(scenario: &Scenario, seen: &Seen) -> Option<u64> {
    let plan = &scenario.plan;
    let start = seen.judgement.as_ref()?.start_microseconds?;
    let end = start + u64::from(plan.warmup_seconds + plan.duration_seconds) * 1_000_000;
    seen.main
        .restarts()
        .into_iter()
        .find(|at| (start..end).contains(at))
        .map(|at| at - start)
}

fn balanced(report: &Report) -> bool {
    report.books.balanced() && report.warmup.balanced()
}

/// How many tasks of a dyno a host carried out.
fn done(workload: &Workload, server: &Hosted, host: Host) -> u64 {
    let executed = server.executed();
    let count = |command: &str| {
        executed
            .get(&(host, command.to_owned()))
            .copied()
            .unwrap_or(0)
    };
    match workload {
        Workload::ObjectGraph(_) => count("exec"),
        Workload::Commands(_) => count("get") + count("set"),
    }
}

/// The most that a mail has beside its payload, in bytes.
const MAIL_WITHOUT_PAYLOAD: usize = 700;

/// What stands in the target is what was written, in the sizes that the plan says.
fn sizes(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let database: &Database = seen.before_finish.get(scenario.database as usize)?;
    let prefix = format!("test:building:{}", &UID[..8]);
    // What the preflight tries out is not a task's.
    let rehearsal = format!("{prefix}:preflight.");
    let of_run =
        |key: &[u8]| key.starts_with(prefix.as_bytes()) && !key.starts_with(rehearsal.as_bytes());
    let mut mails = 0_u64;
    // A mail has its payload and a little around it.
    let wanted = match &scenario.plan.formation[0].workload {
        Workload::ObjectGraph(graph) => {
            let payload = graph.item_payload_bytes as usize;
            payload * 9 / 10..=payload + MAIL_WITHOUT_PAYLOAD
        }
        Workload::Commands(commands) => {
            let value = commands.value_bytes as usize;
            value..=value
        }
    };
    let graph = matches!(
        scenario.plan.formation[0].workload,
        Workload::ObjectGraph(_)
    );
    for (key, entry) in database.keys().filter(|(key, _)| of_run(key)) {
        let wrong = match &entry.value {
            Value::List(elements) => {
                mails += elements.len() as u64;
                elements
                    .iter()
                    .map(Vec::len)
                    .find(|length| !wanted.contains(length))
            }
            Value::Text(text) if !graph && !wanted.contains(&text.len()) => Some(text.len()),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Some(breaks(
                1,
                "a value of the wrong size",
                format!(
                    "{} holds {wrong} bytes, not {wanted:?}",
                    String::from_utf8_lossy(key)
                ),
            ));
        }
    }
    let lost = seen.main.server().changes.iter().any(|change| {
        of_run(&change.key) && !matches!(change.kind, ChangeKind::Written | ChangeKind::Renewed)
    });
    let restarted = seen.main.all_servers(|_| ()).len() > 1;
    if !graph || lost || restarted {
        return None;
    }
    let saved: u64 = seen
        .dynos
        .iter()
        .map(|dyno| done(&scenario.plan.formation[0].workload, &seen.main, dyno.host))
        .sum();
    (mails != saved).then(|| {
        breaks(
            1,
            "mail that no task left",
            format!("{mails} stand in the target, {saved} were saved"),
        )
    })
}
