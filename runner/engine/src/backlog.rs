//! Whether a task would have been rejected, too, had the load threads been on time.
//!
//! A task is rejected where it finds the limit waiting before it. At the time at which it was due,
//! those before it would have been waiting that would not have begun by then. When they would have
//! begun is known once they do: the queue is served on in the drain, so this is counted, not
//! estimated; where the drain is too short for that, only those count whose worker is known to have
//! been busy. For the drain the others are gone and the target is quicker, so that it errs to fewer.
//!
//! If fewer than the limit would have been waiting, the run would have gone on, and the next tasks of
//! the plan would have come to the same queue. They would have waited behind those that waited already,
//! so they are counted as well. A target that cannot keep up is then found out even where a delay of
//! the generator by a millisecond made one task fewer wait at the first rejection.

use crate::Moment;

/// The first task that was rejected, and those before it.
#[derive(Clone, Debug)]
pub(crate) struct Backlog {
    /// The worker that rejected it.
    worker: u32,
    waiting: Waiting,
}

#[derive(Clone, Debug)]
enum Waiting {
    /// So many would have been waiting in any case.
    Counted(u32),
    /// It depends on when they would have begun.
    Begins {
        /// When the rejected task was due.
        due: Moment,
        /// Tasks before it that have not begun.
        ahead: u32,
        /// For each task before it that has begun, the earliest moment at which it could have begun
        /// with everything on time.
        begins: Vec<Moment>,
    },
}

impl Backlog {
    /// A worker rejected a task that was due at `due`. Before it there were so many that had not begun,
    /// and perhaps one more that had, and that could have begun at `current` at the earliest.
    pub(crate) fn new(worker: u32, due: Moment, ahead: u32, current: Option<Moment>) -> Self {
        let waiting = Waiting::Begins {
            due,
            ahead,
            begins: current.into_iter().collect(),
        };
        Self { worker, waiting }
    }

    /// A worker rejected a task, with so many before it that would have been waiting in any case.
    pub(crate) const fn counted(worker: u32, waiting: u32) -> Self {
        let waiting = Waiting::Counted(waiting);
        Self { worker, waiting }
    }

    /// The next task of this worker has begun, or never will. It could not have begun before that
    /// moment.
    pub(crate) fn begun(&mut self, of: u32, not_before: Moment) {
        if self.worker != of {
            return;
        }
        if let Waiting::Begins { ahead, begins, .. } = &mut self.waiting
            && *ahead > 0
        {
            *ahead -= 1;
            begins.push(not_before);
        }
    }

    /// How many are known to have been waiting at this worker, if it is the one, before the rejected
    /// task or before one of those that were due there `later`, in their order.
    pub(crate) fn on_time(
        &self,
        worker: u32,
        later: impl IntoIterator<Item = Moment>,
    ) -> Option<u32> {
        if self.worker != worker {
            return None;
        }
        let (due, begins) = match &self.waiting {
            Waiting::Counted(waiting) => return Some(*waiting),
            Waiting::Begins { due, begins, .. } => (*due, begins),
        };
        let mut begins = begins.clone();
        begins.sort_unstable();
        let most = std::iter::once(due)
            .chain(later.into_iter().filter(|later| *later > due))
            .zip(0_usize..)
            .map_while(|(due, before)| {
                let begun = begins.partition_point(|begin| *begin <= due);
                let waiting = begins.len() - begun;
                // Once all of those have begun, the later ones may have as well.
                (waiting > 0).then_some(waiting + before)
            })
            .max()
            .unwrap_or(0);
        Some(u32::try_from(most).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::from_nanoseconds(milliseconds * 1_000_000)
    }

    fn backlog(begins: &[u64]) -> Backlog {
        let mut backlog = Backlog::new(3, at(1000), 4, Some(at(900)));
        for begin in begins {
            backlog.begun(3, at(*begin));
        }
        backlog
    }

    #[test]
    fn only_who_is_known_to_have_waited_counts() {
        for (begins, expected) in [
            (&[][..], 0),
            (&[1001, 1002, 1003, 1004], 4),
            (&[990, 1000, 1001, 1002], 2),
            // No more than were there.
            (&[1001, 1002, 1003, 1004, 1005], 4),
        ] {
            let backlog = backlog(begins);
            assert_eq!(backlog.on_time(2, []), None);
            assert_eq!(backlog.on_time(3, []), Some(expected), "{begins:?}");
        }
        let mut other = backlog(&[]);
        other.begun(2, at(2000));
        assert_eq!(other.on_time(3, []), Some(0));
        assert_eq!(Backlog::counted(3, 7).on_time(3, []), Some(7));
    }

    #[test]
    fn later_tasks_would_have_waited_behind_those_that_wait() {
        let backlog = backlog(&[990, 1020, 1030, 1040]);
        for (later, expected) in [
            (&[][..], 3),
            (&[1010], 4),
            (&[1010, 1025], 4),
            (&[1010, 1011, 1012], 6),
            // By then all before them would have begun, and the first of them perhaps, too.
            (&[1050, 1051, 1052, 1053], 3),
            (&[1010, 1050, 1051, 1052, 1053], 4),
        ] {
            let later: Vec<Moment> = later.iter().map(|due| at(*due)).collect();
            assert_eq!(
                backlog.on_time(3, later.clone()),
                Some(expected),
                "{later:?}"
            );
        }
    }
}
