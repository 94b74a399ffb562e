//! Counting against the limits of the plan: exact to the microsecond, no histogram involved.

use redyno_contract::limit::LimitCount;
use redyno_contract::plan::{Latency, LatencyLimit, Step};
use redyno_contract::report::Ending;

use super::arrivals::Phase;
use super::failure::{FailureClass, FailureCounts};
use super::settings::{PlannedErrorLimit, PlannedLatencyLimit};

/// The steps of a task, in their order.
pub(crate) const STEPS: [Step; 3] = [Step::Fetch, Step::Save, Step::Ping];

/// The latencies of a completed task, in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskTimes {
    /// end - due.
    pub(crate) response: u64,
    /// start - due.
    pub(crate) wait: u64,
    /// end - start.
    pub(crate) service: u64,
    /// Service times of the steps.
    pub(crate) steps: [u64; 3],
}

impl TaskTimes {
    /// The time that a limit is about.
    const fn of(&self, limit: &LatencyLimit) -> u64 {
        match (limit.step, limit.of) {
            (Step::Task, Latency::Response) => self.response,
            (Step::Task, Latency::Wait) => self.wait,
            (Step::Task, Latency::Service) => self.service,
            (Step::Fetch, _) => self.steps[0],
            (Step::Save, _) => self.steps[1],
            (Step::Ping, _) => self.steps[2],
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
    /// Time in each step that began.
    pub(crate) steps: [Option<StepAge>; 3],
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
    fn standing(&self, limit: &LatencyLimit) -> Standing {
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
        match (limit.step, limit.of) {
            (Step::Task, Latency::Response) => growing(self.since_due),
            (Step::Task, Latency::Wait) => {
                self.wait.map_or_else(|| growing(self.since_due), settled)
            }
            (Step::Task, Latency::Service) => self.since_start.map_or(Standing::Unknown, growing),
            (Step::Fetch, _) => step_standing(self.steps[0], growing, settled),
            (Step::Save, _) => step_standing(self.steps[1], growing, settled),
            (Step::Ping, _) => step_standing(self.steps[2], growing, settled),
        }
    }
}

fn step_standing(
    age: Option<StepAge>,
    growing: impl Fn(u64) -> Standing,
    settled: impl Fn(u64) -> Standing,
) -> Standing {
    match age {
        None => Standing::NotCounted,
        Some(StepAge::Ended(time)) => settled(time),
        Some(StepAge::GoingOn(age)) => growing(age),
    }
}

/// A limit that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// Which, as the report will tell it.
    pub(crate) ending: Ending,
    /// Whether it would not have been broken but for connection errors: then the target may be
    /// gone, and that has to be found out first.
    pub(crate) by_lost_connections: bool,
}

/// What one dyno counted against every limit of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    latencies: Vec<LatencyCounter>,
    errors: Vec<PlannedErrorLimit>,
    failures: FailureCounts,
    warmup_failures: FailureCounts,
    steps_begun: [u64; 3],
}

#[derive(Clone, Debug)]
struct LatencyCounter {
    planned: PlannedLatencyLimit,
    over: u64,
    over_by_lost_connections: u64,
    unknown: u64,
}

impl Limits {
    /// Nothing counted yet.
    pub(crate) fn new(latencies: Vec<PlannedLatencyLimit>, errors: Vec<PlannedErrorLimit>) -> Self {
        Self {
            latencies: latencies
                .into_iter()
                .map(|planned| LatencyCounter {
                    planned,
                    over: 0,
                    over_by_lost_connections: 0,
                    unknown: 0,
                })
                .collect(),
            errors,
            failures: FailureCounts::default(),
            warmup_failures: FailureCounts::default(),
            steps_begun: [0; 3],
        }
    }

    /// A measured task begins a step.
    pub(crate) const fn begin_step(&mut self, step: usize) {
        self.steps_begun[step] += 1;
    }

    /// A measured task completed. The first limit that this breaks, in the order of the plan.
    pub(crate) fn completed(&mut self, times: &TaskTimes) -> Option<Breach> {
        let mut breach = None;
        for counter in &mut self.latencies {
            if times.of(&counter.planned.limit) > counter.planned.limit.max_microseconds {
                counter.over += 1;
                breach = breach.or_else(|| counter.breach());
            }
        }
        breach
    }

    /// A task failed, after so many steps had begun. The first limit that this breaks: errors
    /// before latencies, for they are the nearer cause.
    pub(crate) fn failed(
        &mut self,
        phase: Phase,
        class: FailureClass,
        steps_begun: usize,
    ) -> Option<Breach> {
        match phase {
            Phase::Warmup => {
                self.warmup_failures.count(class);
                error_breach(&self.errors, &self.warmup_failures, |limit| {
                    limit.allowed_in_warmup
                })
            }
            Phase::Measured => {
                self.failures.count(class);
                let mut breach = error_breach(&self.errors, &self.failures, |limit| limit.allowed);
                for counter in &mut self.latencies {
                    let counts = STEPS
                        .iter()
                        .position(|step| *step == counter.planned.limit.step)
                        .is_none_or(|step| step < steps_begun);
                    if counts {
                        counter.over += 1;
                        if class == FailureClass::Connection {
                            counter.over_by_lost_connections += 1;
                        }
                        breach = breach.or_else(|| counter.breach());
                    }
                }
                breach
            }
        }
    }

    /// At the end: a measured task that did not complete.
    pub(crate) fn unfinished(&mut self, task: &Unfinished) {
        for counter in &mut self.latencies {
            match task.standing(&counter.planned.limit) {
                Standing::Over => counter.over += 1,
                Standing::Unknown => counter.unknown += 1,
                Standing::Within | Standing::NotCounted => {}
            }
        }
    }

    /// Failures of measured tasks by class.
    pub(crate) const fn failures(&self) -> &FailureCounts {
        &self.failures
    }

    /// The counts of every latency limit, in the order of the plan, with `scheduled` measured
    /// tasks of which `unsettled` may still end either way.
    pub(crate) fn counts(&self, scheduled: u64, unsettled: u64) -> Vec<LimitCount> {
        self.latencies
            .iter()
            .map(|counter| LimitCount {
                over: counter.over,
                unknown: counter.unknown + unsettled,
                total: STEPS
                    .iter()
                    .position(|step| *step == counter.planned.limit.step)
                    .map_or(scheduled, |step| self.steps_begun[step]),
            })
            .collect()
    }
}

impl LatencyCounter {
    fn breach(&self) -> Option<Breach> {
        (self.over > self.planned.allowed).then(|| Breach {
            ending: Ending::LatencyLimit {
                threshold: self.planned.threshold.clone(),
            },
            by_lost_connections: self.over - self.over_by_lost_connections <= self.planned.allowed,
        })
    }
}

fn error_breach(
    limits: &[PlannedErrorLimit],
    failures: &FailureCounts,
    allowed: impl Fn(&PlannedErrorLimit) -> u64,
) -> Option<Breach> {
    let total = failures.total();
    let limit = limits.iter().find(|limit| total > allowed(limit))?;
    let (class, count) = failures.commonest()?;
    Some(Breach {
        ending: Ending::ErrorLimit {
            threshold: limit.threshold.clone(),
            cause: format!("{} {count}", class.as_str()),
        },
        by_lost_connections: total - failures.of(FailureClass::Connection) <= allowed(limit),
    })
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::Percentile;

    use super::*;

    fn limit(of: Latency, step: Step, max_microseconds: u64, allowed: u64) -> PlannedLatencyLimit {
        PlannedLatencyLimit {
            threshold: format!("{of:?} {step:?}"),
            limit: LatencyLimit {
                of,
                step,
                percentile: Percentile::P99,
                max_microseconds,
            },
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

    #[test]
    fn a_time_equal_to_the_limit_is_within_it_and_a_microsecond_more_is_over() {
        let mut limits = Limits::new(
            vec![limit(Latency::Response, Step::Task, 250_000, 1)],
            vec![],
        );
        let times = |response| TaskTimes {
            response,
            ..TaskTimes::default()
        };
        assert_eq!(limits.completed(&times(250_000)), None);
        assert_eq!(limits.counts(3, 0)[0].over, 0);
        assert_eq!(limits.completed(&times(250_001)), None);
        assert_eq!(limits.counts(3, 0)[0].over, 1);
        let breach = limits.completed(&times(250_001));
        assert_eq!(
            breach,
            Some(Breach {
                ending: Ending::LatencyLimit {
                    threshold: "Response Task".to_owned()
                },
                by_lost_connections: false
            })
        );
    }

    #[test]
    fn a_failed_task_is_over_every_limit_whose_step_began() {
        let mut limits = Limits::new(
            vec![
                limit(Latency::Wait, Step::Task, 1, 10),
                limit(Latency::Service, Step::Fetch, 1, 10),
                limit(Latency::Service, Step::Save, 1, 10),
                limit(Latency::Service, Step::Ping, 1, 10),
            ],
            vec![],
        );
        limits.begin_step(0);
        limits.begin_step(1);
        limits.failed(Phase::Measured, FailureClass::OutOfMemory, 2);
        let counts: Vec<_> = limits
            .counts(1, 0)
            .iter()
            .map(|count| (count.over, count.unknown, count.total))
            .collect();
        assert_eq!(counts, [(1, 0, 1), (1, 0, 1), (1, 0, 1), (0, 0, 0)]);
    }

    #[test]
    fn unfinished_tasks_are_over_by_age_or_unknown() {
        let all = || {
            vec![
                limit(Latency::Response, Step::Task, 100, 10),
                limit(Latency::Wait, Step::Task, 100, 10),
                limit(Latency::Service, Step::Task, 100, 10),
                limit(Latency::Service, Step::Fetch, 100, 10),
                limit(Latency::Service, Step::Save, 100, 10),
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
            steps: [Some(StepAge::Ended(100)), Some(StepAge::GoingOn(300)), None],
        };
        for (task, expected) in [
            (never_started(100), [(0, 1), (0, 1), (0, 1), (0, 0), (0, 0)]),
            (never_started(101), [(1, 0), (1, 0), (0, 1), (0, 0), (0, 0)]),
            (running, [(1, 0), (0, 0), (1, 0), (0, 0), (1, 0)]),
        ] {
            let mut limits = Limits::new(all(), vec![]);
            limits.unfinished(&task);
            let counts: Vec<_> = limits
                .counts(1, 0)
                .iter()
                .map(|count| (count.over, count.unknown))
                .collect();
            assert_eq!(counts, expected, "{task:?}");
        }
    }

    #[test]
    fn only_connection_errors_make_a_breach_that_may_be_a_lost_target() {
        let mut limits = Limits::new(vec![], vec![errors(1)]);
        assert_eq!(
            limits.failed(Phase::Measured, FailureClass::OutOfMemory, 1),
            None
        );
        let breach = limits
            .failed(Phase::Measured, FailureClass::Connection, 1)
            .unwrap();
        assert!(breach.by_lost_connections);
        let breach = limits
            .failed(Phase::Measured, FailureClass::OutOfMemory, 1)
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
        let mut limits = Limits::new(vec![], vec![errors(5)]);
        assert!(
            limits
                .failed(Phase::Warmup, FailureClass::Other, 1)
                .is_some()
        );
        assert_eq!(limits.failures().total(), 0);
    }
}
