//! Closing the books: what became of the tasks that did not complete.

use super::arrivals::Phase;
use super::worker::never_started;
use super::{Engine, Moment, Snapshot, Stage};

impl Engine {
    /// Settles everything that is unfinished by its age at `now`, and gives the final numbers.
    /// To be called once, when [`Engine::advance`] says that nothing is left to wait for; the
    /// engine must not be told of anything afterwards.
    pub(crate) fn close(&mut self, now: Moment) -> Snapshot {
        let Self {
            arrivals,
            workers,
            stage,
            rejected,
            limits,
            ..
        } = self;
        let measured = |phase| phase == Phase::Measured;
        for (task, unfinished) in workers.iter().flat_map(|worker| worker.unfinished(now)) {
            if measured(task.phase) {
                limits.unfinished(&unfinished);
            }
        }
        for task in rejected.drain(..).filter(|task| measured(task.phase)) {
            limits.unfinished(&never_started(task, now));
        }
        // Due before the end, but never handed over.
        let ended_at = match stage {
            Stage::Draining { at, .. } => *at,
            Stage::Running | Stage::Held { .. } => now,
        };
        let mut undispatched = arrivals.clone();
        while let Some(task) = undispatched.take().filter(|task| task.due <= ended_at) {
            if measured(task.phase) {
                limits.unfinished(&never_started(task, now));
            }
        }
        let books = self.books_at(Phase::Measured, now);
        let over = self.limits.counts(books.scheduled, 0);
        self.snapshot_with(now, books, over)
    }
}
