//! What the oracle keeps: of every task when it was due, handed over, begun, answered and ended.
//!
//! It goes by the plan and by what the model's threads do, with queues of its own, and never asks
//! an engine for a number: so it can tell whether the engines' numbers are true.

use std::collections::VecDeque;

use redyno_contract::failure::FailureClass;
use redyno_contract::plan::{Assignment, QueueOrder};
use redyno_contract::random::{Purpose, Seed};
use redyno_engine::{Moment, Phase};

use super::time::{NEVER, Time};
use super::world::World;

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was never handed over.
    Undispatched,
    /// Its worker had the limit waiting.
    Rejected,
    /// It was handed over, and has not ended.
    Unfinished,
    /// It ended without error.
    Completed,
    /// It ended in an error.
    Failed(FailureClass),
}

/// A step that a task has begun: its place in the workload, when it began, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepRecord {
    pub(super) step: usize,
    pub(super) begun: Moment,
    pub(super) ended: Option<Moment>,
}

/// One task, by the dyno's clock where it is not said otherwise.
#[derive(Clone, Debug)]
pub(super) struct TaskRecord {
    pub(super) phase: Phase,
    pub(super) number: u64,
    pub(super) worker: u32,
    pub(super) due: Moment,
    pub(super) fate: Fate,
    /// When it was handed over, and how many were waiting then.
    pub(super) handed_over: Option<(Moment, usize)>,
    pub(super) begun: Option<Moment>,
    pub(super) ended: Option<Moment>,
    /// When its last reply was at the socket, in the world's time.
    pub(super) replied_at: Time,
    pub(super) steps: Vec<StepRecord>,
}

/// A worker's queue as the oracle knows it.
#[derive(Clone, Debug)]
struct Queue {
    connected: bool,
    /// The task in its hands, and whether it has begun.
    current: Option<(usize, bool)>,
    waiting: VecDeque<usize>,
}

/// All tasks of one dyno.
#[derive(Clone, Debug)]
pub(super) struct Records {
    pub(super) tasks: Vec<TaskRecord>,
    order: QueueOrder,
    limit: usize,
    queues: Vec<Queue>,
    /// The next task of each thread, by its place among all.
    next: Vec<usize>,
    /// When each thread closed its books.
    closed: Vec<Option<Moment>>,
    /// When the run ended, by what the threads were told.
    pub(super) end: Option<Moment>,
    threads: u32,
}

/// Tasks are told apart by their number, those of the warm-up by one beyond all others.
pub(super) const fn task_id(phase: Phase, number: u64) -> u64 {
    match phase {
        Phase::Warmup => number | 1 << 40,
        Phase::Measured => number,
    }
}

impl Records {
    /// All tasks that a dyno's plan has, in the order in which they are due.
    pub(super) fn of(world: &World, dyno: usize) -> Self {
        let dynos = world.type_of(dyno);
        let spec = &world.dynos[dyno];
        let seed = Seed::of(world.plan.seed, &spec.name);
        let t0 = Moment::from_seconds(world.plan.warmup_seconds);
        let worker_of = |purpose, number| match dynos.assignment {
            Assignment::RoundRobin => u32::try_from(number % u64::from(dynos.workers)).unwrap_or(0),
            Assignment::Random => seed.stream(purpose, number).below(dynos.workers),
        };
        let warmup = world.plan.warmup_schedule(dynos, spec.name.index);
        let measured = world.plan.schedule(dynos, spec.name.index);
        let tasks = (0..warmup.count())
            .zip(warmup.due_times())
            .map(|(number, due)| {
                (
                    Phase::Warmup,
                    number,
                    worker_of(Purpose::WarmupWorker, number),
                    Moment::from_nanoseconds(due),
                )
            })
            .chain(
                (0..measured.count())
                    .zip(measured.due_times())
                    .map(|(number, due)| {
                        (
                            Phase::Measured,
                            number,
                            worker_of(Purpose::MeasuredWorker, number),
                            t0.plus(due),
                        )
                    }),
            )
            .map(|(phase, number, worker, due)| TaskRecord {
                phase,
                number,
                worker,
                due,
                fate: Fate::Undispatched,
                handed_over: None,
                begun: None,
                ended: None,
                replied_at: NEVER,
                steps: Vec::new(),
            })
            .collect();
        Self {
            tasks,
            order: dynos.queue_order,
            limit: if world.changed.ends.is_some() {
                usize::MAX
            } else {
                dynos.max_worker_backlog as usize
            },
            queues: vec![
                Queue {
                    connected: true,
                    current: None,
                    waiting: VecDeque::new(),
                };
                dynos.workers as usize
            ],
            next: vec![0; spec.threads as usize],
            closed: vec![None; spec.threads as usize],
            end: None,
            threads: spec.threads,
        }
    }

    /// A thread hands over what is due, as long as its engine takes it: `goes_on` says whether it
    /// still does after a task was rejected.
    pub(super) fn hand_over(&mut self, thread: usize, now: Moment, goes_on: bool) {
        loop {
            let place = self.next[thread];
            let Some(task) = self.tasks.get_mut(place) else {
                return;
            };
            if task.due > now {
                return;
            }
            self.next[thread] += 1;
            if task.worker % self.threads != u32::try_from(thread).unwrap_or(0) {
                continue;
            }
            let queue = &mut self.queues[task.worker as usize];
            task.handed_over = Some((now, queue.waiting.len()));
            if queue.waiting.len() >= self.limit {
                task.fate = Fate::Rejected;
                if goes_on {
                    continue;
                }
                return;
            }
            task.fate = Fate::Unfinished;
            if queue.connected && queue.current.is_none() {
                queue.current = Some((place, false));
            } else {
                queue.waiting.push_back(place);
            }
        }
    }

    /// A worker begins its next task, if it has one.
    pub(super) fn begin(&mut self, worker: u32, now: Moment) -> Option<usize> {
        let queue = &mut self.queues[worker as usize];
        if !queue.connected {
            return None;
        }
        let place = match queue.current {
            Some((_, true)) => return None,
            Some((place, false)) => place,
            None => match self.order {
                QueueOrder::OldestFirst => queue.waiting.pop_front()?,
                QueueOrder::NewestFirst => queue.waiting.pop_back()?,
            },
        };
        queue.current = Some((place, true));
        self.tasks[place].begun = Some(now);
        Some(place)
    }

    /// A task begins a step; the one before it ends.
    pub(super) fn begin_step(&mut self, place: usize, step: usize, now: Moment, later: bool) {
        self.end_step(place, now);
        let task = &mut self.tasks[place];
        let begun = match task.begun {
            // The first step begins with the task, unless something came before it.
            Some(begun) if task.steps.is_empty() && !later => begun,
            _ => now,
        };
        task.steps.push(StepRecord {
            step,
            begun,
            ended: None,
        });
    }

    /// A task's step ends.
    pub(super) fn end_step(&mut self, place: usize, now: Moment) {
        if let Some(step) = self.tasks[place].steps.last_mut() {
            step.ended.get_or_insert(now);
        }
    }

    /// A worker's task ends; its connection may go.
    pub(super) fn end(
        &mut self,
        worker: u32,
        failed: Option<FailureClass>,
        keeps_connection: bool,
        now: Moment,
        replied_at: Time,
    ) {
        let queue = &mut self.queues[worker as usize];
        queue.connected = keeps_connection;
        let Some((place, true)) = queue.current.take() else {
            return;
        };
        if failed.is_none() {
            self.end_step(place, now);
        }
        let task = &mut self.tasks[place];
        (task.ended, task.replied_at) = (Some(now), replied_at);
        task.fate = failed.map_or(Fate::Completed, Fate::Failed);
    }

    /// A worker has a connection again.
    pub(super) fn reconnected(&mut self, worker: u32) {
        self.queues[worker as usize].connected = true;
    }

    /// A thread closes its books of a run that ended at `end`.
    pub(super) fn close(&mut self, thread: usize, end: Moment, now: Moment) {
        self.closed[thread] = Some(now);
        self.end = Some(end);
    }

    /// When the books were closed that a task is in.
    pub(super) fn closed(&self, task: &TaskRecord) -> Option<Moment> {
        self.closed[(task.worker % self.threads) as usize]
    }

    /// The tasks of a phase.
    pub(super) fn of_phase(&self, phase: Phase) -> impl Iterator<Item = &TaskRecord> {
        self.tasks.iter().filter(move |task| task.phase == phase)
    }
}
