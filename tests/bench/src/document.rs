//! The result as a document.

use std::fmt::Write;

use crate::cases::{Case, Effort};
use crate::machine::Machine;
use crate::row::Row;
use crate::run::Cores;
use crate::table;

/// The whole document: the figures that were measured now, and those of the former document that
/// were not.
pub(crate) fn text(
    machine: &Machine,
    cores: &Cores,
    effort: Effort,
    rows: &[Row],
    former: &str,
) -> String {
    let Machine {
        processor,
        cores: count,
        memory_gib,
        kernel,
        redis,
        revision,
    } = machine;
    let mut text = format!(
        "# Benchmarks

Written by `make bench`; do not edit.

| | |
|---|---|
| Processor | {processor}, {count} logical processors |
| Memory | {memory_gib} GiB |
| Kernel | {kernel} |
| Redis | {redis}, no persistence |
| redyno | release build |

## Method

A redis-server on core {redis_core}, the runner on core {own_core}, both pinned; plain TCP on
loopback, so without the latency and the cost of a network. Every figure is the median of several
runs, of three where a run takes long, each with a Redis of its own; lowest and highest beside it.
CPU is what the process used in the measured window, its control thread and the sampling of
Redis included. A task of the automap benchmark is four round trips and nine commands, with 5 KB
written anew and every flat rewritten.

*Plain sockets* is a program that only writes the same bytes to the same server and counts the bytes
that come back: no schedule, no times, no look at a reply. What it uses is what the kernel takes for
the traffic itself. Nobody can be faster than that, so where it is above a goal the goal cannot be
reached on this machine, and the ratio to it says how close redyno is. It and the other tools run on
the same core, in turn with redyno, so that a busy machine strikes all alike; ratios are more
telling than times. [Where the time goes](profile.md) shows what the kernel does with it.
",
        redis_core = cores.redis,
        own_core = cores.own,
    );
    for case in Case::ALL {
        let heading = format!("\n## {}\n", case.question());
        let of_case: Vec<&Row> = rows.iter().filter(|row| row.case == case.name()).collect();
        if of_case.is_empty() {
            text += section(former, &heading).unwrap_or_default();
            continue;
        }
        let mut add = |line: &str| writeln!(text, "{line}").expect("a string can be written to");
        add(&heading);
        add(&format!("Revision {revision}, {} runs.\n", effort.repeats));
        add("| | goal | median | lowest .. highest | reached |");
        add("|---|--:|--:|--:|---|");
        for row in of_case {
            add(&format!("| {} |", table::cells(row).join(" | ")));
        }
    }
    text
}

/// The text under a heading, including the heading.
fn section<'a>(document: &'a str, heading: &str) -> Option<&'a str> {
    let begin = document.find(heading)?;
    let behind = begin + heading.len();
    let end = document[behind..]
        .find("\n## ")
        .map_or(document.len(), |length| behind + length);
    document.get(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Goal;

    #[test]
    fn what_is_not_measured_anew_stays() {
        let machine = Machine::look();
        let cores = Cores {
            runner: "redyno-runner".into(),
            redis: 0,
            own: 1,
        };
        let effort = Effort {
            repeats: 1,
            memory_seconds: 30,
        };
        let row = |case: Case, value| Row::new(case.name(), "figure", "us", Goal::Nothing, [value]);
        let both = [row(Case::Cost, 1.0), row(Case::Memory, 2.0)];
        let whole = text(&machine, &cores, effort, &both, "");
        assert_eq!(text(&machine, &cores, effort, &[], &whole), whole);
        let anew = text(&machine, &cores, effort, &[row(Case::Cost, 3.0)], &whole);
        assert_eq!(anew, whole.replace("| 1 us |", "| 3 us |"));
    }
}
