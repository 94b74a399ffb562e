//! Final breaches: limits that were broken beyond mending while the run went on.

use super::bottleneck::{self, Evidence};
use super::merge;
use super::run::{Dyno, Run};
use super::thresholds::{self, Excess};
use crate::failure::ClassFailures;
use crate::plan::{Limit, ThresholdPlan};
use crate::report::{End, Ending};
use crate::verdict::Reason;

/// The first final breach.
pub(super) enum Breach<'b, 'a> {
    /// A dyno found it and ended by it.
    OfDyno { dyno: &'b Dyno<'a>, end: &'a End },
    /// Only the dynos' counts together show it.
    Together {
        threshold: &'a ThresholdPlan,
        excess: Excess,
    },
}

impl<'b, 'a> Breach<'b, 'a> {
    /// The first in time, by the common start; what only the counts show has no time and comes last.
    pub(super) fn first(run: &'b Run<'a>) -> Option<Self> {
        let of_dyno = run
            .dynos
            .iter()
            .filter_map(|dyno| Some((dyno, dyno.own_breach()?)))
            .min_by_key(|(_, end)| end.after_milliseconds)
            .map(|(dyno, end)| Self::OfDyno { dyno, end });
        of_dyno.or_else(|| {
            run.plan
                .thresholds
                .iter()
                .enumerate()
                .find_map(|(position, threshold)| {
                    let excess = thresholds::excess(run, position)?;
                    Some(Self::Together { threshold, excess })
                })
        })
    }

    pub(super) const fn during_warmup(&self) -> bool {
        match self {
            Self::OfDyno { end, .. } => end.during_warmup,
            Self::Together { excess, .. } => excess.during_warmup,
        }
    }

    /// The failed tasks of those whom it is about, by class.
    pub(super) fn failures(&self, run: &Run<'_>) -> Vec<ClassFailures> {
        match self {
            Self::OfDyno { dyno, .. } => merge::failures(std::iter::once(*dyno)),
            Self::Together { threshold, .. } => {
                merge::failures(run.of_type(threshold.dyno_type.as_deref()))
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
            Self::Together { threshold, .. } => of_threshold(threshold),
        }
    }

    /// What is known of the 5 s before it, or of the whole window where it has no time.
    pub(super) fn evidence(&self, run: &Run<'a>) -> Evidence {
        match self {
            Self::OfDyno { dyno, end } => Evidence {
                error_class: match &end.ending {
                    Ending::ErrorLimit { cause, .. } => Some(error_class(cause)),
                    _ => None,
                },
                ..bottleneck::before_end(run, dyno, end.after_milliseconds)
            },
            Self::Together { threshold, .. } => {
                bottleneck::over_window(run, run.of_type(threshold.dyno_type.as_deref()))
            }
        }
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
