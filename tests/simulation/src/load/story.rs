//! A run as a few lines.

use redyno_contract::judgement::Judgement;
use redyno_contract::plan::{DynoTypePlan, Limit, Workload};

use super::fault::{Fault, Kind};
use super::oracle::{self, Slack};
use super::sim::Run;
use super::world::World;

/// A run as a few lines.
pub(super) fn of(world: &World, run: &Run, judgement: &Judgement) -> Vec<String> {
    let plan = &world.plan;
    let mut lines = Vec::new();
    for dynos in &plan.formation {
        lines.push(of_type(world, dynos));
    }
    lines.push(format!(
        "a window of {} s after a warm-up of {} s, {} s to drain, tasks time out after {} ms",
        plan.duration_seconds,
        plan.warmup_seconds,
        plan.drain_seconds,
        plan.task_timeout_milliseconds
    ));
    for threshold in &plan.thresholds {
        let of = threshold
            .dyno_type
            .as_ref()
            .map_or_else(String::new, |name| format!(" of {name}"));
        lines.push(match &threshold.limit {
            Limit::Latency(limit) => format!(
                "{}: {:?} of {} p{} at most {} us{of}",
                threshold.name,
                limit.of,
                limit.step.as_str(),
                limit.percentile,
                limit.max_microseconds
            ),
            Limit::Errors { max_per_million } => {
                format!("errors: at most {max_per_million} per million{of}")
            }
            Limit::Rate {
                min_tasks_per_second,
            } => format!("rate: at least {min_tasks_per_second} per second{of}"),
        });
    }
    lines.push(format!(
        "a step costs Redis {} us ({:?}), the way there takes {} us",
        world.redis.demand / 1000,
        world.redis.shape,
        world.network.delay / 1000
    ));
    lines.push(format!("Redis was busy for {} of 1000", run.redis_busy));
    if world.redis.hidden_fields > 0 {
        lines.push(format!(
            "INFO has not all fields: {:012b}",
            world.redis.hidden_fields
        ));
    }
    for (spec, number) in world.dynos.iter().zip(1..) {
        if spec.clock.start > 0 || spec.clock.drift_ppm != 0 {
            lines.push(format!(
                "dyno {number} starts {} us late and its clock goes wrong by {} ppm",
                spec.clock.start / 1000,
                spec.clock.drift_ppm
            ));
        }
    }
    lines.extend(world.faults.iter().map(|fault| of_fault(world, fault)));
    for (dyno, spec) in run.dynos.iter().zip(&world.dynos) {
        let ended = match &dyno.report {
            Some((at, report)) => format!(
                "reports after {} ms: {:?}, {:?}",
                at / 1_000_000,
                report
                    .end
                    .as_ref()
                    .map(|end| (&end.ending, end.after_milliseconds)),
                report.books
            ),
            None if dyno.killed => "is killed".to_owned(),
            None => "never reports".to_owned(),
        };
        lines.push(format!("{} {ended}", spec.name));
    }
    lines.push(format!(
        "in truth {:?} is broken, clearly {:?}",
        oracle::broken(world, run, Slack::Exactly, false),
        oracle::broken(world, run, Slack::Clearly, false)
    ));
    lines.push(format!(
        "{:?}, {:?}, {:?}: {}",
        judgement.verdict, judgement.reason, judgement.bottleneck, judgement.message
    ));
    lines
}

fn of_type(world: &World, dynos: &DynoTypePlan) -> String {
    let threads = world
        .dynos
        .iter()
        .find(|spec| spec.name.dyno_type == dynos.dyno_type)
        .map_or(1, |spec| spec.threads);
    let tasks = match &dynos.workload {
        Workload::ObjectGraph(_) => "tasks of three steps".to_owned(),
        Workload::Commands(commands) => format!("one of {} commands", commands.mix.len()),
    };
    let cpu = dynos
        .cpu_millis
        .map_or_else(String::new, |millis| format!(", {millis} millicores"));
    let application = match dynos.application_cpu_microseconds {
        0 => String::new(),
        microseconds => format!(", the application uses {microseconds} us of each"),
    };
    format!(
        "{} x {}: {} workers on {threads} threads, {:.1} /s of {tasks}{application}, {:?}, {:?}, \
         {:?}, at most {} waiting{cpu}",
        dynos.quantity,
        dynos.dyno_type,
        dynos.workers,
        dynos.rate.tasks_per_second(),
        dynos.arrivals,
        dynos.assignment,
        dynos.queue_order,
        dynos.max_worker_backlog
    )
}

fn of_fault(world: &World, fault: &Fault) -> String {
    let Fault {
        kind,
        at,
        lasts,
        dyno,
        thread,
        per_mille,
    } = fault;
    let from = format!("from {:.6} s for {} us", *at as f64 / 1e9, lasts / 1000);
    let name = &world.dynos[*dyno].name;
    let who = if *thread < world.dynos[*dyno].threads {
        format!("thread {thread} of {name}")
    } else {
        format!("all of {name}")
    };
    match kind {
        Kind::Stall => format!("{who} stands still {from}"),
        Kind::LateTimers | Kind::StolenCpu => {
            format!("{}, {who}, {from}, {per_mille} of 1000", kind.name())
        }
        Kind::Reset => format!(
            "connections of {who} are reset at {:.6} s",
            *at as f64 / 1e9
        ),
        Kind::Terminated | Kind::Killed | Kind::Forged(_) => {
            format!("{} {kind:?} at {:.6} s", name, *at as f64 / 1e9)
        }
        _ => format!("{kind:?} {from}, {per_mille} of 1000"),
    }
}
