//! How much memory the runner takes, and whether it stays there.

use anyhow::{Context, Result};

use super::Effort;
use crate::plans::{Load, object_graph};
use crate::row::{Goal, Row};
use crate::run::Cores;

const CASE: &str = "memory";

const MEBIBYTE: f64 = 1_048_576.0;

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let load = Load {
        dynos: 1,
        workers: 500,
        tasks_per_second: 1000,
        seconds: effort.memory_seconds,
        drain_seconds: 10,
        workload: object_graph(100),
    };
    let outcome = cores.run(&load, None).await?;
    let peak = outcome
        .reports
        .iter()
        .map(|report| report.own.memory_bytes as f64 / MEBIBYTE);
    let tail = outcome.resident.get(1..).unwrap_or_default();
    let first = tail
        .first()
        .context("the run was too short to be watched")?;
    let last = tail.last().unwrap_or(first);
    let growth = *last as f64 / *first as f64;
    let seconds = effort.memory_seconds;
    Ok(vec![
        Row::new(
            CASE,
            "highest resident memory, 500 workers, 100 flats",
            "MiB",
            Goal::AtMost(60.0),
            peak,
        ),
        Row::new(
            CASE,
            format!("resident memory after {seconds} s / after 20 s"),
            "",
            Goal::AtMost(1.05),
            [growth],
        ),
    ])
}
