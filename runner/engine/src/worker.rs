//! One worker: its queue, the task in its hands, and what it has done so far.

use std::collections::VecDeque;

use redyno_contract::plan::{MOST_STEPS_OF_A_TASK, QueueOrder};
use redyno_contract::report::{BusyWorker, Times};

use super::arrivals::{Phase, Task};
use super::failure::ConnectionAfter;
use super::limits::{StepAge, StepTimes, TaskTimes, Unfinished};
use super::moment::Moment;

/// One worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    connected: bool,
    current: Option<Current>,
    queue: VecDeque<Task>,
    peak_backlog: u32,
    peak_at: Moment,
    completed: u64,
    busy_nanoseconds: u64,
    response: Times,
    steps: Box<[StepSum]>,
}

/// What a worker's tasks took in one step.
#[derive(Clone, Copy, Debug, Default)]
struct StepSum {
    count: u64,
    microseconds: u64,
}

/// The task in a worker's hands. It no longer waits, but it has begun only once the worker's loop
/// got to it.
#[derive(Clone, Copy, Debug)]
struct Current {
    task: Task,
    progress: Option<Progress>,
}

/// A task that has begun.
#[derive(Clone, Copy, Debug)]
struct Progress {
    started: Moment,
    /// Something that belongs to no step came before the first.
    later: bool,
    steps: [Option<Span>; MOST_STEPS_OF_A_TASK],
}

/// A step that has begun.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Its position in the workload.
    step: usize,
    begun: Moment,
    ended: Option<Moment>,
}

impl Progress {
    /// Ends the step that is going on, if any.
    fn end_step(&mut self, now: Moment) {
        if let Some(span) = self.steps.iter_mut().flatten().last() {
            span.ended.get_or_insert(now);
        }
    }
}

/// A task that ended without error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// Which.
    pub(crate) task: Task,
    /// What it took.
    pub(crate) times: TaskTimes,
    /// How long it was in the worker's hands.
    pub(crate) nanoseconds: u64,
}

/// A task that ended in an error.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// Which.
    pub(crate) task: Task,
    /// How long it was in the worker's hands.
    pub(crate) nanoseconds: u64,
    /// How old it was.
    pub(crate) age: Unfinished,
    /// The steps of it that had begun, by their position in the workload.
    pub(crate) steps_begun: Vec<usize>,
}

impl Worker {
    /// Connected and idle, with a workload of so many steps.
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            connected: true,
            current: None,
            queue: VecDeque::new(),
            peak_backlog: 0,
            peak_at: Moment::from_nanoseconds(0),
            completed: 0,
            busy_nanoseconds: 0,
            response: Times {
                count: 0,
                sum_microseconds: 0,
                max_microseconds: 0,
            },
            steps: vec![StepSum::default(); steps].into_boxed_slice(),
        }
    }

    /// Its backlog: tasks that wait, the one in its hands excluded.
    pub(crate) fn waiting(&self) -> u32 {
        u32::try_from(self.queue.len()).unwrap_or(u32::MAX)
    }

    /// Whether a task is in its hands.
    pub(crate) const fn is_running(&self) -> bool {
        self.current.is_some()
    }

    /// Which window the task in its hands belongs to.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.current.map(|current| current.task.phase)
    }

    /// Whether it has a connection.
    pub(crate) const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Gives it a task: into its hands if they are free, else to the end of its queue.
    pub(crate) fn give(&mut self, task: Task, now: Moment) {
        if self.connected && self.current.is_none() {
            self.current = Some(Current {
                task,
                progress: None,
            });
            return;
        }
        self.queue.push_back(task);
        if self.waiting() > self.peak_backlog {
            self.peak_backlog = self.waiting();
            self.peak_at = now;
        }
    }

    /// Begins the task in its hands, or else the next of its queue.
    pub(crate) fn begin(&mut self, order: QueueOrder, now: Moment) -> Option<Task> {
        if !self.connected {
            return None;
        }
        let task = match self.current {
            Some(Current {
                progress: Some(_), ..
            }) => return None,
            Some(Current {
                task,
                progress: None,
            }) => task,
            None => match order {
                QueueOrder::OldestFirst => self.queue.pop_front()?,
                QueueOrder::NewestFirst => self.queue.pop_back()?,
            },
        };
        self.current = Some(Current {
            task,
            progress: Some(Progress {
                started: now,
                later: false,
                steps: [None; MOST_STEPS_OF_A_TASK],
            }),
        });
        Some(task)
    }

    /// The step of its task that was going on ended, and this one begins; the first one began with
    /// the task, unless something came before it. Gives the task.
    pub(crate) fn begin_step(&mut self, step: usize, now: Moment) -> Option<Task> {
        let current = self.current.as_mut()?;
        let progress = current.progress.as_mut()?;
        progress.end_step(now);
        let position = progress.steps.iter().position(Option::is_none)?;
        progress.steps[position] = Some(Span {
            step,
            begun: if position == 0 && !progress.later {
                progress.started
            } else {
                now
            },
            ended: None,
        });
        Some(current.task)
    }

    /// The step of its task that was going on ended, if any; what comes now belongs to none.
    pub(crate) fn end_step(&mut self, now: Moment) {
        if let Some(progress) = self.current.as_mut().and_then(|it| it.progress.as_mut()) {
            progress.end_step(now);
            progress.later = true;
        }
    }

    /// Its task ended without error; `window` is the measured one, as far as it is run.
    pub(crate) fn complete(&mut self, now: Moment, window: (Moment, Moment)) -> Option<Completed> {
        let current = self.current?;
        let progress = current.progress?;
        self.current = None;
        self.was_busy(progress.started, now, window);
        let mut steps = StepTimes::default();
        for span in progress.steps.iter().flatten() {
            let ended = span.ended.unwrap_or(now);
            steps.push(span.step, ended.microseconds_since(span.begun));
        }
        Some(Completed {
            task: current.task,
            times: TaskTimes {
                response: now.microseconds_since(current.task.due),
                wait: progress.started.microseconds_since(current.task.due),
                service: now.microseconds_since(progress.started),
                steps,
            },
            nanoseconds: now.nanoseconds_since(progress.started),
        })
    }

    /// Its task ended in an error.
    pub(crate) fn fail(
        &mut self,
        connection: ConnectionAfter,
        now: Moment,
        window: (Moment, Moment),
    ) -> Option<Failed> {
        self.connected &= connection == ConnectionAfter::Usable;
        let current = self.current?;
        let progress = current.progress?;
        self.current = None;
        self.was_busy(progress.started, now, window);
        Some(Failed {
            task: current.task,
            nanoseconds: now.nanoseconds_since(progress.started),
            age: Unfinished {
                since_due: now.microseconds_since(current.task.due),
                wait: Some(progress.started.microseconds_since(current.task.due)),
                since_start: Some(now.microseconds_since(progress.started)),
                ..Unfinished::default()
            },
            steps_begun: progress
                .steps
                .iter()
                .flatten()
                .map(|span| span.step)
                .collect(),
        })
    }

    /// It has a connection again.
    pub(crate) const fn reconnected(&mut self) {
        self.connected = true;
    }

    /// Notes what a measured task took.
    pub(crate) fn record(&mut self, times: &TaskTimes) {
        self.completed += 1;
        self.response.record(times.response);
        for (step, microseconds) in times.steps.iter() {
            if let Some(sum) = self.steps.get_mut(step) {
                sum.count += 1;
                sum.microseconds = sum.microseconds.saturating_add(microseconds);
            }
        }
    }

    fn was_busy(&mut self, from: Moment, until: Moment, window: (Moment, Moment)) {
        let (start, end) = window;
        self.busy_nanoseconds += until.min(end).nanoseconds_since(from.max(start));
    }

    /// What it has not finished, each with its age, as if everything ended now.
    pub(crate) fn unfinished(&self, now: Moment) -> impl Iterator<Item = (Task, Unfinished)> + '_ {
        let current = self.current.map(|current| {
            let mut unfinished = never_started(current.task, now);
            if let Some(progress) = current.progress {
                unfinished.wait = Some(progress.started.microseconds_since(current.task.due));
                unfinished.since_start = Some(now.microseconds_since(progress.started));
                unfinished.steps = progress.steps.map(|span| {
                    let span = span?;
                    let age = match span.ended {
                        Some(ended) => StepAge::Ended(ended.microseconds_since(span.begun)),
                        None => StepAge::GoingOn(now.microseconds_since(span.begun)),
                    };
                    Some((span.step, age))
                });
            }
            (current.task, unfinished)
        });
        let queued = self
            .queue
            .iter()
            .map(move |task| (*task, never_started(*task, now)));
        current.into_iter().chain(queued)
    }

    /// For the report: `number` is its own, `window` the measured one as far as it is run.
    pub(crate) fn summary(&self, number: u32, now: Moment, window: (Moment, Moment)) -> BusyWorker {
        let (start, end) = window;
        let mut busy = self.busy_nanoseconds;
        if let Some(progress) = self.current.and_then(|current| current.progress) {
            busy += now.min(end).nanoseconds_since(progress.started.max(start));
        }
        let length = end.min(now.max(start)).nanoseconds_since(start);
        let per_mille = (busy.saturating_mul(1000)).checked_div(length).unwrap_or(0);
        let mean = |sum: &StepSum| {
            Times {
                count: sum.count,
                sum_microseconds: sum.microseconds,
                max_microseconds: 0,
            }
            .mean_microseconds()
            .unwrap_or(0)
        };
        BusyWorker {
            worker: number,
            tasks: self.completed,
            peak_backlog: self.peak_backlog,
            peak_at_milliseconds: self.peak_at.milliseconds(),
            busy_per_mille: u32::try_from(per_mille.min(1000)).unwrap_or(1000),
            response: self.response,
            step_means_microseconds: self.steps.iter().map(mean).collect(),
        }
    }

    /// How long the task in its hands has been going on.
    pub(crate) fn serving_nanoseconds(&self, now: Moment) -> u64 {
        self.current
            .and_then(|current| current.progress)
            .map_or(0, |progress| now.nanoseconds_since(progress.started))
    }

    /// Its highest backlog so far.
    pub(crate) const fn peak_backlog(&self) -> u32 {
        self.peak_backlog
    }
}

/// A task that nobody began, as if everything ended now.
pub(crate) fn never_started(task: Task, now: Moment) -> Unfinished {
    Unfinished {
        since_due: now.microseconds_since(task.due),
        ..Unfinished::default()
    }
}
