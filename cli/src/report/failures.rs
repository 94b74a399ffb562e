//! Failed tasks by class, with the words that came with the first of each class.

use std::io::{self, Write};

use redyno_contract::failure::ClassFailures;
use redyno_contract::figures;
use redyno_contract::judgement::Judgement;

use super::table::{Align, Colours, Table};

pub(super) fn print(
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    if let Some(table) = table(judgement) {
        writeln!(out)?;
        table.print(out, colours)?;
    }
    Ok(())
}

/// A row per class, the commonest first; None if no task failed.
pub(super) fn table(judgement: &Judgement) -> Option<Table> {
    let failures = &judgement.summary.failures;
    if failures.is_empty() {
        return None;
    }
    let mut table = Table::new([
        ("FAILED", Align::Left),
        ("tasks", Align::Right),
        ("in warm-up", Align::Right),
        ("the first of them", Align::Left),
    ]);
    for row in failures {
        let ClassFailures {
            class,
            measured,
            warmup,
            example,
        } = row;
        let words = example.as_deref().unwrap_or("nothing more is known");
        table.row(vec![
            class.as_str().into(),
            figures::count(*measured).into(),
            figures::count(*warmup).into(),
            words.into(),
        ]);
    }
    Some(table)
}
