//! What a second of silence looks like: CLIENT PAUSE in the middle of a run.
//!
//! Tasks due in that second wait for what is left of it, so their responses are spread evenly from
//! 0 to 1 s. With a share f of all tasks due in it, the slowest hundredth of all begins at
//! 1 s x (1 - 0.01 / f). The service time of a task that waits in a queue does not know: as long
//! as fewer than a hundredth of all tasks are in workers' hands when the silence begins, its p99
//! stays what it was.

use anyhow::Result;
use redyno_contract::plan::Percentile;

use super::Effort;
use crate::plans::{Load, get};
use crate::row::{Goal, Row};
use crate::run::{Cores, Stall, Which};

const CASE: &str = "stall";

const SECONDS: u32 = 20;

/// Tasks per second, and workers: fewer than a hundredth of all tasks.
const LOADS: [(u32, u32); 3] = [(100, 10), (1000, 50), (5000, 50)];

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let expected_p99 = 1000.0 * (1.0 - 0.01 * f64::from(SECONDS));
    let mut rows = Vec::new();
    for (tasks_per_second, workers) in LOADS {
        let load = Load {
            dynos: 1,
            workers,
            tasks_per_second,
            seconds: SECONDS,
            drain_seconds: 10,
            workload: get(),
        };
        let stall = Stall {
            after_seconds: 8,
            milliseconds: 1000,
        };
        let (mut max, mut p99, mut service, mut lost) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // Each run takes twenty seconds, and three of them are enough for a median.
        for _ in 0..effort.repeats.min(3) {
            let outcome = cores.run(&load, Some(stall)).await?;
            let response = outcome.histogram(Which::Response)?;
            let books = outcome.books();
            max.push(response.max_microseconds() as f64 / 1000.0);
            p99.push(response.percentile(Percentile::P99) as f64 / 1000.0 / expected_p99);
            let service_p99 = outcome
                .histogram(Which::Service)?
                .percentile(Percentile::P99);
            service.push(service_p99 as f64 / 1000.0);
            lost.push((books.scheduled - books.completed) as f64);
        }
        let name = |what: &str| format!("{tasks_per_second}/s, {what}");
        rows.extend([
            Row::new(
                CASE,
                name("tasks not completed"),
                "tasks",
                Goal::AtMost(0.0),
                lost,
            ),
            Row::new(CASE, name("response max"), "ms", Goal::AtLeast(950.0), max),
            Row::new(
                CASE,
                name("response p99 / what arithmetic says"),
                "",
                Goal::AtLeast(0.9),
                p99,
            ),
            Row::new(CASE, name("service p99"), "ms", Goal::AtMost(5.0), service),
        ]);
    }
    Ok(rows)
}
