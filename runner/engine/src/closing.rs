//! Closing the books: what became of the tasks that did not complete.

use redyno_contract::report::Ending;

use super::arrivals::{Phase, Task};
use super::limits::Unfinished;
use super::worker::never_started;
use super::{Engine, Moment, ShareSnapshot, Stage};

impl Engine {
    /// Settles everything that is unfinished by its age at `now`, and gives the final numbers of
    /// a run that ended so, at `at`: whichever thread saw it. To be called once, when every
    /// engine's [`Engine::advance`] has said that nothing is left to wait for; the engine must not
    /// be told of anything afterwards.
    pub fn close(&mut self, ending: Ending, at: Moment, now: Moment) -> ShareSnapshot {
        self.stage = Stage::Draining {
            ending,
            at,
            until: now,
        };
        let Self {
            arrivals,
            workers,
            rejected,
            limits,
            incomplete,
            interval,
            grid,
            ..
        } = self;
        let mut settle = |task: Task, age: &Unfinished| {
            if task.phase == Phase::Measured {
                limits.unfinished(age);
                incomplete.unfinished(age);
                interval.slots.response(grid.slot(task.due), age.since_due);
            }
        };
        for (task, unfinished) in workers.iter().flat_map(|worker| worker.unfinished(now)) {
            settle(task, &unfinished);
        }
        for task in rejected.drain(..) {
            settle(task, &never_started(task, now));
        }
        // Due before the end, but never handed over.
        while let Some((task, _)) = arrivals.take()
            && task.due <= at
        {
            settle(task, &never_started(task, now));
        }
        self.snapshot(now)
    }
}
