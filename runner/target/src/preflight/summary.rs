//! What the preflight saw, in one sentence.

use redyno_contract::Plan;
use redyno_contract::message::TargetFound;
use redyno_contract::plan::TlsVerification;
use redyno_contract::report::software;

use crate::address::Scheme;
use crate::info::Info;
use crate::preflight::memory::bytes;
use crate::target::Target;

pub(super) fn already_passed(info: &Info) -> String {
    format!("{}: already passed", server(info))
}

pub(super) fn passed(plan: &Plan, target: &Target, info: &Info, found: &TargetFound) -> String {
    let TargetFound {
        server: _,
        version: _,
        role: _,
        maxmemory_bytes,
        maxclients,
        keys,
        other_clients,
        expected_growth_bytes,
        full_after_seconds,
        flushed_keys,
    } = found;
    let mut parts = vec![server(info)];
    parts.push(match maxmemory_bytes {
        None => "its maxmemory is unknown".to_owned(),
        Some(0) => "no maxmemory".to_owned(),
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
    let growth = format!("the run adds about {}", bytes(*expected_growth_bytes));
    parts.push(match full_after_seconds {
        Some(seconds) => format!("{growth} and the target is full {seconds} s after t0"),
        None => growth,
    });
    if info
        .policy
        .as_deref()
        .is_some_and(|policy| policy.starts_with("allkeys"))
        && maxmemory_bytes.is_some_and(|limit| limit > 0)
    {
        parts.push("a full target evicts keys instead of refusing writes".to_owned());
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

fn server(info: &Info) -> String {
    format!(
        "{}, {}",
        software(info.server_name.as_deref(), info.own_version()),
        info.role.as_deref().unwrap_or("role unknown")
    )
}
