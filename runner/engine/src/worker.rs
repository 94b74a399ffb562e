//! One worker: its queue, the task in its hands, and what it has done so far.

use std::collections::VecDeque;

use redyno_contract::plan::{MOST_STEPS_OF_A_TASK, QueueOrder};
use redyno_contract::report::{BusyWorker, Times};

use super::arrivals::{Phase, Task};
use super::delay::Delays;
use super::failure::ConnectionAfter;
use super::limits::{StepAge, StepTimes, TaskTimes, Unfinished};
use super::moment::Moment;

/// One worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    connected: bool,
    current: Option<Current>,
    queue: VecDeque<Handed>,
    /// When it could last have begun a task: when it ended the one before, or had its connection
    /// again.
    ready: Look,
    /// When that would have been, had everything of ours been on time: never later.
    free: Moment,
    /// Since when its hands or its queue have not been empty; of the last such time if they are.
    busy_since: Moment,
    /// In that time a task came too late to be taken before another that was taken instead.
    reordered: bool,
    peak_backlog: u32,
    peak_at: Moment,
    completed: u64,
    busy_nanoseconds: u64,
    response: Times,
    steps: Box<[StepSum]>,
}

/// A moment, by two clocks.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at: Moment,
    /// By the clock that runs only while the load thread is late, in nanoseconds.
    own_nanoseconds: u64,
}

impl Look {
    const fn new(at: Moment, delays: &Delays) -> Self {
        Self {
            at,
            own_nanoseconds: delays.total_nanoseconds(),
        }
    }

    /// What passed until a later look, in nanoseconds, had the load thread been on time.
    const fn on_time_until(self, later: Self) -> u64 {
        let own = later.own_nanoseconds.saturating_sub(self.own_nanoseconds);
        later.at.nanoseconds_since(self.at).saturating_sub(own)
    }

    /// The same in whole microseconds.
    const fn microseconds_on_time_until(self, later: Self) -> u64 {
        self.on_time_until(later) / 1000
    }
}

/// What a worker's tasks took in one step.
#[derive(Clone, Copy, Debug, Default)]
struct StepSum {
    count: u64,
    microseconds: u64,
}

/// A task that was handed over.
#[derive(Clone, Copy, Debug)]
struct Handed {
    task: Task,
    /// An own delay kept it from its worker.
    late: bool,
}

/// The task in a worker's hands. It no longer waits, but it has begun only once the worker's loop
/// got to it.
#[derive(Clone, Copy, Debug)]
struct Current {
    handed: Handed,
    progress: Option<Progress>,
}

/// A task that has begun.
#[derive(Clone, Copy, Debug)]
struct Progress {
    started: Look,
    /// When it would have begun, had everything of ours been on time.
    on_time: Moment,
    /// Something that belongs to no step came before the first.
    later: bool,
    steps: [Option<Span>; MOST_STEPS_OF_A_TASK],
}

/// A step that has begun.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Its position in the workload.
    step: usize,
    begun: Look,
    ended: Option<Look>,
}

impl Progress {
    /// Ends the step that is going on, if any.
    fn end_step(&mut self, now: Look) {
        if let Some(span) = self.steps.iter_mut().flatten().last() {
            span.ended.get_or_insert(now);
        }
    }

    /// What is known of its task as if everything ended now: as it is, and had everything of ours
    /// been on time.
    fn unfinished(&self, task: Task, now: Look) -> [Unfinished; 2] {
        let Self {
            started,
            on_time,
            later: _,
            steps,
        } = self;
        let steps = |time: &dyn Fn(Look, Look) -> u64| {
            steps.map(|span| {
                let Span { step, begun, ended } = span?;
                let age = match ended {
                    Some(ended) => StepAge::Ended(time(begun, ended)),
                    None => StepAge::GoingOn(time(begun, now)),
                };
                Some((step, age))
            })
        };
        [
            Unfinished {
                since_due: now.at.microseconds_since(task.due),
                wait: Some(started.at.microseconds_since(task.due)),
                since_start: Some(now.at.microseconds_since(started.at)),
                steps: steps(&|begun, ended| ended.at.microseconds_since(begun.at)),
            },
            Unfinished {
                since_due: self.end_on_time(now).microseconds_since(task.due),
                wait: Some(on_time.microseconds_since(task.due)),
                since_start: Some(started.microseconds_on_time_until(now)),
                steps: steps(&|begun, ended| begun.microseconds_on_time_until(ended)),
            },
        ]
    }

    /// When it would have ended if it had ended now, had everything of ours been on time.
    const fn end_on_time(&self, now: Look) -> Moment {
        self.on_time.plus(self.started.on_time_until(now))
    }
}

/// A task that has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Which.
    pub(crate) task: Task,
    /// When it would have begun, had everything of ours been on time: now, or earlier.
    pub(crate) on_time: Moment,
}

/// A task that ended without error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// Which.
    pub(crate) task: Task,
    /// What it took.
    pub(crate) times: TaskTimes,
    /// What it would have taken, had everything of ours been on time; None if that is the same.
    pub(crate) on_time: Option<TaskTimes>,
    /// An own delay kept it from its worker.
    pub(crate) late: bool,
    /// How long it was in the worker's hands.
    pub(crate) nanoseconds: u64,
}

/// A task that ended in an error.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// Which.
    pub(crate) task: Task,
    /// An own delay kept it from its worker.
    pub(crate) late: bool,
    /// How long it was in the worker's hands.
    pub(crate) nanoseconds: u64,
    /// How old it was.
    pub(crate) age: Unfinished,
    /// The steps of it that had begun, by their position in the workload.
    pub(crate) steps_begun: Vec<usize>,
}

/// A task that was not finished when everything ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Which.
    pub(crate) task: Task,
    /// An own delay kept it from its worker.
    pub(crate) late: bool,
    /// What is known of it: as it is, and had everything of ours been on time.
    pub(crate) known: [Unfinished; 2],
}

impl Worker {
    /// Connected and idle, with a workload of so many steps.
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            connected: true,
            current: None,
            queue: VecDeque::new(),
            ready: Look::default(),
            free: Moment::default(),
            busy_since: Moment::default(),
            reordered: false,
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
        self.current.map(|current| current.handed.task.phase)
    }

    /// Whether it has a connection.
    pub(crate) const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Gives it a task: into its hands if they are free, else to the end of its queue.
    pub(crate) fn give(&mut self, task: Task, now: Moment, delays: &Delays) {
        let handed = Handed {
            task,
            late: delays.kept(task.due, now),
        };
        if self.current.is_none() && self.queue.is_empty() {
            (self.busy_since, self.reordered) = (now.min(task.due), false);
        } else if let Some(progress) = self.current.and_then(|current| current.progress) {
            self.reordered |= progress.started.at > task.due;
        }
        if self.connected && self.current.is_none() {
            self.current = Some(Current {
                handed,
                progress: None,
            });
            return;
        }
        self.queue.push_back(handed);
        if self.waiting() > self.peak_backlog {
            self.peak_backlog = self.waiting();
            self.peak_at = now;
        }
    }

    /// Begins the task in its hands, or else the next of its queue.
    pub(crate) fn begin(
        &mut self,
        order: QueueOrder,
        now: Moment,
        delays: &Delays,
    ) -> Option<Begun> {
        if !self.connected {
            return None;
        }
        let handed = match self.current {
            Some(Current {
                progress: Some(_), ..
            }) => return None,
            Some(Current {
                handed,
                progress: None,
            }) => handed,
            None => match order {
                QueueOrder::OldestFirst => self.queue.pop_front()?,
                QueueOrder::NewestFirst => self.queue.pop_back()?,
            },
        };
        let task = handed.task;
        let on_time = self.begin_on_time(task.due, now, delays);
        self.current = Some(Current {
            handed,
            progress: Some(Progress {
                started: Look::new(now, delays),
                on_time,
                later: false,
                steps: [None; MOST_STEPS_OF_A_TASK],
            }),
        });
        Some(Begun { task, on_time })
    }

    /// When a task that was due then and begins now would have begun, had everything of ours been
    /// on time. What kept it waiting although its worker was ready, and was no own delay, is part of
    /// what is under test: the CPU time of other tasks, a quota, a connection that had to be made
    /// anew.
    fn begin_on_time(&self, due: Moment, now: Moment, delays: &Delays) -> Moment {
        let Look {
            at: ready,
            own_nanoseconds,
        } = self.ready;
        let since_ready = delays.total_nanoseconds().saturating_sub(own_nanoseconds);
        let (could, own) = if due > ready {
            (due, delays.since(due, since_ready))
        } else {
            (ready, since_ready)
        };
        let kept = now.nanoseconds_since(could).saturating_sub(own);
        self.free.max(due).plus(kept)
    }

    /// The step of its task that was going on ended, and this one begins; the first one began with
    /// the task, unless something came before it. Gives the task.
    pub(crate) fn begin_step(&mut self, step: usize, now: Moment, delays: &Delays) -> Option<Task> {
        let now = Look::new(now, delays);
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
        Some(current.handed.task)
    }

    /// The step of its task that was going on ended, if any; what comes now belongs to none.
    pub(crate) fn end_step(&mut self, now: Moment, delays: &Delays) {
        if let Some(progress) = self.current.as_mut().and_then(|it| it.progress.as_mut()) {
            progress.end_step(Look::new(now, delays));
            progress.later = true;
        }
    }

    /// Its task ended without error; `window` is the measured one, as far as it is run.
    pub(crate) fn complete(
        &mut self,
        now: Moment,
        window: (Moment, Moment),
        delays: &Delays,
    ) -> Option<Completed> {
        let Current {
            handed: Handed { task, late },
            progress,
        } = self.current?;
        let progress = progress?;
        let now = Look::new(now, delays);
        self.ended(&progress, now, window);
        let Progress {
            started,
            on_time: begun_on_time,
            later: _,
            steps: spans,
        } = &progress;
        let mut steps = StepTimes::default();
        for span in spans.iter().flatten() {
            let ended = span.ended.unwrap_or(now);
            steps.push(span.step, ended.at.microseconds_since(span.begun.at));
        }
        let ended_on_time = self.free;
        let on_time = (ended_on_time != now.at).then(|| {
            let mut steps = StepTimes::default();
            for span in spans.iter().flatten() {
                let ended = span.ended.unwrap_or(now);
                steps.push(span.step, span.begun.microseconds_on_time_until(ended));
            }
            TaskTimes {
                response: ended_on_time.microseconds_since(task.due),
                wait: begun_on_time.microseconds_since(task.due),
                service: started.microseconds_on_time_until(now),
                steps,
            }
        });
        Some(Completed {
            task,
            times: TaskTimes {
                response: now.at.microseconds_since(task.due),
                wait: started.at.microseconds_since(task.due),
                service: now.at.microseconds_since(started.at),
                steps,
            },
            on_time,
            late,
            nanoseconds: now.at.nanoseconds_since(started.at),
        })
    }

    /// The task in its hands has ended now.
    fn ended(&mut self, progress: &Progress, now: Look, window: (Moment, Moment)) {
        self.current = None;
        self.was_busy(progress.started.at, now.at, window);
        self.free = progress.end_on_time(now);
        self.ready = now;
    }

    /// Its task ended in an error.
    pub(crate) fn fail(
        &mut self,
        connection: ConnectionAfter,
        now: Moment,
        window: (Moment, Moment),
        delays: &Delays,
    ) -> Option<Failed> {
        self.connected &= connection == ConnectionAfter::Usable;
        let Current {
            handed: Handed { task, late },
            progress,
        } = self.current?;
        let progress = progress?;
        self.ended(&progress, Look::new(now, delays), window);
        Some(Failed {
            task,
            late,
            nanoseconds: now.nanoseconds_since(progress.started.at),
            age: Unfinished {
                since_due: now.microseconds_since(task.due),
                wait: Some(progress.started.at.microseconds_since(task.due)),
                since_start: Some(now.microseconds_since(progress.started.at)),
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
    pub(crate) const fn reconnected(&mut self, now: Moment, delays: &Delays) {
        if self.connected {
            return;
        }
        self.connected = true;
        let now = Look::new(now, delays);
        self.free = self.free.plus(self.ready.on_time_until(now));
        self.ready = now;
    }

    /// Until when it would at least be busy with what it has in its hands, or without connection,
    /// had everything of ours been on time: what waits behind that has not begun before.
    fn busy_until(&self, now: Moment, delays: &Delays) -> Moment {
        match self.current {
            Some(Current { handed, progress }) => match progress {
                Some(progress) => progress.end_on_time(Look::new(now, delays)),
                None => self.begin_on_time(handed.task.due, now, delays),
            },
            None => self
                .free
                .plus(self.ready.on_time_until(Look::new(now, delays))),
        }
    }

    /// A task of its that it was never given.
    pub(crate) fn never_given(&self, task: Task, now: Moment, delays: &Delays) -> Left {
        Left {
            task,
            late: delays.kept(task.due, now),
            known: self.not_begun(task, now, delays),
        }
    }

    /// What is known now of a task of its that nobody began: as it is, and had everything of ours
    /// been on time.
    fn not_begun(&self, task: Task, now: Moment, delays: &Delays) -> [Unfinished; 2] {
        let until = self.busy_until(now, delays);
        [now, until].map(|until| Unfinished {
            since_due: until.microseconds_since(task.due),
            ..Unfinished::default()
        })
    }

    /// A task of its that nobody has begun, and until when it would at least have been busy with
    /// those before it, had everything of ours been on time.
    pub(crate) fn never_begun(&self, task: Task, now: Moment, delays: &Delays) -> Begun {
        Begun {
            task,
            on_time: self.busy_until(now, delays),
        }
    }

    /// When the task in its hands would have begun, had everything of ours been on time.
    pub(crate) fn begun_on_time(&self) -> Option<Moment> {
        Some(self.current?.progress?.on_time)
    }

    /// Since when it has been busy without a pause, and whether tasks were taken in another order in
    /// that time than they would have been, had they come on time.
    pub(crate) const fn busy_period(&self) -> (Moment, bool) {
        (self.busy_since, self.reordered)
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

    /// What it has not finished, each with what is known of it as if everything ended now: as it is,
    /// and had everything of ours been on time.
    pub(crate) fn unfinished(&self, now: Moment, delays: &Delays) -> impl Iterator<Item = Left> {
        let current = self.current.map(|Current { handed, progress }| {
            let Handed { task, late } = handed;
            let known = match progress {
                Some(progress) => progress.unfinished(task, Look::new(now, delays)),
                None => self.not_begun(task, now, delays),
            };
            Left { task, late, known }
        });
        let queued = self.queue.iter().map(move |Handed { task, late }| Left {
            task: *task,
            late: *late,
            known: self.not_begun(*task, now, delays),
        });
        current.into_iter().chain(queued)
    }

    /// Tasks that it has not begun.
    pub(crate) fn waits(&self) -> impl Iterator<Item = Task> {
        self.current
            .as_ref()
            .filter(|current| current.progress.is_none())
            .map(|current| &current.handed)
            .into_iter()
            .chain(&self.queue)
            .map(|handed| handed.task)
    }

    /// For the report: `number` is its own, `window` the measured one as far as it is run.
    pub(crate) fn summary(&self, number: u32, now: Moment, window: (Moment, Moment)) -> BusyWorker {
        let (start, end) = window;
        let mut busy = self.busy_nanoseconds;
        if let Some(progress) = self.current.and_then(|current| current.progress) {
            busy += now
                .min(end)
                .nanoseconds_since(progress.started.at.max(start));
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
            .map_or(0, |progress| now.nanoseconds_since(progress.started.at))
    }

    /// Its highest backlog so far.
    pub(crate) const fn peak_backlog(&self) -> u32 {
        self.peak_backlog
    }
}
