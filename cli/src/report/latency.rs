//! Latencies, merged over the dynos. Percentiles stand only where there is a histogram.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::{Distribution, Judgement, Quantile, Totals};
use redyno_contract::plan::Step;
use redyno_contract::report::{Replies, Times};

use super::table::{Align, Cell, Colours, Table};

/// Marks a quantile of too few samples.
const MAXIMUM: char = '*';

/// What the mark means.
const TOO_FEW: &str = "* too few tasks for this percentile: the maximum";

/// What `>=` means.
const LOWER_BOUND: &str = ">= at least this: it lies among tasks that did not complete";

pub(super) fn print(
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    for latencies in tables(judgement) {
        let LatencyTable {
            dyno_type: _,
            table,
            notes,
        } = latencies;
        writeln!(out)?;
        table.print(out, colours)?;
        for note in notes {
            writeln!(out, "{note}")?;
        }
    }
    Ok(())
}

/// The latencies of one type of dyno, or of all together.
pub(super) struct LatencyTable<'a> {
    /// Which type; None for all of them.
    pub(super) dyno_type: Option<&'a str>,
    /// A row per latency and step.
    pub(super) table: Table,
    /// What the marks in the table mean.
    pub(super) notes: Vec<&'static str>,
}

pub(super) fn tables(judgement: &Judgement) -> Vec<LatencyTable<'_>> {
    if has_latencies(&judgement.summary) {
        return vec![one(None, &judgement.summary)];
    }
    // Types with different workloads have no common distribution: one table each.
    judgement
        .formation
        .iter()
        .filter(|row| has_latencies(&row.totals))
        .map(|row| one(Some(&row.dyno_type), &row.totals))
        .collect()
}

fn has_latencies(totals: &Totals) -> bool {
    totals.response.is_some() || totals.wait.is_some() || totals.service.is_some()
}

fn one<'a>(dyno_type: Option<&'a str>, totals: &Totals) -> LatencyTable<'a> {
    let title = match dyno_type {
        Some(dyno_type) => format!("LATENCY ms, {dyno_type}"),
        None => "LATENCY ms".to_owned(),
    };
    let mut table = Table::new(std::iter::once((title, Align::Left)).chain(
        ["p50", "p90", "p99", "p99.9", "max", "mean"].map(|name| (name.to_owned(), Align::Point)),
    ));
    let (mut too_few, mut bounded) = (false, false);
    let mut row = |name: &str, times: Times, distribution: Option<&Distribution>, note: &str| {
        let mut cells: Vec<Cell> = vec![name.into()];
        let max = if let Some(Distribution {
            p50,
            p90,
            p99,
            p999,
            max,
            times: _,
            digits: _,
        }) = distribution
        {
            for quantile in [p50, p90, p99, p999] {
                too_few |= matches!(quantile, Quantile::Maximum(_));
                bounded |= quantile.is_lower_bound();
                cells.push(cell(*quantile).into());
            }
            *max
        } else {
            cells.extend(std::iter::repeat_n(Cell::from(""), 4));
            known_maximum(totals, times)
        };
        bounded |= max.is_lower_bound();
        cells.push(match max {
            Quantile::Maximum(_) if times.count == 0 => "-".into(),
            // The column says that it is the maximum.
            Quantile::Maximum(max) => cell(Quantile::At(figures::brief(max))).into(),
            Quantile::At(_) | Quantile::AtLeast(_) => cell(max).into(),
        });
        let mean = times.mean_microseconds().map_or_else(
            || "-".to_owned(),
            |mean| figures::bare_milliseconds(figures::brief(mean)),
        );
        cells.push(mean.into());
        cells.push(note.into());
        table.row(cells);
    };
    for (name, distribution, note) in [
        (
            "response",
            totals.response.as_ref(),
            "end - due: what users feel",
        ),
        ("  wait", totals.wait.as_ref(), "start - due: queue + lag"),
        (
            "  service",
            totals.service.as_ref(),
            "end - start: what other tools show",
        ),
    ] {
        if let Some(distribution) = distribution {
            row(name, distribution.times, Some(distribution), note);
        }
    }
    for step in &totals.steps {
        let mut full = totals.step_distributions.iter();
        let full = full.find(|full| full.step == step.step);
        let name = format!("    {}", step.step.as_str().to_lowercase());
        // Every task has all steps of its workload, but only one command of a mix.
        let note = match &step.step {
            Step::Command(_) => {
                let tasks = figures::counted(step.service.count, "task", "tasks");
                match step.replies {
                    None => tasks,
                    Some(Replies { hits: _, misses: 0 }) => format!("{tasks}, no miss"),
                    Some(Replies { hits, misses }) => format!(
                        "{tasks}; {} hits, {} misses",
                        figures::count(hits),
                        figures::count(misses)
                    ),
                }
            }
            Step::Task | Step::Fetch | Step::Save | Step::Ping => String::new(),
        };
        row(&name, step.service, full.map(|full| &full.service), &note);
    }
    let notes = [(too_few, TOO_FEW), (bounded, LOWER_BOUND)];
    LatencyTable {
        dyno_type,
        table,
        notes: notes
            .into_iter()
            .filter_map(|(is_marked, note)| is_marked.then_some(note))
            .collect(),
    }
}

/// The longest time of a step without a distribution. It is a lower bound, because tasks that did
/// not complete may have been in the step for longer.
fn known_maximum(totals: &Totals, times: Times) -> Quantile {
    if totals.books.completed < totals.books.scheduled {
        Quantile::AtLeast(figures::rounded_down(times.max_microseconds, 3))
    } else {
        Quantile::Maximum(times.max_microseconds)
    }
}

fn cell(quantile: Quantile) -> String {
    let value = figures::bare_milliseconds(quantile.shown_microseconds());
    match quantile {
        Quantile::At(_) => value,
        Quantile::AtLeast(_) => format!(">={value}"),
        Quantile::Maximum(_) => format!("{value}{MAXIMUM}"),
    }
}
