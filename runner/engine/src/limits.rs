//! Counting against the limits of the plan: exact to the microsecond, no histogram involved.

use redyno_contract::limit::LimitCount;
use redyno_contract::plan::{Latency, MOST_STEPS_OF_A_TASK};
use redyno_contract::report::Ending;

use super::arrivals::Phase;
use super::failure::{FailureClass, FailureCounts};
use super::settings::{PlannedErrorLimit, PlannedLatencyLimit, PlannedLimits, Scope};

/// The latencies of a completed task, in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskTimes {
    /// end - due.
    pub response: u64,
    /// start - due.
    pub wait: u64,
    /// end - start.
    pub service: u64,
    /// Service times of its steps.
    pub steps: StepTimes,
}

/// What the steps of one task took, in the order in which it took them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTimes {
    steps: [(usize, u64); MOST_STEPS_OF_A_TASK],
    count: usize,
}

impl StepTimes {
    /// Adds the step at this position of the workload. No task takes more steps than there is
    /// room for.
    pub const fn push(&mut self, step: usize, microseconds: u64) {
        if self.count < MOST_STEPS_OF_A_TASK {
            self.steps[self.count] = (step, microseconds);
            self.count += 1;
        }
    }

    /// Each step with its time in microseconds.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.steps[..self.count].iter().copied()
    }

    fn of(&self, step: usize) -> Option<u64> {
        self.iter()
            .find_map(|(own, microseconds)| (own == step).then_some(microseconds))
    }
}

impl TaskTimes {
    /// The time that a limit is about; None if the task has no such step.
    fn of(&self, scope: Scope) -> Option<u64> {
        match scope {
            Scope::Task(Latency::Response) => Some(self.response),
            Scope::Task(Latency::Wait) => Some(self.wait),
            Scope::Task(Latency::Service) => Some(self.service),
            Scope::Step(step) => self.steps.of(step),
            Scope::Nothing => None,
        }
    }
}

/// What is known at the end of a task that did not complete: ages in whole microseconds, None for
/// what had not begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Since it was due.
    pub(crate) since_due: u64,
    /// start - due, once it had started: no longer growing.
    pub(crate) wait: Option<u64>,
    /// Since it started.
    pub(crate) since_start: Option<u64>,
    /// Time in each step that began, by its position in the workload.
    pub(crate) steps: [Option<(usize, StepAge)>; MOST_STEPS_OF_A_TASK],
}

/// Time spent in a step that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepAge {
    /// It ended and took this long.
    Ended(u64),
    /// It was going on for this long.
    GoingOn(u64),
}

/// How an unfinished task counts against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Within,
    Over,
    Unknown,
    NotCounted,
}

impl Unfinished {
    /// The time that a limit is about, as far as it went; None if there is none.
    fn time(&self, scope: Scope) -> Option<u64> {
        match scope {
            Scope::Task(Latency::Response) => Some(self.since_due),
            Scope::Task(Latency::Wait) => Some(self.wait.unwrap_or(self.since_due)),
            Scope::Task(Latency::Service) => self.since_start,
            Scope::Step(step) => self.steps.iter().flatten().find_map(|(own, age)| {
                (*own == step).then_some(match age {
                    StepAge::Ended(time) | StepAge::GoingOn(time) => *time,
                })
            }),
            Scope::Nothing => None,
        }
    }

    fn standing(&self, limit: &PlannedLatencyLimit) -> Standing {
        let growing = |age: u64| {
            if age > limit.max_microseconds {
                Standing::Over
            } else {
                Standing::Unknown
            }
        };
        let settled = |time: u64| {
            if time > limit.max_microseconds {
                Standing::Over
            } else {
                Standing::Within
            }
        };
        match limit.scope {
            Scope::Task(Latency::Response) => growing(self.since_due),
            Scope::Task(Latency::Wait) => {
                self.wait.map_or_else(|| growing(self.since_due), settled)
            }
            Scope::Task(Latency::Service) => self.since_start.map_or(Standing::Unknown, growing),
            Scope::Step(step) => {
                let age = self
                    .steps
                    .iter()
                    .flatten()
                    .find_map(|(own, age)| (*own == step).then_some(*age));
                match age {
                    None => Standing::NotCounted,
                    Some(StepAge::Ended(time)) => settled(time),
                    Some(StepAge::GoingOn(age)) => growing(age),
                }
            }
            Scope::Nothing => Standing::NotCounted,
        }
    }
}

/// A limit that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which, as the report will tell it.
    pub ending: Ending,
    /// Whether it would not have been broken but for lost connections or lost data: then the target
    /// may be gone or another one, and that has to be found out first.
    pub by_lost_connections: bool,
}

/// What an engine counts against every limit of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    planned: PlannedLimits,
    counters: LimitCounters,
}

/// What was counted against every limit of the plan, by one engine or by several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitCounters {
    latencies: Vec<LatencyCounter>,
    failures: FailureCounts,
    warmup_failures: FailureCounts,
    /// Timeouts among the failures that disturbed tasks had.
    excused: ExcusedTimeouts,
    steps_begun: Vec<u64>,
}

/// Timeouts of tasks that an own delay of the dyno disturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExcusedTimeouts {
    /// Of the measured window.
    pub measured: u64,
    /// Of the warm-up.
    pub warmup: u64,
}

/// What an own delay of the dyno may have cost a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excuse<T> {
    /// What is known of the task, had everything of ours been on time by its worker's own clock.
    pub(crate) on_time: T,
    /// By how much its end may have been late because others of the dyno's tasks were, in
    /// microseconds.
    pub(crate) shift_microseconds: u64,
}

impl<T> Excuse<T> {
    /// Whether a time that is over a limit would not have been, by either clock.
    const fn holds(&self, limit: &PlannedLatencyLimit, time: u64, on_time: u64) -> bool {
        let shifted = time.saturating_sub(self.shift_microseconds);
        on_time <= limit.max_microseconds || shifted <= limit.max_microseconds
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LatencyCounter {
    /// Completed tasks that took longer.
    slow: u64,
    /// Failed tasks: over every limit.
    failed: u64,
    /// Those of them that failed for their connection, or for data that was not there.
    failed_by_connection: u64,
    /// Unfinished tasks whose age at the end was over it.
    aged: u64,
    /// Unfinished tasks that might still have ended in time.
    unknown: u64,
    /// Tasks that are over it, but would not have been with the load threads on time.
    excused: u64,
}

impl LatencyCounter {
    const fn over(&self) -> u64 {
        self.slow + self.failed + self.aged
    }

    const fn on_time(&self) -> u64 {
        self.over() - self.excused
    }
}

impl Limits {
    /// Nothing counted yet, of a workload with so many steps.
    pub(crate) fn new(planned: PlannedLimits, steps: usize) -> Self {
        Self {
            counters: LimitCounters {
                latencies: vec![LatencyCounter::default(); planned.latencies.len()],
                failures: FailureCounts::default(),
                warmup_failures: FailureCounts::default(),
                excused: ExcusedTimeouts::default(),
                steps_begun: vec![0; steps],
            },
            planned,
        }
    }

    /// What was counted so far.
    pub(crate) const fn counters(&self) -> &LimitCounters {
        &self.counters
    }

    /// A measured task begins a step.
    pub(crate) fn begin_step(&mut self, step: usize) {
        if let Some(begun) = self.counters.steps_begun.get_mut(step) {
            *begun += 1;
        }
    }

    /// A measured task completed. The first limit that this breaks, in the order of the plan.
    /// `excuse` is only asked for where the task is over one.
    pub(crate) fn completed(
        &mut self,
        times: &TaskTimes,
        excuse: impl Fn() -> Excuse<Option<TaskTimes>>,
    ) -> Option<Breach> {
        let (mut breach, mut found) = (None, None);
        for (planned, counter) in self.latencies() {
            let Some(time) = times
                .of(planned.scope)
                .filter(|time| *time > planned.max_microseconds)
            else {
                continue;
            };
            let excuse: &Excuse<Option<TaskTimes>> = found.get_or_insert_with(&excuse);
            let on_time = excuse
                .on_time
                .and_then(|times| times.of(planned.scope))
                .unwrap_or(time);
            counter.slow += 1;
            counter.excused += u64::from(excuse.holds(planned, time, on_time));
            breach = breach.or_else(|| latency_breach(planned, counter));
        }
        breach
    }

    /// A task failed, after these steps had begun. The first limit that this breaks: errors
    /// before latencies, for they are the nearer cause. Whatever made it fail, it is no lateness
    /// of the dyno; only a task that timed out may have done so because it was `disturbed`.
    pub(crate) fn failed(
        &mut self,
        phase: Phase,
        class: FailureClass,
        steps_begun: &[usize],
        disturbed: bool,
    ) -> Option<Breach> {
        let excused = u64::from(disturbed && class == FailureClass::Timeout);
        match phase {
            Phase::Warmup => {
                self.counters.warmup_failures.count(class);
                self.counters.excused.warmup += excused;
                self.planned.errors_of_the_warmup(&self.counters)
            }
            Phase::Measured => {
                self.counters.failures.count(class);
                self.counters.excused.measured += excused;
                let mut breach = self.planned.errors(&self.counters);
                for (planned, counter) in self.latencies() {
                    let counts = match planned.scope {
                        Scope::Task(_) => true,
                        Scope::Step(step) => steps_begun.contains(&step),
                        Scope::Nothing => false,
                    };
                    if counts {
                        counter.failed += 1;
                        counter.excused += excused;
                        counter.failed_by_connection +=
                            u64::from(class.puts_the_target_in_question());
                        breach = breach.or_else(|| latency_breach(planned, counter));
                    }
                }
                breach
            }
        }
    }

    /// At the end: a measured task that did not complete.
    pub(crate) fn unfinished(&mut self, task: &Unfinished, excuse: &Excuse<Unfinished>) {
        for (planned, counter) in self.latencies() {
            match task.standing(planned) {
                Standing::Over => {
                    counter.aged += 1;
                    let times = task
                        .time(planned.scope)
                        .zip(excuse.on_time.time(planned.scope));
                    counter.excused += u64::from(
                        times.is_some_and(|(time, on_time)| excuse.holds(planned, time, on_time)),
                    );
                }
                Standing::Unknown => counter.unknown += 1,
                Standing::Within | Standing::NotCounted => {}
            }
        }
    }

    fn latencies(&mut self) -> impl Iterator<Item = (&PlannedLatencyLimit, &mut LatencyCounter)> {
        self.planned
            .latencies
            .iter()
            .zip(&mut self.counters.latencies)
    }
}

impl LimitCounters {
    /// Adds what another engine counted of the same limits.
    pub fn add(&mut self, other: &Self) {
        let Self {
            latencies,
            failures,
            warmup_failures,
            excused,
            steps_begun,
        } = other;
        self.latencies.resize(
            self.latencies.len().max(latencies.len()),
            LatencyCounter::default(),
        );
        for (mine, others) in self.latencies.iter_mut().zip(latencies) {
            let LatencyCounter {
                slow,
                failed,
                failed_by_connection,
                aged,
                unknown,
                excused,
            } = *others;
            mine.slow += slow;
            mine.failed += failed;
            mine.failed_by_connection += failed_by_connection;
            mine.aged += aged;
            mine.unknown += unknown;
            mine.excused += excused;
        }
        self.excused.measured += excused.measured;
        self.excused.warmup += excused.warmup;
        self.failures.add(failures);
        self.warmup_failures.add(warmup_failures);
        self.steps_begun
            .resize(self.steps_begun.len().max(steps_begun.len()), 0);
        for (mine, others) in self.steps_begun.iter_mut().zip(steps_begun) {
            *mine += others;
        }
    }

    /// Measured tasks in which each step of the workload began.
    pub fn steps_begun(&self) -> &[u64] {
        &self.steps_begun
    }

    /// Failures of measured tasks by class.
    pub const fn failures(&self) -> &FailureCounts {
        &self.failures
    }

    /// Failures of tasks of the warm-up by class.
    pub const fn warmup_failures(&self) -> &FailureCounts {
        &self.warmup_failures
    }

    /// Timeouts among the failures that disturbed tasks had.
    pub const fn excused_timeouts(&self) -> ExcusedTimeouts {
        self.excused
    }

    /// Completed tasks that took longer than each latency limit, in the order of the plan.
    pub fn slow(&self) -> impl Iterator<Item = u64> + '_ {
        self.latencies.iter().map(|counter| counter.slow)
    }
}

impl PlannedLimits {
    /// The first limit that these counts break.
    pub(crate) fn broken(&self, counters: &LimitCounters) -> Option<Breach> {
        self.errors_of_the_warmup(counters)
            .or_else(|| self.errors(counters))
            .or_else(|| {
                self.latencies
                    .iter()
                    .zip(&counters.latencies)
                    .find_map(|(planned, counter)| latency_breach(planned, counter))
            })
    }

    /// The counts of every latency limit, in the order of the plan, with `scheduled` measured
    /// tasks of which `unsettled` may still end either way.
    pub(crate) fn counts(
        &self,
        counters: &LimitCounters,
        scheduled: u64,
        unsettled: u64,
    ) -> Vec<LimitCount> {
        self.latencies
            .iter()
            .zip(&counters.latencies)
            .map(|(planned, counter)| {
                let total = match planned.scope {
                    Scope::Task(_) => scheduled,
                    Scope::Step(step) => counters.steps_begun.get(step).copied().unwrap_or(0),
                    Scope::Nothing => 0,
                };
                let over = counter.over();
                LimitCount {
                    over,
                    excused: counter.excused,
                    // Of a step, no more can be unknown than began.
                    unknown: (counter.unknown + unsettled).min(total - over.min(total)),
                    total,
                }
            })
            .collect()
    }

    fn errors(&self, counters: &LimitCounters) -> Option<Breach> {
        let excused = counters.excused.measured;
        error_breach(&self.errors, &counters.failures, excused, |limit| {
            limit.allowed
        })
    }

    fn errors_of_the_warmup(&self, counters: &LimitCounters) -> Option<Breach> {
        let excused = counters.excused.warmup;
        error_breach(&self.errors, &counters.warmup_failures, excused, |limit| {
            limit.allowed_in_warmup
        })
    }
}

fn latency_breach(planned: &PlannedLatencyLimit, counter: &LatencyCounter) -> Option<Breach> {
    let on_time = counter.on_time();
    (on_time > planned.allowed).then(|| Breach {
        ending: Ending::LatencyLimit {
            threshold: planned.threshold.clone(),
        },
        by_lost_connections: on_time - counter.failed_by_connection <= planned.allowed,
    })
}

fn error_breach(
    limits: &[PlannedErrorLimit],
    failures: &FailureCounts,
    excused: u64,
    allowed: impl Fn(&PlannedErrorLimit) -> u64,
) -> Option<Breach> {
    let total = failures.total() - excused;
    let limit = limits.iter().find(|limit| total > allowed(limit))?;
    let (class, count) = failures.commonest()?;
    Some(Breach {
        ending: Ending::ErrorLimit {
            threshold: limit.threshold.clone(),
            cause: format!("{} {count}", class.as_str()),
        },
        by_lost_connections: total - failures.in_question() <= allowed(limit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(scope: Scope, max_microseconds: u64, allowed: u64) -> PlannedLatencyLimit {
        PlannedLatencyLimit {
            threshold: format!("{scope:?}"),
            scope,
            max_microseconds,
            allowed,
        }
    }

    fn errors(allowed: u64) -> PlannedErrorLimit {
        PlannedErrorLimit {
            threshold: "errors".to_owned(),
            allowed,
            allowed_in_warmup: 0,
        }
    }

    fn limits(latencies: Vec<PlannedLatencyLimit>, errors: Vec<PlannedErrorLimit>) -> Limits {
        Limits::new(PlannedLimits { latencies, errors }, 3)
    }

    fn counts(limits: &Limits, scheduled: u64) -> Vec<LimitCount> {
        limits.planned.counts(&limits.counters, scheduled, 0)
    }

    /// The load threads were on time.
    const fn unexcused() -> Excuse<Option<TaskTimes>> {
        Excuse {
            on_time: None,
            shift_microseconds: 0,
        }
    }

    #[test]
    fn a_time_equal_to_the_limit_is_within_it_and_a_microsecond_more_is_over() {
        let mut limits = limits(
            vec![limit(Scope::Task(Latency::Response), 250_000, 1)],
            vec![],
        );
        let times = |response| TaskTimes {
            response,
            ..TaskTimes::default()
        };
        assert_eq!(limits.completed(&times(250_000), unexcused), None);
        assert_eq!(counts(&limits, 3)[0].over, 0);
        assert_eq!(limits.completed(&times(250_001), unexcused), None);
        assert_eq!(counts(&limits, 3)[0].over, 1);
        let breach = limits.completed(&times(250_001), unexcused);
        assert_eq!(
            breach,
            Some(Breach {
                ending: Ending::LatencyLimit {
                    threshold: "Task(Response)".to_owned()
                },
                by_lost_connections: false
            })
        );
    }

    #[test]
    fn a_failed_task_is_over_every_limit_whose_step_began() {
        let mut limits = limits(
            vec![
                limit(Scope::Task(Latency::Wait), 1, 10),
                limit(Scope::Step(0), 1, 10),
                limit(Scope::Step(1), 1, 10),
                limit(Scope::Step(2), 1, 10),
            ],
            vec![],
        );
        limits.begin_step(0);
        limits.begin_step(1);
        limits.failed(Phase::Measured, FailureClass::OutOfMemory, &[0, 1], false);
        let counts: Vec<_> = counts(&limits, 1)
            .iter()
            .map(|count| (count.over, count.unknown, count.total))
            .collect();
        assert_eq!(counts, [(1, 0, 1), (1, 0, 1), (1, 0, 1), (0, 0, 0)]);
    }

    #[test]
    fn unfinished_tasks_are_over_by_age_or_unknown() {
        let all = || {
            vec![
                limit(Scope::Task(Latency::Response), 100, 10),
                limit(Scope::Task(Latency::Wait), 100, 10),
                limit(Scope::Task(Latency::Service), 100, 10),
                limit(Scope::Step(0), 100, 10),
                limit(Scope::Step(1), 100, 10),
            ]
        };
        let never_started = |since_due| Unfinished {
            since_due,
            ..Unfinished::default()
        };
        let running = Unfinished {
            since_due: 500,
            wait: Some(100),
            since_start: Some(400),
            steps: [
                Some((0, StepAge::Ended(100))),
                Some((1, StepAge::GoingOn(300))),
                None,
            ],
        };
        for (task, expected) in [
            (never_started(100), [(0, 1), (0, 1), (0, 1), (0, 0), (0, 0)]),
            (never_started(101), [(1, 0), (1, 0), (0, 1), (0, 0), (0, 0)]),
            (running, [(1, 0), (0, 0), (1, 0), (0, 0), (1, 0)]),
        ] {
            let mut limits = limits(all(), vec![]);
            limits.unfinished(
                &task,
                &Excuse {
                    on_time: task,
                    shift_microseconds: 0,
                },
            );
            let counts: Vec<_> = counts(&limits, 1)
                .iter()
                .map(|count| (count.over, count.unknown))
                .collect();
            assert_eq!(counts, expected, "{task:?}");
        }
    }

    #[test]
    fn only_connection_errors_make_a_breach_that_may_be_a_lost_target() {
        let mut limits = limits(vec![], vec![errors(1)]);
        assert_eq!(
            limits.failed(Phase::Measured, FailureClass::OutOfMemory, &[0], false),
            None
        );
        let breach = limits
            .failed(Phase::Measured, FailureClass::Connection, &[0], false)
            .unwrap();
        assert!(breach.by_lost_connections);
        let breach = limits
            .failed(Phase::Measured, FailureClass::OutOfMemory, &[0], false)
            .unwrap();
        assert!(!breach.by_lost_connections);
        assert_eq!(
            breach.ending,
            Ending::ErrorLimit {
                threshold: "errors".to_owned(),
                cause: "oom 2".to_owned()
            }
        );
    }

    #[test]
    fn the_warmup_has_an_allowance_of_its_own() {
        let mut limits = limits(vec![], vec![errors(5)]);
        assert!(
            limits
                .failed(Phase::Warmup, FailureClass::Other, &[0], false)
                .is_some()
        );
        assert_eq!(limits.counters().failures().total(), 0);
    }
}
