//! Tables of text: columns as wide as their widest cell, aligned, without trailing blanks.

use std::io::{self, Write};

/// What stands between two columns.
const GAP: &str = "  ";

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Whole numbers.
    Right,
    /// Numbers with and without decimals, their points below each other.
    Point,
}

/// What a cell means, for terminals that show colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is as it should be.
    Good,
    /// It is not as it should be.
    Bad,
    /// It is not known.
    Doubtful,
    /// A heading.
    Heading,
}

/// Whether tones are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal whose user has not set NO_COLOR.
    Shown,
    /// Anywhere else.
    Hidden,
}

impl Colours {
    /// Wraps a text in its tone.
    pub(crate) fn paint(self, tone: Option<Tone>, text: &str) -> String {
        match (self, tone) {
            (Self::Hidden, _) | (_, None) => text.to_owned(),
            (Self::Shown, Some(tone)) => {
                let code = match tone {
                    Tone::Good => "32",
                    Tone::Bad => "31",
                    Tone::Doubtful => "33",
                    Tone::Heading => "1",
                };
                format!("\x1b[{code}m{text}\x1b[0m")
            }
        }
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone: Some(tone),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) const fn tone(&self) -> Option<Tone> {
        self.tone
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            tone: None,
        }
    }
}

/// Rows below a heading. A row may have fewer cells than the table has columns, and one cell more:
/// a remark, which no column's width depends on.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    heading: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with its columns' headings. The first heading is the section's name.
    pub(crate) fn new<S: Into<String>>(columns: impl IntoIterator<Item = (S, Align)>) -> Self {
        let (heading, columns) = columns
            .into_iter()
            .map(|(text, align)| (Cell::toned(text, Tone::Heading), align))
            .unzip();
        Self {
            columns,
            heading,
            rows: Vec::new(),
        }
    }

    /// The columns: their headings and how they are aligned.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, Align)> {
        self.heading
            .iter()
            .map(|cell| cell.text.as_str())
            .zip(self.columns.iter().copied())
    }

    /// The rows.
    pub(crate) fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it.
    pub(crate) fn print(&self, out: &mut dyn Write, colours: Colours) -> io::Result<()> {
        let shapes: Vec<Shape> = self
            .columns
            .iter()
            .enumerate()
            .map(|(position, align)| self.shape(position, *align))
            .collect();
        for (number, row) in std::iter::once(&self.heading).chain(&self.rows).enumerate() {
            let is_heading = number == 0;
            let mut line = String::new();
            let mut blanks = 0;
            for (position, cell) in row.iter().enumerate() {
                if position > 0 {
                    blanks += GAP.len();
                }
                let (before, after) = shapes
                    .get(position)
                    .map_or((0, 0), |shape| shape.padding(&cell.text, is_heading));
                blanks += before;
                // Blanks are kept back until something follows, so that no line ends in blanks.
                if !cell.text.is_empty() {
                    line.extend(std::iter::repeat_n(' ', blanks));
                    line.push_str(&colours.paint(cell.tone, &cell.text));
                    blanks = 0;
                }
                blanks += after;
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn shape(&self, position: usize, align: Align) -> Shape {
        let cells = || self.rows.iter().filter_map(|row| row.get(position));
        let fraction = match align {
            Align::Point => cells()
                .map(|cell| fraction_width(&cell.text))
                .max()
                .unwrap_or(0),
            Align::Left | Align::Right => 0,
        };
        let body = cells().map(|cell| match align {
            Align::Point => {
                width(&cell.text) - fraction_width(&cell.text)
                    + if is_number(&cell.text) { fraction } else { 0 }
            }
            Align::Left | Align::Right => width(&cell.text),
        });
        Shape {
            align,
            width: body
                .chain(self.heading.get(position).map(|cell| width(&cell.text)))
                .max()
                .unwrap_or(0),
            fraction,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    align: Align,
    width: usize,
    fraction: usize,
}

impl Shape {
    /// Blanks before and after a cell's text.
    fn padding(self, text: &str, is_heading: bool) -> (usize, usize) {
        let free = self.width.saturating_sub(width(text));
        match self.align {
            Align::Left => (0, free),
            Align::Right => (free, 0),
            Align::Point if is_heading || !is_number(text) => (free, 0),
            Align::Point => {
                let after = self.fraction.saturating_sub(fraction_width(text));
                (free.saturating_sub(after), after)
            }
        }
    }
}

/// Whether a cell takes part in the alignment by the point.
fn is_number(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_digit() || last == '*')
}

/// Width of the point and what follows it.
fn fraction_width(text: &str) -> usize {
    if is_number(text) {
        text.find('.').map_or_else(
            || usize::from(text.ends_with('*')),
            |point| width(&text[point..]),
        )
    } else {
        0
    }
}

/// Every character that is printed here takes one place.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, colours: Colours) -> String {
        let mut out = Vec::new();
        table.print(&mut out, colours).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn example() -> Table {
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("count", Align::Right),
            ("ms", Align::Point),
            ("end", Align::Left),
        ]);
        table.row(vec!["a".into(), "1".into(), "4.8".into(), "x".into()]);
        table.row(vec![
            "longer".into(),
            "240,000".into(),
            "1,050".into(),
            "".into(),
            "a remark that is wider than any column".into(),
        ]);
        table.row(vec!["c".into(), "".into(), "0.12".into()]);
        table.row(vec!["d".into(), "".into(), "-".into()]);
        table
    }

    #[test]
    fn points_stand_below_each_other_and_no_line_ends_in_blanks() {
        assert_eq!(
            printed(&example(), Colours::Hidden),
            "NAME      count        ms  end\n\
             a             1      4.8   x\n\
             longer  240,000  1,050          a remark that is wider than any column\n\
             c                    0.12\n\
             d                       -\n"
        );
    }

    #[test]
    fn colours_change_no_width() {
        let shown = printed(&example(), Colours::Shown);
        assert!(shown.contains("\x1b[1mNAME\x1b[0m"));
        let plain = shown.replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert_eq!(plain, printed(&example(), Colours::Hidden));
    }
}
