//! One worker: its queue, the task in its hands, and what it has done so far.

use std::collections::VecDeque;

use redyno_contract::report::{BusyWorker, Times};

use super::arrivals::Task;
use super::limits::{StepAge, TaskTimes, Unfinished};
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
    step_sums: [u64; 3],
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
    ended_steps: [Moment; 2],
    ended: usize,
}

/// A task that ended without error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// Which.
    pub(crate) task: Task,
    /// What it took.
    pub(crate) times: TaskTimes,
}

/// A task that ended in an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    /// Which.
    pub(crate) task: Task,
    /// How many of its steps had begun, 1 to 3.
    pub(crate) steps_begun: usize,
}

impl Worker {
    /// Connected and idle.
    pub(crate) const fn new() -> Self {
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
            step_sums: [0; 3],
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

    /// Begins the task in its hands, or else the oldest in its queue.
    pub(crate) fn begin(&mut self, now: Moment) -> Option<Task> {
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
            None => self.queue.pop_front()?,
        };
        self.current = Some(Current {
            task,
            progress: Some(Progress {
                started: now,
                ended_steps: [now; 2],
                ended: 0,
            }),
        });
        Some(task)
    }

    /// The first or second step of its task ended: the task, and how many steps have.
    pub(crate) fn end_step(&mut self, now: Moment) -> Option<(Task, usize)> {
        let current = self.current.as_mut()?;
        let progress = current.progress.as_mut()?;
        *progress.ended_steps.get_mut(progress.ended)? = now;
        progress.ended += 1;
        Some((current.task, progress.ended))
    }

    /// Its task ended without error; `window` is the measured one, as far as it is run.
    pub(crate) fn complete(&mut self, now: Moment, window: (Moment, Moment)) -> Option<Completed> {
        let current = self.current?;
        let progress = current.progress?;
        self.current = None;
        self.was_busy(progress.started, now, window);
        let [fetched, saved] = progress.ended_steps;
        Some(Completed {
            task: current.task,
            times: TaskTimes {
                response: now.microseconds_since(current.task.due),
                wait: progress.started.microseconds_since(current.task.due),
                service: now.microseconds_since(progress.started),
                steps: [
                    fetched.microseconds_since(progress.started),
                    saved.microseconds_since(fetched),
                    now.microseconds_since(saved),
                ],
            },
        })
    }

    /// Its task ended in an error, and its connection goes.
    pub(crate) fn fail(&mut self, now: Moment, window: (Moment, Moment)) -> Option<Failed> {
        self.connected = false;
        let current = self.current?;
        let progress = current.progress?;
        self.current = None;
        self.was_busy(progress.started, now, window);
        Some(Failed {
            task: current.task,
            steps_begun: progress.ended + 1,
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
        for (sum, microseconds) in self.step_sums.iter_mut().zip(times.steps) {
            *sum = sum.saturating_add(microseconds);
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
                let mut begun = progress.started;
                for (step, age) in unfinished.steps.iter_mut().enumerate() {
                    if step < progress.ended {
                        let ended = progress.ended_steps[step];
                        *age = Some(StepAge::Ended(ended.microseconds_since(begun)));
                        begun = ended;
                    } else if step == progress.ended {
                        *age = Some(StepAge::GoingOn(now.microseconds_since(begun)));
                    }
                }
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
        let mean = |sum: u64| {
            Times {
                count: self.completed,
                sum_microseconds: sum,
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
            step_means_microseconds: self.step_sums.map(mean),
        }
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
