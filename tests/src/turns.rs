//! Tests of the cluster take turns, so that none disturbs what another one measures.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a test does on the node's two cores. Tests of different kinds never run together, and of
/// each kind only a few run at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Measures with most of the node, or changes what all tests use.
    Quiet,
    /// Measures with little, and is made anew if it was disturbed.
    Measuring,
    /// Only waits.
    Shared,
}

impl Kind {
    const fn at_once(self) -> usize {
        match self {
            Self::Quiet => 1,
            Self::Measuring => 3,
            Self::Shared => 8,
        }
    }
}

/// The tests that run, and those that wait in the order in which they came.
#[derive(Debug)]
struct Turns {
    /// The kinds of the tests that run, which are all the same.
    running: Vec<Kind>,
    waiting: Vec<(u64, Kind)>,
    next_ticket: u64,
}

impl Turns {
    const fn new() -> Self {
        Self {
            running: Vec::new(),
            waiting: Vec::new(),
            next_ticket: 0,
        }
    }

    fn come(&mut self, kind: Kind) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push((ticket, kind));
        ticket
    }

    /// The first waiting test that fits beside those that run. Tests of one kind end before those
    /// of another begin.
    fn next(&self) -> Option<u64> {
        let fits = |kind: Kind| {
            self.running.len() < kind.at_once() && self.running.iter().all(|other| *other == kind)
        };
        let first = self.waiting.iter().find(|(_, kind)| fits(*kind));
        first.map(|(ticket, _)| *ticket)
    }

    fn begin(&mut self, ticket: u64) {
        let position = self.waiting.iter().position(|(other, _)| *other == ticket);
        if let Some(position) = position {
            self.running.push(self.waiting.remove(position).1);
        }
    }

    fn end(&mut self) {
        self.running.pop();
    }
}

static TURNS: Mutex<Turns> = Mutex::new(Turns::new());
static CHANGED: Condvar = Condvar::new();

fn turns() -> MutexGuard<'static, Turns> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A test's turn, over when it is dropped.
pub(crate) struct Turn(());

impl Turn {
    /// Waits for the turn. Meanwhile, everything that all tests need is made ready.
    pub(crate) fn wait(kind: Kind, make_ready: impl FnOnce()) -> Self {
        let ticket = turns().come(kind);
        make_ready();
        let mut turns = CHANGED
            .wait_while(turns(), |turns| turns.next() != Some(ticket))
            .unwrap_or_else(PoisonError::into_inner);
        turns.begin(ticket);
        drop(turns);
        // The next one may fit as well.
        CHANGED.notify_all();
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        turns().end();
        CHANGED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Turns};

    /// Begins all tests that may begin, and says how many run.
    fn fill(turns: &mut Turns) -> (usize, Option<Kind>) {
        while let Some(ticket) = turns.next() {
            turns.begin(ticket);
        }
        (turns.running.len(), turns.running.first().copied())
    }

    #[test]
    fn kinds_never_meet_and_each_ends_before_another_begins() {
        use Kind::{Measuring, Quiet, Shared};
        let mut turns = Turns::new();
        for kind in [
            Measuring, Quiet, Shared, Measuring, Quiet, Measuring, Measuring,
        ] {
            turns.come(kind);
        }
        let mut seen = Vec::new();
        loop {
            let (running, kind) = fill(&mut turns);
            let Some(kind) = kind else { break };
            seen.push((kind, running));
            assert!(turns.running.iter().all(|other| *other == kind));
            turns.end();
        }
        assert_eq!(
            seen,
            [
                (Measuring, 3),
                (Measuring, 3),
                (Measuring, 2),
                (Measuring, 1),
                (Quiet, 1),
                (Shared, 1),
                (Quiet, 1),
            ]
        );
        assert!(turns.waiting.is_empty());
    }
}
