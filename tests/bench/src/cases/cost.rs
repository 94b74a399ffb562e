//! What a task of the automap benchmark costs the client, by the size of its building.

use anyhow::Result;

use super::Effort;
use crate::plans::{Load, object_graph};
use crate::row::{Goal, Row};
use crate::run::Cores;

const CASE: &str = "cost";

/// Flats, tasks per second (a little more than Redis carries), and the goal in microseconds. What
/// plain sockets cost at that load is the floor: 30, 29, 46 to 55 and 81. Below it every round trip
/// wakes both sides up, which costs plain sockets as much as anybody.
const SIZES: [(u32, u32, f64); 4] = [
    (1, 32_000, 35.0),
    (10, 25_000, 40.0),
    (100, 8_000, 60.0),
    (200, 3_600, 100.0),
];

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (flats, tasks_per_second, goal) in SIZES {
        let load = Load {
            dynos: 1,
            workers: 64,
            tasks_per_second,
            seconds: 6,
            drain_seconds: 0,
            workload: object_graph(flats),
        };
        let mut costs = Vec::new();
        for _ in 0..effort.repeats {
            costs.push(cores.run(&load, None).await?.cpu_per_task());
        }
        let name = format!("client CPU per task, {flats} flats, Redis fully loaded");
        rows.push(Row::new(CASE, name, "us", Goal::AtMost(goal), costs));
    }
    Ok(rows)
}
