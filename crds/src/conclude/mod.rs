//! The end of a run: from a judgement, or from the reason why there is none, to the status.

mod evidence;
mod settle;

pub use evidence::status_text;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::{Judgement, Reason, Verdict, text};

use crate::conditions::{self, FINISHED, MESSAGE_LENGTH};
use crate::resolve::Resolved;
use crate::status::LoadTestStatus;

use self::settle::{Ending, settle};

/// What the preflight and the finish said of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetNotes {
    /// What the preflight saw, in a sentence.
    pub preflight: Option<String>,
    /// What was removed from it after the run, or why that failed.
    pub cleanup: Option<String>,
}

/// Writes a judgement into the status and ends the run. A finished status is left as it is.
pub fn conclude_judged(
    status: &mut LoadTestStatus,
    judgement: &Judgement,
    resolved: &Resolved,
    notes: &TargetNotes,
    generation: Option<i64>,
    now: &Time,
    stalled_on_failure: bool,
) {
    if conditions::is_true(&status.conditions, FINISHED) {
        return;
    }
    let Judgement {
        verdict,
        reason,
        during_warmup,
        bottleneck,
        message,
        start_microseconds,
        start_skew_microseconds,
        formation,
        summary,
        thresholds,
        dynos,
        encryption,
        target,
        // The report's readers show it; the status stays small.
        timeline: _,
    } = judgement;
    let message = match resolved.scale_note() {
        Some(note) => sentences(message, &note),
        None => message.clone(),
    };
    status.bottleneck = bottleneck.map(|bottleneck| bottleneck.as_str().to_owned());
    if let Some(start) = start_microseconds {
        status.start_time = begin(*start, resolved.plan.warmup_seconds).map(Time);
        let all = resolved.plan.dynos().count();
        status
            .dynos_ready
            .get_or_insert_with(|| format!("{all}/{all}"));
    }
    status.formation = formation.iter().map(evidence::type_status).collect();
    status.summary = Some(evidence::summary(
        summary,
        *start_skew_microseconds,
        &resolved.plan.target.title,
    ));
    status.thresholds = thresholds.iter().map(evidence::threshold).collect();
    status.dynos = dynos.iter().map(evidence::dyno).collect();
    if let Some(encryption) = encryption {
        status.target.get_or_insert_default().encryption = Some(encryption.as_str().to_owned());
    }
    if let Some(vitals) = target {
        evidence::target(status.target.get_or_insert_default(), vitals);
    }
    write_notes(status, notes);
    let suffix = if *during_warmup { "DuringWarmup" } else { "" };
    let ending = Ending {
        verdict: *verdict,
        reason: format!("{}{suffix}", reason.as_str()),
        message,
        started: start_microseconds.is_some(),
        invalid: *reason == Reason::InvalidSpec,
        stalled_on_failure,
    };
    finish(status, ending, generation, now);
}

/// Ends a run that never got as far as a judgement: verdict Errored. What to try is appended to the
/// message. The condition that names the specific cause (PreflightPassed, DynosReady) is set by the
/// caller before. A finished status is left as it is.
pub fn conclude_errored(
    status: &mut LoadTestStatus,
    reason: Reason,
    message: &str,
    notes: &TargetNotes,
    generation: Option<i64>,
    now: &Time,
    stalled_on_failure: bool,
) {
    if conditions::is_true(&status.conditions, FINISHED) {
        return;
    }
    write_notes(status, notes);
    let advice = reason.advice();
    let message = if message.contains(advice) {
        message.to_owned()
    } else {
        sentences(message, advice)
    };
    let ending = Ending {
        verdict: Verdict::Errored,
        reason: reason.as_str().to_owned(),
        message,
        started: conditions::is_true(&status.conditions, conditions::STARTED),
        invalid: reason == Reason::InvalidSpec,
        stalled_on_failure,
    };
    finish(status, ending, generation, now);
}

fn finish(status: &mut LoadTestStatus, ending: Ending, generation: Option<i64>, now: &Time) {
    let ending = Ending {
        message: text::shortened(&ending.message, MESSAGE_LENGTH),
        ..ending
    };
    settle(&mut status.conditions, &ending, generation, now);
    status.observed_generation = generation;
    status.state = Some(conditions::state(&status.conditions).to_owned());
    status.verdict = Some(ending.verdict.as_str().to_owned());
    status.completion_time = Some(now.clone());
    status.message = Some(ending.message);
}

fn write_notes(status: &mut LoadTestStatus, notes: &TargetNotes) {
    let TargetNotes { preflight, cleanup } = notes;
    if preflight.is_none() && cleanup.is_none() {
        return;
    }
    let target = status.target.get_or_insert_default();
    for (note, field) in [
        (preflight, &mut target.preflight),
        (cleanup, &mut target.cleanup),
    ] {
        if let Some(note) = note {
            *field = Some(status_text(note));
        }
    }
}

/// t0 by the clock of Redis.
fn begin(start_microseconds: u64, warmup_seconds: u32) -> Option<Timestamp> {
    let begin = start_microseconds.checked_add(u64::from(warmup_seconds) * 1_000_000)?;
    Timestamp::from_microsecond(i64::try_from(begin).ok()?).ok()
}

/// One sentence after another.
fn sentences(first: &str, second: &str) -> String {
    let first = first.trim_end();
    if first.is_empty() || second.is_empty() {
        return format!("{first}{second}");
    }
    let stop = if first.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{first}{stop} {second}")
}

#[cfg(test)]
mod tests;
