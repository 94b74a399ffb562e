//! Law 1, as far as the wire tells: every completed task did the work that was asked, on one
//! server, and what it left there has the right sizes.

use std::collections::BTreeMap;

use redyno_contract::plan::Workload;
use redyno_contract::{Reason, Report, Verdict};
use redyno_simulation::report::Broken;

use super::broken as breaks;
use crate::model::{ChangeKind, Database, Value};
use crate::run::{FaultKind, Scenario, Seen, UID, is_a_pod_of_a_dyno};
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
        let on_main = done(
            &scenario.plan.formation[0].workload,
            &seen.main,
            Some(dyno.host),
        );
        let on_other = done(
            &scenario.plan.formation[0].workload,
            &seen.other,
            Some(dyno.host),
        );
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
    let servers = servers(&scenario.plan.formation[0].workload, seen);
    if passed && servers.len() > 1 {
        return Some(breaks(
            1,
            "Passed on more than one server",
            format!("tasks carried out by each: {servers:?}"),
        ));
    }
    sizes(scenario, seen)
}

/// How many tasks of the run's dynos each server carried out, of those that did any.
fn servers(workload: &Workload, seen: &Seen) -> Vec<u64> {
    let mut counts = BTreeMap::<(bool, u64), u64>::new();
    for (is_main, hosted) in [(true, &seen.main), (false, &seen.other)] {
        for ((server, host, command), count) in hosted.executed() {
            let is_dyno = seen.dynos.iter().any(|dyno| dyno.host == host);
            if is_dyno && commands_of_tasks(workload).contains(&command.as_str()) {
                *counts.entry((is_main, server)).or_default() += count;
            }
        }
    }
    counts.into_values().collect()
}

fn balanced(report: &Report) -> bool {
    report.books.balanced() && report.warmup.balanced()
}

/// The commands of which every task has one.
const fn commands_of_tasks(workload: &Workload) -> &'static [&'static str] {
    match workload {
        Workload::ObjectGraph(_) => &["exec"],
        Workload::Commands(_) => &["get", "set"],
    }
}

/// How many tasks a server's host carried out for a host, or for all pods of dynos.
fn done(workload: &Workload, server: &Hosted, host: Option<Host>) -> u64 {
    server
        .executed()
        .into_iter()
        .filter(|((_, of, command), _)| {
            host.map_or(is_a_pod_of_a_dyno(*of), |host| host == *of)
                && commands_of_tasks(workload).contains(&command.as_str())
        })
        .map(|(_, count)| count)
        .sum()
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
    // Of all pods, those that nobody judges among them.
    let saved = done(&scenario.plan.formation[0].workload, &seen.main, None);
    (mails != saved).then(|| {
        breaks(
            1,
            "mail that no task left",
            format!("{mails} stand in the target, {saved} were saved"),
        )
    })
}
