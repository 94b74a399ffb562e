//! What a single command costs, beside other tools in the same minutes.

use anyhow::Result;

use super::Effort;
use crate::peers::{self, PerCommand};
use crate::plain;
use crate::plans::{Load, get};
use crate::row::{Goal, Row};
use crate::run::Cores;

const CASE: &str = "peers";

/// Commands of every other tool: some seconds' worth.
const COMMANDS: u64 = 400_000;

/// Connections, each with one command under way.
const CONNECTIONS: u32 = 50;

/// Seconds that redyno is measured.
const SECONDS: u32 = 4;

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let load = |tasks_per_second, seconds| Load {
        dynos: 1,
        workers: CONNECTIONS,
        tasks_per_second,
        seconds,
        drain_seconds: 0,
        workload: get(),
    };
    let (mut own, mut redis_benchmark, mut memtier) = (Vec::new(), Vec::new(), Vec::new());
    let (mut plain, mut kernel) = (Vec::new(), Vec::new());
    let mut floor = plain::beside(cores, &load(1000, 1)).await?.1;
    for _ in 0..effort.repeats {
        // The rate is what plain sockets reach on the core that is the limit here. That is more
        // than can be done, so that every connection always has a command under way, as with the
        // other tools.
        let outcome;
        (outcome, floor) = plain::beside(cores, &load(floor.tasks_per_second, SECONDS)).await?;
        plain.push(floor.cpu_per_task);
        kernel.push(outcome.kernel_share);
        own.push(PerCommand {
            cpu_microseconds: outcome.cpu_per_task(),
            per_second: outcome.books().in_time as f64 / f64::from(SECONDS),
        });
        redis_benchmark.push(peers::redis_benchmark(cores, COMMANDS).await?);
        memtier.extend(peers::memtier(cores, COMMANDS).await?);
    }
    let ratios = |others: &[PerCommand]| -> Vec<f64> {
        own.iter()
            .zip(others)
            .map(|(own, other)| own.cpu_microseconds / other.cpu_microseconds)
            .collect()
    };
    let mut rows = Vec::new();
    let mut tool = |name: &str, goal: Goal, values: &[PerCommand]| {
        let cpu = values.iter().map(|value| value.cpu_microseconds);
        let rate = values.iter().map(|value| value.per_second);
        rows.push(Row::new(
            CASE,
            format!("{name}, client CPU per GET"),
            "us",
            goal,
            cpu,
        ));
        rows.push(Row::new(
            CASE,
            format!("{name}, rate"),
            "/s",
            Goal::Nothing,
            rate,
        ));
    };
    tool("redyno", Goal::AtMost(7.0), &own);
    tool("redis-benchmark", Goal::Nothing, &redis_benchmark);
    if !memtier.is_empty() {
        tool("memtier_benchmark", Goal::Nothing, &memtier);
    }
    rows.push(Row::new(
        CASE,
        "plain sockets, client CPU per GET",
        "us",
        Goal::Nothing,
        plain,
    ));
    rows.push(Row::new(
        CASE,
        "of redyno's CPU, in the kernel",
        "",
        Goal::Nothing,
        kernel,
    ));
    rows.push(Row::new(
        CASE,
        "CPU of redyno / CPU of redis-benchmark",
        "",
        Goal::AtMost(0.6),
        ratios(&redis_benchmark),
    ));
    if !memtier.is_empty() {
        rows.push(Row::new(
            CASE,
            "CPU of redyno / CPU of memtier_benchmark",
            "",
            Goal::AtMost(0.6),
            ratios(&memtier),
        ));
    }
    Ok(rows)
}
