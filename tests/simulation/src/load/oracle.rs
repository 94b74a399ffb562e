//! The truth about a run, counted from the oracle's own records.

use redyno_contract::limit::{LimitCount, allowed_errors, allowed_over};
use redyno_contract::plan::{Latency, LatencyLimit, Limit, Step, ThresholdPlan};
use redyno_contract::report::Books;
use redyno_engine::{Moment, Phase};

use super::records::{Fate, Records, TaskRecord};
use super::sim::Run;
use super::world::World;

/// How far from a limit something has to be to count. A breach binds a law only if it stands by
/// more than a task and a millisecond: what is nearer than that, a clock's reading decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slack {
    /// The limit is broken even if it were a millisecond and a task more.
    Clearly,
    /// Just as it is.
    Exactly,
    /// The limit is broken, or would be if it were a millisecond and a task less.
    Nearly,
}

const MILLISECOND_IN_MICROSECONDS: u64 = 1_000;

impl Slack {
    const fn limit(self, microseconds: u64) -> u64 {
        match self {
            Self::Clearly => microseconds + MILLISECOND_IN_MICROSECONDS,
            Self::Exactly => microseconds,
            Self::Nearly => microseconds.saturating_sub(MILLISECOND_IN_MICROSECONDS),
        }
    }

    /// Whether so many are more than what is allowed.
    pub(super) const fn more(self, count: u64, allowed: u64) -> bool {
        match self {
            Self::Clearly => count > allowed + 1,
            Self::Exactly => count > allowed,
            Self::Nearly => count + 1 > allowed,
        }
    }
}

/// How a task stands against a latency limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Within,
    Over,
    /// It did not end, and might have ended in time.
    Unknown,
    /// It has no such step, or did not come to it.
    NotCounted,
}

/// How a task stands against a limit, with books closed at `closed`.
pub(super) fn standing(
    task: &TaskRecord,
    limit: &LatencyLimit,
    step: Option<usize>,
    max_microseconds: u64,
    closed: Moment,
) -> Standing {
    let settled = |time: u64| {
        if time > max_microseconds {
            Standing::Over
        } else {
            Standing::Within
        }
    };
    let growing = |age: u64| {
        if age > max_microseconds {
            Standing::Over
        } else {
            Standing::Unknown
        }
    };
    if let Some(step) = step {
        let Some(found) = task.steps.iter().find(|found| found.step == step) else {
            return Standing::NotCounted;
        };
        return match (task.fate, found.ended) {
            (Fate::Failed(_), _) => Standing::Over,
            (_, Some(ended)) => settled(ended.microseconds_since(found.begun)),
            (_, None) => growing(closed.microseconds_since(found.begun)),
        };
    }
    if limit.step != Step::Task {
        return Standing::NotCounted;
    }
    match task.fate {
        Fate::Failed(_) => Standing::Over,
        Fate::Completed => {
            let (Some(begun), Some(ended)) = (task.begun, task.ended) else {
                return Standing::Unknown;
            };
            settled(match limit.of {
                Latency::Response => ended.microseconds_since(task.due),
                Latency::Wait => begun.microseconds_since(task.due),
                Latency::Service => ended.microseconds_since(begun),
            })
        }
        Fate::Unfinished | Fate::Rejected | Fate::Undispatched => match (limit.of, task.begun) {
            (Latency::Response, _) | (Latency::Wait, None) => {
                growing(closed.microseconds_since(task.due))
            }
            (Latency::Wait, Some(begun)) => settled(begun.microseconds_since(task.due)),
            (Latency::Service, None) => Standing::Unknown,
            (Latency::Service, Some(begun)) => growing(closed.microseconds_since(begun)),
        },
    }
}

/// Whether a task counts as scheduled in a run that ended at `end`.
fn is_scheduled(task: &TaskRecord, end: Moment) -> bool {
    task.due <= end || task.handed_over.is_some()
}

/// The tasks of a phase that were scheduled.
fn scheduled(records: &Records, phase: Phase) -> impl Iterator<Item = &TaskRecord> {
    let end = records.end.unwrap_or(Moment::from_nanoseconds(u64::MAX));
    records
        .of_phase(phase)
        .filter(move |task| is_scheduled(task, end))
}

/// The books of a phase; `in_time` is left out, for it depends on when an engine heard of the end.
pub(super) fn books(records: &Records, phase: Phase) -> Books {
    let mut books = Books::default();
    for task in scheduled(records, phase) {
        books.scheduled += 1;
        books.delivered += u64::from(!matches!(task.fate, Fate::Rejected | Fate::Undispatched));
        match task.fate {
            Fate::Undispatched => books.undispatched += 1,
            Fate::Rejected => books.rejected += 1,
            Fate::Unfinished => books.abandoned += 1,
            Fate::Completed => books.completed += 1,
            Fate::Failed(class) => {
                books.failed += 1;
                books.timed_out +=
                    u64::from(class == redyno_contract::failure::FailureClass::Timeout);
            }
        }
    }
    books
}

/// What a dyno has to have counted of a latency limit.
pub(super) fn count(
    world: &World,
    dyno: usize,
    records: &Records,
    limit: &LatencyLimit,
) -> LimitCount {
    count_with(world, dyno, records, limit, limit.max_microseconds)
}

fn count_with(
    world: &World,
    dyno: usize,
    records: &Records,
    limit: &LatencyLimit,
    max_microseconds: u64,
) -> LimitCount {
    let step = world.type_of(dyno).workload.position(&limit.step);
    let mut count = LimitCount::default();
    for task in scheduled(records, Phase::Measured) {
        let closed = records
            .closed(task)
            .unwrap_or(Moment::from_nanoseconds(u64::MAX));
        match standing(task, limit, step, max_microseconds, closed) {
            Standing::Within => {}
            Standing::Over => count.over += 1,
            Standing::Unknown => count.unknown += 1,
            Standing::NotCounted => continue,
        }
        count.total += 1;
    }
    count
}

/// How many tasks of a dyno had gone against a threshold by a moment, and how many of the whole run
/// may; None where it has no such count. Of an errors limit, the phase that broke it.
pub(super) fn counted_by(
    world: &World,
    dyno: usize,
    records: &Records,
    threshold: &str,
    by: Moment,
) -> Option<(u64, u64)> {
    let threshold = world
        .plan
        .thresholds
        .iter()
        .find(|found| found.name == threshold)?;
    let of = threshold.dyno_type.as_deref();
    let ended = |phase| {
        records
            .of_phase(phase)
            .filter(move |task| task.ended.is_some_and(|ended| ended <= by))
    };
    match &threshold.limit {
        Limit::Latency(limit) => {
            let step = world.type_of(dyno).workload.position(&limit.step);
            let max = limit.max_microseconds;
            let over = ended(Phase::Measured)
                .filter(|task| standing(task, limit, step, max, by) == Standing::Over)
                .count() as u64;
            let allowed = allowed_over(limit.percentile, world.plan.scheduled(of));
            Some((over, allowed))
        }
        Limit::Errors { max_per_million } => {
            let warmup: u64 = world
                .plan
                .formation
                .iter()
                .filter(|dynos| of.is_none_or(|name| name == dynos.dyno_type))
                .flat_map(|dynos| {
                    (0..dynos.quantity)
                        .map(|index| world.plan.warmup_schedule(dynos, index).count())
                })
                .sum();
            let phases = [
                (Phase::Warmup, warmup),
                (Phase::Measured, world.plan.scheduled(of)),
            ];
            phases
                .into_iter()
                .map(|(phase, planned)| {
                    let failed = ended(phase)
                        .filter(|task| matches!(task.fate, Fate::Failed(_)))
                        .count() as u64;
                    (failed, allowed_errors(*max_per_million, planned))
                })
                .max_by_key(|(failed, allowed)| failed.saturating_sub(*allowed))
        }
        Limit::Rate { .. } => None,
    }
}

/// The dynos that a threshold is about.
fn of_threshold(world: &World, threshold: &ThresholdPlan) -> impl Iterator<Item = usize> {
    (0..world.dynos.len()).filter(|dyno| {
        threshold
            .dyno_type
            .as_deref()
            .is_none_or(|name| world.dynos[*dyno].name.dyno_type == name)
    })
}

/// What is broken in a run: names of thresholds, `backlog`, `keeping up`.
///
/// `or_unknown` counts what never ended among what is over: it did not hold, whatever it would
/// have come to.
pub(super) fn broken(world: &World, run: &Run, slack: Slack, or_unknown: bool) -> Vec<String> {
    let mut broken = Vec::new();
    for threshold in &world.plan.thresholds {
        let dynos = || of_threshold(world, threshold);
        let is_broken = match &threshold.limit {
            Limit::Latency(limit) => {
                let max = slack.limit(limit.max_microseconds);
                let sum = dynos()
                    .map(|dyno| count_with(world, dyno, &run.dynos[dyno].records, limit, max))
                    .fold(LimitCount::default(), LimitCount::plus);
                let planned = world.plan.scheduled(threshold.dyno_type.as_deref());
                let total = match (slack, &limit.step) {
                    (Slack::Nearly, _) | (_, Step::Command(_)) => sum.total.min(planned),
                    (_, Step::Task) => planned,
                    _ => sum.total,
                };
                let over = sum.over + if or_unknown { sum.unknown } else { 0 };
                slack.more(over, allowed_over(limit.percentile, total))
            }
            Limit::Errors { max_per_million } => {
                let sum = |phase| {
                    dynos().fold(Books::default(), |sum, dyno| {
                        sum.plus(books(&run.dynos[dyno].records, phase))
                    })
                };
                let more = |books: Books| {
                    let never_ended = books.abandoned + books.undispatched + books.rejected;
                    let failed = books.failed + if or_unknown { never_ended } else { 0 };
                    let allowed = allowed_errors(*max_per_million, books.scheduled);
                    match slack {
                        // There is no time in it that could be read in two ways.
                        Slack::Clearly | Slack::Exactly => failed > allowed,
                        Slack::Nearly => failed > 0 && failed + 1 > allowed,
                    }
                };
                more(sum(Phase::Measured)) || (!or_unknown && more(sum(Phase::Warmup)))
            }
            Limit::Rate {
                min_tasks_per_second,
            } => {
                let needed =
                    u64::from(*min_tasks_per_second) * u64::from(world.plan.duration_seconds);
                let in_time: u64 = dynos()
                    .map(|dyno| ended_by(world, &run.dynos[dyno].records))
                    .sum();
                match slack {
                    Slack::Clearly => in_time + 1 < needed,
                    Slack::Exactly => in_time < needed,
                    Slack::Nearly => in_time < needed + 1,
                }
            }
        };
        if is_broken {
            broken.push(threshold.name.clone());
        }
    }
    if backlog(world, run, slack) {
        broken.push("backlog".to_owned());
    }
    if not_kept_up(world, run, slack) {
        broken.push("keeping up".to_owned());
    }
    broken
}

/// Completed tasks that ended within the window.
fn ended_by(world: &World, records: &Records) -> u64 {
    let end = world.window_end();
    records
        .of_phase(Phase::Measured)
        .filter(|task| task.fate == Fate::Completed && task.ended.is_some_and(|ended| ended < end))
        .count() as u64
}

/// A task found the backlog limit waiting.
fn backlog(world: &World, run: &Run, slack: Slack) -> bool {
    run.dynos.iter().enumerate().any(|(dyno, of)| {
        let limit = u64::from(world.type_of(dyno).max_worker_backlog);
        of.records.tasks.iter().any(|task| {
            task.handed_over
                .is_some_and(|(_, waiting)| slack.backlog(waiting as u64, limit))
        })
    })
}

impl Slack {
    const fn backlog(self, waiting: u64, limit: u64) -> bool {
        match self {
            Self::Clearly => waiting > limit,
            Self::Exactly => waiting >= limit,
            Self::Nearly => waiting + 1 >= limit,
        }
    }
}

/// More than a hundredth of a type's tasks had not begun at the end of the window.
fn not_kept_up(world: &World, run: &Run, slack: Slack) -> bool {
    let end = world.window_end();
    world.plan.formation.iter().any(|of_type| {
        let tasks: Vec<&TaskRecord> = run
            .dynos
            .iter()
            .zip(&world.dynos)
            .filter(|(_, spec)| spec.name.dyno_type == of_type.dyno_type)
            .flat_map(|(of, _)| scheduled(&of.records, Phase::Measured))
            .collect();
        let late = tasks
            .iter()
            .filter(|task| task.begun.is_none_or(|begun| begun >= end))
            .count() as u64;
        slack.more(late, tasks.len() as u64 / 100)
    })
}
