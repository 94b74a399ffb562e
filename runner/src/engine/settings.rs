//! What one dyno's engine has to know of the plan.

use redyno_contract::Plan;
use redyno_contract::limit::{allowed_errors, allowed_over};
use redyno_contract::plan::{
    Assignment, DynoName, DynoTypePlan, Latency, Limit, QueueOrder, Step, Workload,
};
use redyno_contract::schedule::Schedule;

use crate::random::Seed;

/// What one dyno's engine has to know of the plan.
#[derive(Clone, Debug)]
pub(crate) struct EngineSettings {
    /// The dyno's own seed.
    pub(crate) seed: Seed,
    /// Workers, 1 or more.
    pub(crate) workers: u32,
    /// How a task finds its worker.
    pub(crate) assignment: Assignment,
    /// Which waiting task a worker takes next.
    pub(crate) queue_order: QueueOrder,
    /// Steps of the workload.
    pub(crate) steps: usize,
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
    /// Which time it limits.
    pub(crate) scope: Scope,
    /// At most this long, in microseconds.
    pub(crate) max_microseconds: u64,
    /// So many tasks of the whole run may be over it: one more, and the breach is final. For a
    /// step this is an upper bound, for not every planned task needs to reach it.
    pub(crate) allowed: u64,
}

/// Which time of a task is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A latency of the whole task.
    Task(Latency),
    /// The service time of the step at this position of the workload.
    Step(usize),
    /// A step that this workload does not have.
    Nothing,
}

impl Scope {
    fn of(workload: &Workload, step: &Step, latency: Latency) -> Self {
        match step {
            Step::Task => Self::Task(latency),
            step => workload.position(step).map_or(Self::Nothing, Self::Step),
        }
    }
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
                    scope: Scope::of(&dynos.workload, &limit.step, limit.of),
                    max_microseconds: limit.max_microseconds,
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
            assignment: dynos.assignment,
            queue_order: dynos.queue_order,
            steps: dynos.workload.steps().len(),
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
