//! Closing the books: what became of the tasks that did not complete.

use redyno_contract::report::Ending;

use super::arrivals::Phase;
use super::on_time::OnTime;
use super::worker::{Left, Worker};
use super::{Engine, Moment, ShareSnapshot, Stage};

impl Engine {
    /// Settles everything that is unfinished by its age at `now`, and gives the final numbers of
    /// a run that ended so, at `at`: whichever thread saw it. To be called once, when every
    /// engine's [`Engine::advance`] has said that nothing is left to wait for; the engine must not
    /// be told of anything afterwards.
    pub fn close(&mut self, ending: Ending, at: Moment, now: Moment) -> ShareSnapshot {
        let Self {
            share,
            queue_order,
            arrivals,
            workers,
            rejected,
            limits,
            incomplete,
            interval,
            grid,
            on_time,
            ..
        } = self;
        let mut settle = |on_time: &OnTime, worker: &Worker, left: Left| {
            let Left { task, late, known } = left;
            if task.phase == Phase::Measured {
                let [as_it_was, _] = &known;
                let excuse = on_time.excuse(*queue_order, worker, (task, late), known);
                limits.unfinished(as_it_was, &excuse);
                incomplete.unfinished(as_it_was);
                let slot = grid.slot(task.due);
                interval.slots.response(slot, as_it_was.since_due);
            }
        };
        for (number, worker) in share.workers(u32::MAX).zip(&*workers) {
            for task in worker.waits() {
                let busy = worker.never_begun(task, now, &on_time.delays);
                on_time.never_begun(number, busy, now);
            }
            for left in worker.unfinished(now, &on_time.delays) {
                settle(on_time, worker, left);
            }
        }
        let mut due_by = |moment: Moment| {
            let is_due = arrivals.next_due().is_some_and(|due| due <= moment);
            is_due.then(|| arrivals.take()).flatten()
        };
        // What the plan has for each worker since the first rejected task.
        let mut planned = Vec::new();
        // Rejected, or due before the end, but never handed over.
        for (task, number) in rejected.drain(..).chain(std::iter::from_fn(|| due_by(at))) {
            planned.push((task.due, number));
            let worker = &workers[share.position(number)];
            let busy = worker.never_begun(task, now, &on_time.delays);
            on_time.never_begun(number, busy, now);
            settle(
                on_time,
                worker,
                worker.never_given(task, now, &on_time.delays),
            );
        }
        // Due after the end, while tasks were drained.
        let after = std::iter::from_fn(|| due_by(now));
        planned.extend(after.map(|(task, number)| (task.due, number)));
        self.stage = Stage::Draining {
            ending: self.counted_in_the_drain(ending, &planned),
            at,
            until: now,
        };
        self.snapshot(now)
    }

    /// An end by a backlog says how many would have been waiting with the load threads on time: who
    /// has the worker knows.
    fn counted_in_the_drain(&self, mut ending: Ending, planned: &[(Moment, u32)]) -> Ending {
        if let Ending::BacklogLimit {
            worker,
            backlog,
            on_time,
        } = &mut ending
        {
            let later = planned
                .iter()
                .filter(|(_, number)| number == worker)
                .map(|(due, _)| *due);
            // Nobody is interested in how many more there would have been.
            let counted = || Some(self.on_time.backlog(*worker, later)?.min(*backlog));
            *on_time = on_time.or_else(counted);
        }
        ending
    }
}
