//! What one engine counted of the tasks of a phase.

/// What one engine counted of the tasks of a phase. How many were due it cannot say: it sees
/// those of its own workers alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed to a worker.
    pub delivered: u64,
    /// Refused because the worker had the backlog limit waiting.
    pub rejected: u64,
    /// Ended without error.
    pub completed: u64,
    /// Those of them that ended inside the window.
    pub in_time: u64,
    /// Ended in an error.
    pub failed: u64,
    /// Those of them that ran out of their time.
    pub timed_out: u64,
}

impl Tally {
    /// Adds what another engine counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let Self {
            delivered,
            rejected,
            completed,
            in_time,
            failed,
            timed_out,
        } = other;
        Self {
            delivered: self.delivered + delivered,
            rejected: self.rejected + rejected,
            completed: self.completed + completed,
            in_time: self.in_time + in_time,
            failed: self.failed + failed,
            timed_out: self.timed_out + timed_out,
        }
    }

    /// Tasks that were taken from the schedule.
    pub const fn handed_over(&self) -> u64 {
        self.delivered + self.rejected
    }

    /// Tasks handed to a worker that have neither completed nor failed.
    pub const fn unfinished(&self) -> u64 {
        self.delivered - self.completed - self.failed
    }
}
