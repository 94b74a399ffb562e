//! Every limit with what was seen of it, and how far the numbers can be trusted.

use std::io::{self, Write};

use redyno_contract::judgement::{DynoNumbers, DynoResult, Judgement, ReportState};
use redyno_contract::limit::Holding;
use redyno_contract::plan::Plan;

use super::number::{self, Precision};
use super::table::{Align, Cell, Colours, Table, Tone};

/// A generator that is no later than this is never late, in microseconds.
const LEAST_LAG_LIMIT: u64 = 5_000;

pub(super) fn print(
    plan: &Plan,
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new([
        ("LIMIT", Align::Left),
        ("", Align::Left),
        ("OBSERVED", Align::Left),
        ("OVER / ALLOWED", Align::Left),
        ("RESULT", Align::Left),
    ]);
    for threshold in &judgement.thresholds {
        let counts = match (threshold.over_count, threshold.allowed_count) {
            (Some(over), Some(allowed)) => {
                format!("{} / {}", number::count(over), number::count(allowed))
            }
            (Some(_) | None, Some(_) | None) => String::new(),
        };
        table.row(vec![
            threshold.name.as_str().into(),
            threshold.limit.as_str().into(),
            threshold.observed.as_str().into(),
            counts.into(),
            result(threshold.holding),
        ]);
    }
    backlog_rows(plan, judgement, &mut table);
    table.print(out, colours)?;
    writeln!(
        out,
        "{}  {}",
        colours.paint(Some(Tone::Heading), "TRUST"),
        trust(judgement)
    )
}

fn result(holding: Holding) -> Cell {
    match holding {
        Holding::Held => Cell::toned("held", Tone::Good),
        Holding::Breached => Cell::toned("BREACHED", Tone::Bad),
        Holding::Unknown => Cell::toned("unknown", Tone::Doubtful),
    }
}

/// One row per backlog limit: types that share one share the row.
fn backlog_rows(plan: &Plan, judgement: &Judgement, table: &mut Table) {
    let mut limits: Vec<u32> = Vec::new();
    for dynos in &plan.formation {
        if !limits.contains(&dynos.max_worker_backlog) {
            limits.push(dynos.max_worker_backlog);
        }
    }
    for limit in limits {
        let highest = judgement
            .dynos
            .iter()
            .filter(|row| {
                plan.dyno_type(&row.dyno.dyno_type)
                    .is_some_and(|dynos| dynos.max_worker_backlog == limit)
            })
            .filter_map(|row| {
                let numbers = row.numbers.as_ref()?;
                Some((numbers.max_worker_backlog, row))
            })
            // The first of equals, so that the row does not depend on the order of the reports.
            .fold(
                None,
                |best: Option<(u32, &DynoResult)>, (backlog, row)| match best {
                    Some((most, _)) if most >= backlog => best,
                    _ => Some((backlog, row)),
                },
            );
        let mut row = vec![
            "backlog".into(),
            format!("{} waiting", number::count(u64::from(limit))).into(),
        ];
        if let Some((backlog, dyno)) = highest {
            row.push(number::count(u64::from(backlog)).into());
            row.push(where_and_when(dyno, backlog).into());
            row.push(result(if backlog >= limit {
                Holding::Breached
            } else {
                Holding::Held
            }));
        } else {
            row.push("-".into());
            row.push("".into());
            row.push(result(Holding::Unknown));
        }
        table.row(row);
    }
}

fn where_and_when(row: &DynoResult, backlog: u32) -> String {
    let worker = row
        .numbers
        .iter()
        .flat_map(|numbers| &numbers.busiest)
        .find(|worker| worker.peak_backlog == backlog);
    match worker {
        Some(worker) if backlog > 0 => format!(
            "{} worker {} at {} s",
            row.dyno,
            worker.worker,
            number::seconds(worker.peak_at_milliseconds)
        ),
        _ => String::new(),
    }
}

fn trust(judgement: &Judgement) -> String {
    let books = judgement.summary.books;
    let numbers = || {
        judgement
            .dynos
            .iter()
            .filter_map(|row| row.numbers.as_ref())
    };
    // The lag that comes closest to its limit, or is furthest beyond.
    let lag = numbers()
        .map(|row| {
            let lag = row.own.schedule_lag_p99_microseconds;
            (lag, lag_limit(row))
        })
        .max_by_key(|(lag, limit)| i128::from(*lag) - i128::from(*limit));
    let throttled = numbers().map(|row| row.own.throttled_per_mille).max();
    let complete = judgement
        .dynos
        .iter()
        .filter(|row| row.report == ReportState::Complete)
        .count();
    let milliseconds = |value: Option<u64>, precision| {
        value.map_or_else(
            || "-".to_owned(),
            |value| format!("{} ms", number::milliseconds(value, precision)),
        )
    };
    format!(
        "delivered {} (>= 99)  lag p99 {} (<= {})  skew {} (<= 100)  throttled {}  reports {complete}/{}",
        number::share(books.delivered, books.scheduled),
        milliseconds(lag.map(|(lag, _)| lag), Precision::Digits(2)),
        number::milliseconds(
            lag.map_or(LEAST_LAG_LIMIT, |(_, limit)| limit),
            Precision::Digits(2)
        ),
        milliseconds(judgement.start_skew_microseconds, Precision::Exact),
        throttled.map_or_else(|| "-".to_owned(), number::percent),
        judgement.dynos.len(),
    )
}

/// 5 ms, or a tenth of the dyno's response p99 if that is more.
fn lag_limit(row: &DynoNumbers) -> u64 {
    let tenth = row
        .response_p99
        .map_or(0, |response| response.microseconds() / 10);
    tenth.max(LEAST_LAG_LIMIT)
}
