//! The dyno types: sizes looked up, workers and rates worked out.

use redyno_contract::figures;
use redyno_contract::plan::{self, DynoTypePlan};
use redyno_contract::schedule::Rate;

use super::{Problems, ResolvedDynos, scale, workload};
use crate::catalogue::Catalogue;
use crate::quantity;
use crate::spec::{Arrivals, Assignment, DynoResources, DynoType, QueueOrder};

/// The formation, once for the plan and once for the pods.
#[derive(Default)]
pub(super) struct Formation {
    pub(super) plan: Vec<DynoTypePlan>,
    pub(super) resolved: Vec<ResolvedDynos>,
}

pub(super) fn resolve(
    formation: &[DynoType],
    load_percent: u32,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Formation {
    let mut all = Formation::default();
    if formation.is_empty() {
        problems.add("spec.formation", "is empty, must have a dyno type at least");
    }
    for (position, dynos) in formation.iter().enumerate() {
        let field = format!("spec.formation[{position}]");
        if let Some((plan, resolved)) = one(&field, dynos, load_percent, catalogue, problems) {
            all.plan.push(plan);
            all.resolved.push(resolved);
        }
    }
    all
}

/// What a size or resources come to, unscaled.
struct Unscaled {
    title: String,
    cpu_request_millis: u32,
    cpu_limit_millis: u32,
    memory_bytes: u64,
    process_limit: Option<u32>,
    default_workers: Option<u32>,
}

fn one(
    field: &str,
    dynos: &DynoType,
    load_percent: u32,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Option<(DynoTypePlan, ResolvedDynos)> {
    let DynoType {
        dyno_type,
        quantity,
        size,
        resources,
        scale_percent,
        workers,
        tasks_per_second,
        arrivals,
        assignment,
        queue_order,
        max_worker_backlog,
        workload,
        pod,
    } = dynos;
    let quantity = problems.natural(&format!("{field}.quantity"), *quantity);
    let scale_percent = problems.natural(&format!("{field}.scalePercent"), *scale_percent);
    let max_worker_backlog =
        problems.natural(&format!("{field}.maxWorkerBacklog"), *max_worker_backlog);
    let unscaled = unscaled(
        field,
        size.as_deref(),
        resources.as_ref(),
        catalogue,
        problems,
    );
    let stated = workers.map(|workers| problems.natural(&format!("{field}.workers"), workers));
    let workers = unscaled
        .as_ref()
        .and_then(|unscaled| self::workers(field, stated, unscaled, problems));
    let rate = tasks_per_second.map(|tasks| {
        let tasks = problems.natural(&format!("{field}.tasksPerSecond"), tasks);
        Rate::per_second(tasks).percent(load_percent)
    });
    if rate.is_none() {
        problems.add(
            format!("{field}.tasksPerSecond"),
            "is missing: the load must be stated",
        );
    }
    let workload = workload::resolve(&format!("{field}.workload"), workload, problems);

    let Unscaled {
        title,
        cpu_request_millis,
        cpu_limit_millis,
        memory_bytes,
        process_limit: _,
        default_workers: _,
    } = unscaled?;
    let (workers, rate) = (workers?, rate?);
    let (workload, application_cpu_microseconds) = workload?;
    let resolved = ResolvedDynos {
        dyno_type: dyno_type.clone(),
        size_title: title,
        cpu_request_millis: scale::dyno_millis(cpu_request_millis, scale_percent),
        cpu_limit_millis: scale::dyno_millis(cpu_limit_millis, scale_percent),
        memory_bytes: scale::dyno_bytes(memory_bytes, scale_percent),
        scale_percent,
        quantity,
        workers,
        placement: pod.clone(),
    };
    let plan = DynoTypePlan {
        dyno_type: dyno_type.clone(),
        quantity,
        workers,
        rate,
        arrivals: match arrivals {
            Arrivals::Constant => plan::Arrivals::Constant,
            Arrivals::Poisson => plan::Arrivals::Poisson,
        },
        assignment: match assignment {
            Assignment::Random => plan::Assignment::Random,
            Assignment::RoundRobin => plan::Assignment::RoundRobin,
        },
        queue_order: match queue_order {
            QueueOrder::OldestFirst => plan::QueueOrder::OldestFirst,
            QueueOrder::NewestFirst => plan::QueueOrder::NewestFirst,
        },
        max_worker_backlog,
        workload,
        application_cpu_microseconds,
        cpu_millis: Some(resolved.cpu_limit_millis),
        memory_bytes: Some(resolved.memory_bytes),
    };
    Some((plan, resolved))
}

fn unscaled(
    field: &str,
    size: Option<&str>,
    resources: Option<&DynoResources>,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Option<Unscaled> {
    match (size, resources) {
        (Some(name), None) => {
            let Some(size) = catalogue.size(name) else {
                let known = catalogue.size_names().join(", ");
                problems.add(
                    format!("{field}.size"),
                    format!("{name:?} is not a size; known sizes: {known}"),
                );
                return None;
            };
            Some(Unscaled {
                title: size.name.clone(),
                cpu_request_millis: size.cpu_request_millis,
                cpu_limit_millis: size.cpu_limit_millis,
                memory_bytes: size.memory_bytes,
                process_limit: size.process_limit,
                default_workers: Some(size.default_workers),
            })
        }
        (None, Some(DynoResources { cpu, memory })) => {
            let millis = quantity::cpu_millis(cpu).filter(|millis| *millis > 0);
            let bytes = quantity::memory_bytes(memory).filter(|bytes| *bytes > 0);
            if millis.is_none() {
                problems.add(
                    format!("{field}.resources.cpu"),
                    format!("{:?} is no amount of CPU, must be such as 500m or 2", cpu.0),
                );
            }
            if bytes.is_none() {
                problems.add(
                    format!("{field}.resources.memory"),
                    format!(
                        "{:?} is no amount of memory, must be such as 512Mi or 2Gi",
                        memory.0
                    ),
                );
            }
            let (millis, bytes) = (millis?, bytes?);
            Some(Unscaled {
                title: format!("{}, {}", figures::cpu(millis), figures::bytes(bytes)),
                cpu_request_millis: millis,
                cpu_limit_millis: millis,
                memory_bytes: bytes,
                process_limit: None,
                default_workers: None,
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.add(field, "exactly one of size and resources");
            None
        }
    }
}

fn workers(
    field: &str,
    stated: Option<u32>,
    unscaled: &Unscaled,
    problems: &mut Problems,
) -> Option<u32> {
    let field = format!("{field}.workers");
    let Some(workers) = stated.or(unscaled.default_workers) else {
        problems.add(field, "is missing: resources have no default of workers");
        return None;
    };
    if workers == 0 {
        problems.add(field, "0 is not possible, must be 1 or more");
        return None;
    }
    if let Some(limit) = unscaled.process_limit
        && workers > limit
    {
        problems.add(
            field,
            format!(
                "{workers} workers are more than the process limit of {}, {limit}",
                unscaled.title
            ),
        );
        return None;
    }
    Some(workers)
}
