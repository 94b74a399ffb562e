//! What must be true of every run, whatever goes wrong in it.
//!
//! 1. Passed only if no stated limit was clearly broken, and every dyno's own final report was there.
//! 2. Failed only if the same world with the generator on time breaks a limit, too, or the target
//!    was lost.
//! 4. Books exact to the task; counts of limits the oracle's; percentiles within their precision,
//!    and never decreasing.
//! 5. It ends: every dyno reports within the stages' own limits after the last fault. A mistake of
//!    ours is told only of threads that were silent for longer than they may.
//! 7. The same choices give the same bytes.
//!
//! Law 3 (what a bottleneck is called) is in [`super::causes`]. That a task did the work that was
//! asked belongs to the layer on the wire: here there are no keys.

use redyno_contract::Reason;
use redyno_contract::judgement::{Judgement, Quantile};
use redyno_contract::plan::Percentile;
use redyno_contract::report::{Books, Ending};
use redyno_contract::verdict::Verdict;
use redyno_engine::{FailureClass, Moment, Phase};

use super::fault::{Fault, Kind};
use super::oracle::{self, Slack};
use super::records::Fate;
use super::sim::{self, Run};
use super::time::SECOND;
use super::world::{Changed, World};
use crate::report::Broken;

/// A thread that stands still for so long may be given up.
const GIVEN_UP: u64 = 14 * SECOND;

/// After a breach unfinished tasks go on for at most so long.
const SHORT_DRAIN_SECONDS: u32 = 5;

pub(super) fn broken(law: u8, kind: &'static str, detail: String) -> Broken {
    Broken { law, kind, detail }
}

/// Law 1.
pub(super) fn passed_only_if_it_held(
    world: &World,
    run: &Run,
    judgement: &Judgement,
) -> Option<Broken> {
    if judgement.verdict != Verdict::Passed {
        return None;
    }
    if let Some(Fault { kind, .. }) = world
        .faults
        .iter()
        .find(|fault| matches!(fault.kind, Kind::Forged(_)))
    {
        return Some(broken(
            1,
            "passed on another's word",
            format!("{} of a dyno that has none of its own", kind.name()),
        ));
    }
    let found = oracle::broken(world, run, Slack::Clearly, true);
    let rejected = run
        .dynos
        .iter()
        .flat_map(|dyno| &dyno.records.tasks)
        .any(|task| task.fate == Fate::Rejected);
    if rejected {
        return Some(broken(
            1,
            "passed over a backlog",
            "a task was rejected".to_owned(),
        ));
    }
    // How many had begun by the end is a rule of the judge about load that could not be made, and
    // nobody stated it.
    let stated: Vec<&String> = found.iter().filter(|name| *name != "keeping up").collect();
    (!stated.is_empty()).then(|| {
        broken(
            1,
            "passed over a broken limit",
            format!("{stated:?} did not hold"),
        )
    })
}

/// Law 2, with the world in which the generator is on time.
pub(super) fn failed_only_by_the_target(
    world: &World,
    run: &Run,
    judgement: &Judgement,
    on_time: &OnTime,
) -> Option<Broken> {
    if judgement.verdict != Verdict::Failed {
        return None;
    }
    if judgement.reason == Reason::TargetLost {
        let lost = world.faults.iter().any(|fault| {
            matches!(
                fault.kind,
                Kind::RedisGone | Kind::RedisRestart | Kind::RedisHangs | Kind::RedisStall
            )
        });
        return (!lost)
            .then(|| broken(2, "lost a target that was there", judgement.message.clone()));
    }
    // No lateness brings about what the target refused: which tasks met a restart of 100 us is chance.
    let refused = judgement.reason == Reason::ErrorLimitReached
        && !run
            .dynos
            .iter()
            .flat_map(|dyno| &dyno.records.tasks)
            .any(|task| task.fate == Fate::Failed(FailureClass::Timeout));
    if refused {
        let found = oracle::broken(world, run, Slack::Exactly, false);
        return found.is_empty().then(|| {
            broken(
                2,
                "failed by errors that were few",
                judgement.message.clone(),
            )
        });
    }
    let nearly = oracle::broken(&on_time.world, &on_time.run, Slack::Nearly, true);
    nearly.is_empty().then(|| {
        broken(
            2,
            "failed by its own lateness",
            format!(
                "{:?}, and with the generator on time nothing would be broken: {}",
                judgement.reason, judgement.message
            ),
        )
    })
}

/// The same world with the generator on time, ended as this run was.
pub(super) struct OnTime {
    pub(super) world: World,
    pub(super) run: Run,
}

impl OnTime {
    pub(super) fn of(world: &World, run: &Run) -> Self {
        let world = world.with(Changed {
            generator_on_time: true,
            without: None,
            ends: Some(ends(world, run)),
        });
        let run = sim::run(&world);
        Self { world, run }
    }
}

/// When each dyno's run ended, where it was not at the end of its window. What waited in the drain
/// after a rejected task counts, and what would have come to it: so until its end.
pub(super) fn ends(world: &World, run: &Run) -> Vec<Option<(Ending, Moment)>> {
    let drain = SECOND * u64::from(world.plan.drain_seconds.min(SHORT_DRAIN_SECONDS));
    run.dynos
        .iter()
        .map(|dyno| {
            let (_, report) = dyno.report.as_ref()?;
            let end = report.end.as_ref()?;
            let ended = dyno.records.end?;
            let until = match end.ending {
                Ending::BacklogLimit { .. } => ended.plus(drain),
                _ => ended,
            };
            (end.ending != Ending::Completed && until < world.window_end())
                .then_some((Ending::Stopped, until))
        })
        .collect()
}

/// Law 4: what each dyno counted.
pub(super) fn counts_are_exact(world: &World, run: &Run) -> Option<Broken> {
    run.dynos.iter().enumerate().find_map(|(place, dyno)| {
        let (_, report) = dyno.report.as_ref()?;
        // Of a run that was broken off nobody closed the books.
        dyno.records.end?;
        let name = &world.dynos[place].name;
        for (phase, found) in [
            (Phase::Warmup, report.warmup),
            (Phase::Measured, report.books),
        ] {
            let expected = Books {
                in_time: found.in_time,
                ..oracle::books(&dyno.records, phase)
            };
            if expected != found {
                return Some(broken(
                    4,
                    "books",
                    format!("{name}, {phase:?}: {found:?}, in truth {expected:?}"),
                ));
            }
        }
        let limits = world.plan.latency_limits(&name.dyno_type);
        limits.zip(&report.over).find_map(|((_, limit), found)| {
            let expected = oracle::count(world, place, &dyno.records, limit);
            let same = (found.over, found.unknown, found.total)
                == (expected.over, expected.unknown, expected.total);
            (!same).then(|| {
                broken(
                    4,
                    "count of a limit",
                    format!("{name}, {limit:?}: {found:?}, in truth {expected:?}"),
                )
            })
        })
    })
}

/// Law 4: a dyno that ended by a limit of its own had by then counted more than the whole plan
/// allows, to the task.
pub(super) fn ended_by_what_was_broken(world: &World, run: &Run) -> Option<Broken> {
    run.dynos.iter().enumerate().find_map(|(place, dyno)| {
        let (_, report) = dyno.report.as_ref()?;
        // What all threads together break is only seen when they are looked at, which may be after
        // the window: the end is then put at the window's.
        let end = match dyno.records.end? {
            end if end < world.window_end() => end,
            _ => Moment::from_nanoseconds(u64::MAX),
        };
        let ending = &report.end.as_ref()?.ending;
        let (over, allowed) = match ending {
            Ending::LatencyLimit { threshold } | Ending::ErrorLimit { threshold, .. } => {
                oracle::counted_by(world, place, &dyno.records, threshold, end)?
            }
            Ending::BacklogLimit { .. } => (
                dyno.records
                    .tasks
                    .iter()
                    .filter_map(|task| Some(task.handed_over?.1 as u64))
                    .max()?
                    + 1,
                u64::from(world.type_of(place).max_worker_backlog),
            ),
            _ => return None,
        };
        (over <= allowed).then(|| {
            broken(
                4,
                "ended by a limit that held",
                format!(
                    "{} ended with {ending:?}, by {over} where {allowed} are allowed",
                    world.dynos[place].name
                ),
            )
        })
    })
}

/// Law 4: what is shown of the response times.
pub(super) fn percentiles_are_true(
    world: &World,
    run: &Run,
    judgement: &Judgement,
) -> Option<Broken> {
    // What is found of a dyno that was killed, or forged, is not what it counted.
    let found_as_told = !world
        .faults
        .iter()
        .any(|fault| matches!(fault.kind, Kind::Forged(_) | Kind::Killed));
    judgement.formation.iter().find_map(|of_type| {
        let shown = of_type.totals.response?;
        let of_this_type = || {
            run.dynos
                .iter()
                .zip(&world.dynos)
                .filter(|(_, spec)| spec.name.dyno_type == of_type.dyno_type)
                .map(|(dyno, _)| dyno)
        };
        if of_this_type().any(|dyno| dyno.report.is_none() || dyno.records.end.is_none()) {
            return None;
        }
        let times = |unfinished: fn(u64) -> u64| {
            let mut times: Vec<u64> = of_this_type()
                .flat_map(|dyno| response_times(dyno, unfinished))
                .collect();
            times.sort_unstable();
            times
        };
        // Of what never ended nobody knows more than that it would have been older.
        let (least, most) = (times(|age| age), times(|_| u64::MAX / 2));
        let quantiles = [
            (Percentile::P50, shown.p50),
            (Percentile::P90, shown.p90),
            (Percentile::P99, shown.p99),
            (Percentile::P999, shown.p999),
        ];
        let decreases = quantiles
            .windows(2)
            .find(|pair| pair[0].1.microseconds() > pair[1].1.microseconds());
        if let Some([lower, higher]) = decreases {
            return Some(broken(
                4,
                "percentiles decrease",
                format!("{lower:?} and then {higher:?}"),
            ));
        }
        if !found_as_told {
            return None;
        }
        quantiles.into_iter().find_map(|(percentile, quantile)| {
            let rank =
                (u128::from(percentile.thousandths()) * least.len() as u128).div_ceil(100_000);
            let place = usize::try_from(rank).ok()?.checked_sub(1)?;
            let (least, most) = (*least.get(place)?, *most.get(place)?);
            let too_high = |value: u64| value > most.saturating_add(precision(most, shown.digits));
            let wrong = match quantile {
                Quantile::At(value) => {
                    too_high(value) || value + precision(least, shown.digits) < least
                }
                Quantile::AtLeast(value) => too_high(value),
                Quantile::Maximum(_) => false,
            };
            wrong.then(|| {
                broken(
                    4,
                    "a percentile",
                    format!("{percentile} is {quantile:?}, in truth from {least} to {most}"),
                )
            })
        })
    })
}

/// The response times of a dyno's scheduled tasks; `unfinished` says what to take for the age of one
/// that has not ended.
fn response_times(dyno: &sim::DynoRun, unfinished: fn(u64) -> u64) -> Vec<u64> {
    let end = dyno.records.end.unwrap_or_default();
    dyno.records
        .of_phase(Phase::Measured)
        .filter(|task| task.due <= end || task.handed_over.is_some())
        .map(|task| match (task.fate, task.ended) {
            (Fate::Completed, Some(ended)) => ended.microseconds_since(task.due),
            (Fate::Failed(_), _) => u64::MAX / 2,
            _ => {
                let closed = dyno.records.closed(task).unwrap_or_default();
                unfinished(closed.microseconds_since(task.due))
            }
        })
        .collect()
}

/// How far a number that is shown with so many digits may lie from the truth: the histogram's own
/// precision, and half a unit of the last digit that is shown.
fn precision(truth: u64, digits: u8) -> u64 {
    let unit = 10_u64.pow(u32::from(digits.saturating_sub(1)));
    truth / unit / 10 + truth / unit / 2 + 1
}

/// Law 5.
pub(super) fn it_ends(world: &World, run: &Run, judgement: &Judgement) -> Option<Broken> {
    if let Some(waiting) = &run.stuck {
        return Some(broken(5, "it does not end", waiting.clone()));
    }
    let long = world.longest_silence() > GIVEN_UP
        || world
            .faults
            .iter()
            .any(|fault| fault.kind.is_the_generators() && fault.lasts > GIVEN_UP);
    (judgement.reason == Reason::InternalInconsistency && !long)
        .then(|| broken(5, "a mistake of ours", judgement.message.clone()))
}

/// How often what should be told is: of runs whose twin clearly breaks a limit, those that failed.
pub(super) fn power(
    world: &World,
    judgement: &Judgement,
    on_time: &OnTime,
) -> Vec<(&'static str, bool)> {
    if !matches!(judgement.verdict, Verdict::Failed | Verdict::Inconclusive) {
        return Vec::new();
    }
    let clearly = oracle::broken(&on_time.world, &on_time.run, Slack::Clearly, false);
    let forged = world.faults.iter().any(|fault| {
        matches!(
            fault.kind,
            Kind::Forged(_) | Kind::Killed | Kind::Terminated
        )
    });
    if clearly.is_empty() || forged {
        return Vec::new();
    }
    let longest = world
        .faults
        .iter()
        .filter(|fault| fault.kind.is_the_generators())
        .map(|fault| fault.lasts)
        .max();
    let what = match longest {
        None => "Failed where a limit is clearly broken and the generator is on time",
        Some(lasts) if lasts < 5_000_000 => {
            "Failed where a limit is clearly broken and the generator is late by less than 5 ms"
        }
        Some(_) => "Failed where a limit is clearly broken and the generator is late by more",
    };
    vec![(what, judgement.verdict == Verdict::Failed)]
}

/// Law 7.
pub(super) fn same_again(world: &World, run: &Run) -> Option<Broken> {
    let again = sim::run(world);
    run.dynos.iter().zip(&again.dynos).find_map(|(one, other)| {
        let bytes = |of: &sim::DynoRun| {
            of.report
                .as_ref()
                .map(|(at, report)| (*at, serde_json::to_string(report).unwrap_or_default()))
        };
        let (one, other) = (bytes(one), bytes(other));
        (one != other).then(|| {
            broken(
                7,
                "other bytes",
                format!("{one:?} the first time, {other:?} the second"),
            )
        })
    })
}
