//! Whose fault a breach is: what the dynos counted of the same run with their load threads on time.

use super::breach::Breach;
use super::run::{Dyno, Run};
use super::trust;
use crate::plan::DynoName;
use crate::report::{Ending, OwnDelay};

/// Another dyno's delay so long before a breach may have brought it about: its tasks come in a
/// burst then.
const BURST_MILLISECONDS: u64 = 2_000;

/// Whose fault a breach is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It would have come with all load threads on time.
    Target,
    /// With the load threads on time there would have been only so many.
    Generator {
        /// So many tasks over the limit, failed, or waiting.
        on_time: u64,
        /// The longest own delay of those whom the breach is about.
        longest: Option<OwnDelay>,
    },
    /// Another dyno was late so shortly before that its burst may have brought it about.
    Another {
        /// Which.
        dyno: DynoName,
        /// Its delay.
        delay: OwnDelay,
    },
    /// Nobody counted what would have been.
    Unknown,
}

impl Fault {
    /// Of what is broken by more than `allowed`, with so many of them on time.
    pub(super) fn of_counts<'b, 'a: 'b>(
        on_time: Option<u64>,
        allowed: u64,
        dynos: impl Iterator<Item = &'b Dyno<'a>>,
    ) -> Self {
        match on_time {
            None => Self::Unknown,
            Some(on_time) if on_time > allowed => Self::Target,
            Some(on_time) => Self::Generator {
                on_time,
                longest: longest(dynos),
            },
        }
    }

    /// The first final breach that is the target's fault, or else the first of all, with whose fault
    /// it is.
    pub(super) fn first_breach<'b, 'a>(run: &'b Run<'a>) -> Option<(Breach<'b, 'a>, Self)> {
        let mut first = None;
        for breach in Breach::all(run) {
            let fault = Self::of(run, &breach);
            if fault == Self::Target {
                return Some((breach, fault));
            }
            first = first.or(Some((breach, fault)));
        }
        first
    }

    /// Of a final breach.
    fn of(run: &Run<'_>, breach: &Breach<'_, '_>) -> Self {
        match breach {
            Breach::Together { threshold, excess } => Self::of_counts(
                excess.on_time,
                excess.allowed,
                run.of_type(threshold.dyno_type.as_deref()),
            ),
            Breach::Rejected { .. } => Self::Target,
            Breach::OfDyno { dyno, end } => {
                let counted = dyno
                    .report()
                    .is_some_and(|report| report.lateness.is_some());
                let own = match end.ending {
                    Ending::BacklogLimit {
                        backlog, on_time, ..
                    } => Self::of_counts(
                        on_time.map(u64::from),
                        u64::from(backlog).saturating_sub(1),
                        std::iter::once(*dyno),
                    ),
                    // A dyno that counts ends by what was on time.
                    _ if counted => Self::Target,
                    // However late a task is, no target refuses it for that.
                    Ending::ErrorLimit { ref cause, .. } if !cause.starts_with("timeout") => {
                        Self::Target
                    }
                    _ => Self::Unknown,
                };
                if own == Self::Target && !is_refused(&end.ending) {
                    another(run, dyno, end.after_milliseconds).unwrap_or(own)
                } else {
                    own
                }
            }
        }
    }
}

/// Errors that no lateness brings about.
fn is_refused(ending: &Ending) -> bool {
    matches!(ending, Ending::ErrorLimit { cause, .. } if !cause.starts_with("timeout"))
}

fn longest<'b, 'a: 'b>(dynos: impl Iterator<Item = &'b Dyno<'a>>) -> Option<OwnDelay> {
    dynos
        .filter_map(|dyno| dyno.report()?.lateness.as_ref()?.longest.first().copied())
        .max_by_key(|delay| delay.microseconds)
}

/// The first delay of another dyno that was long enough to move what this one saw, shortly before
/// it broke a limit.
fn another(run: &Run<'_>, dyno: &Dyno<'_>, breach_milliseconds: u64) -> Option<Fault> {
    let last = dyno.report()?.last;
    let most = trust::most_lag(Some(last.response_p99_microseconds));
    let since = breach_milliseconds.saturating_sub(BURST_MILLISECONDS);
    run.dynos
        .iter()
        .filter(|other| other.name != dyno.name)
        .filter_map(|other| Some((other, other.report()?.lateness.as_ref()?)))
        .find_map(|(other, lateness)| {
            let delay = lateness.longest.iter().find(|delay| {
                let end = delay
                    .at_milliseconds
                    .saturating_add(delay.microseconds / 1000);
                delay.microseconds > most
                    && delay.at_milliseconds <= breach_milliseconds
                    && end >= since
            })?;
            Some(Fault::Another {
                dyno: other.name.clone(),
                delay: *delay,
            })
        })
}
