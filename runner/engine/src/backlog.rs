//! Whether a task would have been rejected, too, had the load threads been on time.
//!
//! A task is rejected where it finds the limit waiting before it. At the time at which it was due,
//! those before it would have been waiting that would not have begun by then. When they would have
//! begun is known once they do: the queue is served on in the drain, so this is counted, not
//! estimated; where the drain is too short for that, only those count whose worker is known to have been
//! busy. For the drain the others are gone and the target is quicker, so that it errs to fewer.

use crate::Moment;

/// The first task that was rejected, and those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// The worker that rejected it.
    worker: u32,
    /// When it was due.
    due: Moment,
    /// Tasks before it that have not begun.
    ahead: u32,
    /// Tasks before it that would have been waiting when it was due.
    waiting: u32,
}

impl Backlog {
    /// A worker rejected a task that was due then, with so many before it that had not begun; one
    /// more, which had begun, would have been waiting at that time or not.
    pub(crate) const fn new(worker: u32, due: Moment, ahead: u32, current_waits: bool) -> Self {
        Self {
            worker,
            due,
            ahead,
            waiting: current_waits as u32,
        }
    }

    /// A worker rejected a task, with so many before it that would have been waiting in any case.
    pub(crate) const fn counted(worker: u32, waiting: u32) -> Self {
        Self {
            worker,
            due: Moment::from_nanoseconds(0),
            ahead: 0,
            waiting,
        }
    }

    /// When the rejected task was due, if the one that this worker begins now was before it.
    pub(crate) fn asks_for(&self, worker: u32) -> Option<Moment> {
        (self.worker == worker && self.ahead > 0).then_some(self.due)
    }

    /// The next of those before it has begun, or never will, and would have been waiting when the
    /// rejected one was due, or not.
    pub(crate) const fn begun(&mut self, waits: bool) {
        self.ahead = self.ahead.saturating_sub(1);
        self.waiting += waits as u32;
    }

    /// How many are known to have been waiting at this worker, if it is the one.
    pub(crate) fn on_time(&self, worker: u32) -> Option<u32> {
        (self.worker == worker).then_some(self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_known_to_have_waited_counts() {
        let due = Moment::from_seconds(1);
        let mut backlog = Backlog::new(3, due, 4, true);
        assert_eq!(backlog.asks_for(2), None);
        for waits in [true, false, false] {
            assert_eq!(backlog.asks_for(3), Some(due));
            backlog.begun(waits);
        }
        assert_eq!(backlog.on_time(2), None);
        assert_eq!(backlog.on_time(3), Some(2));
        backlog.begun(true);
        assert_eq!(backlog.asks_for(3), None);
        assert_eq!(backlog.on_time(3), Some(3));
    }
}
