//! The verdict as a JUnit test suite, for CI systems. There is a case for every limit, for
//! everything that the trust in the numbers depends on, and for the verdict itself. Elements and
//! attributes are those of the schema that Jenkins publishes, in its order.
//!
//! Failed is a failure. Errored and Inconclusive are errors, because neither says anything about
//! the target. A limit that was never judged is skipped.

use std::io;

use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use redyno_contract::limit::Holding;
use redyno_contract::{Judgement, Verdict};

use super::limits::{LimitRow, TrustItem, rows, trust};
use super::{Colours, TerminalReport};

/// One test case.
#[derive(Clone, Debug, PartialEq)]
struct Case {
    name: String,
    outcome: Outcome,
    milliseconds: u64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// It is as it should be.
    Passed,
    /// The target or the formation is at fault.
    Failed { kind: String, message: String },
    /// Nobody can say.
    Errored { kind: String, message: String },
    /// It was not judged.
    Skipped { message: String },
}

/// The document.
///
/// # Errors
/// None that is known: it is written to memory.
pub fn document(report: &TerminalReport<'_>) -> io::Result<String> {
    let cases = cases(report);
    let count = |is: fn(&Outcome) -> bool| -> String {
        let found = cases.iter().filter(|case| is(&case.outcome));
        found.count().to_string()
    };
    let tests = cases.len().to_string();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let errors = count(|outcome| matches!(outcome, Outcome::Errored { .. }));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped { .. }));
    let time = seconds(length_milliseconds(report));
    let name = legal(report.name);
    let package = legal(&format!("redyno.{}", report.namespace));
    let class = format!("{package}.{name}");
    let timestamp = timestamp(report);
    let shared = [
        ("name", name.as_str()),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", errors.as_str()),
    ];
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .with_attributes([("name", "redyno")])
        .with_attribute(("time", time.as_str()))
        .with_attributes(shared.into_iter().skip(1))
        .write_inner_content(|writer| {
            writer
                .create_element("testsuite")
                .with_attributes(shared)
                .with_attribute(("time", time.as_str()))
                .with_attribute(("skipped", skipped.as_str()))
                .with_attributes(
                    timestamp
                        .as_deref()
                        .map(|timestamp| ("timestamp", timestamp)),
                )
                .with_attribute(("package", package.as_str()))
                .write_inner_content(|writer| {
                    properties(report, writer)?;
                    for case in &cases {
                        written(case, &class, writer)?;
                    }
                    writer
                        .create_element("system-out")
                        .write_text_content(BytesText::new(&legal(&tables(report)?)))?;
                    Ok(())
                })?;
            Ok(())
        })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn properties(report: &TerminalReport<'_>, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let mut properties = vec![
        ("verdict", report.verdict.as_str().to_owned()),
        ("run", report.uid.to_owned()),
        ("redyno", report.version.to_owned()),
    ];
    if let Some(run) = &report.run {
        properties.push(("seed", run.plan.seed.to_string()));
        properties.push(("target", run.plan.target.title.clone()));
        if let Some(judgement) = run.judgement {
            if let Some(encryption) = judgement.encryption {
                properties.push(("encryption", encryption.as_str().to_owned()));
            }
            properties.push(("reason", judgement.reason_word()));
            if let Some(bottleneck) = judgement.bottleneck {
                properties.push(("bottleneck", bottleneck.as_str().to_owned()));
            }
        }
    }
    writer
        .create_element("properties")
        .write_inner_content(|writer| {
            for (name, value) in properties {
                writer
                    .create_element("property")
                    .with_attribute(("name", name))
                    .with_attribute(("value", legal(&value).as_str()))
                    .write_empty()?;
            }
            Ok(())
        })?;
    Ok(())
}

fn written(case: &Case, class: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let Case {
        name,
        outcome,
        milliseconds,
    } = case;
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", legal(name).as_str()))
        .with_attribute(("classname", class))
        .with_attribute(("time", seconds(*milliseconds).as_str()));
    let (tag, kind, message) = match outcome {
        Outcome::Passed => {
            element.write_empty()?;
            return Ok(());
        }
        Outcome::Failed { kind, message } => ("failure", Some(kind), message),
        Outcome::Errored { kind, message } => ("error", Some(kind), message),
        Outcome::Skipped { message } => ("skipped", None, message),
    };
    let message = legal(message);
    element.write_inner_content(|writer| {
        writer
            .create_element(tag)
            .with_attributes(kind.map(|kind| ("type", kind.as_str())))
            .with_attribute(("message", message.as_str()))
            .write_text_content(BytesText::new(&message))?;
        Ok(())
    })?;
    Ok(())
}

fn cases(report: &TerminalReport<'_>) -> Vec<Case> {
    let verdict = report.verdict;
    let mut cases = Vec::new();
    let quick = |name: String, outcome| Case {
        name,
        outcome,
        milliseconds: 0,
    };
    if let Some(run) = &report.run {
        if let Some(judgement) = run.judgement {
            let limits = rows(judgement);
            let backlogs = limits.len() - judgement.thresholds.len();
            for (position, row) in limits.iter().enumerate() {
                let name = match (position < judgement.thresholds.len(), backlogs) {
                    (true, _) => format!("threshold {}", row.name),
                    (false, 1) => row.name.clone(),
                    // Some dyno types have different limits.
                    (false, _) => format!("{} {}", row.name, row.limit),
                };
                cases.push(quick(name, of_limit(row, verdict)));
            }
            for item in trust(judgement) {
                if let Some(holding) = item.holding {
                    let name = format!("trust {}", item.name);
                    cases.push(quick(name, of_trust(&item, holding, verdict)));
                }
            }
        } else {
            for threshold in &run.plan.thresholds {
                let message = "no dyno was ever asked for".to_owned();
                cases.push(quick(
                    format!("threshold {}", threshold.name),
                    Outcome::Skipped { message },
                ));
            }
        }
    }
    cases.push(Case {
        name: "verdict".to_owned(),
        outcome: of_verdict(report),
        milliseconds: length_milliseconds(report),
    });
    cases
}

fn of_limit(row: &LimitRow, verdict: Verdict) -> Outcome {
    let LimitRow {
        name,
        limit,
        observed,
        used: _,
        remark,
        holding,
    } = row;
    let remark = match remark.as_str() {
        "" => String::new(),
        remark => format!(" ({remark})"),
    };
    let message = format!("{name}: observed {observed}, limit {limit}{remark}");
    match (holding, verdict) {
        (Holding::Held, _) => Outcome::Passed,
        (Holding::Breached, Verdict::Passed | Verdict::Failed) => Outcome::Failed {
            kind: "Breached".to_owned(),
            message,
        },
        // The numbers are there, but nothing follows from them.
        (Holding::Breached, Verdict::Errored | Verdict::Inconclusive)
        | (Holding::Unknown, Verdict::Inconclusive) => Outcome::Errored {
            kind: verdict.as_str().to_owned(),
            message,
        },
        (Holding::Unknown, Verdict::Passed | Verdict::Failed | Verdict::Errored) => {
            Outcome::Skipped {
                message: format!("{message}; not known"),
            }
        }
    }
}

fn of_trust(item: &TrustItem, holding: Holding, verdict: Verdict) -> Outcome {
    let TrustItem {
        name,
        observed,
        needed,
        holding: _,
    } = item;
    let needed = match needed {
        Some((needed, unit)) => format!(", needed {needed} {unit}"),
        None => String::new(),
    };
    let message = format!("{name}: {observed}{needed}");
    match (holding, verdict) {
        (Holding::Held, _) => Outcome::Passed,
        (Holding::Breached | Holding::Unknown, Verdict::Inconclusive) => Outcome::Errored {
            kind: verdict.as_str().to_owned(),
            message,
        },
        // A run that did not come to its end is not held against what a whole one needs.
        (Holding::Breached | Holding::Unknown, _) => Outcome::Skipped { message },
    }
}

fn of_verdict(report: &TerminalReport<'_>) -> Outcome {
    let reason = report
        .run
        .as_ref()
        .and_then(|run| run.judgement)
        .map(Judgement::reason_word);
    let kind = reason.unwrap_or_else(|| report.verdict.as_str().to_owned());
    let message = report.message.to_owned();
    match report.verdict {
        Verdict::Passed => Outcome::Passed,
        Verdict::Failed => Outcome::Failed { kind, message },
        Verdict::Errored | Verdict::Inconclusive => Outcome::Errored { kind, message },
    }
}

/// The terminal report, for readers who want to know more.
fn tables(report: &TerminalReport<'_>) -> io::Result<String> {
    let mut text = Vec::new();
    super::print(report, Colours::Hidden, &mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

/// From the common start to the last dyno's end.
fn length_milliseconds(report: &TerminalReport<'_>) -> u64 {
    let judgement = report.run.as_ref().and_then(|run| run.judgement);
    judgement
        .iter()
        .flat_map(|judgement| &judgement.dynos)
        .filter_map(|row| Some(row.end.as_ref()?.after_milliseconds))
        .max()
        .unwrap_or(0)
}

/// When the run started, in UTC and without a zone, because some readers understand nothing else.
fn timestamp(report: &TerminalReport<'_>) -> Option<String> {
    let microseconds = report.run.as_ref()?.judgement?.start_microseconds?;
    let moment = Timestamp::from_microsecond(i64::try_from(microseconds).ok()?).ok()?;
    Some(moment.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Removes what XML 1.0 cannot write: most control characters.
fn legal(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' | '\n' => character,
            '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            other if other < ' ' => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
