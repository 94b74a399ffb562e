//! What would be the limit next, of a run that held.

use super::bottleneck::{self, cpu_over_window};
use super::run::Run;
use crate::figures;
use crate::report::TargetVitals;
use crate::verdict::Bottleneck;

/// What is used to less than this, in thousandths, is no limit that anybody is near to.
const NEAR_PER_MILLE: u32 = 250;

/// Memory that is full after so many times the measured window comes before everything else: no
/// longer run at this rate gets to any other limit.
const SOON_WINDOWS: u128 = 10;

/// What would be the limit next: the name of a dyno, and thousandths of what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Redis' memory, which is full so many seconds after the end if it grows on like this.
    Memory(u64),
    /// Redis' connections: used, of those that it allows.
    Connections {
        used: u64,
        limit: u64,
        per_mille: u32,
    },
    /// Redis' threads, and how busy they were, for people.
    Redis { per_mille: u32, shown: String },
    /// A dyno's CPU.
    Dyno(String, u32),
    /// A load thread of a dyno of which it is not known how much CPU it has.
    Thread(String, u32),
    /// Nothing is known.
    Unknown,
}

impl Next {
    pub(super) fn of(run: &Run<'_>) -> Self {
        let vitals = bottleneck::vitals(run);
        if let Some(seconds) = vitals.and_then(|vitals| full_soon(run, vitals)) {
            return Self::Memory(seconds);
        }
        let of_dynos = run.dynos.iter().filter_map(|dyno| {
            let report = dyno.report()?;
            Some(if dyno.plan.cpu_millis.is_some() {
                Self::Dyno(dyno.name.to_string(), cpu_over_window(run, dyno)?)
            } else {
                let busy = report.own.load_thread_busy_per_mille;
                Self::Thread(dyno.name.to_string(), busy)
            })
        });
        redis(run)
            .into_iter()
            .chain(vitals.and_then(connections))
            .chain(of_dynos)
            // Of several the first.
            .reduce(|most, next| {
                if next.busy() > most.busy() {
                    next
                } else {
                    most
                }
            })
            .filter(|most| most.busy() > 0)
            .unwrap_or(Self::Unknown)
    }

    fn busy(&self) -> u32 {
        match self {
            Self::Memory(_) => u32::MAX,
            Self::Connections { per_mille, .. } | Self::Redis { per_mille, .. } => *per_mille,
            Self::Dyno(_, busy) | Self::Thread(_, busy) => *busy,
            Self::Unknown => 0,
        }
    }

    /// Whether it is worth a word of warning.
    fn is_near(&self) -> bool {
        self.busy() >= NEAR_PER_MILLE
    }

    pub(super) fn bottleneck(&self) -> Bottleneck {
        if !self.is_near() {
            return Bottleneck::Unknown;
        }
        match self {
            Self::Memory(_) => Bottleneck::RedisMemory,
            Self::Connections { .. } => Bottleneck::RedisConnections,
            Self::Redis { .. } => Bottleneck::RedisCpu,
            Self::Dyno(..) => Bottleneck::DynoCpu,
            Self::Thread(..) => Bottleneck::Generator,
            Self::Unknown => Bottleneck::Unknown,
        }
    }

    /// For people, with a blank before it; empty where nothing is known.
    pub(super) fn sentence(&self) -> String {
        let what = match self {
            Self::Memory(0) => "Redis' memory, which is full".to_owned(),
            Self::Memory(seconds) => format!(
                "Redis' memory, full after {} at this rate",
                figures::span(seconds.saturating_mul(1000))
            ),
            Self::Connections {
                used,
                limit,
                per_mille: _,
            } => format!(
                "Redis' connections, {} of {}",
                figures::count(*used),
                figures::count(*limit)
            ),
            Self::Redis {
                per_mille: _,
                shown,
            } => format!("Redis, {shown}"),
            Self::Dyno(name, busy) => {
                format!(
                    "the dynos' CPU, {name} at {} of it",
                    figures::percent(*busy)
                )
            }
            Self::Thread(name, busy) => format!(
                "the generator, whose load thread of {name} was busy for {} of the time",
                figures::percent(*busy)
            ),
            Self::Unknown => return String::new(),
        };
        if self.is_near() {
            format!(" Next limit: {what}.")
        } else {
            format!(" No limit is near; the nearest: {what}.")
        }
    }
}

fn redis(run: &Run<'_>) -> Option<Next> {
    let redis = bottleneck::redis_over_window(run);
    let of_limit = redis
        .work
        .process_per_mille
        .zip(redis.cpu_limit_millis)
        .and_then(|(used, limit)| {
            let per_mille = (u64::from(used) * 1000).checked_div(limit.into())?;
            Some(Next::Redis {
                per_mille: u32::try_from(per_mille).unwrap_or(u32::MAX),
                shown: format!(
                    "with {} of the {} that it may use",
                    figures::cpu(used),
                    figures::cpu(limit)
                ),
            })
        });
    let of_thread = redis
        .at_work()
        .zip(redis.shown())
        .map(|(per_mille, shown)| {
            let (how, busy) = shown;
            Next::Redis {
                per_mille,
                shown: format!("{how} {busy}"),
            }
        });
    of_thread.into_iter().chain(of_limit).max_by_key(Next::busy)
}

fn connections(vitals: &TargetVitals) -> Option<Next> {
    let (used, limit) = (vitals.connections_max?, vitals.maxclients?);
    let per_mille = (u128::from(used) * 1000).checked_div(u128::from(limit))?;
    Some(Next::Connections {
        used,
        limit,
        per_mille: u32::try_from(per_mille).unwrap_or(u32::MAX),
    })
}

/// In how many seconds the memory is full, if that is soon.
fn full_soon(run: &Run<'_>, vitals: &TargetVitals) -> Option<u64> {
    let (start, end) = (vitals.memory_at_start_bytes?, vitals.memory_at_end_bytes?);
    let maxmemory = vitals.maxmemory_bytes.filter(|limit| *limit > 0)?;
    let growth = end.checked_sub(start).filter(|growth| *growth > 0)?;
    let window = u128::from(run.plan.duration_seconds);
    let free = u128::from(maxmemory.saturating_sub(end));
    let seconds = free * window / u128::from(growth);
    (seconds <= window * SOON_WINDOWS)
        .then(|| u64::try_from(seconds).ok())
        .flatten()
}
