//! The tables of the terminal report as tables of a page.

use maud::{Markup, html};

use crate::report::table::{Align, Cell, Table, Tone};

/// What stands over a table.
pub(super) struct Caption<'a> {
    /// The section's heading; empty if another heading stands above it.
    pub(super) title: &'a str,
    /// A text that helps to read it.
    pub(super) lead: Option<&'a str>,
    /// The first column's heading, where a terminal shows the section's name.
    pub(super) first: &'a str,
}

/// A table of more columns than this is printed small, to fit a sheet.
const MANY: usize = 9;

pub(super) fn markup(caption: &Caption<'_>, table: &Table) -> Markup {
    // A column that only has a heading is one of the terminal's remarks on units.
    let columns: Vec<(usize, &str, Align)> = table
        .columns()
        .enumerate()
        .filter(|(position, _)| {
            let cells = table.rows().iter().filter_map(|row| row.get(*position));
            cells.map(Cell::text).any(|text| !text.is_empty())
        })
        .map(|(position, (heading, align))| {
            let heading = if position == 0 {
                caption.first
            } else {
                heading
            };
            (position, heading, align)
        })
        .collect();
    let all = table.columns().count();
    let label = if caption.title.is_empty() {
        "Latency"
    } else {
        caption.title
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table.wide-table.many[columns.len() > MANY] {
                caption {
                    @if caption.title.is_empty() {
                        span.hidden { (label) }
                    } @else {
                        h2 { (caption.title) }
                    }
                    @if let Some(lead) = caption.lead {
                        p.lead { (lead) }
                    }
                }
                thead {
                    tr {
                        @for (_, heading, align) in &columns {
                            th scope="col" class=[class(*align)] { (heading) }
                        }
                    }
                }
                tbody {
                    @for row in table.rows() {
                        tr {
                            @for (position, heading, align) in &columns {
                                @let cell = row.get(*position);
                                @if *position == 0 {
                                    (first(cell, row.get(all)))
                                } @else {
                                    @let class = if *heading == "note" { Some("remark") } else { class(*align) };
                                    td class=[class] {
                                        @if let Some(cell) = cell { (toned(cell)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

const fn class(align: Align) -> Option<&'static str> {
    match align {
        Align::Left => None,
        Align::Right | Align::Point => Some("n"),
    }
}

/// The heading of a row. Blanks before it say that it is a part of the one above; a remark stands
/// behind the last column.
fn first(cell: Option<&Cell>, remark: Option<&Cell>) -> Markup {
    let text = cell.map_or("", Cell::text);
    let depth = text.len() - text.trim_start().len();
    let class = match depth {
        0 => None,
        1..=2 => Some("in1"),
        _ => Some("in2"),
    };
    html! {
        th scope="row" class=[class] {
            (text.trim_start())
            @if let Some(remark) = remark.map(Cell::text).filter(|text| !text.is_empty()) {
                small { (remark) }
            }
        }
    }
}

/// A cell with what it means.
pub(super) fn toned(cell: &Cell) -> Markup {
    let text = cell.text().replace(">=", "\u{2265} ");
    let class = match cell.tone() {
        Some(Tone::Good) => "good",
        Some(Tone::Bad) => "bad",
        Some(Tone::Doubtful) => "doubt",
        Some(Tone::Heading) | None => return html! { (text) },
    };
    html! { span class={ "pill " (class) } { (text) } }
}
