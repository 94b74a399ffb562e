//! The same run with the load threads on time, as far as it can be told: whose fault it is that a
//! limit was broken.
//!
//! Which worker takes a task depends on its number alone, so with the load threads on time the same
//! tasks would have been in the same queues. Each worker keeps a second clock: when it would have
//! been free ([`Worker`]). And where the dyno was late, tasks came in a burst and slowed each other
//! at the target: no end moves by more than the arrivals did, which is the other bound
//! ([`Disturbances`]). Of the two, what excuses more counts.
//!
//! Where the newest task comes first, neither holds, for an instant's lateness can cost a task a
//! whole busy period: there everything is excused in whose worker's busy period the dyno was late.
//!
//! [`Worker`]: crate::worker::Worker
//! [`Disturbances`]: crate::Disturbances

use redyno_contract::plan::QueueOrder;
use redyno_contract::report::Queues;

use super::arrivals::Task;
use super::backlog::Backlog;
use super::delay::{Delay, Delays, LEAST_DELAY_NANOSECONDS};
use super::disturbance::OwnPart;
use super::limits::Excuse;
use super::worker::{Begun, Worker};
use super::{Engine, Moment};

/// What an engine keeps for telling what would have been.
#[derive(Debug)]
pub(crate) struct OnTime {
    pub(crate) delays: Delays,
    pub(crate) disturbances: OwnPart,
    late: Option<Late>,
    pub(crate) queues: Queues,
    /// The middle of the measured window.
    middle: Moment,
    /// Its end.
    end: Moment,
    backlog: Option<Backlog>,
}

/// The tasks that the last delay made late.
#[derive(Clone, Copy, Debug)]
struct Late {
    /// They were due until then.
    until: Moment,
    /// So many of them are unfinished.
    open: u64,
}

impl OnTime {
    /// Nothing was late so far, in a run with this measured window.
    pub(crate) fn new(disturbances: OwnPart, window: (Moment, Moment)) -> Self {
        let (from, end) = window;
        Self {
            delays: Delays::default(),
            disturbances,
            late: None,
            queues: Queues::default(),
            middle: from.plus(end.nanoseconds_since(from) / 2),
            end,
            backlog: None,
        }
    }

    /// The earliest moment at which a task that begins `now` could have begun, had everything of ours
    /// been on time.
    fn not_before(&self, begun: Begun, now: Moment) -> Moment {
        let Begun { task, on_time } = begun;
        on_time.min(now.minus(self.disturbances.shift(task.due)))
    }

    /// A task has begun at this worker.
    fn begun(&mut self, worker: u32, begun: Begun, now: Moment) {
        if begun.on_time < now {
            self.disturbances
                .shifted(now.nanoseconds_since(begun.on_time));
        }
        let is_late_enough = begun.on_time > self.middle;
        if !is_late_enough && self.backlog.is_none() {
            return;
        }
        let not_before = self.not_before(begun, now);
        if is_late_enough {
            self.queue(begun.task, |moment| not_before > moment);
        }
        if let Some(backlog) = &mut self.backlog {
            backlog.begun(worker, not_before);
        }
    }

    /// A task was in the queue in the middle of the window, or at its end, if it waited then.
    fn queue(&mut self, task: Task, waits: impl Fn(Moment) -> bool) {
        let in_time = task.due <= self.middle && waits(self.middle);
        let at_end = waits(self.end);
        self.queues.at_middle += u64::from(in_time);
        self.queues.at_end += u64::from(at_end);
    }

    /// At the close nobody has begun this task. With the load threads on time its worker would have
    /// been busy with others until a certain moment at least. The task counts as waiting only up to
    /// that moment: nobody knows whether it would still have waited later.
    pub(crate) fn never_begun(&mut self, worker: u32, busy: Begun, now: Moment) {
        let begins_after = self.not_before(busy, now);
        self.queue(busy.task, |moment| begins_after >= moment);
        if let Some(backlog) = &mut self.backlog {
            backlog.begun(worker, begins_after.plus(1));
        }
    }

    /// Whether anything was late in the busy period of a worker so far.
    fn was_late(&self, worker: &Worker) -> bool {
        let (since, reordered) = worker.busy_period();
        reordered || self.disturbances.shift(since) > 0
    }

    /// Whether a task of this worker was disturbed.
    pub(super) fn is_disturbed(
        &self,
        order: QueueOrder,
        worker: &Worker,
        (task, late): (Task, bool),
    ) -> bool {
        match order {
            QueueOrder::OldestFirst => late || self.disturbances.shift(task.due) > 0,
            QueueOrder::NewestFirst => self.was_late(worker),
        }
    }

    /// What excuses a task of this worker: `on_time` by the worker's second clock, which says
    /// nothing where the newest task comes first; there `as_it_was` takes its place.
    pub(super) fn excuse<T>(
        &self,
        order: QueueOrder,
        worker: &Worker,
        (task, late): (Task, bool),
        [as_it_was, on_time]: [T; 2],
    ) -> Excuse<T> {
        match order {
            // Nobody knows what it would have met at the target at its own time.
            QueueOrder::OldestFirst if late => Excuse {
                on_time,
                shift_microseconds: u64::MAX,
            },
            QueueOrder::OldestFirst => Excuse {
                on_time,
                shift_microseconds: self.disturbances.shift(task.due).div_ceil(1000),
            },
            QueueOrder::NewestFirst => Excuse {
                on_time: as_it_was,
                shift_microseconds: if self.was_late(worker) { u64::MAX } else { 0 },
            },
        }
    }

    /// How many would have been waiting before the first rejected task of this worker, or one of
    /// those that were due there after it.
    pub(crate) fn backlog(
        &self,
        worker: u32,
        later: impl IntoIterator<Item = Moment>,
    ) -> Option<u32> {
        self.backlog.as_ref()?.on_time(worker, later)
    }
}

impl Engine {
    /// The load thread was late, until now. To be told before anything else that happens now, and
    /// before what is overdue is handed over.
    pub fn delayed(&mut self, delay: Delay) {
        self.on_time.delays.add(delay);
        if delay.own_nanoseconds > LEAST_DELAY_NANOSECONDS {
            let late = Late {
                until: delay.until,
                open: self.unfinished(),
            };
            self.on_time.late = Some(late);
            let to_end = self.late_tasks(late);
            self.on_time
                .disturbances
                .begin(delay.own_nanoseconds, to_end);
        }
    }

    /// How many late tasks have to end: none of them is forgotten before it was handed over.
    fn late_tasks(&self, late: Late) -> u64 {
        let overdue = self.takes_arrivals()
            && self
                .arrivals
                .next_due()
                .is_some_and(|due| due <= late.until);
        late.open + u64::from(overdue)
    }

    /// A task was handed over.
    pub(super) fn handed_over(&mut self, task: Task) {
        self.on_time.disturbances.unfinished(self.unfinished());
        if let Some(mut late) = self.on_time.late
            && task.due <= late.until
        {
            late.open += 1;
            self.on_time.late = Some(late);
            self.on_time.disturbances.late(self.late_tasks(late));
        }
    }

    /// A task has ended.
    pub(super) fn task_ended(&mut self, task: Task, now: Moment) {
        self.on_time.disturbances.unfinished(self.unfinished());
        if let Some(mut late) = self.on_time.late
            && task.due <= late.until
        {
            late.open = late.open.saturating_sub(1);
            self.on_time.late = Some(late);
            self.on_time.disturbances.late(self.late_tasks(late));
        }
        self.on_time.disturbances.settle(now);
    }

    /// A worker has begun a task.
    pub(super) fn task_begun(&mut self, worker: u32, begun: Begun, now: Moment) {
        self.on_time.begun(worker, begun, now);
    }

    /// A worker has rejected a task.
    pub(super) fn task_rejected(&mut self, worker: u32, task: Task) {
        if self.on_time.backlog.is_some() {
            return;
        }
        let rejects = &self.workers[self.share.position(worker)];
        let ahead = u32::try_from(rejects.waits().count()).unwrap_or(u32::MAX);
        let backlog = match self.queue_order {
            QueueOrder::OldestFirst => {
                Backlog::new(worker, task.due, ahead, rejects.begun_on_time())
            }
            // The order does not matter for the length of a queue, unless something was late.
            QueueOrder::NewestFirst if self.on_time.was_late(rejects) => {
                Backlog::counted(worker, 0)
            }
            QueueOrder::NewestFirst => Backlog::counted(worker, ahead),
        };
        self.on_time.backlog = Some(backlog);
    }
}
