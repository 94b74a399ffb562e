//! The report that ends a run in a terminal. It prints plain data and looks nothing up.
//!
//! [`print`] is the entry. Each section is a module of its own and prints nothing when there is
//! nothing to say.

mod asked;
mod dynos;
mod failures;
pub mod html;
pub mod junit;
mod latency;
mod limits;
pub(crate) mod table;
mod tasks;
mod time_spent;
mod timeline;

#[cfg(test)]
mod agreement;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use redyno_contract::Histogram;
use redyno_contract::Verdict;
use redyno_contract::judgement::{Distribution, Judgement};
use redyno_contract::message::TargetFound;
use redyno_contract::plan::{Latency, Plan};

pub use self::table::Colours;
use self::table::Tone;

/// What is printed.
#[derive(Clone, Debug)]
pub struct TerminalReport<'a> {
    /// The LoadTest's namespace; `local` without a cluster.
    pub namespace: &'a str,
    /// The LoadTest's name.
    pub name: &'a str,
    /// redyno's version.
    pub version: &'a str,
    /// The LoadTest's `metadata.uid`.
    pub uid: &'a str,
    /// The verdict.
    pub verdict: Verdict,
    /// What happened and what to try.
    pub message: &'a str,
    /// What was to be run, and what came of it; None if it never got a plan.
    pub run: Option<PlannedRun<'a>>,
}

/// A run that had a plan.
#[derive(Clone, Debug)]
pub struct PlannedRun<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The size of each dyno type, in the order of the plan: `standard-1x (1 CPU, 512 MiB)`.
    pub sizes: &'a [String],
    /// Whether the dynos had no more than their sizes.
    pub enforcement: Enforcement,
    /// What the preflight found; None if it never got that far.
    pub found: Option<&'a TargetFound>,
    /// The evidence; None if no dyno was ever asked for.
    pub judgement: Option<&'a Judgement>,
    /// Whole distributions of the latencies that the evidence has percentiles of.
    pub curves: &'a [Curve],
    /// What was removed from the target afterwards.
    pub cleanup: Option<&'a str>,
}

/// Whether the dynos had no more than their sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// The cluster enforced them.
    Enforced,
    /// Nothing enforced them: the dynos were processes of this machine.
    NotEnforced,
}

/// The whole distribution of a latency.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The type whose dynos it covers; None if it covers all of them.
    pub dyno_type: Option<String>,
    /// Which latency.
    pub latency: Latency,
    /// How many tasks have this latency.
    pub histogram: Histogram,
    /// Its percentiles, as the tables show them.
    pub distribution: Distribution,
    /// The number of all tasks. Those that never ended count as slower than those that did.
    pub scheduled: u64,
}

/// Prints the report.
///
/// # Errors
/// Only those of `out`.
pub fn print(report: &TerminalReport<'_>, colours: Colours, out: &mut dyn Write) -> io::Result<()> {
    let TerminalReport {
        namespace: _,
        name,
        version,
        uid,
        verdict,
        message,
        run,
    } = report;
    let tone = match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Failed | Verdict::Errored => Tone::Bad,
        Verdict::Inconclusive => Tone::Doubtful,
    };
    let word = colours.paint(Some(tone), &verdict.as_str().to_uppercase());
    let seed = run
        .as_ref()
        .map(|run| format!("  seed {}", run.plan.seed))
        .unwrap_or_default();
    let run_name: String = uid.chars().take(8).collect();
    writeln!(
        out,
        "{name}   {word}   redyno {version}  run {run_name}{seed}"
    )?;
    writeln!(out, "{message}")?;
    let Some(run) = run else {
        return Ok(());
    };
    if let Some(judgement) = run.judgement.filter(|_| *verdict != Verdict::Passed) {
        let bottleneck = judgement
            .bottleneck
            .map(|bottleneck| format!(", bottleneck {}", bottleneck.as_str()))
            .unwrap_or_default();
        writeln!(out, "Reason {}{bottleneck}.", judgement.reason_word())?;
    }
    writeln!(out)?;
    asked::print(run, colours, out)?;
    let Some(judgement) = run.judgement else {
        return Ok(());
    };
    if judgement.start_microseconds.is_some() {
        writeln!(out)?;
        limits::print(judgement, colours, out)?;
        writeln!(out)?;
        tasks::print(judgement, colours, out)?;
        failures::print(judgement, colours, out)?;
        latency::print(judgement, colours, out)?;
        time_spent::print(judgement, colours, out)?;
        timeline::print(judgement, run.plan, colours, out)?;
    }
    dynos::print(run, judgement, colours, out)
}
