//! The result, on standard output: tables for people, or the LoadTest as the API server holds it.

use std::io::{self, IsTerminal, Write};

use redyno_contract::Verdict;
use redyno_contract::figures;
use redyno_crds::{LoadTest, Resolved};

use crate::arguments::Output;
use crate::local::Finished;
use crate::progress::colours;
use crate::report::{self, Enforcement, PlannedRun, TerminalReport};

/// redyno's version, as it is printed.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The namespace of a run without a cluster.
const LOCAL: &str = "local";

/// Prints a line.
///
/// # Errors
/// When standard output cannot be written, though its reader is still there.
pub(crate) fn line(line: &str) -> io::Result<()> {
    unless_the_reader_left(writeln!(io::stdout(), "{line}"))
}

/// A reader that closed the pipe, as `head` does, has read what it wanted. The command then ends as
/// if everything had been read.
fn unless_the_reader_left(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints the result of a run without a cluster, and returns its verdict.
///
/// # Errors
/// When standard output cannot be written, though its reader is still there.
pub(crate) fn local(finished: &Finished, output: Output) -> io::Result<Verdict> {
    let Finished {
        load_test,
        resolved,
        found,
        judgement,
        curves,
    } = finished;
    let sizes = sizes(resolved);
    let run = PlannedRun {
        plan: &resolved.plan,
        sizes: &sizes,
        enforcement: Enforcement::NotEnforced,
        found: found.as_ref(),
        judgement: judgement.as_ref(),
        curves,
        cleanup: cleanup(load_test),
    };
    result(load_test, Some(run), output)
}

/// What was removed from the target.
pub(crate) fn cleanup(load_test: &LoadTest) -> Option<&str> {
    load_test
        .status
        .as_ref()?
        .target
        .as_ref()?
        .cleanup
        .as_deref()
}

/// Prints a LoadTest that has ended, and returns its verdict.
///
/// # Errors
/// When standard output cannot be written, though its reader is still there.
pub(crate) fn result(
    load_test: &LoadTest,
    run: Option<PlannedRun<'_>>,
    output: Output,
) -> io::Result<Verdict> {
    let verdict = verdict(load_test);
    let report = TerminalReport {
        namespace: load_test.metadata.namespace.as_deref().unwrap_or(LOCAL),
        name: load_test.metadata.name.as_deref().unwrap_or_default(),
        version: VERSION,
        uid: load_test.metadata.uid.as_deref().unwrap_or_default(),
        verdict,
        message: load_test
            .status
            .as_ref()
            .and_then(|status| status.message.as_deref())
            .unwrap_or_default(),
        run,
    };
    let written = write(load_test, &report, output, &mut io::stdout().lock());
    unless_the_reader_left(written)?;
    Ok(verdict)
}

fn write(
    load_test: &LoadTest,
    report: &TerminalReport<'_>,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    match output {
        Output::Table => {
            report::print(report, colours(io::stdout().is_terminal()), out)?;
        }
        Output::Html => out.write_all(report::html::page(report).as_bytes())?,
        Output::Junit => out.write_all(report::junit::document(report)?.as_bytes())?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, load_test)?;
            writeln!(out)?;
        }
        Output::Yaml => {
            // YAML is made from the JSON value, so that both formats say the same in the same
            // order.
            let value = serde_json::to_value(load_test)?;
            let yaml = serde_saphyr::to_string(&value).map_err(io::Error::other)?;
            writeln!(out, "{}", yaml.trim_end())?;
        }
    }
    out.flush()
}

/// The verdict of a LoadTest that has ended.
pub(crate) fn verdict(load_test: &LoadTest) -> Verdict {
    let word = load_test
        .status
        .as_ref()
        .and_then(|status| status.verdict.as_deref());
    [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive]
        .into_iter()
        .find(|verdict| Some(verdict.as_str()) == word)
        // This version cannot vouch for a verdict of a later version that it does not know.
        .unwrap_or(Verdict::Errored)
}

/// The sizes as people call them.
pub(crate) fn sizes(resolved: &Resolved) -> Vec<String> {
    resolved
        .formation
        .iter()
        .map(|dynos| {
            size(
                &dynos.size_title,
                dynos.cpu_limit_millis,
                dynos.memory_bytes,
            )
        })
        .collect()
}

/// A size with what it means.
pub(crate) fn size(title: &str, cpu_millis: u32, memory_bytes: u64) -> String {
    format!(
        "{title} ({}, {})",
        figures::cpu(cpu_millis),
        figures::bytes(memory_bytes)
    )
}
