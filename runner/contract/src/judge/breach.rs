//! Final breaches: limits that were broken beyond mending while the run went on.

use super::bottleneck::{self, Evidence};
use super::run::{Dyno, Run};
use super::sums;
use super::thresholds::{self, Excess};
use crate::failure::ClassFailures;
use crate::plan::{Limit, ThresholdPlan};
use crate::report::{End, Ending};
use crate::verdict::Reason;

/// The first final breach.
pub(super) enum Breach<'b, 'a> {
    /// A dyno found it and ended by it.
    OfDyno { dyno: &'b Dyno<'a>, end: &'a End },
    /// A dyno says that it came to its end, but it rejected tasks.
    Rejected {
        dyno: &'b Dyno<'a>,
        end: &'a End,
        tasks: u64,
    },
    /// Only the dynos' counts together show it.
    Together {
        threshold: &'a ThresholdPlan,
        excess: Excess,
    },
}

impl<'b, 'a> Breach<'b, 'a> {
    /// Every final breach, in time by the common start; what only the counts show has no time and
    /// comes last.
    pub(super) fn all(run: &'b Run<'a>) -> Vec<Self> {
        let mut of_dynos: Vec<Self> = run.dynos.iter().filter_map(Self::of).collect();
        of_dynos.sort_by_key(Self::after_milliseconds);
        let thresholds = run.plan.thresholds.iter().enumerate();
        let together = thresholds.filter_map(|(position, threshold)| {
            let excess = thresholds::excess(run, position)?;
            Some(Self::Together { threshold, excess })
        });
        of_dynos.extend(together);
        of_dynos
    }

    /// What this dyno found, or should have.
    fn of(dyno: &'b Dyno<'a>) -> Option<Self> {
        if let Some(end) = dyno.own_breach() {
            return Some(Self::OfDyno { dyno, end });
        }
        let end = dyno.end().filter(|_| dyno.completed())?;
        // A report that contradicts itself is no evidence of it.
        let report = dyno.report()?;
        let is_evidence = report.books.balanced() && report.warmup.balanced();
        let tasks = report.books.rejected.saturating_add(report.warmup.rejected);
        (is_evidence && tasks > 0).then_some(Self::Rejected { dyno, end, tasks })
    }

    const fn after_milliseconds(&self) -> u64 {
        match self {
            Self::OfDyno { end, .. } | Self::Rejected { end, .. } => end.after_milliseconds,
            Self::Together { .. } => u64::MAX,
        }
    }

    pub(super) const fn during_warmup(&self) -> bool {
        match self {
            Self::OfDyno { end, .. } | Self::Rejected { end, .. } => end.during_warmup,
            Self::Together { excess, .. } => excess.during_warmup,
        }
    }

    /// The failed tasks of those whom it is about, by class.
    pub(super) fn failures(&self, run: &Run<'_>) -> Vec<ClassFailures> {
        match self {
            Self::OfDyno { dyno, .. } | Self::Rejected { dyno, .. } => {
                sums::failures(std::iter::once(*dyno))
            }
            Self::Together { threshold, .. } => {
                sums::failures(run.of_type(threshold.dyno_type.as_deref()))
            }
        }
    }

    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::OfDyno { end, .. } => match end.ending {
                Ending::BacklogLimit { .. } => Reason::BacklogLimitReached,
                Ending::ErrorLimit { .. } => Reason::ErrorLimitReached,
                _ => Reason::ThresholdsBreached,
            },
            Self::Rejected { .. } => Reason::BacklogLimitReached,
            Self::Together { threshold, .. } => of_threshold(threshold),
        }
    }

    /// What is known of the 5 s before it, or of the whole window where it has no time. Whether the
    /// dyno was late is no part of it: that is counted ([`Fault`]).
    pub(super) fn evidence(&self, run: &Run<'a>) -> Evidence {
        Evidence {
            late: None,
            ..self.at_that_time(run)
        }
    }

    fn at_that_time(&self, run: &Run<'a>) -> Evidence {
        match self {
            Self::OfDyno { dyno, end } => Evidence {
                error_class: match &end.ending {
                    Ending::ErrorLimit { cause, .. } => Some(error_class(cause)),
                    _ => None,
                },
                ..bottleneck::before_end(run, dyno, end.after_milliseconds)
            },
            Self::Rejected { dyno, end, .. } => {
                bottleneck::before_end(run, dyno, end.after_milliseconds)
            }
            Self::Together { threshold, .. } => of_the_window(run, threshold),
        }
    }
}

/// The evidence of the whole window on a threshold that was broken over it.
pub(super) fn of_the_window(run: &Run<'_>, threshold: &ThresholdPlan) -> Evidence {
    let dynos = || run.of_type(threshold.dyno_type.as_deref());
    let error_class = match threshold.limit {
        Limit::Errors { .. } => sums::failures(dynos())
            .first()
            .map(|row| error_class(row.class.as_str())),
        Limit::Latency(_) | Limit::Rate { .. } => None,
    };
    Evidence {
        error_class,
        ..bottleneck::over_window(run, dynos())
    }
}

/// `oom` of `oom 17`.
fn error_class(cause: &str) -> String {
    cause
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The reason that a broken threshold gives.
pub(super) const fn of_threshold(threshold: &ThresholdPlan) -> Reason {
    match threshold.limit {
        Limit::Errors { .. } => Reason::ErrorLimitReached,
        Limit::Latency(_) | Limit::Rate { .. } => Reason::ThresholdsBreached,
    }
}
