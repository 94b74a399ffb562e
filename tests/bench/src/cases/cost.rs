//! What a task of the automap benchmark costs the client, by the size of its building.

use anyhow::Result;

use super::Effort;
use crate::plain;
use crate::plans::{Load, object_graph};
use crate::row::{Goal, Row};
use crate::run::Cores;

const CASE: &str = "cost";

/// The size of a building, and the goals for it.
struct Size {
    flats: u32,
    /// Client CPU per task in microseconds.
    goal: f64,
    /// The ratio to what plain sockets use.
    goal_of_plain: f64,
}

/// The goals of CPU time were set on a machine on which plain sockets used 30, 29, 46 to 55, and 81
/// microseconds. Their ratio to those times is the goal that holds on any machine.
const SIZES: [Size; 4] = [
    Size {
        flats: 1,
        goal: 35.0,
        goal_of_plain: 1.17,
    },
    Size {
        flats: 10,
        goal: 40.0,
        goal_of_plain: 1.38,
    },
    Size {
        flats: 100,
        goal: 60.0,
        goal_of_plain: 1.19,
    },
    Size {
        flats: 200,
        goal: 100.0,
        goal_of_plain: 1.23,
    },
];

/// The rate that is asked for, in percent of what plain sockets reach. It is more than can be done,
/// so that every worker is busy all the time, as every plain socket is. With less, every round trip
/// would wake both sides up, which costs time; with much more, tasks that are asked for in vain
/// would cost time, too.
const OVERLOAD_PERCENT: u32 = 130;

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        rows.extend(of_size(cores, effort, size).await?);
    }
    Ok(rows)
}

async fn of_size(cores: &Cores, effort: Effort, size: Size) -> Result<[Row; 4]> {
    let Size {
        flats,
        goal,
        goal_of_plain,
    } = size;
    let load = |tasks_per_second, seconds| Load {
        dynos: 1,
        workers: 64,
        tasks_per_second,
        seconds,
        drain_seconds: 0,
        workload: object_graph(flats),
    };
    let (mut own, mut plain, mut ratios, mut kernel) = (vec![], vec![], vec![], vec![]);
    let mut floor = plain::beside(cores, &load(1000, 1)).await?.1;
    for _ in 0..effort.repeats {
        let overload = floor.tasks_per_second.saturating_mul(OVERLOAD_PERCENT) / 100;
        let outcome;
        (outcome, floor) = plain::beside(cores, &load(overload, 6)).await?;
        own.push(outcome.cpu_per_task());
        plain.push(floor.cpu_per_task);
        ratios.push(outcome.cpu_per_task() / floor.cpu_per_task);
        kernel.push(outcome.kernel_share);
    }
    let row = |what: &str, unit, goal, values| {
        let name = format!("{flats} flat{}, {what}", if flats == 1 { "" } else { "s" });
        Row::new(CASE, name, unit, goal, values)
    };
    let cpu = "us per task";
    Ok([
        row("CPU of redyno", cpu, Goal::AtMost(goal), own),
        row("CPU of plain sockets", cpu, Goal::Nothing, plain),
        row(
            "redyno / plain sockets",
            "",
            Goal::AtMost(goal_of_plain),
            ratios,
        ),
        row("of redyno's, in the kernel", "", Goal::Nothing, kernel),
    ])
}
