//! What a load thread is told, and what it tells: the words between it and the [`Gather`].
//!
//! [`Gather`]: crate::Gather

use redyno_contract::report::{Ending, Times};

use crate::{Interval, Moment, ShareSnapshot};

/// What a load thread that carries the load is told.
#[derive(Debug)]
pub enum ThreadCommand {
    /// Hand over what was recorded, and go on with this empty interval.
    Sample {
        /// Takes the place of what was recorded.
        fresh: Box<Interval>,
    },
    /// The run is over for this reason.
    End {
        /// Why.
        ending: Ending,
        /// Since when; since now if None.
        at: Option<Moment>,
    },
    /// No thread has anything left to wait for: close the books of a run that ended so.
    Close {
        /// Why it ended.
        ending: Ending,
        /// When.
        at: Moment,
    },
}

/// What a load thread tells.
#[derive(Debug)]
pub enum ThreadEvent {
    /// Workers are still without connection, for this reason; they go on trying.
    NotReady {
        /// How many.
        workers: u32,
        /// Why the last one failed.
        detail: String,
    },
    /// All workers are connected, their buildings are filled.
    Ready,
    /// The load thread was there for S, at this moment.
    Started {
        /// S itself, or later.
        at: Moment,
    },
    /// A limit was broken by connection errors alone.
    Held {
        /// How the run ends if the target is there.
        ending: Ending,
        /// When.
        since: Moment,
    },
    /// No more arrivals.
    Ended {
        /// Why.
        ending: Ending,
        /// Since when.
        at: Moment,
    },
    /// The answer to [`ThreadCommand::Sample`].
    Sample(Box<ThreadSample>),
    /// Nothing is left to wait for.
    Drained,
    /// The answer to [`ThreadCommand::Close`]: the final numbers. The last event of a run that
    /// started.
    Closed(Box<ThreadSample>),
    /// A mistake of ours, or of the machine. The last event.
    Broken(String),
}

/// One load thread's numbers of one moment.
#[derive(Debug)]
pub struct ThreadSample {
    /// Counts since S.
    pub snapshot: ShareSnapshot,
    /// What the thread saw of itself.
    pub vitals: ThreadVitals,
    /// What was recorded since the last sample.
    pub interval: Box<Interval>,
}

/// What a load thread sees of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadVitals {
    /// How late a 10 ms timer of the load thread was, in the measured window.
    pub loop_lag: Times,
    /// What the thread has spent since S.
    pub spent: ThreadTime,
}

/// Time that a load thread has spent so far, by two clocks.
///
/// The runtime's own clock says how long the thread was awake: that holds time in which the system
/// let others run instead, but not the work of looking for what is ready to be read. The CPU time
/// holds the latter and not the former. What the thread did not spend waiting is at least as much
/// as either says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTime {
    /// Between waking up and going to sleep.
    pub awake_nanoseconds: u64,
    /// On a CPU.
    pub cpu_nanoseconds: u64,
}

impl ThreadTime {
    /// What it has spent since an earlier look.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            awake_nanoseconds: self
                .awake_nanoseconds
                .saturating_sub(earlier.awake_nanoseconds),
            cpu_nanoseconds: self.cpu_nanoseconds.saturating_sub(earlier.cpu_nanoseconds),
        }
    }

    /// How busy it was since an earlier look, so many nanoseconds ago, in thousandths.
    pub fn per_mille_since(self, earlier: Self, nanoseconds: u64) -> u32 {
        let Self {
            awake_nanoseconds,
            cpu_nanoseconds,
        } = self.since(earlier);
        let busy = u128::from(awake_nanoseconds.max(cpu_nanoseconds)) * 1000;
        busy.checked_div(u128::from(nanoseconds))
            .map_or(0, |share| u32::try_from(share.min(1000)).unwrap_or(1000))
    }

    /// The busiest of all load threads since an earlier look, in thousandths.
    pub fn busiest(now: &[Self], earlier: &[Self], nanoseconds: u64) -> u32 {
        now.iter()
            .enumerate()
            .map(|(thread, time)| {
                let before = earlier.get(thread).copied().unwrap_or_default();
                time.per_mille_since(before, nanoseconds)
            })
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_thread_counts_by_the_clock_that_says_more() {
        let time = |awake_nanoseconds, cpu_nanoseconds| ThreadTime {
            awake_nanoseconds,
            cpu_nanoseconds,
        };
        let earlier = [time(100, 100), time(100, 50)];
        assert_eq!(
            ThreadTime::busiest(&[time(300, 200), time(100, 350)], &earlier, 1000),
            300
        );
        assert_eq!(ThreadTime::busiest(&[time(9000, 0)], &[], 1000), 1000);
        assert_eq!(ThreadTime::busiest(&[], &[], 0), 0);
        assert_eq!(time(5, 5).per_mille_since(time(0, 0), 0), 0);
    }
}
