//! What one dyno's engine has to know of the plan.

use redyno_contract::Plan;
use redyno_contract::limit::{allowed_errors, allowed_over};
use redyno_contract::plan::{DynoName, DynoTypePlan, Latency, Limit, QueueOrder, Step, Workload};

use super::arrivals::{Choice, Windows};
use redyno_contract::random::Seed;

/// What the engines of one dyno have to know of the plan.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Which worker takes a task.
    pub choice: Choice,
    /// When tasks are due.
    pub windows: Windows,
    /// Which waiting task a worker takes next.
    pub queue_order: QueueOrder,
    /// Steps of the workload.
    pub steps: usize,
    /// A task that finds this many waiting is rejected.
    pub max_worker_backlog: u32,
    /// How long unfinished tasks may go on after the window, in seconds.
    pub drain_seconds: u32,
    /// What is counted against.
    pub limits: PlannedLimits,
}

/// Every limit that applies to a dyno.
#[derive(Clone, Debug, Default)]
pub struct PlannedLimits {
    /// Latency limits, in the order of [`Plan::latency_limits`].
    pub latencies: Vec<PlannedLatencyLimit>,
    /// Errors limits, in the order of the plan.
    pub errors: Vec<PlannedErrorLimit>,
}

/// A latency limit with what the whole run's plan allows.
#[derive(Clone, Debug)]
pub struct PlannedLatencyLimit {
    /// The threshold's name.
    pub threshold: String,
    /// Which time it limits.
    pub scope: Scope,
    /// At most this long, in microseconds.
    pub max_microseconds: u64,
    /// So many tasks of the whole run may be over it: one more, and the breach is final. For a
    /// step this is an upper bound, for not every planned task needs to reach it.
    pub allowed: u64,
}

/// Which time of a task is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
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
pub struct PlannedErrorLimit {
    /// The threshold's name.
    pub threshold: String,
    /// So many measured tasks of the whole run may fail.
    pub allowed: u64,
    /// So many tasks of the whole run's warm-up may fail.
    pub allowed_in_warmup: u64,
}

impl EngineSettings {
    /// Those of dyno `name`, which is of type `dynos`.
    pub fn of(plan: &Plan, dynos: &DynoTypePlan, name: &DynoName) -> Self {
        let latencies = plan
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
        let errors = plan
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
            choice: Choice {
                seed: Seed::of(plan.seed, name),
                assignment: dynos.assignment,
                workers: dynos.workers,
            },
            windows: Windows {
                warmup: plan.warmup_schedule(dynos, name.index),
                measured: plan.schedule(dynos, name.index),
            },
            queue_order: dynos.queue_order,
            steps: dynos.workload.steps().len(),
            max_worker_backlog: dynos.max_worker_backlog,
            drain_seconds: plan.drain_seconds,
            limits: PlannedLimits { latencies, errors },
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
