//! Disturbances: times in which tasks of a dyno were not alone with the target's own slowness,
//! because the dyno had been late itself.
//!
//! Tasks that were handed over late come in a burst and slow each other at the target, whichever
//! load thread they belong to. So a disturbance is the dyno's, not a thread's: it begins with an
//! own delay of over 1 ms, and it is over when no more tasks are unfinished than before it and all
//! that were unfinished or overdue when the thread got on again have ended.
//!
//! This is all that the engines of a dyno share. It is read and written without waiting, but for
//! the moments at which a disturbance begins or ends.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Moment, Share};

/// How many disturbances that are over are remembered; of those before, the longest delay of all.
const REMEMBERED: usize = 8;

/// The disturbances of one dyno, shared by its engines.
#[derive(Clone, Debug)]
pub struct Disturbances(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads: Box<[Thread]>,
    /// There is a disturbance.
    active: AtomicBool,
    /// Unfinished tasks of the dyno before it.
    before: AtomicU64,
    /// Its longest own delay, in nanoseconds.
    longest: AtomicU64,
    /// When the last one that is over ended, in nanoseconds since S.
    ended: AtomicU64,
    past: Mutex<Past>,
}

/// What one engine tells the others; in a cache line of its own, for it is written with every task.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Thread {
    /// Tasks in its workers' hands and queues.
    unfinished: AtomicU64,
    /// Tasks that were unfinished or overdue when its last own delay ended, and still are.
    late: AtomicU64,
}

/// Disturbances that are over: when each ended, and its longest own delay in nanoseconds.
#[derive(Debug, Default)]
struct Past {
    latest: [(Moment, u64); REMEMBERED],
    next: usize,
    /// Whatever came before those.
    longest_before: u64,
    before: Moment,
}

impl Disturbances {
    /// None so far, of a dyno with so many load threads.
    pub fn new(threads: NonZeroU32) -> Self {
        Self(Arc::new(Shared {
            threads: (0..threads.get()).map(|_| Thread::default()).collect(),
            active: AtomicBool::new(false),
            before: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            past: Mutex::default(),
        }))
    }

    /// The part of one engine.
    pub(crate) fn of(&self, share: Share) -> OwnPart {
        OwnPart {
            thread: share.thread() % self.0.threads.len(),
            all: self.clone(),
        }
    }
}

/// What one engine tells of itself and hears of the others.
#[derive(Debug)]
pub(crate) struct OwnPart {
    thread: usize,
    all: Disturbances,
}

impl OwnPart {
    /// So many tasks of the engine are unfinished.
    #[inline]
    pub(crate) fn unfinished(&self, tasks: u64) {
        self.own().unfinished.store(tasks, Ordering::Relaxed);
    }

    /// The engine was late by so much: a disturbance begins, or the one that is going on is no
    /// shorter than this. To be told before what is overdue is handed over. So many of its tasks
    /// have to end before it can be over.
    pub(crate) fn begin(&self, nanoseconds: u64, late: u64) {
        self.late(late);
        let shared = self.shared();
        let _past = shared.lock();
        if shared.active.load(Ordering::Acquire) {
            shared.longest.fetch_max(nanoseconds, Ordering::AcqRel);
        } else {
            shared.before.store(shared.unfinished(), Ordering::Release);
            shared.longest.store(nanoseconds, Ordering::Release);
            shared.active.store(true, Ordering::Release);
        }
    }

    /// A task came to the target by so much later than it would have: for the disturbance that is
    /// going on, if there is one, that is no less than a delay.
    #[inline]
    pub(crate) fn shifted(&self, nanoseconds: u64) {
        if self.shared().active.load(Ordering::Acquire) {
            self.shared()
                .longest
                .fetch_max(nanoseconds, Ordering::AcqRel);
        }
    }

    /// So many tasks that a disturbance waits for have not ended.
    pub(crate) fn late(&self, tasks: u64) {
        self.own().late.store(tasks, Ordering::Release);
    }

    /// A task of the engine has ended: the disturbance may be over.
    #[inline]
    pub(crate) fn settle(&self, now: Moment) {
        if self.shared().active.load(Ordering::Acquire) {
            self.shared().settle(now);
        }
    }

    /// By how much a task that was due at this moment and is still there, or just ended, may have
    /// been late because the dyno was, in nanoseconds; 0 if no disturbance touched it.
    pub(crate) fn shift(&self, due: Moment) -> u64 {
        let shared = self.shared();
        let now = if shared.active.load(Ordering::Acquire) {
            shared.longest.load(Ordering::Acquire)
        } else {
            0
        };
        if shared.ended.load(Ordering::Acquire) > due.nanoseconds() {
            now.max(shared.lock().since(due))
        } else {
            now
        }
    }

    fn own(&self) -> &Thread {
        &self.all.0.threads[self.thread]
    }

    fn shared(&self) -> &Shared {
        &self.all.0
    }
}

impl Shared {
    fn unfinished(&self) -> u64 {
        self.threads
            .iter()
            .map(|thread| thread.unfinished.load(Ordering::Relaxed))
            .sum()
    }

    fn is_over(&self) -> bool {
        self.unfinished() <= self.before.load(Ordering::Acquire)
            && self
                .threads
                .iter()
                .all(|thread| thread.late.load(Ordering::Acquire) == 0)
    }

    fn settle(&self, now: Moment) {
        if !self.is_over() {
            return;
        }
        let mut past = self.lock();
        if self.active.load(Ordering::Acquire) && self.is_over() {
            past.add(now, self.longest.load(Ordering::Acquire));
            self.ended.fetch_max(now.nanoseconds(), Ordering::AcqRel);
            self.active.store(false, Ordering::Release);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Past> {
        // Nothing in here can panic half-way.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn add(&mut self, ended: Moment, nanoseconds: u64) {
        let (forgotten, longest) = std::mem::replace(
            &mut self.latest[self.next % REMEMBERED],
            (ended, nanoseconds),
        );
        self.next += 1;
        self.before = self.before.max(forgotten);
        self.longest_before = self.longest_before.max(longest);
    }

    fn since(&self, due: Moment) -> u64 {
        let forgotten = if self.before > due {
            self.longest_before
        } else {
            0
        };
        self.latest
            .iter()
            .filter(|(ended, _)| *ended > due)
            .map(|(_, nanoseconds)| *nanoseconds)
            .fold(forgotten, u64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [OwnPart; 2] {
        let all = Disturbances::new(NonZeroU32::new(2).unwrap());
        let mut shares = Share::of(NonZeroU32::new(2).unwrap());
        [(); 2].map(|()| all.of(shares.next().unwrap()))
    }

    fn at(seconds: u32) -> Moment {
        Moment::from_seconds(seconds)
    }

    #[test]
    fn it_lasts_until_the_dyno_is_as_it_was_before() {
        let [one, other] = two();
        one.unfinished(3);
        other.unfinished(2);
        assert_eq!(one.shift(at(0)), 0);
        one.begin(7, 3);
        assert_eq!((one.shift(at(0)), other.shift(at(0))), (7, 7));
        // What was overdue is handed over.
        one.unfinished(9);
        one.late(9);
        // All that was late has ended, but others came.
        one.late(0);
        one.unfinished(4);
        one.settle(at(1));
        assert_eq!(other.shift(at(1)), 7);
        other.unfinished(1);
        other.settle(at(2));
        // Over for what comes now, not for what was due before.
        assert_eq!(other.shift(at(2)), 0);
        assert_eq!(other.shift(at(1)), 7);
    }

    #[test]
    fn no_thread_s_late_tasks_are_forgotten_and_the_longest_delay_counts() {
        let [one, other] = two();
        one.begin(5, 1);
        other.begin(9, 1);
        one.begin(3, 1);
        one.late(0);
        one.settle(at(1));
        assert_eq!(one.shift(at(1)), 9);
        other.late(0);
        other.settle(at(2));
        assert_eq!(one.shift(at(2)), 0);
    }

    #[test]
    fn a_task_that_saw_many_counts_the_worst() {
        let [one, _] = two();
        for second in 1..=20 {
            one.begin(if second == 2 { 50 } else { u64::from(second) }, 0);
            one.settle(at(second));
        }
        assert_eq!(one.shift(at(0)), 50);
        assert_eq!(one.shift(at(15)), 20);
        assert_eq!(one.shift(at(20)), 0);
    }
}
