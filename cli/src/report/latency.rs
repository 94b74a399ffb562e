//! Latencies, merged over the dynos. Percentiles stand only where there is a histogram.

use std::io::{self, Write};

use redyno_contract::judgement::{Distribution, Judgement, Quantile, Totals};
use redyno_contract::plan::Step;
use redyno_contract::report::Times;

use super::StepDistribution;
use super::number::{self, Precision};
use super::table::{Align, Cell, Colours, Table};

/// Marks a quantile of too few samples.
const MAXIMUM: char = '*';

pub(super) fn print(
    judgement: &Judgement,
    steps: &[StepDistribution],
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    if has_latencies(&judgement.summary) {
        return one(None, &judgement.summary, steps, colours, out);
    }
    // Types with different workloads have no common distribution: one table each.
    for row in &judgement.formation {
        if has_latencies(&row.totals) {
            one(Some(&row.dyno_type), &row.totals, &[], colours, out)?;
        }
    }
    Ok(())
}

fn has_latencies(totals: &Totals) -> bool {
    totals.response.is_some() || totals.wait.is_some() || totals.service.is_some()
}

fn one(
    dyno_type: Option<&str>,
    totals: &Totals,
    steps: &[StepDistribution],
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
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
                digits,
            }) => {
                for quantile in [p50, p90, p99, p999] {
                    marked |= matches!(quantile, Quantile::Maximum(_));
                    cells.push(cell(*quantile, *digits).into());
                }
            }
            None => cells.extend(std::iter::repeat_n(Cell::from(""), 4)),
        }
        let exact = |value: Option<u64>| {
            value.map_or_else(
                || "-".to_owned(),
                |value| number::milliseconds(value, Precision::Exact),
            )
        };
        cells.push(exact((times.count > 0).then_some(times.max_microseconds)).into());
        cells.push(exact(times.mean_microseconds()).into());
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
            Step::Command(_) => format!("{} tasks", number::count(step.service.count)),
            Step::Task | Step::Fetch | Step::Save | Step::Ping => String::new(),
        };
        row(&name, step.service, full.map(|full| &full.service), &note);
    }
    writeln!(out)?;
    table.print(out, colours)?;
    if marked {
        writeln!(
            out,
            "{MAXIMUM} too few tasks for this percentile: the maximum"
        )?;
    }
    Ok(())
}

fn cell(quantile: Quantile, digits: u8) -> String {
    match quantile {
        Quantile::At(value) => number::milliseconds(value, Precision::Digits(digits)),
        Quantile::AtLeast(value) => {
            format!(
                ">={}",
                number::milliseconds(value, Precision::Digits(digits))
            )
        }
        Quantile::Maximum(value) => format!(
            "{}{MAXIMUM}",
            number::milliseconds(value, Precision::Digits(digits))
        ),
    }
}
