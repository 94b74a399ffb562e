//! Which of the dyno's workers a load thread has.

use std::num::NonZeroU32;

/// The workers of one load thread: every `of`-th one, from number `thread` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    thread: u32,
    of: NonZeroU32,
}

impl Share {
    /// All workers: the share of the only thread.
    pub const WHOLE: Self = Self {
        thread: 0,
        of: NonZeroU32::MIN,
    };

    /// The shares of so many threads, which together have every worker once.
    pub fn of(threads: NonZeroU32) -> impl Iterator<Item = Self> {
        (0..threads.get()).map(move |thread| Self {
            thread,
            of: threads,
        })
    }

    /// How many threads share the workers.
    pub fn threads(self) -> f64 {
        f64::from(self.of.get())
    }

    /// Which of the threads it is, from 0.
    pub(crate) const fn thread(self) -> usize {
        self.thread as usize
    }

    /// Whether a worker is in it.
    pub const fn has(self, worker: u32) -> bool {
        worker % self.of.get() == self.thread
    }

    /// The numbers of its workers, of `all`.
    pub fn workers(self, all: u32) -> impl Iterator<Item = u32> + Clone {
        (self.thread..all).step_by(self.of.get() as usize)
    }

    /// Where one of its workers stands among them.
    pub const fn position(self, worker: u32) -> usize {
        (worker / self.of.get()) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_is_in_one_share_at_its_own_position() {
        for threads in 1..=5 {
            let mut owners = [0; 12];
            for share in Share::of(NonZeroU32::new(threads).unwrap()) {
                for (position, worker) in share.workers(12).enumerate() {
                    assert!(share.has(worker));
                    assert_eq!(share.position(worker), position);
                    owners[worker as usize] += 1;
                }
            }
            assert_eq!(owners, [1; 12], "{threads}");
        }
        assert_eq!(Share::WHOLE.workers(3).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
