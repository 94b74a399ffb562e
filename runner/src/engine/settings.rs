//! What one dyno's engine has to know of the plan.

use redyno_contract::Plan;
use redyno_contract::limit::{allowed_errors, allowed_over};
use redyno_contract::plan::{DynoName, DynoTypePlan, LatencyLimit, Limit};
use redyno_contract::schedule::Schedule;

use crate::random::Seed;

/// What one dyno's engine has to know of the plan.
#[derive(Clone, Debug)]
pub(crate) struct EngineSettings {
    /// The dyno's own seed.
    pub(crate) seed: Seed,
    /// Workers, 1 or more.
    pub(crate) workers: u32,
    /// A task that finds this many waiting is rejected.
    pub(crate) max_worker_backlog: u32,
    /// Due times of the warm-up, from S.
    pub(crate) warmup: Schedule,
    /// Due times of the measured window, from t0.
    pub(crate) measured: Schedule,
    /// How long unfinished tasks may go on after the window, in seconds.
    pub(crate) drain_seconds: u32,
    /// Every latency limit that applies to this dyno, in the order of [`Plan::latency_limits`].
    pub(crate) latency_limits: Vec<PlannedLatencyLimit>,
    /// Every errors limit that applies to this dyno, in the order of the plan.
    pub(crate) error_limits: Vec<PlannedErrorLimit>,
}

/// A latency limit with what the whole run's plan allows.
#[derive(Clone, Debug)]
pub(crate) struct PlannedLatencyLimit {
    /// The threshold's name.
    pub(crate) threshold: String,
    /// The limit.
    pub(crate) limit: LatencyLimit,
    /// So many tasks of the whole run may be over it: one more, and the breach is final. For a
    /// step this is an upper bound, for not every planned task needs to reach it.
    pub(crate) allowed: u64,
}

/// An errors limit with what the whole run's plan allows.
#[derive(Clone, Debug)]
pub(crate) struct PlannedErrorLimit {
    /// The threshold's name.
    pub(crate) threshold: String,
    /// So many measured tasks of the whole run may fail.
    pub(crate) allowed: u64,
    /// So many tasks of the whole run's warm-up may fail.
    pub(crate) allowed_in_warmup: u64,
}

impl EngineSettings {
    /// The settings of dyno `name`, which is of type `dynos`.
    pub(crate) fn of(plan: &Plan, dynos: &DynoTypePlan, name: &DynoName) -> Self {
        let latency_limits = plan
            .latency_limits(&dynos.dyno_type)
            .map(|(position, limit)| {
                let threshold = &plan.thresholds[position];
                let planned = plan.scheduled(threshold.dyno_type.as_deref());
                PlannedLatencyLimit {
                    threshold: threshold.name.clone(),
                    limit,
                    allowed: allowed_over(limit.percentile, planned),
                }
            })
            .collect();
        let error_limits = plan
            .thresholds
            .iter()
            .filter(|threshold| {
                threshold
                    .dyno_type
                    .as_deref()
                    .is_none_or(|of| of == dynos.dyno_type)
            })
            .filter_map(|threshold| match threshold.limit {
                Limit::Errors { max_per_million } => {
                    let of = threshold.dyno_type.as_deref();
                    Some(PlannedErrorLimit {
                        threshold: threshold.name.clone(),
                        allowed: allowed_errors(max_per_million, plan.scheduled(of)),
                        allowed_in_warmup: allowed_errors(
                            max_per_million,
                            scheduled_in_warmup(plan, of),
                        ),
                    })
                }
                Limit::Latency(_) | Limit::Rate { .. } => None,
            })
            .collect();
        Self {
            seed: Seed::of(plan.seed, name),
            workers: dynos.workers,
            max_worker_backlog: dynos.max_worker_backlog,
            warmup: plan.warmup_schedule(dynos, name.index),
            measured: plan.schedule(dynos, name.index),
            drain_seconds: plan.drain_seconds,
            latency_limits,
            error_limits,
        }
    }
}

fn scheduled_in_warmup(plan: &Plan, dyno_type: Option<&str>) -> u64 {
    plan.formation
        .iter()
        .filter(|dynos| dyno_type.is_none_or(|name| name == dynos.dyno_type))
        .flat_map(|dynos| {
            (0..dynos.quantity).map(|index| plan.warmup_schedule(dynos, index).count())
        })
        .sum()
}
