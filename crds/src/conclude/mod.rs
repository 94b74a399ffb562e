//! The end of a run: from a judgement, or from the reason why there is none, to the status.

mod evidence;
mod preflight;
mod settle;

pub use preflight::{conclude_preflight, conclude_refused};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::judgement::DynoResult;
use redyno_contract::{Judgement, Plan, Reason, Verdict, text};

use crate::conditions::{
    self, ConditionStatus, FINISHED, MESSAGE_LENGTH, TARGET_CLEANED, reasons, set_condition,
};
use crate::status::LoadTestStatus;

use self::evidence::status_text;
use self::settle::{Ending, settle};

/// What the verdict's message says beside the judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What became of what the run left on the target; None if it left nothing that outlives it.
    pub cleanup: Option<Cleanup>,
    /// What the message has to say of scaled sizes ([`Resolved::scale_note`]).
    ///
    /// [`Resolved::scale_note`]: crate::Resolved::scale_note
    pub scale: Option<String>,
}

/// What became of what a run left on its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Everything is gone. The sentence says what was removed.
    Done(String),
    /// Some of it may still be there. The sentence says why.
    Failed(String),
}

impl Cleanup {
    /// The sentence of either.
    pub fn text(&self) -> &str {
        match self {
            Self::Done(text) | Self::Failed(text) => text,
        }
    }
}

/// Writes a judgement into the status and ends the run. A finished status is left as it is.
pub fn conclude_judged(
    status: &mut LoadTestStatus,
    judgement: &Judgement,
    plan: &Plan,
    notes: &Notes,
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
        // Workers and their backlogs stand in the dynos' rows.
        backlogs: _,
        dynos,
        encryption,
        target,
        // Only reports show this field, so that the status stays small.
        timeline: _,
    } = judgement;
    let redis_node = status
        .target
        .as_ref()
        .and_then(|target| target.node_name.as_deref());
    let message = [notes.scale.clone(), shared_node(dynos, redis_node)]
        .iter()
        .flatten()
        .fold(message.clone(), |message, note| sentences(&message, note));
    status.bottleneck = bottleneck.map(|bottleneck| bottleneck.as_str().to_owned());
    if let Some(start) = start_microseconds {
        status.start_time = begin(*start, plan.warmup_seconds).map(Time);
        let all = plan.dynos().count();
        status
            .dynos_ready
            .get_or_insert_with(|| format!("{all}/{all}"));
    }
    status.formation = formation.iter().map(evidence::type_status).collect();
    status.summary = Some(evidence::summary(
        summary,
        *start_skew_microseconds,
        &plan.target.title,
    ));
    status.thresholds = thresholds.iter().map(evidence::threshold).collect();
    status.dynos = dynos.iter().map(evidence::dyno).collect();
    if let Some(encryption) = encryption {
        status.target.get_or_insert_default().encryption = Some(encryption.as_str().to_owned());
    }
    if let Some(vitals) = target {
        evidence::target(status.target.get_or_insert_default(), vitals);
    }
    write_notes(status, notes, generation, now);
    let ending = Ending {
        verdict: *verdict,
        reason: reason.word(*during_warmup),
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
    notes: &Notes,
    generation: Option<i64>,
    now: &Time,
    stalled_on_failure: bool,
) {
    if conditions::is_true(&status.conditions, FINISHED) {
        return;
    }
    write_notes(status, notes, generation, now);
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

/// The sentence for dynos that ran on the node of the managed Redis, which do not measure what they
/// would from another node.
fn shared_node(dynos: &[DynoResult], redis_node: Option<&str>) -> Option<String> {
    let redis_node = redis_node?;
    let mut shared = dynos
        .iter()
        .filter(|dyno| dyno.node_name.as_deref() == Some(redis_node));
    let first = &shared.next()?.dyno;
    let who = match shared.count() {
        0 => first.to_string(),
        others => format!("{first} and {others} more"),
    };
    let node = status_text(redis_node);
    Some(format!(
        "{who} ran on {node} beside the managed Redis, with no network between them."
    ))
}

fn write_notes(status: &mut LoadTestStatus, notes: &Notes, generation: Option<i64>, now: &Time) {
    let Notes { cleanup, scale: _ } = notes;
    if let Some(cleanup) = cleanup {
        let (holds, reason) = match cleanup {
            Cleanup::Done(_) => (ConditionStatus::True, reasons::CLEANED),
            Cleanup::Failed(_) => (ConditionStatus::False, reasons::CLEANUP_FAILED),
        };
        set_condition(
            &mut status.conditions,
            TARGET_CLEANED,
            holds,
            reason,
            cleanup.text(),
            generation,
            now,
        );
        let target = status.target.get_or_insert_default();
        target.cleanup = Some(status_text(cleanup.text()));
    }
}

/// t0 by the clock of Redis.
fn begin(start_microseconds: u64, warmup_seconds: u32) -> Option<Timestamp> {
    let begin = start_microseconds.checked_add(u64::from(warmup_seconds) * 1_000_000)?;
    Timestamp::from_microsecond(i64::try_from(begin).ok()?).ok()
}

/// Appends a sentence to a text.
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
