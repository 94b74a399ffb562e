//! The report as one page: nothing is loaded from anywhere, nothing runs in it, so it can be mailed
//! and attached. What it says is what the terminal report says; the charts are drawn here.
//!
//! Every text goes through `maud`, which escapes it.

mod course;
mod distribution;
mod figures;
mod limits;
mod plot;
mod scale;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use redyno_contract::Judgement;

use super::{PlannedRun, TerminalReport, asked, dynos, failures, latency, tasks, time_spent};

/// How the page looks.
const STYLE: &str = include_str!("style.css");

/// Keeps the browser from loading or running anything, whatever might get into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// The page.
pub fn page(report: &TerminalReport<'_>) -> String {
    let word = report.verdict.as_str();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "redyno " (report.version) };
                title { (report.name) " " (word) " - redyno" }
                // Without an icon, a browser asks the page's server for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (verdict::banner(report))
                    @if let Some(run) = &report.run {
                        (evidence(run))
                        (facts(run))
                    }
                }
                (footer(report))
            }
        }
    };
    let mut page = markup.into_string();
    page.push('\n');
    page
}

/// What the verdict rests on.
fn evidence(run: &PlannedRun<'_>) -> Markup {
    let Some(judgement) = run.judgement else {
        return Markup::default();
    };
    html! {
        @if judgement.start_microseconds.is_some() {
            (figures::strip(judgement))
            (limits::card(judgement))
            @if let Some(table) = failures::table(judgement) {
                section.card {
                    (table::markup(&table::Caption {
                        title: "Failed tasks",
                        lead: Some("by class, with what the target said, or what happened, the first time"),
                        first: "class",
                    }, &table))
                }
            }
            (latencies(run, judgement))
            (course::cards(run.plan, judgement))
        }
        (formation(run, judgement))
        @if judgement.start_microseconds.is_some() {
            (workers(run, judgement))
            section.card {
                (table::markup(&table::Caption {
                    title: "Books of the tasks",
                    lead: Some("scheduled = delivered + rejected + undispatched; delivered = completed + failed + abandoned"),
                    first: "",
                }, &tasks::table(judgement)))
            }
        }
    }
}

fn latencies(run: &PlannedRun<'_>, judgement: &Judgement) -> Markup {
    html! {
        @for (position, latencies) in latency::tables(judgement).into_iter().enumerate() {
            @let title = match latencies.dyno_type {
                Some(name) => format!("Latency of {name}"),
                None => "Latency".to_owned(),
            };
            section.card.long {
                (distribution::figure(position, &title, latencies.dyno_type, run))
                (table::markup(&table::Caption {
                    title: "",
                    lead: None,
                    first: "ms",
                }, &latencies.table))
                @for note in &latencies.notes {
                    p.after { (note.replace(">=", "\u{2265}")) }
                }
            }
        }
        @if let Some(spent) = time_spent::table(judgement) {
            section.card.long {
                (table::markup(&table::Caption {
                    title: "Where a task's time went",
                    lead: Some("Means, measured apart, that add up."),
                    first: "mean ms",
                }, &spent))
            }
        }
    }
}

fn formation(run: &PlannedRun<'_>, judgement: &Judgement) -> Markup {
    html! {
        section.card.long {
            (table::markup(&table::Caption {
                title: "Dynos",
                lead: None,
                first: "",
            }, &dynos::dynos(run, judgement)))
            @if let Some(redis) = dynos::redis(judgement, run.plan) {
                p.after { "Redis: " (redis) }
            }
        }
    }
}

fn workers(run: &PlannedRun<'_>, judgement: &Judgement) -> Markup {
    let Some(busiest) = dynos::busiest(judgement, run.plan) else {
        return Markup::default();
    };
    html! {
        section.card {
            @match &busiest.table {
                Some(table) => (table::markup(&table::Caption {
                    title: "Busiest workers",
                    lead: Some("response and steps in ms"),
                    first: "dyno / worker",
                }, table)),
                None => h2 { "Busiest workers" },
            }
            @if let Some(rest) = &busiest.rest {
                p.after { (rest) }
            }
        }
    }
}

/// What was asked for, of which target, and what the run leaves out.
fn facts(run: &PlannedRun<'_>) -> Markup {
    html! {
        section.card {
            h2 { "What was run" }
            dl.facts {
                @for (name, text) in asked::facts(run) {
                    @match name {
                        "" => {},
                        "ASKED" => dt { "asked" },
                        "TARGET" => dt { "target" },
                        "NOT SIMULATED" => dt { "not simulated" },
                        other => dt { (other) },
                    }
                    dd { (text) }
                }
            }
        }
    }
}

fn footer(report: &TerminalReport<'_>) -> Markup {
    html! {
        footer {
            span { "redyno " (report.version) }
            @if !report.uid.is_empty() {
                span { "run " (report.uid) }
            }
            @if let Some(run) = &report.run {
                span { "seed " (run.plan.seed) }
            }
            span { (report.namespace) "/" (report.name) }
        }
    }
}

/// A moment by the clock of Redis: `2026-09-21 14:13:20 UTC`.
fn moment(microseconds: u64) -> Option<String> {
    let microseconds = i64::try_from(microseconds).ok()?;
    let moment = Timestamp::from_microsecond(microseconds).ok()?;
    Some(moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}
