//! The dyno's state machine: what to do at an arrival, a completion, an end.
//!
//! Plain data: it does no IO and reads no clock. Whoever drives it tells it what happened and
//! when, so that tests can drive it through any sequence of events, with any clock.
//!
//! A worker that is connected and idle takes an arriving task into its hands at once, so that the
//! backlog is what really waits even if the worker's own loop is late; the task's start is when
//! that loop gets to it.
//!
//! Each load thread has an engine of its own, with a [`Share`] of the workers. What they counted
//! is added up by the [`Whole`]; what only the whole plan tells, such as how many tasks were due,
//! is known there alone.

mod arrivals;
mod backlog;
mod closing;
mod delay;
mod disturbance;
mod failure;
#[cfg(test)]
mod fixtures;
mod gather;
mod incomplete;
mod interval;
mod limits;
mod moment;
mod on_time;
mod pace;
mod quota;
mod settings;
mod share;
mod slots;
mod snapshot;
mod tally;
#[cfg(test)]
mod tests;
mod thread;
mod watch;
mod whole;
mod worker;

use redyno_contract::plan::QueueOrder;
use redyno_contract::report::{Ending, Latencies, Replies, Times};

pub use arrivals::{Choice, Phase, Task, Windows};
pub use delay::{Delay, LEAST_DELAY_NANOSECONDS};
pub use disturbance::Disturbances;
pub use failure::{ConnectionAfter, FailureClass, FailureCounts, FirstWords};
pub use gather::{Gather, LoadEvent, Sample};
pub use incomplete::{AgeHistograms, IncompleteTasks};
pub use interval::{Distributions, Interval};
pub use limits::{Breach, LimitCounters, StepTimes, TaskTimes};
pub use moment::Moment;
pub use pace::{Pace, Turn};
pub use quota::CpuQuota;
pub use settings::{EngineSettings, PlannedErrorLimit, PlannedLatencyLimit, PlannedLimits, Scope};
pub use share::Share;
pub use slots::{Slot, SlotGrid, Slots};
pub use snapshot::{Counted, ShareSnapshot};
pub use tally::Tally;
pub use thread::{ThreadCommand, ThreadEvent, ThreadSample, ThreadTime, ThreadVitals};
pub use watch::{Clocks, Watch};
pub use whole::{Snapshot, Whole, first_end};

use arrivals::Arrivals;
use limits::Limits;
use on_time::OnTime;
use worker::Worker;

/// After a stop, a SIGTERM or a breach, unfinished tasks may go on for at most this long.
const SHORT_DRAIN_NANOSECONDS: u64 = 5_000_000_000;

/// How far a dyno is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
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
pub enum Arrival {
    /// Into the hands of this idle worker, who has to be woken.
    Wake(u32),
    /// Into the queue of a busy or disconnected worker.
    Queued,
    /// Refused: its worker had the limit waiting.
    Rejected,
}

/// What was in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Something: a status, a number, a text however short.
    Something,
    /// Nothing: nil, an empty list, a list of nothing but nils.
    Nothing,
}

/// The state machine of a share of the dyno's workers.
#[derive(Debug)]
pub struct Engine {
    share: Share,
    queue_order: QueueOrder,
    max_worker_backlog: u32,
    drain_nanoseconds: u64,
    arrivals: Arrivals,
    workers: Vec<Worker>,
    stage: Stage,
    /// The last task that was handed over, or rejected.
    last: Option<Task>,
    warmup: Tally,
    measured: Tally,
    /// Tasks that were rejected, each with the worker that did.
    rejected: Vec<(Task, u32)>,
    limits: Limits,
    on_time: OnTime,
    latencies: Latencies,
    steps: Vec<Times>,
    replies: Vec<Replies>,
    words: FirstWords,
    incomplete: IncompleteTasks,
    grid: SlotGrid,
    schedule_lag: Times,
    served_nanoseconds: u64,
    reconnects: u64,
    interval: Box<Interval>,
}

impl Engine {
    /// All workers of the share connected and idle, nothing due yet. All engines of a dyno, and no
    /// others, share its disturbances.
    pub fn new(settings: EngineSettings, share: Share, disturbances: &Disturbances) -> Self {
        let EngineSettings {
            choice,
            windows,
            queue_order,
            steps,
            max_worker_backlog,
            drain_seconds,
            limits,
        } = settings;
        Self {
            share,
            queue_order,
            max_worker_backlog,
            drain_nanoseconds: u64::from(drain_seconds) * 1_000_000_000,
            arrivals: Arrivals::new(&windows, choice, share),
            workers: share
                .workers(choice.workers)
                .map(|_| Worker::new(steps))
                .collect(),
            stage: Stage::Running,
            last: None,
            warmup: Tally::default(),
            measured: Tally::default(),
            rejected: Vec::new(),
            limits: Limits::new(limits, steps),
            on_time: OnTime::new(
                disturbances.of(share),
                (windows.measured_from(), windows.measured_until()),
            ),
            latencies: Latencies::default(),
            steps: vec![Times::default(); steps],
            replies: vec![Replies::default(); steps],
            words: FirstWords::default(),
            incomplete: IncompleteTasks::default(),
            grid: SlotGrid::of(&windows),
            schedule_lag: Times::default(),
            served_nanoseconds: 0,
            reconnects: 0,
            interval: Box::new(Interval::new(steps)),
        }
    }

    /// How far it is.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether tasks are still handed over.
    pub const fn takes_arrivals(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Held { .. })
    }

    /// When something happens next by itself: a task falls due, the window or the drain ends.
    /// None while only a resolution can end it.
    pub fn next_event(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Draining { until, .. } => Some(*until),
            Stage::Running => Some(
                self.arrivals
                    .next_due()
                    .unwrap_or_else(|| self.arrivals.measured_until()),
            ),
            Stage::Held { .. } => self.arrivals.next_due(),
        }
    }

    /// Hands over the next task if it is due. To be called until it returns None: everything
    /// overdue is handed over at once, each task with its own due time; nothing is skipped.
    pub fn arrive(&mut self, now: Moment) -> Option<Arrival> {
        if !self.takes_arrivals() || self.arrivals.next_due().is_none_or(|due| due > now) {
            return None;
        }
        let (task, number) = self.arrivals.take()?;
        self.last = Some(task);
        let limit = self.max_worker_backlog;
        let worker = &mut self.workers[self.share.position(number)];
        let waiting = worker.waiting();
        if waiting >= limit {
            let by_lost_connections = !worker.is_connected();
            self.tally(task.phase).rejected += 1;
            self.rejected.push((task, number));
            self.task_rejected(number, task);
            let ending = Ending::BacklogLimit {
                worker: number,
                backlog: waiting,
                on_time: None,
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
        worker.give(task, now, &self.on_time.delays);
        let waiting = worker.waiting();
        self.interval.peak_backlog = self.interval.peak_backlog.max(waiting);
        self.interval.slots.backlog(self.grid.slot(now), waiting);
        self.tally(task.phase).delivered += 1;
        self.handed_over(task);
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
    pub fn advance(&mut self, now: Moment) -> bool {
        match &self.stage {
            Stage::Running if self.arrivals.next_due().is_none() => {
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

    /// Ends the run at `at`, which is `now` where the end is not known to have come earlier: no
    /// more arrivals. Nothing after an end changes its cause; only an end that came before it
    /// does, seen by another thread.
    pub fn end(&mut self, ending: Ending, at: Option<Moment>, now: Moment) {
        let at = at
            .unwrap_or(now)
            .min(now)
            .min(self.arrivals.measured_until());
        if let Stage::Draining {
            ending: own_ending,
            at: own_at,
            until,
        } = &mut self.stage
        {
            // Who is told to go, goes soon.
            *until = (*until).min(now.plus(SHORT_DRAIN_NANOSECONDS));
            if at < *own_at {
                (*own_ending, *own_at) = (ending, at);
            }
            return;
        }
        let drain = match ending {
            // Nobody is there to answer; or every further task may cost somebody a key.
            Ending::TargetLost { .. } | Ending::ForeignKeysEvicted { .. } => 0,
            _ => self.drain_nanoseconds.min(SHORT_DRAIN_NANOSECONDS),
        };
        self.stage = Stage::Draining {
            ending,
            at,
            until: now.plus(drain),
        };
    }

    /// The worker's loop asks for its next task, and begins it.
    pub fn begin(&mut self, worker: u32, now: Moment) -> Option<Task> {
        let place = self.share.position(worker);
        let begun = self.workers[place].begin(self.queue_order, now, &self.on_time.delays)?;
        self.task_begun(worker, begun, now);
        Some(begun.task)
    }

    /// The worker's task begins the step at this position of the workload; the one before it, if
    /// it is still going on, ends.
    pub fn begin_step(&mut self, worker: u32, step: usize, now: Moment) {
        let place = self.share.position(worker);
        if let Some(task) = self.workers[place].begin_step(step, now, &self.on_time.delays)
            && task.phase == Phase::Measured
        {
            self.limits.begin_step(step);
        }
    }

    /// The worker's task is through with the step that was going on. Only needed where something
    /// that belongs to no step comes before the next: the end of a task ends its last one.
    pub fn end_step(&mut self, worker: u32, now: Moment) {
        let place = self.share.position(worker);
        self.workers[place].end_step(now, &self.on_time.delays);
    }

    /// The worker's task ended without error.
    pub fn complete(&mut self, worker: u32, now: Moment) {
        let window = self.window();
        // A run that is held will have ended then.
        let in_window = self.stage == Stage::Running;
        let place = self.share.position(worker);
        let Some(completed) = self.workers[place].complete(now, window, &self.on_time.delays)
        else {
            return;
        };
        self.served_nanoseconds += completed.nanoseconds;
        let phase_end = match completed.task.phase {
            Phase::Warmup => self.arrivals.measured_from(),
            Phase::Measured => self.arrivals.measured_until(),
        };
        let in_time = in_window && now < phase_end;
        let tally = self.tally(completed.task.phase);
        tally.completed += 1;
        tally.in_time += u64::from(in_time);
        self.interval
            .phase(completed.task.phase)
            .record(&completed.times);
        if completed.task.phase == Phase::Measured {
            let slots = &mut self.interval.slots;
            slots.response(self.grid.slot(completed.task.due), completed.times.response);
            if in_time {
                slots.completed(self.grid.slot(now));
            }
            self.worker(worker).record(&completed.times);
            self.record(&completed.times);
            let (on_time, own) = (&self.on_time, &self.workers[place]);
            let breach = self.limits.completed(&completed.times, || {
                let known = [None, completed.on_time];
                let task = (completed.task, completed.late);
                on_time.excuse(self.queue_order, own, task, known)
            });
            if let Some(breach) = breach {
                self.broken(breach, now);
            }
        }
        self.task_ended(completed.task, now);
    }

    /// The worker's task ended in an error. Where its connection is dropped, its tasks wait until
    /// it has [`reconnected`](Self::reconnected).
    pub fn fail(
        &mut self,
        worker: u32,
        class: FailureClass,
        connection: ConnectionAfter,
        now: Moment,
    ) {
        let window = self.window();
        let place = self.share.position(worker);
        let Some(failed) = self.workers[place].fail(connection, now, window, &self.on_time.delays)
        else {
            return;
        };
        self.served_nanoseconds += failed.nanoseconds;
        let tally = self.tally(failed.task.phase);
        tally.failed += 1;
        tally.timed_out += u64::from(class == FailureClass::Timeout);
        if failed.task.phase == Phase::Measured {
            self.incomplete.failed(&failed.age, &failed.steps_begun);
            let slot = self.grid.slot(failed.task.due);
            self.interval.slots.response(slot, failed.age.since_due);
        }
        let own = &self.workers[place];
        let disturbed =
            self.on_time
                .is_disturbed(self.queue_order, own, (failed.task, failed.late));
        if let Some(breach) =
            self.limits
                .failed(failed.task.phase, class, &failed.steps_begun, disturbed)
        {
            self.broken(breach, now);
        }
        self.task_ended(failed.task, now);
    }

    /// Whether nobody has kept what was said of a failure of this class.
    pub fn lacks_words(&self, class: FailureClass) -> bool {
        self.words.lack(class)
    }

    /// Keeps what was said of the first failure of this class, fit to be shown.
    pub fn keep_words(&mut self, class: FailureClass, words: String) {
        self.words.keep(class, words);
    }

    /// The worker's task, which is going on, was answered: by something, or by nothing. To be
    /// called before the task ends, with the step's position in the workload.
    pub fn replied(&mut self, worker: u32, step: usize, content: Content) {
        if self.worker(worker).phase() != Some(Phase::Measured) {
            return;
        }
        if let Some(replies) = self.replies.get_mut(step) {
            match content {
                Content::Something => replies.hits += 1,
                Content::Nothing => replies.misses += 1,
            }
        }
    }

    /// The worker has a connection again.
    pub fn reconnected(&mut self, worker: u32, now: Moment) {
        let place = self.share.position(worker);
        self.workers[place].reconnected(now, &self.on_time.delays);
        self.reconnects += 1;
    }

    fn worker(&mut self, number: u32) -> &mut Worker {
        &mut self.workers[self.share.position(number)]
    }

    fn broken(&mut self, breach: Breach, now: Moment) {
        match self.stage {
            Stage::Running if breach.by_lost_connections => {
                self.stage = Stage::Held {
                    since: now,
                    ending: breach.ending,
                };
            }
            Stage::Running => self.end(breach.ending, None, now),
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

    const fn tally(&mut self, phase: Phase) -> &mut Tally {
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
    pub const fn needs_attention(&self) -> bool {
        !matches!(self.stage, Stage::Running)
    }

    /// Tasks handed over that have neither completed nor failed.
    pub const fn unfinished(&self) -> u64 {
        let Self {
            warmup, measured, ..
        } = self;
        warmup.unfinished() + measured.unfinished()
    }
}
