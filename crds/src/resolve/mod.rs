//! From a LoadTest's spec to the plan of its run and the sizes of its pods.

mod formation;
mod scale;
mod target;
mod thresholds;
mod workload;

use std::fmt;

use redyno_contract::Plan;
use redyno_contract::plan::{self, PLAN_VERSION, RunIdentity};

use crate::catalogue::Catalogue;
use crate::invalid::Invalid;
use crate::loadtest::LoadTestSpec;
use crate::spec::{OnDynoFailure, PodPlacement};

/// A LoadTest with every name looked up and every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What the run's pods read.
    pub plan: Plan,
    /// One entry per dyno type, in the order of the LoadTest.
    pub formation: Vec<ResolvedDynos>,
    /// The managed Redis; None for an existing target.
    pub managed: Option<ResolvedRedis>,
    /// Whether a size or the managed Redis was shrunk: the verdict's message must say so.
    pub scaled: bool,
}

/// One dyno type's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedDynos {
    /// The type's name, `web`.
    pub dyno_type: String,
    /// The size as people call it: its name, or its CPU and memory.
    pub size_title: String,
    /// CPU request, in thousandths of a core, scaled.
    pub cpu_request_millis: u32,
    /// CPU limit, in thousandths of a core, scaled.
    pub cpu_limit_millis: u32,
    /// Memory, request and limit alike, in bytes, scaled.
    pub memory_bytes: u64,
    /// What the size was scaled to, in percent.
    pub scale_percent: u32,
    /// How many dynos.
    pub quantity: u32,
    /// Workers in each.
    pub workers: u32,
    /// Where and how its pods are placed.
    pub placement: Option<PodPlacement>,
}

/// The managed Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRedis {
    /// The plan's name.
    pub plan_name: String,
    /// CPU, request and limit alike, in thousandths of a core, scaled, at least 1000.
    pub cpu_millis: u32,
    /// Memory of its container, request and limit alike, in bytes: above maxmemory.
    pub memory_limit_bytes: u64,
    /// `maxmemory`, in bytes, scaled.
    pub maxmemory_bytes: u64,
    /// `maxclients`, never scaled.
    pub maxclients: u32,
    /// What the plan was scaled to, in percent.
    pub scale_percent: u32,
}

/// Resolves a spec. Relies on nothing that validation would have refused: what it cannot use, it
/// names.
///
/// # Errors
/// Everything that is wrong, each with its field and what would be right.
pub fn resolve(
    spec: &LoadTestSpec,
    run: RunIdentity,
    catalogue: &Catalogue,
    linger_seconds: u32,
) -> Result<Resolved, Vec<Invalid>> {
    let LoadTestSpec {
        target,
        duration_seconds,
        warmup_seconds,
        warmup_percent,
        formation,
        load_percent,
        thresholds,
        on_dyno_failure,
        task_timeout_milliseconds,
        drain_seconds,
        start_timeout_seconds,
        seed,
        // What becomes of the run while it goes on and after it is no part of its plan.
        desired_state: _,
        retention: _,
    } = spec;
    let mut problems = Problems::default();
    let load_percent = problems.natural("spec.loadPercent", *load_percent);
    let dynos = formation::resolve(formation, load_percent, catalogue, &mut problems);
    let connections = connections(&dynos.resolved);
    let target = target::resolve(target, connections, catalogue, &mut problems);
    let thresholds = thresholds::resolve(thresholds, &mut problems);
    let duration_seconds = problems.natural("spec.durationSeconds", *duration_seconds);
    let warmup_seconds = problems.natural("spec.warmupSeconds", *warmup_seconds);
    let warmup_percent = problems.natural("spec.warmupPercent", *warmup_percent);
    let drain_seconds = problems.natural("spec.drainSeconds", *drain_seconds);
    let start_timeout_seconds =
        problems.natural("spec.startTimeoutSeconds", *start_timeout_seconds);
    let task_timeout_milliseconds =
        problems.natural("spec.taskTimeoutMilliseconds", *task_timeout_milliseconds);
    let seed = problems.natural("spec.seed", *seed);

    let (Some((target, managed)), true) = (target, problems.0.is_empty()) else {
        return Err(problems.0);
    };
    let scaled = managed
        .iter()
        .map(|redis| redis.scale_percent)
        .chain(dynos.resolved.iter().map(|dynos| dynos.scale_percent))
        .any(|percent| percent != 100);
    let plan = Plan {
        version: PLAN_VERSION,
        run,
        target,
        duration_seconds,
        warmup_seconds,
        warmup_percent,
        drain_seconds,
        start_timeout_seconds,
        task_timeout_milliseconds,
        on_dyno_failure: match on_dyno_failure {
            OnDynoFailure::StopAll => plan::OnDynoFailure::StopAll,
            OnDynoFailure::Continue => plan::OnDynoFailure::Continue,
        },
        seed,
        formation: dynos.plan,
        thresholds,
        linger_seconds,
    };
    Ok(Resolved {
        plan,
        formation: dynos.resolved,
        managed,
        scaled,
    })
}

/// Connections at the run's peak: every dyno has one per worker and one to coordinate; two more are
/// for the sampler and for the preflight or the finish.
fn connections(formation: &[ResolvedDynos]) -> u32 {
    let all: u64 = formation
        .iter()
        .map(|dynos| u64::from(dynos.quantity) * (u64::from(dynos.workers) + 1))
        .sum();
    u32::try_from(all + 2).unwrap_or(u32::MAX)
}

/// What was found to be wrong so far.
#[derive(Default)]
struct Problems(Vec<Invalid>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Invalid::new(field, message));
    }

    /// A number that cannot be negative.
    fn natural<From, To>(&mut self, field: &str, value: From) -> To
    where
        From: Copy + fmt::Display,
        To: TryFrom<From> + Default,
    {
        To::try_from(value).unwrap_or_else(|_| {
            self.add(field, format!("{value} is not possible, must be 0 or more"));
            To::default()
        })
    }
}

impl Resolved {
    /// What the verdict's message has to say of scaled sizes; None if nothing was scaled.
    pub fn scale_note(&self) -> Option<String> {
        if !self.scaled {
            return None;
        }
        let mut parts: Vec<(&str, u32)> = self
            .formation
            .iter()
            .map(|dynos| (dynos.dyno_type.as_str(), dynos.scale_percent))
            .collect();
        if let Some(redis) = &self.managed {
            parts.push(("Redis", redis.scale_percent));
        }
        let (_, first) = *parts.first()?;
        if parts.iter().all(|(_, percent)| *percent == first) {
            return Some(format!("Sizes were scaled to {first} %."));
        }
        let each: Vec<String> = parts
            .iter()
            .filter(|(_, percent)| *percent != 100)
            .map(|(name, percent)| format!("{name} to {percent} %"))
            .collect();
        Some(format!("Sizes were scaled: {}.", each.join(", ")))
    }
}

#[cfg(test)]
mod tests;
