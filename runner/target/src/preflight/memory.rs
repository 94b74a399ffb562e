//! Whether the run fits into the target's memory; if not, when it is full, and what happens then.

use redyno_contract::Plan;
use redyno_contract::figures::bytes;
use redyno_contract::message::Refusal;
use redyno_contract::plan::{DynoTypePlan, Workload};

use crate::info::Info;
use crate::preflight::growth::Growth;
use crate::preflight::refused::Refused;

/// Where the target's memory ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// At its `maxmemory`, in bytes.
    Maxmemory(u64),
    /// It has no `maxmemory`: at that of its machine, in bytes, where it is killed.
    Machine(u64),
    /// It does not say.
    Unknown,
}

impl Limit {
    /// Of a server that says so.
    pub(super) fn of(info: &Info) -> Self {
        match (info.maxmemory, info.total_system_memory) {
            (None, _) | (Some(0), None | Some(0)) => Self::Unknown,
            (Some(0), Some(machine)) => Self::Machine(machine),
            (Some(maxmemory), _) => Self::Maxmemory(maxmemory),
        }
    }
}

/// What the target does at its `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// It refuses writes.
    RefusesWrites,
    /// It evicts any key.
    EvictsAny,
    /// It evicts keys that expire, and refuses writes when there is none left.
    EvictsExpiring,
    /// It does not say.
    Unknown,
}

impl WhenFull {
    /// By the name of a policy.
    pub(super) fn of(policy: Option<&str>) -> Self {
        match policy {
            Some("noeviction") => Self::RefusesWrites,
            Some(policy) if policy.starts_with("allkeys") => Self::EvictsAny,
            Some(policy) if policy.starts_with("volatile") => Self::EvictsExpiring,
            _ => Self::Unknown,
        }
    }
}

/// The target's memory when the run begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) limit: Limit,
    pub(super) when_full: WhenFull,
    /// Bytes in use, after the flush if there is one.
    pub(super) used: u64,
    /// Bytes that an empty server uses; 0 where it does not say.
    pub(super) startup: u64,
    /// Keys that it has evicted so far; None where it does not say.
    pub(super) evicted_keys: Option<u64>,
    /// Whether it holds keys that somebody might miss.
    pub(super) keys: ForeignKeys,
}

/// Whether the target holds keys that are not the run's and may not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForeignKeys {
    /// It holds none, or all of them may go.
    None,
    /// It holds some; how many, where it says so.
    Some(Option<u64>),
}

/// What is to be expected of the target's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forecast {
    /// Bytes that the whole run adds.
    pub(super) growth: u64,
    /// Whether it may be more.
    pub(super) at_least: bool,
    /// Seconds from t0 until it is full; None if not in this run, or if nobody knows.
    pub(super) full_after_seconds: Option<u64>,
    /// Whether it is a cache that is full already, and evicts whatever anybody writes.
    pub(super) is_full_cache: bool,
    /// Keys that it has evicted so far, where the run is to end as soon as it evicts more.
    pub(super) spared: Option<u64>,
}

/// Refuses what would harm others, or cannot begin: a test may well be about what happens when
/// Redis is full.
pub(super) fn check(growth: &Growth, memory: &Memory, plan: &Plan) -> Result<Forecast, Refused> {
    let duration_seconds = plan.duration_seconds;
    let less = less(plan);
    let Memory {
        limit,
        when_full,
        used,
        startup,
        evicted_keys,
        keys,
    } = *memory;
    let forecast = Forecast {
        growth: growth.total(),
        at_least: growth.at_least,
        full_after_seconds: None,
        is_full_cache: false,
        spared: None,
    };
    let spared = match keys {
        ForeignKeys::None => None,
        ForeignKeys::Some(_) => evicted_keys,
    };
    let limit = match limit {
        Limit::Unknown => return Ok(Forecast { spared, ..forecast }),
        Limit::Machine(machine) => {
            let free = machine.saturating_sub(used);
            if fills(growth, used, machine) && keys != ForeignKeys::None {
                return Err(fills_the_machine(growth, machine, less));
            }
            fits(
                growth,
                (machine, "of its machine, for it has no maxmemory"),
                free,
                less,
            )?;
            return Ok(Forecast {
                full_after_seconds: full_after(growth, free, duration_seconds),
                ..forecast
            });
        }
        Limit::Maxmemory(limit) => limit,
    };
    let reaches = fills(growth, used, limit);
    let forecast = Forecast {
        full_after_seconds: full_after(growth, limit.saturating_sub(used), duration_seconds),
        ..forecast
    };
    match when_full {
        WhenFull::RefusesWrites | WhenFull::Unknown => {
            fits(
                growth,
                (limit, "maxmemory"),
                limit.saturating_sub(used),
                less,
            )?;
            let spared = spared.filter(|_| when_full == WhenFull::Unknown);
            Ok(Forecast { spared, ..forecast })
        }
        WhenFull::EvictsAny => {
            // Whatever else it holds goes; so what counts is whether it can hold what has to be
            // there at the start.
            let most = limit.saturating_sub(startup);
            if growth.prefill > most {
                return Err(Refused::new(
                    Refusal::TooLittleMemory,
                    format!(
                        "the prefill takes about {}, and even if the target evicts all else its maxmemory of {} has room for {} only: use {less}, a lower rate, a shorter run or a larger target",
                        bytes(growth.prefill),
                        bytes(limit),
                        bytes(most),
                    ),
                ));
            }
            let is_full_cache = is_full_cache(used, limit, evicted_keys);
            match keys {
                ForeignKeys::Some(count) if reaches && !is_full_cache => {
                    Err(would_evict(growth, limit, used, count, less))
                }
                ForeignKeys::Some(_) | ForeignKeys::None => Ok(Forecast {
                    is_full_cache,
                    spared: spared.filter(|_| !is_full_cache),
                    ..forecast
                }),
            }
        }
        // The run's own lock and phase are among the first to go, often the only ones.
        WhenFull::EvictsExpiring if reaches => Err(Refused::new(
            Refusal::TooLittleMemory,
            format!(
                "the run adds {} to {} in use, which reaches the target's maxmemory of {}; under its policy it then evicts keys that expire, the run's own lock and coordination among them: use {less}, a lower rate, a shorter run or a larger target, or set its policy to noeviction or allkeys-lru for the test",
                added(growth),
                bytes(used),
                bytes(limit),
            ),
        )),
        WhenFull::EvictsExpiring => Ok(Forecast { spared, ..forecast }),
    }
}

/// What there can be less of in this plan.
fn less(plan: &Plan) -> &'static str {
    let is_mix = |dynos: &DynoTypePlan| matches!(dynos.workload, Workload::Commands(_));
    if plan.formation.iter().all(is_mix) {
        "fewer keys, smaller values"
    } else if plan.formation.iter().any(is_mix) {
        "fewer keys, workers or flats, smaller values or payloads"
    } else {
        "fewer workers or flats, smaller payloads"
    }
}

const SAY_SO: &str =
    "if everything in that Redis may go, say so with SET redyno:disposable 1 there";

/// Whether what is sure to be added fills it.
const fn fills(growth: &Growth, used: u64, limit: u64) -> bool {
    used.saturating_add(growth.total()) >= limit
}

/// A cache lives with evictions: it is at its limit, and has evicted before. One that is about to
/// evict for the first time is none, unless it is at the very edge.
fn is_full_cache(used: u64, limit: u64, evicted_keys: Option<u64>) -> bool {
    let is_used = |percent: u128| u128::from(used) * 100 >= u128::from(limit) * percent;
    is_used(99) || (is_used(90) && evicted_keys.is_some_and(|count| count > 0))
}

fn fits(
    growth: &Growth,
    (limit, which): (u64, &str),
    free: u64,
    less: &str,
) -> Result<(), Refused> {
    if growth.before() <= free {
        return Ok(());
    }
    Err(Refused::new(
        Refusal::TooLittleMemory,
        format!(
            "prefill and warm-up take about {}, but of the target's {} ({which}) only {} are free: use {less}, a shorter warm-up or a larger target",
            bytes(growth.before()),
            bytes(limit),
            bytes(free),
        ),
    ))
}

fn would_evict(growth: &Growth, limit: u64, used: u64, count: Option<u64>, less: &str) -> Refused {
    let keys = count.map_or_else(
        || "keys that are not the run's".to_owned(),
        |count| format!("{count} keys that are not the run's"),
    );
    Refused::new(
        Refusal::WouldEvictForeignKeys,
        format!(
            "the target holds {keys}, and would evict some of them: the run adds {} to {} in use, which reaches its maxmemory of {}; use {less}, a lower rate, a shorter run or a larger target; {SAY_SO}",
            added(growth),
            bytes(used),
            bytes(limit),
        ),
    )
}

fn fills_the_machine(growth: &Growth, machine: u64, less: &str) -> Refused {
    Refused::new(
        Refusal::TooLittleMemory,
        format!(
            "the target has no maxmemory, and the run adds {}, which fills the {} of its machine: it would be killed, with all that it holds; use {less}, a lower rate, a shorter run or a larger target; {SAY_SO}",
            added(growth),
            bytes(machine),
        ),
    )
}

/// `about 25 MB`, `at least 25 MB`.
pub(super) fn added(growth: &Growth) -> String {
    amount(growth.total(), growth.at_least)
}

pub(super) fn amount(count: u64, at_least: bool) -> String {
    let how = if at_least { "at least" } else { "about" };
    format!("{how} {}", bytes(count))
}

/// Seconds from t0 until so much is used up; None if not in the window.
fn full_after(growth: &Growth, free: u64, duration_seconds: u32) -> Option<u64> {
    let left = free.saturating_sub(growth.before());
    let seconds =
        u128::from(left) * u128::from(duration_seconds) / u128::from(growth.window.max(1));
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds < u64::from(duration_seconds))
}

/// What will be in use when the run begins.
pub(super) fn used_at_start(info: &Info, all_is_flushed: bool) -> u64 {
    let used = info.used_memory.unwrap_or(0);
    match info.used_memory_startup {
        Some(startup) if all_is_flushed => startup.min(used),
        _ => used,
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
