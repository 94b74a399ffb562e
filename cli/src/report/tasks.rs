//! The books: what became of the scheduled tasks.

use std::io::{self, Write};

use redyno_contract::figures::count;
use redyno_contract::judgement::Judgement;
use redyno_contract::report::Books;

use super::table::{Align, Cell, Colours, Table};

/// More dynos than this get a row each instead of a column each.
const MOST_COLUMNS: usize = 4;

pub(super) fn print(
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    table(judgement).print(out, colours)
}

/// The books of every dyno and of all.
pub(super) fn table(judgement: &Judgement) -> Table {
    if judgement.dynos.len() > MOST_COLUMNS {
        rows(judgement)
    } else {
        columns(judgement)
    }
}

/// One column per dyno.
fn columns(judgement: &Judgement) -> Table {
    let names = judgement.dynos.iter().map(|row| row.dyno.to_string());
    let mut table = Table::new(
        std::iter::once(("TASKS".to_owned(), Align::Left))
            .chain(names.map(|name| (name, Align::Right)))
            .chain([
                ("all".to_owned(), Align::Right),
                ("note".to_owned(), Align::Left),
            ]),
    );
    let all = judgement.summary.books;
    let mut row = |name: &str, value: fn(&Books) -> u64, note: String| {
        let mut cells: Vec<Cell> = vec![name.into()];
        for dyno in &judgement.dynos {
            cells.push(match &dyno.numbers {
                Some(numbers) => count(value(&numbers.books)).into(),
                None => "-".into(),
            });
        }
        cells.push(count(value(&all)).into());
        cells.push(note.into());
        table.row(cells);
    };
    row(
        "scheduled",
        |books| books.scheduled,
        "due in the window, exact".to_owned(),
    );
    row(
        "delivered",
        |books| books.delivered,
        format!(
            "+ {} rejected + {} undispatched",
            count(all.rejected),
            count(all.undispatched)
        ),
    );
    row(
        "completed",
        |books| books.completed,
        format!(
            "+ {} failed ({} timed out) + {} abandoned",
            count(all.failed),
            count(all.timed_out),
            count(all.abandoned)
        ),
    );
    row(
        "in time",
        |books| books.in_time,
        "ended inside the window = achieved".to_owned(),
    );
    table
}

/// One row per dyno.
fn rows(judgement: &Judgement) -> Table {
    let mut table = Table::new([
        ("TASKS", Align::Left),
        ("scheduled", Align::Right),
        ("delivered", Align::Right),
        ("rejected", Align::Right),
        ("undispatched", Align::Right),
        ("completed", Align::Right),
        ("failed", Align::Right),
        ("abandoned", Align::Right),
        ("in time", Align::Right),
    ]);
    let cells = |name: String, books: &Books| -> Vec<Cell> {
        vec![
            name.into(),
            count(books.scheduled).into(),
            count(books.delivered).into(),
            count(books.rejected).into(),
            count(books.undispatched).into(),
            count(books.completed).into(),
            count(books.failed).into(),
            count(books.abandoned).into(),
            count(books.in_time).into(),
        ]
    };
    for dyno in &judgement.dynos {
        let name = dyno.dyno.to_string();
        table.row(match &dyno.numbers {
            Some(numbers) => cells(name, &numbers.books),
            None => vec![name.into(), "-".into()],
        });
    }
    table.row(cells("all".to_owned(), &judgement.summary.books));
    table
}
