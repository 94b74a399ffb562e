//! Whether Redis is the limit, or the runner.

use anyhow::Result;

use super::Effort;
use crate::plans::{Load, object_graph};
use crate::row::{Goal, Row};
use crate::run::Cores;

const CASE: &str = "throughput";

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();

    // The rate is more than Redis can do, so its main thread has to be busy all the time. It can
    // use at most one second of CPU per second.
    let load = Load {
        dynos: 1,
        workers: 64,
        tasks_per_second: 15_000,
        seconds: 6,
        drain_seconds: 0,
        workload: object_graph(100),
    };
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    for _ in 0..effort.repeats {
        let outcome = cores.run(&load, None).await?;
        rates.push(outcome.books().in_time as f64 / f64::from(load.seconds));
        shares.push(outcome.redis_share());
    }
    rows.push(Row::new(
        CASE,
        "highest rate, 100 flats, 64 workers",
        "tasks/s",
        Goal::Nothing,
        rates,
    ));
    rows.push(Row::new(
        CASE,
        "Redis' main thread meanwhile, of its core",
        "",
        Goal::AtLeast(0.95),
        shares,
    ));

    let load = Load {
        dynos: 1,
        workers: 500,
        tasks_per_second: 5000,
        seconds: 60,
        drain_seconds: 10,
        workload: object_graph(100),
    };
    let (mut rates, mut ratios, mut cores_used) = (Vec::new(), Vec::new(), Vec::new());
    // Each run takes a minute, and three of them are enough for a median.
    for _ in 0..effort.repeats.min(3) {
        let outcome = cores.run(&load, None).await?;
        let rate = outcome.books().in_time as f64 / f64::from(load.seconds);
        // The rate that Redis could reach with this load, since it spent this share of its core on
        // that rate.
        let limit = rate / outcome.redis_share().max(0.001);
        rates.push(rate);
        ratios.push(rate / f64::from(load.tasks_per_second).min(0.95 * limit));
        cores_used.push(outcome.cpu_microseconds() / 1e6 / f64::from(load.seconds));
    }
    rows.push(Row::new(
        CASE,
        "achieved of 5,000/s, 500 workers, 100 flats, 60 s",
        "tasks/s",
        Goal::Nothing,
        rates,
    ));
    rows.push(Row::new(
        CASE,
        "the same, of the smaller of 5,000/s and 95 % of what Redis can do",
        "",
        Goal::AtLeast(0.99),
        ratios,
    ));
    rows.push(Row::new(
        CASE,
        "the same, runner",
        "cores",
        Goal::Nothing,
        cores_used,
    ));
    Ok(rows)
}
