//! Judging: from a plan and what became of every dyno to a verdict with its evidence.

mod backlogs;
mod bottleneck;
mod breach;
mod dynos;
mod fault;
mod interruption;
mod keeping_up;
mod merge;
mod next;
mod percentiles;
mod redis;
mod run;
mod sentence;
mod sums;
#[cfg(test)]
mod tests;
mod thresholds;
mod time_spent;
mod trust;
mod way;

use fault::Fault;
use interruption::Interruption;
use next::Next;
use run::{Dyno, Run};
use trust::Doubt;
pub use trust::{LEAST_DELIVERED_PERCENT, MOST_SKEW_MICROSECONDS, most_lag};

use crate::failure::ClassFailures;
use crate::judgement::{Encryption, Judgement, ThresholdResult, Totals, TypeResult};
use crate::limit::Holding;
use crate::outcome::{DynoOutcome, RunFacts};
use crate::plan::Plan;
use crate::verdict::{Bottleneck, Reason, Verdict};

/// Judges a run that has ended. `outcomes` has one entry per planned dyno, in any order; a dyno
/// without one counts as never seen.
pub fn judge(plan: &Plan, facts: &RunFacts, outcomes: &[DynoOutcome]) -> Judgement {
    let run = Run::new(plan, facts, outcomes);
    let evidence = Merged {
        formation: merge::formation(&run),
        summary: merge::summary(&run),
        thresholds: thresholds::results(&run),
    };
    let Decision {
        verdict,
        reason,
        during_warmup,
        bottleneck,
        message,
    } = decide(&run, &evidence);
    let Merged {
        formation,
        summary,
        thresholds,
    } = evidence;
    Judgement {
        verdict,
        reason,
        during_warmup,
        bottleneck,
        message,
        start_microseconds: run.start_microseconds(),
        start_skew_microseconds: run.start_skew_microseconds(),
        formation,
        summary,
        thresholds,
        backlogs: backlogs::results(&run),
        dynos: dynos::rows(&run),
        encryption: run
            .dynos
            .iter()
            .find_map(|dyno| Some(Encryption::of(dyno.report()?.tls))),
        target: run
            .sampler()
            .and_then(Dyno::report)
            .and_then(|report| report.target.clone()),
        timeline: merge::timeline(run.of_type(None)),
    }
}

/// What the dynos' numbers come to together.
struct Merged {
    formation: Vec<TypeResult>,
    summary: Totals,
    thresholds: Vec<ThresholdResult>,
}

/// What the evidence comes to.
struct Decision {
    verdict: Verdict,
    reason: Reason,
    during_warmup: bool,
    bottleneck: Option<Bottleneck>,
    message: String,
}

/// The rows of evidence in their order: the first that applies decides.
fn decide(run: &Run<'_>, evidence: &Merged) -> Decision {
    no_common_start(run)
        .or_else(|| target_taken(run))
        .or_else(|| target_lost(run))
        .or_else(|| target_changed(run))
        .or_else(|| final_breach(run))
        .or_else(|| not_carried_out(run))
        .or_else(|| not_to_be_trusted(run, evidence))
        .or_else(|| breached_at_the_end(run, evidence))
        .or_else(|| not_kept_up(run, evidence))
        .unwrap_or_else(|| passed(run, evidence))
}

/// Row 1: no load was ever made.
fn no_common_start(run: &Run<'_>) -> Option<Decision> {
    interruption::before_the_start(run).map(|interruption| errored(interruption, None))
}

/// Row 2: the cluster took the target away.
fn target_taken(run: &Run<'_>) -> Option<Decision> {
    interruption::target_taken(run)
        .map(|interruption| errored(interruption, Some(Bottleneck::Unknown)))
}

/// Row 3: the target gave way under the load.
fn target_lost(run: &Run<'_>) -> Option<Decision> {
    let interruption = interruption::target_lost(run)?;
    let evidence = bottleneck::over_window(run, run.dynos.iter());
    Some(Decision {
        verdict: Verdict::Failed,
        ..errored(interruption, Some(evidence.bottleneck_of_a_lost_target()))
    })
}

/// After row 3: the target was exchanged or emptied in mid-run. Whatever was measured since, and
/// whatever broke, was not the work that was asked for.
fn target_changed(run: &Run<'_>) -> Option<Decision> {
    let interruption = interruption::target_changed(run)?;
    Some(Decision {
        verdict: Verdict::Inconclusive,
        ..errored(interruption, Some(Bottleneck::Unknown))
    })
}

/// Rows 4 to 6: a limit was broken beyond mending, and by whom.
fn final_breach(run: &Run<'_>) -> Option<Decision> {
    let (breach, fault) = Fault::first_breach(run)?;
    let evidence = breach.evidence(run);
    let (verdict, reason, bottleneck) = match &fault {
        // Rows 4 and 6: the size is under test as the target is. Time in which the quota held a load
        // thread back is never counted as lateness of its own.
        Fault::Target => (Verdict::Failed, breach.reason(), evidence.bottleneck()),
        // Row 5: our own lateness is no fault of what is under test.
        Fault::Generator { .. } | Fault::Another { .. } | Fault::Unknown => {
            (Verdict::Inconclusive, Reason::ScheduleLag, blamed(&fault))
        }
    };
    Some(Decision {
        verdict,
        reason,
        during_warmup: breach.during_warmup(),
        bottleneck: Some(bottleneck),
        message: sentence::of(
            &sentence::breach(run, &breach, &fault, &evidence),
            sentence::advice_on_failures(&breach.failures(run), reason, bottleneck),
        ),
    })
}

/// What held a run back whose breach may be our own.
const fn blamed(fault: &Fault) -> Bottleneck {
    match fault {
        Fault::Generator { .. } | Fault::Another { .. } => Bottleneck::Generator,
        Fault::Target | Fault::Unknown => Bottleneck::Unknown,
    }
}

/// Row 7: the run did not get to its end, or its books do not balance.
fn not_carried_out(run: &Run<'_>) -> Option<Decision> {
    interruption::in_mid_run(run)
        .map(|interruption| errored(interruption, Some(Bottleneck::Unknown)))
}

fn errored(interruption: Interruption, bottleneck: Option<Bottleneck>) -> Decision {
    let advice = sentence::advice(
        interruption.reason,
        bottleneck.unwrap_or(Bottleneck::Unknown),
    );
    Decision {
        verdict: Verdict::Errored,
        reason: interruption.reason,
        during_warmup: interruption.during_warmup,
        bottleneck,
        message: sentence::of(&interruption.what, advice),
    }
}

/// Row 8: every dyno ended by itself, but the evidence does not carry a verdict.
fn not_to_be_trusted(run: &Run<'_>, evidence: &Merged) -> Option<Decision> {
    let doubt = trust::doubt(run, &evidence.thresholds)?;
    let late_by = |throttled_per_mille: u32| {
        if bottleneck::throttled(throttled_per_mille) {
            Bottleneck::DynoCpu
        } else {
            Bottleneck::Generator
        }
    };
    let (reason, bottleneck) = match &doubt {
        Doubt::ReportMissing { .. } => (Reason::ReportMissing, Bottleneck::Unknown),
        Doubt::NotDelivered {
            throttled_per_mille,
            ..
        } => (Reason::RateNotDelivered, late_by(*throttled_per_mille)),
        Doubt::Late {
            throttled_per_mille,
            ..
        } => (Reason::ScheduleLag, late_by(*throttled_per_mille)),
        Doubt::Skewed { .. } => (Reason::StartSkew, Bottleneck::Unknown),
        Doubt::OtherSize { .. } => (Reason::SizeNotEnforced, Bottleneck::Unknown),
        Doubt::Unknown { .. } => (Reason::LimitUnknown, Bottleneck::Unknown),
    };
    Some(Decision {
        verdict: Verdict::Inconclusive,
        reason,
        during_warmup: false,
        bottleneck: Some(bottleneck),
        message: sentence::of(&sentence::doubt(&doubt), reason.advice()),
    })
}

/// Row 9: a threshold that only the whole window can break; one that the target broke before one
/// that the generator did.
fn breached_at_the_end(run: &Run<'_>, evidence: &Merged) -> Option<Decision> {
    let mut breached: Vec<_> = (0..)
        .zip(run.plan.thresholds.iter().zip(&evidence.thresholds))
        .filter(|(_, (_, result))| result.holding == Holding::Breached)
        .map(|(position, (plan, result))| {
            let dynos = run.of_type(plan.dyno_type.as_deref());
            let fault = thresholds::excess_at_the_end(run, position)
                .map_or(Fault::Target, |excess| {
                    Fault::of_counts(excess.on_time, excess.allowed, dynos)
                });
            (plan, result, fault)
        })
        .collect();
    breached.sort_by_key(|(_, _, fault)| *fault != Fault::Target);
    let (plan, result, fault) = breached.into_iter().next()?;
    if fault != Fault::Target {
        let bottleneck = blamed(&fault);
        let reason = Reason::ScheduleLag;
        return Some(Decision {
            verdict: Verdict::Inconclusive,
            reason,
            during_warmup: false,
            bottleneck: Some(bottleneck),
            message: sentence::of(
                &sentence::threshold_of_ours(result, &fault),
                sentence::advice(reason, bottleneck),
            ),
        });
    }
    let found = breach::of_the_window(run, plan);
    let reason = breach::of_threshold(plan);
    let failures = sums::failures(run.of_type(plan.dyno_type.as_deref()));
    Some(failed_at_the_end(
        reason,
        found.bottleneck(),
        &sentence::threshold(result, &failures, &found),
        &failures,
    ))
}

/// Row 9: however short the run, its own schedule has to be kept up with.
fn not_kept_up(run: &Run<'_>, evidence: &Merged) -> Option<Decision> {
    let (row, behind) = evidence
        .formation
        .iter()
        .find_map(|row| Some((row, keeping_up::behind(run, &row.dyno_type)?)))?;
    let found = bottleneck::over_window(run, run.of_type(Some(&row.dyno_type)));
    Some(failed_at_the_end(
        Reason::RateNotSustained,
        found.bottleneck(),
        &sentence::not_kept_up(row, &behind, &found),
        &row.totals.failures,
    ))
}

fn failed_at_the_end(
    reason: Reason,
    bottleneck: Bottleneck,
    what: &str,
    failures: &[ClassFailures],
) -> Decision {
    Decision {
        verdict: Verdict::Failed,
        reason,
        during_warmup: false,
        bottleneck: Some(bottleneck),
        message: sentence::of(
            what,
            sentence::advice_on_failures(failures, reason, bottleneck),
        ),
    }
}

/// Row 10: every dyno ran to its end and told so, every limit held, the numbers can be trusted.
fn passed(run: &Run<'_>, evidence: &Merged) -> Decision {
    let next = Next::of(run);
    Decision {
        verdict: Verdict::Passed,
        reason: Reason::Passed,
        during_warmup: false,
        bottleneck: Some(next.bottleneck()),
        message: sentence::passed(run, &evidence.summary, &evidence.thresholds, &next),
    }
}
