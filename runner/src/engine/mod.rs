//! The dyno's state machine: what to do at an arrival, a completion, an end.
//!
//! Plain data: it does no IO and reads no clock. Whoever drives it tells it what happened and
//! when, so that tests can drive it through any sequence of events, with any clock.
//!
//! A worker that is connected and idle takes an arriving task into its hands at once, so that the
//! backlog is what really waits even if the worker's own loop is late; the task's start is when
//! that loop gets to it.

mod arrivals;
mod closing;
mod failure;
mod interval;
mod limits;
mod moment;
mod settings;
mod snapshot;
#[cfg(test)]
mod tests;
mod worker;

use redyno_contract::plan::{Assignment, QueueOrder};
use redyno_contract::report::{Books, Ending, Latencies, Times};

pub(crate) use arrivals::{Phase, Task};
pub(crate) use failure::{FailureClass, FailureCounts};
pub(crate) use interval::{Distributions, Interval};
pub(crate) use moment::Moment;
pub(crate) use settings::EngineSettings;
pub(crate) use snapshot::Snapshot;

use crate::random::{Purpose, Seed};
use arrivals::Arrivals;
use limits::{Breach, Limits, TaskTimes};
use worker::Worker;

/// After a stop, a SIGTERM or a breach, unfinished tasks may go on for at most this long.
const SHORT_DRAIN_NANOSECONDS: u64 = 5_000_000_000;

/// How far a dyno is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Tasks are handed over as they fall due.
    Running,
    /// As Running, but a limit was broken by connection errors alone: whoever drives the engine
    /// finds out whether the target is still there, and resolves it.
    Held {
        /// Since when.
        since: Moment,
        /// How it ends if the target is there.
        ending: Ending,
    },
    /// No more arrivals; unfinished tasks may go on for a while.
    Draining {
        /// How it ended.
        ending: Ending,
        /// When it ended.
        at: Moment,
        /// Until when tasks may go on.
        until: Moment,
    },
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Into the hands of this idle worker, who has to be woken.
    Wake(u32),
    /// Into the queue of a busy or disconnected worker.
    Queued,
    /// Refused: its worker had the limit waiting.
    Rejected,
}

/// The dyno's state machine.
#[derive(Debug)]
pub(crate) struct Engine {
    seed: Seed,
    assignment: Assignment,
    queue_order: QueueOrder,
    max_worker_backlog: u32,
    drain_nanoseconds: u64,
    arrivals: Arrivals,
    workers: Vec<Worker>,
    stage: Stage,
    warmup: Books,
    measured: Books,
    rejected: Vec<Task>,
    limits: Limits,
    latencies: Latencies,
    steps: Vec<Times>,
    schedule_lag: Times,
    reconnects: u64,
    interval: Box<Interval>,
}

impl Engine {
    /// All workers connected and idle, nothing due yet.
    pub(crate) fn new(settings: EngineSettings) -> Self {
        let EngineSettings {
            seed,
            workers,
            assignment,
            queue_order,
            steps,
            max_worker_backlog,
            warmup,
            measured,
            drain_seconds,
            latency_limits,
            error_limits,
        } = settings;
        Self {
            seed,
            assignment,
            queue_order,
            max_worker_backlog,
            drain_nanoseconds: u64::from(drain_seconds) * 1_000_000_000,
            arrivals: Arrivals::new(warmup, measured),
            workers: (0..workers).map(|_| Worker::new(steps)).collect(),
            stage: Stage::Running,
            warmup: Books::default(),
            measured: Books::default(),
            rejected: Vec::new(),
            limits: Limits::new(latency_limits, error_limits, steps),
            latencies: Latencies::default(),
            steps: vec![Times::default(); steps],
            schedule_lag: Times::default(),
            reconnects: 0,
            interval: Box::new(Interval::new(steps)),
        }
    }

    /// How far it is.
    pub(crate) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether tasks are still handed over.
    pub(crate) const fn takes_arrivals(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Held { .. })
    }

    /// When something happens next by itself: a task falls due, the window or the drain ends.
    /// None while only a resolution can end it.
    pub(crate) fn next_event(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Draining { until, .. } => Some(*until),
            Stage::Running => Some(
                self.arrivals
                    .peek()
                    .map_or_else(|| self.arrivals.measured_until(), |task| task.due),
            ),
            Stage::Held { .. } => self.arrivals.peek().map(|task| task.due),
        }
    }

    /// Hands over the next task if it is due. To be called until it returns None: everything
    /// overdue is handed over at once, each task with its own due time; nothing is skipped.
    pub(crate) fn arrive(&mut self, now: Moment) -> Option<Arrival> {
        if !self.takes_arrivals() || self.arrivals.peek().is_none_or(|task| task.due > now) {
            return None;
        }
        let task = self.arrivals.take()?;
        let number = self.worker_of(&task);
        let limit = self.max_worker_backlog;
        let worker = &mut self.workers[number as usize];
        let waiting = worker.waiting();
        if waiting >= limit {
            let by_lost_connections = !worker.is_connected();
            self.books(task.phase).rejected += 1;
            self.rejected.push(task);
            let ending = Ending::BacklogLimit {
                worker: number,
                backlog: waiting,
            };
            self.broken(
                Breach {
                    ending,
                    by_lost_connections,
                },
                now,
            );
            return Some(Arrival::Rejected);
        }
        let idle = worker.is_connected() && !worker.is_running();
        worker.give(task, now);
        let waiting = worker.waiting();
        self.interval.peak_backlog = self.interval.peak_backlog.max(waiting);
        self.books(task.phase).delivered += 1;
        let lag = now.microseconds_since(task.due);
        self.interval.phase(task.phase).schedule_lag.record(lag);
        if task.phase == Phase::Measured {
            self.schedule_lag.record(lag);
        }
        Some(if idle {
            Arrival::Wake(number)
        } else {
            Arrival::Queued
        })
    }

    /// Moves on if the window or the drain is over. True once the dyno is done: nothing is left to
    /// wait for.
    pub(crate) fn advance(&mut self, now: Moment) -> bool {
        match &self.stage {
            Stage::Running if self.arrivals.peek().is_none() => {
                let window_end = self.arrivals.measured_until();
                if now < window_end {
                    return false;
                }
                self.stage = Stage::Draining {
                    ending: Ending::Completed,
                    at: window_end,
                    until: window_end.plus(self.drain_nanoseconds),
                };
                self.unfinished() == 0
            }
            Stage::Running | Stage::Held { .. } => false,
            Stage::Draining { until, .. } => now >= *until || self.unfinished() == 0,
        }
    }

    /// Ends the run, unless it has ended already: no more arrivals.
    pub(crate) fn end(&mut self, ending: Ending, now: Moment) {
        if !self.takes_arrivals() {
            // Nothing after an end changes its cause; but who is told to go, goes soon.
            if let Stage::Draining { until, .. } = &mut self.stage {
                *until = (*until).min(now.plus(SHORT_DRAIN_NANOSECONDS));
            }
            return;
        }
        let drain = match ending {
            // Nobody is there to answer.
            Ending::TargetLost { .. } => 0,
            _ => self.drain_nanoseconds.min(SHORT_DRAIN_NANOSECONDS),
        };
        let at = now.min(self.arrivals.measured_until());
        self.stage = Stage::Draining {
            ending,
            at,
            until: now.plus(drain),
        };
    }

    /// The target was there, or was not: ends a hold.
    pub(crate) fn resolve(&mut self, target_lost: Option<String>, now: Moment) {
        let Stage::Held { ending, .. } = &self.stage else {
            return;
        };
        let ending = match target_lost {
            Some(detail) => Ending::TargetLost { detail },
            None => ending.clone(),
        };
        self.end(ending, now);
    }

    /// The worker's loop asks for its next task, and begins it.
    pub(crate) fn begin(&mut self, worker: u32, now: Moment) -> Option<Task> {
        self.workers[worker as usize].begin(self.queue_order, now)
    }

    /// The worker's task begins the step at this position of the workload; the one before it, if
    /// it is still going on, ends.
    pub(crate) fn begin_step(&mut self, worker: u32, step: usize, now: Moment) {
        if let Some(task) = self.workers[worker as usize].begin_step(step, now)
            && task.phase == Phase::Measured
        {
            self.limits.begin_step(step);
        }
    }

    /// The worker's task is through with the step that was going on. Only needed where something
    /// that belongs to no step comes before the next: the end of a task ends its last one.
    pub(crate) fn end_step(&mut self, worker: u32, now: Moment) {
        self.workers[worker as usize].end_step(now);
    }

    /// The worker's task ended without error.
    pub(crate) fn complete(&mut self, worker: u32, now: Moment) {
        let window = self.window();
        let in_window = self.takes_arrivals();
        let Some(completed) = self.workers[worker as usize].complete(now, window) else {
            return;
        };
        let phase_end = match completed.task.phase {
            Phase::Warmup => self.arrivals.measured_from(),
            Phase::Measured => self.arrivals.measured_until(),
        };
        let books = self.books(completed.task.phase);
        books.completed += 1;
        books.in_time += u64::from(in_window && now < phase_end);
        self.interval
            .phase(completed.task.phase)
            .record(&completed.times);
        if completed.task.phase == Phase::Measured {
            self.workers[worker as usize].record(&completed.times);
            self.record(&completed.times);
            if let Some(breach) = self.limits.completed(&completed.times) {
                self.broken(breach, now);
            }
        }
    }

    /// The worker's task ended in an error; its connection is dropped.
    pub(crate) fn fail(&mut self, worker: u32, class: FailureClass, now: Moment) {
        let window = self.window();
        let Some(failed) = self.workers[worker as usize].fail(now, window) else {
            return;
        };
        let books = self.books(failed.task.phase);
        books.failed += 1;
        books.timed_out += u64::from(class == FailureClass::Timeout);
        if let Some(breach) = self
            .limits
            .failed(failed.task.phase, class, &failed.steps_begun)
        {
            self.broken(breach, now);
        }
    }

    /// The worker has a connection again.
    pub(crate) fn reconnected(&mut self, worker: u32) {
        self.workers[worker as usize].reconnected();
        self.reconnects += 1;
    }

    /// The worker that a task goes to: a function of seed, dyno and number alone.
    fn worker_of(&self, task: &Task) -> u32 {
        let workers = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        match self.assignment {
            Assignment::RoundRobin => {
                let worker = task.number % u64::from(workers.max(1));
                u32::try_from(worker).unwrap_or_default()
            }
            Assignment::Random => {
                let purpose = match task.phase {
                    Phase::Warmup => Purpose::WarmupWorker,
                    Phase::Measured => Purpose::MeasuredWorker,
                };
                self.seed.stream(purpose, task.number).below(workers)
            }
        }
    }

    /// Steps of the workload.
    pub(crate) const fn steps(&self) -> usize {
        self.steps.len()
    }

    fn broken(&mut self, breach: Breach, now: Moment) {
        match self.stage {
            Stage::Running if breach.by_lost_connections => {
                self.stage = Stage::Held {
                    since: now,
                    ending: breach.ending,
                };
            }
            Stage::Running => self.end(breach.ending, now),
            // The first breach is the cause, and nothing after an end is one.
            Stage::Held { .. } | Stage::Draining { .. } => {}
        }
    }

    fn record(&mut self, times: &TaskTimes) {
        let TaskTimes {
            response,
            wait,
            service,
            steps,
        } = *times;
        self.latencies.response.record(response);
        self.latencies.wait.record(wait);
        self.latencies.service.record(service);
        for (step, microseconds) in steps.iter() {
            if let Some(times) = self.steps.get_mut(step) {
                times.record(microseconds);
            }
        }
    }

    const fn books(&mut self, phase: Phase) -> &mut Books {
        match phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Measured => &mut self.measured,
        }
    }

    /// The measured window, as far as it is run.
    fn window(&self) -> (Moment, Moment) {
        let start = self.arrivals.measured_from();
        match &self.stage {
            Stage::Draining { at, .. } => (start, (*at).max(start)),
            Stage::Running | Stage::Held { .. } => (start, self.arrivals.measured_until()),
        }
    }

    /// Whether there may be something to do before the next due time: a limit was broken, or the
    /// last task to wait for has ended.
    pub(crate) const fn needs_attention(&self) -> bool {
        !matches!(self.stage, Stage::Running)
    }

    /// Tasks handed over that have neither completed nor failed.
    pub(crate) const fn unfinished(&self) -> u64 {
        let Self {
            warmup, measured, ..
        } = self;
        (warmup.delivered + measured.delivered)
            - (warmup.completed + measured.completed)
            - (warmup.failed + measured.failed)
    }
}
