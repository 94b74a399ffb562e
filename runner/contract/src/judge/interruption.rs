//! What kept a run from being carried out to its end.

use super::run::{Dyno, Known, Run};
use super::sentence::told;
use crate::exit::Exit;
use crate::figures;
use crate::outcome::{Fate, RunFacts};
use crate::plan::Step;
use crate::report::{End, Ending, Report};
use crate::verdict::Reason;

/// Of several reasons the first of these is given: it explains those that come after it.
const ORDER: [Reason; 15] = [
    Reason::Cancelled,
    Reason::ChildLost,
    Reason::TargetLost,
    Reason::ForeignKeysEvicted,
    Reason::Evicted,
    Reason::DynoOutOfMemory,
    Reason::DynoLost,
    Reason::TargetRefused,
    Reason::TargetChanged,
    Reason::DuplicateDyno,
    Reason::DeadlineExceeded,
    Reason::ContainerNotStarted,
    Reason::InternalInconsistency,
    Reason::StartTimeout,
    Reason::ReportMissing,
];

/// Exit codes of a container runtime.
const EXIT_KILLED: i32 = 137;
const EXIT_NOT_STARTED: std::ops::RangeInclusive<i32> = 126..=128;

/// What kept a run from its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interruption {
    pub(super) reason: Reason,
    /// A clause without its full stop.
    pub(super) what: String,
    pub(super) during_warmup: bool,
    /// It befell this dyno because another was lost before: all are ended then.
    aftermath: bool,
}

impl Interruption {
    fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self {
            reason,
            what: what.into(),
            during_warmup: false,
            aftermath: false,
        }
    }
}

/// Why there was no common start; None if there was one.
pub(super) fn before_the_start(run: &Run<'_>) -> Option<Interruption> {
    // A dyno exits with 0 only after a start: what it would have told of it is lost.
    let may_have_started = |dyno: &Dyno<'_>| {
        dyno.report().is_some_and(|report| report.start.is_some())
            || (!dyno.complete() && *dyno.fate == Fate::Exited { code: 0 })
    };
    if run.dynos.iter().any(may_have_started) {
        return None;
    }
    let mut first = first(run).unwrap_or_else(|| {
        Interruption::new(Reason::StartTimeout, "The dynos were not all ready in time")
    });
    if first.reason == Reason::ReportMissing {
        first.reason = Reason::StartTimeout;
    }
    first.during_warmup = false;
    Some(first)
}

/// The managed Redis was taken away by the cluster while the run needed it.
pub(super) fn target_taken(run: &Run<'_>) -> Option<Interruption> {
    facts(run).and_then(|facts| {
        let detail = facts.managed_redis_taken.as_ref()?;
        Some(taken(detail))
    })
}

fn taken(detail: &str) -> Interruption {
    Interruption::new(
        Reason::TargetLost,
        format!("The managed Redis was taken away: {}", told(detail)),
    )
}

/// The target gave way: by what a dyno saw, or by what became of the managed Redis.
pub(super) fn target_lost(run: &Run<'_>) -> Option<Interruption> {
    let by_a_dyno = run
        .dynos
        .iter()
        .filter_map(|dyno| match dyno.end() {
            Some(
                end @ End {
                    ending: Ending::TargetLost { detail },
                    ..
                },
            ) => Some((dyno, end, detail)),
            _ => None,
        })
        .min_by_key(|(_, end, _)| end.after_milliseconds);
    if let Some((dyno, end, detail)) = by_a_dyno {
        return Some(Interruption {
            during_warmup: end.during_warmup,
            ..Interruption::new(
                Reason::TargetLost,
                format!(
                    "{} lost the target after {}: {}",
                    dyno.name,
                    figures::seconds(end.after_milliseconds),
                    told(detail)
                ),
            )
        });
    }
    let detail = facts(run)?.managed_redis_ended.as_ref()?;
    Some(ended(detail))
}

fn ended(detail: &str) -> Interruption {
    Interruption::new(
        Reason::TargetLost,
        format!("The managed Redis ended: {}", told(detail)),
    )
}

/// After the common start, a dyno found that the target is not the one that was prepared.
pub(super) fn target_changed(run: &Run<'_>) -> Option<Interruption> {
    if facts(run).is_some_and(|facts| facts.cancelled) {
        return None;
    }
    run.dynos
        .iter()
        .filter(|dyno| dyno.report().is_some_and(|report| report.start.is_some()))
        .filter_map(|dyno| Some((dyno, dyno.end()?)))
        .filter(|(_, end)| matches!(end.ending, Ending::TargetChanged { .. }))
        .min_by_key(|(_, end)| end.after_milliseconds)
        .and_then(|(dyno, end)| {
            let changed = by_its_word(dyno, end)?;
            Some(Interruption {
                during_warmup: end.during_warmup,
                what: format!(
                    "{}, after {}",
                    changed.what,
                    figures::seconds(end.after_milliseconds)
                ),
                ..changed
            })
        })
}

/// What ended the run before its time, or cannot be true.
pub(super) fn in_mid_run(run: &Run<'_>) -> Option<Interruption> {
    first(run).or_else(|| stopped_by_nobody(run))
}

/// Whoever is asked, every dyno told its end and none broke a limit, but one was stopped.
fn stopped_by_nobody(run: &Run<'_>) -> Option<Interruption> {
    if !run.dynos.iter().all(Dyno::complete) {
        return None;
    }
    let stopped = run.dynos.iter().find(|dyno| !dyno.completed())?;
    Some(Interruption::new(
        Reason::InternalInconsistency,
        format!("{} was stopped although no dyno had failed", stopped.name),
    ))
}

/// Facts of the run as a whole, unless it was over before them.
fn facts<'a>(run: &Run<'a>) -> Option<&'a RunFacts> {
    (!run.ran_to_its_end()).then_some(run.facts)
}

fn first(run: &Run<'_>) -> Option<Interruption> {
    let mut all: Vec<Interruption> = Vec::new();
    if let Some(facts) = facts(run) {
        let RunFacts {
            cancelled,
            child_lost,
            managed_redis_taken,
            managed_redis_ended,
            managed_redis_node: _,
            duplicate: _,
        } = facts;
        if *cancelled {
            all.push(cancellation(run));
        }
        if let Some(child) = child_lost {
            all.push(Interruption::new(
                Reason::ChildLost,
                format!("{} was gone while the run needed it", told(child)),
            ));
        }
        all.extend(managed_redis_taken.as_deref().map(taken));
        all.extend(managed_redis_ended.as_deref().map(ended));
    }
    if let Some(dyno) = &run.facts.duplicate {
        all.push(Interruption::new(
            Reason::DuplicateDyno,
            format!("Two pods ran {dyno}"),
        ));
    }
    all.extend(run.dynos.iter().filter_map(|dyno| trouble(run, dyno)));
    // The first of the least: facts of the run, then the dynos in the order of the plan.
    all.into_iter().min_by_key(|interruption| {
        let rank = ORDER
            .iter()
            .position(|reason| *reason == interruption.reason)
            .unwrap_or(ORDER.len());
        (rank, interruption.aftermath)
    })
}

fn cancellation(run: &Run<'_>) -> Interruption {
    let ended = run
        .dynos
        .iter()
        .filter(|dyno| dyno.told_to_end())
        .filter_map(|dyno| {
            dyno.report()?.start.as_ref()?;
            dyno.end()
        })
        .min_by_key(|end| end.after_milliseconds);
    match ended {
        None => Interruption::new(Reason::Cancelled, "The run was cancelled"),
        Some(end) => Interruption {
            during_warmup: end.during_warmup,
            ..Interruption::new(
                Reason::Cancelled,
                format!(
                    "The run was cancelled after {}",
                    figures::seconds(end.after_milliseconds)
                ),
            )
        },
    }
}

/// What befell one dyno.
fn trouble(run: &Run<'_>, dyno: &Dyno<'_>) -> Option<Interruption> {
    match &dyno.known {
        Known::Complete(report, end) => by_its_word(dyno, end)
            .map(|interruption| Interruption {
                during_warmup: end.during_warmup,
                ..interruption
            })
            .or_else(|| out_of_balance(run, dyno, report)),
        Known::Partial(_) | Known::Missing(_) => by_its_fate(dyno),
    }
}

fn by_its_word(dyno: &Dyno<'_>, end: &End) -> Option<Interruption> {
    let name = &dyno.name;
    let (reason, what) = match &end.ending {
        // What befell it after its whole report was written, did not befall the run; its own limits
        // are breaches; and why it was stopped is another's story.
        Ending::Completed
        | Ending::BacklogLimit { .. }
        | Ending::ErrorLimit { .. }
        | Ending::LatencyLimit { .. }
        | Ending::Stopped => return None,
        // What befell it after its whole report was written, did not befell the run.
        Ending::Terminated => {
            return by_its_fate(dyno).map(|interruption| Interruption {
                aftermath: matches!(dyno.fate, Fate::Exited { .. }),
                ..interruption
            });
        }
        Ending::TargetLost { detail } => (
            Reason::TargetLost,
            format!("{name} lost the target: {}", told(detail)),
        ),
        Ending::ForeignKeysEvicted { keys } => (
            Reason::ForeignKeysEvicted,
            format!(
                "The target began to evict keys, {keys} when {name} saw it, and not only the run's own stand in it: the run was ended to spare them"
            ),
        ),
        Ending::TargetChanged { detail } => (
            Reason::TargetChanged,
            format!(
                "The target is not the one that was prepared for this run, {name} saw: {}",
                told(detail)
            ),
        ),
        Ending::TargetRefused { detail } => (
            Reason::TargetRefused,
            format!("{name} could not get ready: {}", told(detail)),
        ),
        Ending::StartTimeout { detail } => (
            Reason::StartTimeout,
            format!(
                "{name} gave up waiting for the common start: {}",
                told(detail)
            ),
        ),
        Ending::DuplicateDyno { holder } => (
            Reason::DuplicateDyno,
            format!("{name} had been claimed by another pod, {}", told(holder)),
        ),
        Ending::Internal { detail } => (
            Reason::InternalInconsistency,
            format!("{name} came upon a mistake of its own: {}", told(detail)),
        ),
    };
    Some(Interruption::new(reason, what))
}

fn by_its_fate(dyno: &Dyno<'_>) -> Option<Interruption> {
    let name = &dyno.name;
    let terminated = dyno.complete();
    let (reason, what) = match dyno.fate {
        Fate::NeverSeen if dyno.report().is_none() => (
            Reason::ReportMissing,
            format!("No pod of {name} was ever seen, and no report of it"),
        ),
        Fate::NeverSeen => (
            Reason::DynoLost,
            format!("The pod of {name} was gone before it had ended"),
        ),
        Fate::Running => (
            Reason::DeadlineExceeded,
            format!("{name} was still running when it was given up"),
        ),
        Fate::Exited { .. } if terminated => (
            Reason::DynoLost,
            format!("{name} was told to end before its time"),
        ),
        // Only its report is missing.
        Fate::Exited { code: 0 } => return None,
        Fate::Exited { code } => {
            let code = *code;
            let reason = match Exit::of_code(code) {
                Some(Exit::TargetLost) => Reason::TargetLost,
                Some(Exit::StartTimeout) => Reason::StartTimeout,
                Some(Exit::Duplicate) => Reason::DuplicateDyno,
                Some(Exit::TargetRefused) => Reason::TargetRefused,
                Some(Exit::Terminated) => Reason::DynoLost,
                None if code == EXIT_KILLED => Reason::DynoLost,
                None if EXIT_NOT_STARTED.contains(&code) => Reason::ContainerNotStarted,
                // It says so itself, or it is a crash.
                Some(Exit::Internal | Exit::Done | Exit::BadPlan | Exit::PreflightRefused)
                | None => Reason::InternalInconsistency,
            };
            (
                reason,
                format!("{name} exited with {code} without its final report"),
            )
        }
        Fate::OutOfMemory => (
            Reason::DynoOutOfMemory,
            match dyno.plan.memory_bytes {
                Some(bytes) => format!(
                    "{name} was killed for using more than its {} of memory",
                    figures::bytes(bytes)
                ),
                None => format!("{name} was killed for using too much memory"),
            },
        ),
        Fate::Evicted { detail } => (
            Reason::Evicted,
            format!("{name} was evicted: {}", told(detail)),
        ),
        Fate::Lost { detail } => (
            Reason::DynoLost,
            format!("{name} was lost: {}", told(detail)),
        ),
        Fate::DeadlineExceeded => (
            Reason::DeadlineExceeded,
            format!("{name} was not over by its deadline"),
        ),
    };
    Some(Interruption::new(reason, what))
}

/// A final report that contradicts itself or the plan.
fn out_of_balance(run: &Run<'_>, dyno: &Dyno<'_>, report: &Report) -> Option<Interruption> {
    let books = report.books;
    let planned = run.plan.schedule(dyno.plan, dyno.name.index).count();
    let counts_agree = run
        .plan
        .latency_limits(&dyno.name.dyno_type)
        .zip(&report.over)
        .all(|((_, limit), count)| {
            count.over.saturating_add(count.unknown) <= count.total
                && (limit.step != Step::Task || count.total == books.scheduled)
        });
    let problem = if !books.balanced() {
        "its books do not balance".to_owned()
    } else if !report.warmup.balanced() {
        "its books of the warm-up do not balance".to_owned()
    } else if dyno.completed() && books.scheduled != planned {
        format!(
            "it scheduled {}, the plan has {}",
            figures::counted(books.scheduled, "task", "tasks"),
            figures::count(planned)
        )
    } else if dyno.completed() && report.start.is_none() {
        "it ran to its end without a start".to_owned()
    } else if !counts_agree {
        "its counts of a latency limit do not agree with its books".to_owned()
    } else {
        return None;
    };
    Some(Interruption::new(
        Reason::InternalInconsistency,
        format!("The report of {} contradicts itself: {problem}", dyno.name),
    ))
}
