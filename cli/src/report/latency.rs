//! Latencies, merged over the dynos. Percentiles stand only where there is a histogram.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::{Distribution, Judgement, Quantile, Totals};
use redyno_contract::plan::Step;
use redyno_contract::report::Times;

use super::StepDistribution;
use super::table::{Align, Cell, Colours, Table};

/// Marks a quantile of too few samples.
const MAXIMUM: char = '*';

/// What the mark means.
pub(super) const TOO_FEW: &str = "* too few tasks for this percentile: the maximum";

pub(super) fn print(
    judgement: &Judgement,
    steps: &[StepDistribution],
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    for latencies in tables(judgement, steps) {
        let LatencyTable {
            dyno_type: _,
            table,
            marked,
        } = latencies;
        writeln!(out)?;
        table.print(out, colours)?;
        if marked {
            writeln!(out, "{TOO_FEW}")?;
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
    /// Whether [`TOO_FEW`] is to be said of it.
    pub(super) marked: bool,
}

pub(super) fn tables<'a>(
    judgement: &'a Judgement,
    steps: &[StepDistribution],
) -> Vec<LatencyTable<'a>> {
    if has_latencies(&judgement.summary) {
        return vec![one(None, &judgement.summary, steps)];
    }
    // Types with different workloads have no common distribution: one table each.
    judgement
        .formation
        .iter()
        .filter(|row| has_latencies(&row.totals))
        .map(|row| one(Some(&row.dyno_type), &row.totals, &[]))
        .collect()
}

fn has_latencies(totals: &Totals) -> bool {
    totals.response.is_some() || totals.wait.is_some() || totals.service.is_some()
}

fn one<'a>(
    dyno_type: Option<&'a str>,
    totals: &Totals,
    steps: &[StepDistribution],
) -> LatencyTable<'a> {
    let title = match dyno_type {
        Some(dyno_type) => format!("LATENCY ms, {dyno_type}"),
        None => "LATENCY ms".to_owned(),
    };
    let mut table = Table::new(std::iter::once((title, Align::Left)).chain(
        ["p50", "p90", "p99", "p99.9", "max", "mean"].map(|name| (name.to_owned(), Align::Point)),
    ));
    let mut marked = false;
    let mut row = |name: &str, times: Times, distribution: Option<&Distribution>, note: &str| {
        let mut cells: Vec<Cell> = vec![name.into()];
        match distribution {
            Some(Distribution {
                p50,
                p90,
                p99,
                p999,
                times: _,
                digits: _,
            }) => {
                for quantile in [p50, p90, p99, p999] {
                    marked |= matches!(quantile, Quantile::Maximum(_));
                    cells.push(cell(*quantile).into());
                }
            }
            None => cells.extend(std::iter::repeat_n(Cell::from(""), 4)),
        }
        let brief = |value: Option<u64>| {
            value.map_or_else(
                || "-".to_owned(),
                |value| figures::bare_milliseconds(figures::brief(value)),
            )
        };
        cells.push(brief((times.count > 0).then_some(times.max_microseconds)).into());
        cells.push(brief(times.mean_microseconds()).into());
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
        let full = steps.iter().find(|full| full.step == step.step);
        let name = format!("    {}", step.step.as_str().to_lowercase());
        // Every task has all steps of its workload, but only one command of a mix.
        let note = match &step.step {
            Step::Command(_) => format!("{} tasks", figures::count(step.service.count)),
            Step::Task | Step::Fetch | Step::Save | Step::Ping => String::new(),
        };
        row(&name, step.service, full.map(|full| &full.service), &note);
    }
    LatencyTable {
        dyno_type,
        table,
        marked,
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
