//! The verdict: what happened, and what to try.

use maud::{Markup, html};
use redyno_contract::{Verdict, figures};

use super::moment;
use crate::report::{PlannedRun, TerminalReport};

pub(super) fn banner(report: &TerminalReport<'_>) -> Markup {
    let TerminalReport {
        namespace: _,
        name,
        version: _,
        uid: _,
        verdict,
        message,
        run,
    } = report;
    // The path of the sign in the circle, 20 by 20.
    let (tone, sign) = match verdict {
        Verdict::Passed => ("good", "M5.5 10.5 L8.8 13.7 L14.6 6.8"),
        Verdict::Failed => ("bad", "M6.5 6.5 L13.5 13.5 M13.5 6.5 L6.5 13.5"),
        Verdict::Errored => ("bad", "M10 5 L10 11 M10 14.4 L10 14.5"),
        Verdict::Inconclusive => (
            "doubt",
            "M7.2 7.6 Q7.4 5.2 10 5.2 Q12.8 5.2 12.8 7.6 Q12.8 9.2 10 10.4 L10 11.6 M10 14.6 L10 14.7",
        ),
    };
    let (happened, then) = sentences(message);
    let run = run.as_ref();
    let judgement = run.and_then(|run| run.judgement);
    let when = judgement.and_then(|judgement| moment(judgement.start_microseconds?));
    html! {
        section class={ "card verdict " (tone) } {
            header {
                span.word {
                    svg viewBox="0 0 20 20" aria-hidden="true" {
                        circle cx="10" cy="10" r="9" fill="currentColor" {}
                        path d=(sign) fill="none" stroke="var(--back)" stroke-width="2.2"
                            stroke-linecap="round" stroke-linejoin="round" {}
                    }
                    (verdict.as_str().to_uppercase())
                }
                h1 { (name) }
                @if when.is_some() || run.is_some() {
                    p.when {
                        @if let Some(when) = when {
                            (when) ", "
                        }
                        @if let Some(run) = run {
                            (measured(run))
                        }
                    }
                }
            }
            p.happened { (happened) }
            @if !then.is_empty() {
                p.then { (then) }
            }
            @if let Some(judgement) = judgement.filter(|_| *verdict != Verdict::Passed) {
                p.why {
                    span { "Reason " b { (judgement.reason_word()) } }
                    @if let Some(bottleneck) = judgement.bottleneck {
                        span { "Bottleneck " b { (bottleneck.as_str()) } }
                    }
                }
            }
        }
    }
}

/// How much of the window was run.
fn measured(run: &PlannedRun<'_>) -> String {
    let planned = u64::from(run.plan.duration_seconds) * 1000;
    let run = run
        .judgement
        .map(|judgement| judgement.summary.measured_milliseconds);
    match run {
        Some(run) if run == planned => format!("{} measured", figures::span(run)),
        Some(run) => format!(
            "{} of {} measured",
            figures::span(run),
            figures::span(planned)
        ),
        None => format!("{} asked", figures::span(planned)),
    }
}

/// The first sentence says what happened, the others what follows. A sentence ends in a full stop
/// before a blank and a capital letter.
fn sentences(message: &str) -> (&str, &str) {
    let end = message
        .match_indices(". ")
        .find(|(position, stop)| message[position + stop.len()..].starts_with(char::is_uppercase));
    match end {
        Some((position, stop)) => (
            &message[..=position],
            message[position + stop.len()..].trim(),
        ),
        None => (message, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_says_what_happened() {
        for (message, first, rest) in [
            ("", "", ""),
            ("It ran.", "It ran.", ""),
            ("It ran. Try it again.", "It ran.", "Try it again."),
            (
                "Worker 1. had 100; p99 4.8 ms. Try less. Or more.",
                "Worker 1. had 100; p99 4.8 ms.",
                "Try less. Or more.",
            ),
            ("\u{e4}. \u{c4}. \u{e4}", "\u{e4}.", "\u{c4}. \u{e4}"),
        ] {
            assert_eq!(sentences(message), (first, rest), "{message}");
        }
    }
}
