//! Every limit with what was seen of it, and how far the numbers can be trusted.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judge::{LEAST_DELIVERED_PERCENT, MOST_SKEW_MICROSECONDS, most_lag};
use redyno_contract::judgement::{
    BacklogPlace, BacklogResult, DynoNumbers, Judgement, Quantile, ReportState,
};
use redyno_contract::limit::Holding;

use super::table::{Align, Cell, Colours, Table, Tone};

/// A limit, and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LimitRow {
    /// The threshold's name; `backlog` for that of a worker.
    pub(super) name: String,
    /// What is allowed.
    pub(super) limit: String,
    /// What was seen.
    pub(super) observed: String,
    /// How many tasks were over the limit and how many may be; for a backlog, how many waited and
    /// how many are too many. None where nothing is counted.
    pub(super) used: Option<(u64, u64)>,
    /// The counts; for a backlog where and when it was seen.
    pub(super) remark: String,
    /// What became of it.
    pub(super) holding: Holding,
}

/// Something that the trust in the numbers depends on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrustItem {
    /// Its name.
    pub(super) name: &'static str,
    /// What was seen.
    pub(super) observed: String,
    /// What is needed, with its unit apart.
    pub(super) needed: Option<(String, &'static str)>,
    /// Whether it was reached; None if it only explains and decides nothing.
    pub(super) holding: Option<Holding>,
}

pub(super) fn print(
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
    for row in rows(judgement) {
        let LimitRow {
            name,
            limit,
            observed,
            used: _,
            remark,
            holding,
        } = row;
        table.row(vec![
            name.into(),
            limit.into(),
            observed.into(),
            remark.into(),
            result(holding),
        ]);
    }
    table.print(out, colours)?;
    let trust: Vec<String> = trust(judgement)
        .into_iter()
        .map(|item| {
            let TrustItem {
                name,
                observed,
                needed,
                holding: _,
            } = item;
            match needed {
                Some((needed, _)) => format!("{name} {observed} ({needed})"),
                None => format!("{name} {observed}"),
            }
        })
        .collect();
    writeln!(
        out,
        "{}  {}",
        colours.paint(Some(Tone::Heading), "TRUST"),
        trust.join("  ")
    )
}

/// Every limit of the run: its thresholds, then one row per backlog limit.
pub(super) fn rows(judgement: &Judgement) -> Vec<LimitRow> {
    let mut rows: Vec<LimitRow> = judgement
        .thresholds
        .iter()
        .map(|threshold| {
            let used = threshold.over_count.zip(threshold.allowed_count);
            LimitRow {
                name: threshold.name.clone(),
                limit: threshold.limit.clone(),
                observed: threshold.observed.clone(),
                used,
                remark: used.map_or_else(String::new, |(over, allowed)| {
                    format!("{} / {}", figures::count(over), figures::count(allowed))
                }),
                holding: threshold.holding,
            }
        })
        .collect();
    rows.extend(judgement.backlogs.iter().map(backlog_row));
    rows
}

/// The word for what became of a limit.
pub(super) fn result(holding: Holding) -> Cell {
    match holding {
        Holding::Held => Cell::toned("held", Tone::Good),
        Holding::Breached => Cell::toned("BREACHED", Tone::Bad),
        Holding::Unknown => Cell::toned("unknown", Tone::Doubtful),
    }
}

/// One row per backlog limit. Types with the same limit share a row.
fn backlog_row(result: &BacklogResult) -> LimitRow {
    let BacklogResult {
        max_worker_backlog,
        dyno_types: _,
        peak,
        place,
        holding,
    } = result;
    LimitRow {
        name: "backlog".to_owned(),
        limit: format!("{} waiting", figures::count(*max_worker_backlog)),
        observed: peak.map_or_else(|| "-".to_owned(), figures::count),
        used: peak.map(|peak| (u64::from(peak), u64::from(*max_worker_backlog))),
        remark: place.as_ref().map_or_else(String::new, |place| {
            let BacklogPlace {
                dyno,
                worker,
                at_milliseconds,
            } = place;
            format!(
                "{dyno} worker {worker} at {}",
                figures::seconds(*at_milliseconds)
            )
        }),
        holding: *holding,
    }
}

/// Everything that the trust in the numbers depends on.
pub(super) fn trust(judgement: &Judgement) -> Vec<TrustItem> {
    let books = judgement.summary.books;
    let numbers = || {
        judgement
            .dynos
            .iter()
            .filter_map(|row| row.numbers.as_ref())
    };
    // The lag that is closest to its limit, or furthest beyond it.
    let lag = numbers()
        .map(|row| {
            let lag = row.own.schedule_lag_p99_microseconds;
            let response_p99 = row.response_p99.map(Quantile::microseconds);
            (lag, most_lag(response_p99))
        })
        .max_by_key(|(lag, limit)| i128::from(*lag) - i128::from(*limit));
    let throttled = numbers().map(|row| row.own.throttled_per_mille).max();
    let complete = judgement
        .dynos
        .iter()
        .filter(|row| row.report == ReportState::Complete)
        .count();
    let beside = |value: Option<u64>, limit: u64, digits: u8| {
        value.map_or_else(
            || "-".to_owned(),
            |value| figures::milliseconds(figures::beside(value, limit, digits)),
        )
    };
    let is_delivered = |row: &DynoNumbers| {
        let needed = u128::from(row.books.scheduled) * u128::from(LEAST_DELIVERED_PERCENT);
        u128::from(row.books.delivered) * 100 >= needed
    };
    let most_lag = lag.map_or_else(|| most_lag(None), |(_, limit)| limit);
    let lag_needed = figures::bare_milliseconds(figures::rounded(most_lag, 2));
    vec![
        TrustItem {
            name: "delivered",
            observed: figures::share(books.delivered, books.scheduled),
            needed: Some((format!(">= {LEAST_DELIVERED_PERCENT}"), "%")),
            holding: Some(known(numbers().next().map(|_| numbers().all(is_delivered)))),
        },
        TrustItem {
            name: "lag p99",
            observed: beside(lag.map(|(lag, _)| lag), most_lag, 2),
            needed: Some((format!("<= {lag_needed}"), "ms")),
            holding: Some(known(lag.map(|(lag, limit)| lag <= limit))),
        },
        TrustItem {
            name: "skew",
            observed: beside(judgement.start_skew_microseconds, MOST_SKEW_MICROSECONDS, 3),
            needed: Some((format!("<= {}", MOST_SKEW_MICROSECONDS / 1000), "ms")),
            holding: Some(known(
                judgement
                    .start_skew_microseconds
                    .map(|skew| skew <= MOST_SKEW_MICROSECONDS),
            )),
        },
        TrustItem {
            name: "throttled",
            observed: throttled.map_or_else(|| "-".to_owned(), figures::percent),
            needed: None,
            // Throttling decides nothing here, because the dyno's size is what is tested.
            holding: None,
        },
        TrustItem {
            name: "reports",
            observed: format!("{complete}/{}", judgement.dynos.len()),
            needed: None,
            holding: Some(known(Some(complete == judgement.dynos.len()))),
        },
    ]
}

const fn known(holds: Option<bool>) -> Holding {
    match holds {
        Some(true) => Holding::Held,
        Some(false) => Holding::Breached,
        None => Holding::Unknown,
    }
}
