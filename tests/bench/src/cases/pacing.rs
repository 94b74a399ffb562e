//! How exactly tasks are handed over.

use anyhow::Result;
use redyno_contract::plan::Percentile;

use super::Effort;
use crate::plans::{Load, get, object_graph};
use crate::row::{Goal, Row};
use crate::run::{Cores, Which};

const CASE: &str = "pacing";

/// Rates that do not divide a second evenly, and some that do.
const RATES: [u32; 9] = [1, 3, 7, 333, 999, 1001, 1500, 2500, 9973];

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = gets(cores, effort).await?;
    rows.extend(small_buildings(cores, effort).await?);
    rows.extend(rates(cores).await?);
    Ok(rows)
}

async fn gets(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let load = Load {
        dynos: 1,
        workers: 50,
        tasks_per_second: 5000,
        seconds: 6,
        drain_seconds: 5,
        workload: get(),
    };
    let (mut median, mut high, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.repeats {
        let outcome = cores.run(&load, None).await?;
        let lag = outcome.histogram(Which::ScheduleLag)?;
        median.push(lag.percentile(Percentile::P50) as f64);
        high.push(lag.percentile(Percentile::P99) as f64);
        used.push(outcome.cpu_microseconds() / 1e6 / f64::from(load.seconds));
    }
    Ok(vec![
        Row::new(
            CASE,
            "schedule lag p50, 5,000 GET/s",
            "us",
            Goal::AtMost(100.0),
            median,
        ),
        Row::new(
            CASE,
            "schedule lag p99, 5,000 GET/s",
            "us",
            Goal::AtMost(1000.0),
            high,
        ),
        Row::new(
            CASE,
            "runner, 5,000 GET/s",
            "cores",
            Goal::AtMost(0.3),
            used,
        ),
    ])
}

async fn small_buildings(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let load = Load {
        dynos: 1,
        workers: 500,
        tasks_per_second: 10_000,
        seconds: 6,
        drain_seconds: 5,
        workload: object_graph(10),
    };
    let (mut used, mut backlog) = (Vec::new(), Vec::new());
    for _ in 0..effort.repeats {
        let outcome = cores.run(&load, None).await?;
        used.push(outcome.cpu_microseconds() / 1e6 / f64::from(load.seconds));
        backlog.push(outcome.max_backlog());
    }
    Ok(vec![
        Row::new(
            CASE,
            "runner, 10 flats, 10,000 tasks/s, 500 workers",
            "cores",
            Goal::AtMost(0.8),
            used,
        ),
        Row::new(
            CASE,
            "the same, highest backlog",
            "tasks",
            Goal::AtMost(10.0),
            backlog,
        ),
    ])
}

async fn rates(cores: &Cores) -> Result<Vec<Row>> {
    const SECONDS: u32 = 5;
    let (mut exact, mut delivered) = (Vec::new(), Vec::new());
    for tasks_per_second in RATES {
        let load = Load {
            dynos: 1,
            workers: 20,
            tasks_per_second,
            seconds: SECONDS,
            drain_seconds: 5,
            workload: get(),
        };
        let books = cores.run(&load, None).await?.books();
        let planned = f64::from(tasks_per_second) * f64::from(SECONDS);
        exact.push(books.scheduled as f64 / planned);
        delivered.push(books.delivered as f64 / books.scheduled as f64);
    }
    // The worst of all rates, not their median.
    let worst = |values: &[f64]| {
        values
            .iter()
            .copied()
            .max_by(|left, right| (left - 1.0).abs().total_cmp(&(right - 1.0).abs()))
    };
    Ok(vec![
        Row::new(
            CASE,
            "scheduled / (rate x seconds), the worst of 1, 3, 7, 333, 999, 1001, 1500, 2500, 9973 /s",
            "",
            Goal::AtLeast(1.0),
            worst(&exact),
        ),
        Row::new(
            CASE,
            "delivered / scheduled, the worst of them",
            "",
            Goal::AtLeast(1.0),
            worst(&delivered),
        ),
    ])
}
