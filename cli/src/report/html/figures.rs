//! The few numbers that readers look for first.

use maud::{Markup, html};
use redyno_contract::figures;
use redyno_contract::judgement::{Distribution, Judgement, Quantile};
use redyno_contract::plan::Latency;

/// A number, its unit, and what to compare it with.
struct Figure {
    name: &'static str,
    value: String,
    unit: &'static str,
    note: String,
}

pub(super) fn strip(judgement: &Judgement) -> Markup {
    html! {
        dl.figures {
            @for Figure { name, value, unit, note } in shown_figures(judgement) {
                div {
                    dt { (name) }
                    dd { (value) @if !unit.is_empty() { small { (unit) } } }
                    dd.note { (note) }
                }
            }
        }
    }
}

fn shown_figures(judgement: &Judgement) -> Vec<Figure> {
    let summary = &judgement.summary;
    let mut figures = vec![Figure {
        name: "Achieved",
        value: figures::rate(summary.achieved_tasks_per_second),
        unit: "/s",
        note: format!(
            "of {} tasks/s asked",
            figures::rate(summary.asked_tasks_per_second)
        ),
    }];
    for (name, latency, note) in [
        ("Response p99", Latency::Response, "what users feel"),
        ("Service p99", Latency::Service, "what other tools show"),
    ] {
        let (value, of_type) = match highest_p99(judgement, latency) {
            Some((distribution, dyno_type)) => (
                shown(distribution),
                dyno_type
                    .map(|name| format!("{name}: "))
                    .unwrap_or_default(),
            ),
            None => ("-".to_owned(), String::new()),
        };
        let unit = if value == "-" { "" } else { "ms" };
        figures.push(Figure {
            name,
            value,
            unit,
            note: format!("{of_type}{note}"),
        });
    }
    figures.push(Figure {
        name: "Failed tasks",
        value: figures::count(summary.books.failed),
        unit: "",
        note: format!("of {} scheduled", figures::count(summary.books.scheduled)),
    });
    // The backlog that comes closest to its limit.
    let backlog = judgement
        .backlogs
        .iter()
        .filter_map(|row| Some((row.peak?, row.max_worker_backlog)))
        .max_by_key(|(backlog, limit)| u64::from(*backlog) * 1000 / u64::from(*limit).max(1));
    if let Some((backlog, limit)) = backlog {
        figures.push(Figure {
            name: "Peak backlog",
            value: figures::count(backlog),
            unit: "",
            note: format!("limit {} per worker", figures::count(limit)),
        });
    }
    if let Some(target) = judgement
        .target
        .as_ref()
        .filter(|target| target.samples > 0)
        && let Some(per_mille) = target.main_thread_per_mille
    {
        figures.push(Figure {
            name: "Redis",
            value: figures::percent(per_mille),
            unit: "",
            note: "of its core".to_owned(),
        });
    }
    figures
}

/// The 99th percentile, of which perhaps only a lower bound is known.
fn shown(distribution: &Distribution) -> String {
    let p99 = distribution.p99;
    let milliseconds = figures::bare_milliseconds(p99.shown_microseconds());
    match p99 {
        Quantile::AtLeast(_) => format!("\u{2265} {milliseconds}"),
        Quantile::At(_) | Quantile::Maximum(_) => milliseconds,
    }
}

/// The value of all types together, or otherwise that of the type with the highest one.
fn highest_p99(judgement: &Judgement, latency: Latency) -> Option<(&Distribution, Option<&str>)> {
    if let Some(distribution) = judgement.summary.distribution(latency) {
        return Some((distribution, None));
    }
    judgement
        .formation
        .iter()
        .filter_map(|row| {
            let distribution = row.totals.distribution(latency)?;
            Some((distribution, Some(row.dyno_type.as_str())))
        })
        .max_by_key(|(distribution, _)| distribution.p99.microseconds())
}
