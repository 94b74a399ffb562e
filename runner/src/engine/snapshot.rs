//! The engine's numbers at one moment.

use redyno_contract::limit::LimitCount;
use redyno_contract::report::{Books, BusyWorker, End, Latencies, Times};

use super::{Engine, FailureCounts, Interval, Moment, Phase, Stage};

/// How many of the busiest workers a report names.
const BUSIEST: usize = 5;

/// The engine's numbers at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// When.
    pub(crate) at: Moment,
    /// t0 has passed.
    pub(crate) in_window: bool,
    /// How it ended, once it did.
    pub(crate) end: Option<End>,
    /// The books of the warm-up.
    pub(crate) warmup: Books,
    /// The books of the measured window.
    pub(crate) measured: Books,
    /// Counts of the latency limits.
    pub(crate) over: Vec<LimitCount>,
    /// Mean and maximum latencies.
    pub(crate) latencies: Latencies,
    /// Service times of the workload's steps.
    pub(crate) steps: Vec<Times>,
    /// Handed over - due.
    pub(crate) schedule_lag: Times,
    /// Failures of measured tasks by class.
    pub(crate) failures: FailureCounts,
    /// Tasks that wait, over all workers.
    pub(crate) waiting: u64,
    /// The longest queue now.
    pub(crate) longest_queue: u32,
    /// The busiest workers so far.
    pub(crate) busiest: Vec<BusyWorker>,
    /// The highest backlog of any other worker.
    pub(crate) other_workers_backlog: u32,
    /// Connections made anew.
    pub(crate) reconnects: u64,
}

impl Engine {
    /// Takes what was recorded since the last time, and leaves `fresh` in its place.
    pub(crate) fn take_interval(&mut self, fresh: Box<Interval>) -> Box<Interval> {
        std::mem::replace(&mut self.interval, fresh)
    }

    /// The numbers at `now`, as if everything ended there. Unfinished tasks are not looked at one
    /// by one: all of them count as unknown.
    pub(crate) fn snapshot(&self, now: Moment) -> Snapshot {
        let measured = self.books_at(Phase::Measured, now);
        let unsettled = measured.rejected + measured.undispatched + measured.abandoned;
        let over = self.limits.counts(measured.scheduled, unsettled);
        self.snapshot_with(now, measured, over)
    }

    pub(super) fn snapshot_with(
        &self,
        now: Moment,
        measured: Books,
        over: Vec<LimitCount>,
    ) -> Snapshot {
        let (busiest, other_workers_backlog) = self.busiest(now);
        let t0 = self.arrivals.measured_from();
        let end = match &self.stage {
            Stage::Running | Stage::Held { .. } => None,
            Stage::Draining { ending, at, .. } => Some(End {
                ending: ending.clone(),
                after_milliseconds: at.milliseconds(),
                during_warmup: *at < t0,
            }),
        };
        Snapshot {
            at: now,
            in_window: now >= t0,
            end,
            warmup: self.books_at(Phase::Warmup, now),
            measured,
            over,
            latencies: self.latencies,
            steps: self.steps.clone(),
            schedule_lag: self.schedule_lag,
            failures: *self.limits.failures(),
            waiting: self
                .workers
                .iter()
                .map(|worker| u64::from(worker.waiting()))
                .sum(),
            longest_queue: self
                .workers
                .iter()
                .map(super::Worker::waiting)
                .max()
                .unwrap_or(0),
            busiest,
            other_workers_backlog,
            reconnects: self.reconnects,
        }
    }

    /// The books of a phase, as if everything ended at `now`, or when the run ended.
    pub(super) fn books_at(&self, phase: Phase, now: Moment) -> Books {
        let until = match &self.stage {
            Stage::Running | Stage::Held { .. } => now,
            Stage::Draining { at, .. } => *at,
        };
        let mut books = match phase {
            Phase::Warmup => self.warmup,
            Phase::Measured => self.measured,
        };
        // What was handed over is scheduled, whatever the clock of the caller says.
        let handed_over = books.delivered + books.rejected;
        books.scheduled = self.arrivals.due_until(phase, until).max(handed_over);
        books.undispatched = books.scheduled - handed_over;
        books.abandoned = books.delivered - books.completed - books.failed;
        books
    }

    fn busiest(&self, now: Moment) -> (Vec<BusyWorker>, u32) {
        let mut order: Vec<(u32, u32)> = (0_u32..)
            .zip(&self.workers)
            .map(|(number, worker)| (number, worker.peak_backlog()))
            .collect();
        order.sort_by_key(|(number, peak)| (std::cmp::Reverse(*peak), *number));
        let window = self.window();
        let busiest = order
            .iter()
            .take(BUSIEST)
            .map(|(number, _)| self.workers[*number as usize].summary(*number, now, window))
            .collect();
        (busiest, order.get(BUSIEST).map_or(0, |(_, peak)| *peak))
    }
}
