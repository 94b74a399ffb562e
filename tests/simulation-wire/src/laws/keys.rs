//! Law 6: who touches which key.

use redyno_contract::Verdict;
use redyno_contract::plan::Flush;
use redyno_simulation::report::Broken;
use redyno_target::keys::{COORDINATION_PREFIX, DISPOSABLE, LOCK, RUNS, RunKeys};

use super::broken as breaks;
use crate::model::{Change, ChangeKind, Database, Entry, Server, Value};
use crate::run::{FaultKind, OTHER_RUN, Scenario, Seen, UID};

pub(super) fn broken(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let servers: Vec<Option<Broken>> = [&seen.main, &seen.other]
        .into_iter()
        .flat_map(|host| host.all_servers(|server| of_server(scenario, server)))
        .collect();
    servers
        .into_iter()
        .flatten()
        .next()
        .or_else(|| starts(seen))
        .or_else(|| afterwards(scenario, seen))
        .or_else(|| forgotten(scenario, seen))
        .or_else(|| lock_of_another(scenario, seen))
        .or_else(|| nothing_else(scenario, seen))
}

fn is_ours(change: &Change) -> bool {
    change.by.starts_with("redyno")
}

fn data_prefix() -> String {
    format!("test:building:{}:", &UID[..8])
}

fn own_prefix() -> String {
    format!("{COORDINATION_PREFIX}{{{UID}}}:")
}

/// Whether a key may be touched by the run.
fn belongs(key: &[u8]) -> bool {
    key.starts_with(data_prefix().as_bytes())
        || key.starts_with(own_prefix().as_bytes())
        || key == LOCK.as_bytes()
        || key == RUNS.as_bytes()
}

fn of_server(scenario: &Scenario, server: &Server) -> Option<Broken> {
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    for change in server.changes.iter().filter(|change| is_ours(change)) {
        match change.kind {
            ChangeKind::Flushed => {}
            // The marker is put back after a flush.
            _ if change.key == DISPOSABLE.as_bytes() && !server.flushes.is_empty() => {}
            _ if belongs(&change.key) => {}
            kind => {
                return Some(breaks(
                    6,
                    "a foreign key was touched",
                    format!("{} by {}: {kind:?}", text(&change.key), change.by),
                ));
            }
        }
    }
    let start = RunKeys::new(UID).start();
    let begun = server
        .changes
        .iter()
        .find(|change| change.key == start.as_bytes() && change.kind == ChangeKind::Written)
        .map(|change| change.at);
    let flushes: Vec<u64> = server
        .flushes
        .iter()
        .filter(|(_, by)| by.starts_with("redyno"))
        .map(|(at, _)| *at)
        .collect();
    let allowed = matches!(scenario.flush(), Flush::Database | Flush::AllDatabases);
    if flushes.len() > usize::from(allowed) {
        return Some(breaks(
            6,
            "more flushes than were asked for",
            format!("{} for {:?}", flushes.len(), scenario.flush()),
        ));
    }
    if let (Some(flush), Some(begun)) = (flushes.first(), begun)
        && *flush > begun
    {
        return Some(breaks(6, "a flush after the start", ""));
    }
    let precious = server.changes.iter().find(|change| {
        is_ours(change) && change.kind == ChangeKind::Flushed && change.key.starts_with(b"customer")
    });
    let disposable = scenario
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::DisposableKeys);
    if let Some(change) = precious
        && !disposable
    {
        return Some(breaks(6, "foreign keys were flushed", text(&change.key)));
    }
    None
}

/// There is one start at most, on all servers together.
fn starts(seen: &Seen) -> Option<Broken> {
    let key = RunKeys::new(UID).start();
    let count: usize = [&seen.main, &seen.other]
        .into_iter()
        .flat_map(|host| {
            host.all_servers(|server| {
                server
                    .changes
                    .iter()
                    .filter(|change| {
                        change.key == key.as_bytes() && change.kind == ChangeKind::Written
                    })
                    .count()
            })
        })
        .sum();
    (count > 1).then(|| breaks(6, "more than one start", count.to_string()))
}

/// What a complete finish leaves behind.
fn afterwards(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let complete = seen.finish.as_ref().is_some_and(|report| report.complete);
    if !complete {
        return None;
    }
    // The server that the finish spoke with is the one that the name led to then; if it led to
    // another one, that one is clean and this one is out of reach.
    if scenario
        .faults
        .iter()
        .any(|fault| matches!(fault.kind, FaultKind::Moved | FaultKind::MovedForNewcomers))
    {
        return None;
    }
    let server = seen.main.server();
    let database = &server.databases[scenario.database as usize];
    let begins = |prefix: String| {
        database
            .keys()
            .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
            .find(|key| key.starts_with(&prefix))
    };
    // What a preflight that was killed had tried out goes by itself, within half a minute.
    let tried = format!("{}claim:preflight.", own_prefix());
    let left = begins(own_prefix()).filter(|key| !key.starts_with(&tried));
    if let Some(key) = left {
        return Some(breaks(
            6,
            "a coordination key is left after the finish",
            key,
        ));
    }
    if let Some(Value::Hash(runs)) = database.get(RUNS.as_bytes()).map(|entry| &entry.value)
        && runs.contains_key(UID.as_bytes())
    {
        return Some(breaks(6, "the run is remembered after the finish", RUNS));
    }
    if let Some(holder) = lock(&server.databases[0])
        && holder.contains(UID)
    {
        return Some(breaks(6, "the lock is left after the finish", holder));
    }
    let rehearsal = format!("{}preflight.", data_prefix());
    if scenario.flush() == Flush::RunKeys
        && let Some(key) = begins(data_prefix()).filter(|key| !key.starts_with(&rehearsal))
    {
        return Some(breaks(6, "data is left after the finish", key));
    }
    None
}

/// What the run's data is known by lasts as long as the data: it never expires, and the run itself
/// removes it last.
fn forgotten(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let number = scenario.database as usize;
    let inventory = RunKeys::new(UID).data();
    let server = seen.main.server();
    let after = &server.databases[number];
    let expires = [seen.before_finish.get(number)?, after]
        .into_iter()
        .flat_map(|database| [inventory.as_str(), RUNS].map(|key| (key, database)))
        .find(|(key, database)| {
            let entry = database.get(key.as_bytes());
            entry.is_some_and(|entry| entry.expires.is_some())
        });
    if let Some((key, _)) = expires {
        return Some(breaks(6, "what names the run's data expires", key));
    }
    if scenario.flush() != Flush::RunKeys || after.get(inventory.as_bytes()).is_some() {
        return None;
    }
    let last = server
        .changes
        .iter()
        .rfind(|change| change.key == inventory.as_bytes())?;
    let rehearsal = format!("{}preflight.", data_prefix());
    let left = after.keys().find(|(key, _)| {
        key.starts_with(data_prefix().as_bytes()) && !key.starts_with(rehearsal.as_bytes())
    });
    left.filter(|_| is_ours(last)).map(|(key, _)| {
        breaks(
            6,
            "data is left that nobody knows of any more",
            String::from_utf8_lossy(key),
        )
    })
}

fn lock(database: &Database) -> Option<String> {
    match database.get(LOCK.as_bytes()) {
        Some(Entry {
            value: Value::Text(holder),
            ..
        }) => Some(String::from_utf8_lossy(holder).into_owned()),
        _ => None,
    }
}

/// Who finds another run's lock leaves it alone.
fn lock_of_another(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let locked = scenario
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::Locked);
    let server = seen.main.server();
    let taken = server.changes.iter().find(|change| {
        is_ours(change)
            && change.key == LOCK.as_bytes()
            && !matches!(change.kind, ChangeKind::Flushed)
    })?;
    let expired = server.changes.iter().any(|change| {
        change.key == LOCK.as_bytes()
            && !is_ours(change)
            && change.at <= taken.at
            && !matches!(change.kind, ChangeKind::Written)
    });
    (locked && !expired).then(|| {
        breaks(
            6,
            "another run's lock was taken",
            format!("{OTHER_RUN} held it, {} changed it", taken.by),
        )
    })
}

/// A run that passed had nobody's keys evicted, but where somebody has said that they may be.
fn nothing_else(scenario: &Scenario, seen: &Seen) -> Option<Broken> {
    let disposable = scenario
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::DisposableKeys);
    if disposable {
        return None;
    }
    let passed = seen
        .judgement
        .as_ref()
        .is_some_and(|judgement| judgement.verdict == Verdict::Passed);
    let plan = &scenario.plan;
    let length = u64::from(plan.warmup_seconds + plan.duration_seconds) * 1_000_000;
    // What is evicted later did not happen to the run.
    let end = seen.judgement.as_ref()?.start_microseconds? + length;
    let foreign = seen
        .main
        .server()
        .changes
        .iter()
        .find(|change| {
            change.kind == ChangeKind::Evicted && !belongs(&change.key) && change.at < end
        })?
        .key
        .clone();
    passed.then(|| {
        breaks(
            6,
            "Passed while foreign keys were evicted",
            String::from_utf8_lossy(&foreign),
        )
    })
}
