//! From a LoadTest's spec to the plan of its run and the sizes of its pods.

mod formation;
mod problems;
mod resolved;
mod scale;
mod target;
mod thresholds;
mod workload;

use redyno_contract::plan::{self, PLAN_VERSION, Plan, RunIdentity};

use crate::catalogue::Catalogue;
use crate::invalid::Invalid;
use crate::loadtest::LoadTestSpec;
use crate::spec::OnDynoFailure;
use problems::Problems;
pub use resolved::{Resolved, ResolvedDynos, ResolvedRedis};

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
        // Fields that control the run from outside, or what is kept after it, are no part of its
        // plan.
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

#[cfg(test)]
mod tests;
