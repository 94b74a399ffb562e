//! Where the time of a task went, one row per type of dyno.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::{Judgement, TimeSpent};

use super::table::{Align, Cell, Colours, Table};

/// The mark for a number that Redis does not give.
const UNKNOWN: &str = "-";

pub(super) fn print(
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(table) = table(judgement) else {
        return Ok(());
    };
    writeln!(out)?;
    table.print(out, colours)
}

/// Means that add up to the last column; None where none was measured.
pub(super) fn table(judgement: &Judgement) -> Option<Table> {
    let mut table = Table::new([
        ("A TASK'S TIME, mean ms", Align::Left),
        ("for its worker", Align::Point),
        ("in the dyno", Align::Point),
        ("Redis executing", Align::Point),
        ("queued, on the way", Align::Point),
        ("in all", Align::Point),
    ]);
    let rows = judgement
        .formation
        .iter()
        .filter_map(|row| Some((&row.dyno_type, row.time_spent?)));
    for (dyno_type, spent) in rows {
        table.row(row(dyno_type, spent));
    }
    (!table.rows().is_empty()).then_some(table)
}

fn row(dyno_type: &str, spent: TimeSpent) -> Vec<Cell> {
    let TimeSpent {
        waiting_microseconds,
        dyno_microseconds,
        executing_microseconds,
        elsewhere_microseconds,
    } = spent;
    let shown = |microseconds: u64| Cell::from(figures::bare_milliseconds(microseconds));
    vec![
        dyno_type.into(),
        shown(waiting_microseconds),
        shown(dyno_microseconds),
        executing_microseconds.map_or_else(|| UNKNOWN.into(), shown),
        shown(elsewhere_microseconds),
        shown(spent.all_microseconds()),
    ]
}
