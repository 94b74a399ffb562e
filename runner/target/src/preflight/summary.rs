//! What the preflight saw, in one sentence.

use redyno_contract::Plan;
use redyno_contract::message::TargetFound;
use redyno_contract::plan::{Expectation, TlsVerification, Workload};
use redyno_contract::report::software;

use crate::address::Scheme;
use crate::info::Info;
use crate::leftovers::Cleaned;
use crate::preflight::memory::{Forecast, Limit, Memory, WhenFull, amount};
use crate::target::Target;
use redyno_contract::figures::bytes;

pub(super) fn already_passed(info: &Info) -> String {
    format!("{}: already passed", server(info))
}

/// What the preflight has seen of a target that it lets a run in to.
pub(super) struct Seen<'a> {
    pub(super) info: &'a Info,
    pub(super) found: &'a TargetFound,
    pub(super) memory: &'a Memory,
    pub(super) forecast: &'a Forecast,
    pub(super) cleaned: &'a Cleaned,
}

pub(super) fn passed(plan: &Plan, target: &Target, seen: &Seen<'_>) -> String {
    let Seen {
        info,
        found,
        memory,
        forecast,
        cleaned,
    } = seen;
    let TargetFound {
        server: _,
        version: _,
        role: _,
        maxmemory_bytes,
        maxclients,
        keys,
        other_clients,
        expected_growth_bytes: _,
        full_after_seconds: _,
        flushed_keys,
    } = found;
    let mut parts = vec![server(info)];
    parts.push(match maxmemory_bytes {
        None => "its maxmemory is unknown".to_owned(),
        Some(0) => match memory.limit {
            Limit::Machine(machine) => {
                format!("no maxmemory, {} of its machine", bytes(machine))
            }
            Limit::Maxmemory(_) | Limit::Unknown => {
                "no maxmemory, and that of its machine is unknown".to_owned()
            }
        },
        Some(limit) => format!(
            "maxmemory {} ({})",
            bytes(*limit),
            info.policy.as_deref().unwrap_or("policy unknown")
        ),
    });
    let needed = plan.target.connections;
    parts.push(match maxclients {
        None | Some(0) => format!("{needed} connections needed, its limit is unknown"),
        Some(limit) => {
            let others = other_clients.map_or_else(
                || "an unknown number".to_owned(),
                |others| others.to_string(),
            );
            format!("{needed} of {limit} connections needed, {others} in use by others")
        }
    });
    parts.push(match flushed_keys {
        0 => keys.map_or_else(
            || "an unknown number of keys".to_owned(),
            |keys| format!("{keys} keys"),
        ),
        flushed => format!("{flushed} keys flushed"),
    });
    parts.extend(cleaned.sentence());
    let growth = format!(
        "the run adds {}",
        amount(forecast.growth, forecast.at_least)
    );
    parts.push(match forecast.full_after_seconds {
        Some(seconds) if !forecast.is_full_cache => {
            format!("{growth} and the target is full {seconds} s after t0")
        }
        _ => growth,
    });
    parts.extend(when_full(memory, forecast));
    if info.evicts_any_key() && (forecast.is_full_cache || forecast.full_after_seconds.is_some()) {
        parts.extend(expected_even_so(plan));
    }
    if info.aof_enabled == Some(true) {
        parts.push("it keeps an append-only file".to_owned());
    }
    if let Some(replicas) = info.connected_slaves.filter(|count| *count > 0) {
        parts.push(format!("{replicas} replicas follow it"));
    }
    if target.address().scheme == Scheme::Tls
        && plan.target.tls == TlsVerification::SkipVerification
    {
        parts.push("its certificate is NOT verified".to_owned());
    }
    parts.join("; ")
}

/// What there is to say of a target that evicts keys.
fn when_full(memory: &Memory, forecast: &Forecast) -> Option<String> {
    if !matches!(memory.limit, Limit::Maxmemory(_)) {
        return None;
    }
    let evicts = match memory.when_full {
        WhenFull::RefusesWrites | WhenFull::Unknown => return None,
        WhenFull::EvictsAny if forecast.is_full_cache => {
            return Some(
                "it is full already and evicts keys for whatever is written, by the run as by others"
                    .to_owned(),
            );
        }
        WhenFull::EvictsAny => "a full target evicts keys instead of refusing writes",
        WhenFull::EvictsExpiring => "a full target evicts keys that expire",
    };
    Some(match forecast.spared {
        Some(_) => format!("{evicts}: the run is ended if it begins to, for it holds others' keys"),
        None => evicts.to_owned(),
    })
}

/// Which commands fail if a key is evicted that they expect.
fn expected_even_so(plan: &Plan) -> Option<String> {
    let names: Vec<String> = plan
        .formation
        .iter()
        .filter_map(|dynos| match &dynos.workload {
            Workload::Commands(commands) => Some((dynos, commands)),
            Workload::ObjectGraph(_) => None,
        })
        .flat_map(|(dynos, commands)| {
            commands
                .mix
                .iter()
                .filter(|entry| entry.expect == Expectation::Hit)
                .map(|entry| format!("{} of type {}", entry.name, dynos.dyno_type))
        })
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "a task of {} fails where its key was evicted, because expect: Hit says so",
            names.join(", ")
        )
    })
}

fn server(info: &Info) -> String {
    format!(
        "{}, {}",
        software(info.server_name.as_deref(), info.own_version()),
        info.role.as_deref().unwrap_or("role unknown")
    )
}
