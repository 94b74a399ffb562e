//! The result for people.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::row::{Goal, Row};

/// Prints aligned rows: what, goal, median, range, and whether the goal was reached.
pub(crate) fn print(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    let cells: Vec<[String; 5]> = rows.iter().map(cells).collect();
    let width = |column: usize| {
        cells
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    for row in &cells {
        let [name, goal, median, range, reached] = row;
        let line = format!(
            "{name:<0$}  {goal:>1$}  {median:>2$}  {range:>3$}  {reached}",
            widths[0], widths[1], widths[2], widths[3]
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What, goal, median, range, and whether the goal was reached.
pub(crate) fn cells(row: &Row) -> [String; 5] {
    let unit = if row.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", row.unit)
    };
    let goal = match row.goal {
        Goal::AtMost(most) => format!("<= {}{unit}", number(most)),
        Goal::AtLeast(least) => format!(">= {}{unit}", number(least)),
        Goal::Nothing => String::new(),
    };
    let (lowest, highest) = row.range();
    let range = if row.values.len() > 1 {
        format!("{} .. {}", number(lowest), number(highest))
    } else {
        String::new()
    };
    let reached = match row.reached() {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    [
        row.name.clone(),
        goal,
        format!("{}{unit}", number(row.median())),
        range,
        reached.to_owned(),
    ]
}

/// Three significant digits, whole from a hundred on.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// Says what went wrong.
pub(crate) fn complain(error: &anyhow::Error) -> ExitCode {
    // If standard error is gone, the exit code has to be enough.
    drop(writeln!(io::stderr(), "redyno-bench: {error:#}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = [
            Row::new("a", "short", "us", Goal::AtMost(35.0), [31.25, 30.0, 40.0]),
            Row::new("a", "somewhat longer", "", Goal::Nothing, [0.987]),
        ];
        let mut out = Vec::new();
        print(&mut out, &rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "short            <= 35 us  31.2 us  30 .. 40  yes\nsomewhat longer              0.987\n"
        );
    }
}
