//! Which task is due next, and whose it is: first those of the warm-up, then those of the measured
//! window.
//!
//! Every load thread walks all tasks of the dyno and hands over only those of its own workers: no
//! thread needs a word from another, and which worker takes a task does not depend on how many
//! threads there are.

use redyno_contract::plan::Assignment;
use redyno_contract::schedule::{DueTimes, Schedule};

use super::moment::Moment;
use super::share::Share;
use redyno_contract::random::{Purpose, Seed};

/// Whether a task belongs to the warm-up or to the measured window: decided by its due time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Due before t0: counted in the warm-up's books only.
    Warmup,
    /// Due in [t0, t0 + duration).
    Measured,
}

/// One task: when it is due, and everything that its random choices depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Of the warm-up, or measured.
    pub phase: Phase,
    /// Its number within the phase, from 0.
    pub number: u64,
    /// When it has to start.
    pub due: Moment,
}

/// Which worker takes a task: a function of seed, dyno and number alone.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The dyno's own seed.
    pub seed: Seed,
    /// How a task finds its worker.
    pub assignment: Assignment,
    /// Workers of the dyno.
    pub workers: u32,
}

impl Choice {
    /// The worker of a task.
    pub fn worker_of(&self, phase: Phase, number: u64) -> u32 {
        match self.assignment {
            Assignment::RoundRobin => {
                let worker = number % u64::from(self.workers.max(1));
                u32::try_from(worker).unwrap_or_default()
            }
            Assignment::Random => {
                let purpose = match phase {
                    Phase::Warmup => Purpose::WarmupWorker,
                    Phase::Measured => Purpose::MeasuredWorker,
                };
                self.seed.stream(purpose, number).below(self.workers)
            }
        }
    }
}

/// The windows of one dyno.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Due times of the warm-up, from S.
    pub warmup: Schedule,
    /// Due times of the measured window, from t0.
    pub measured: Schedule,
}

impl Windows {
    /// How many tasks of a phase are due up to and including `moment`.
    pub fn due_until(&self, phase: Phase, moment: Moment) -> u64 {
        match phase {
            Phase::Warmup => self.warmup.due_until(moment.nanoseconds()),
            Phase::Measured if moment < self.measured_from() => 0,
            Phase::Measured => self
                .measured
                .due_until(moment.nanoseconds_since(self.measured_from())),
        }
    }

    /// How many tasks a phase has.
    pub fn count(&self, phase: Phase) -> u64 {
        match phase {
            Phase::Warmup => self.warmup.count(),
            Phase::Measured => self.measured.count(),
        }
    }

    /// t0: the start of the measured window, where the warm-up's ends.
    pub fn measured_from(&self) -> Moment {
        Moment::from_nanoseconds(self.warmup.window_nanoseconds())
    }

    /// The end of the measured window.
    pub fn measured_until(&self) -> Moment {
        self.measured_from()
            .plus(self.measured.window_nanoseconds())
    }
}

/// The tasks of a share of one dyno's workers, in the order in which they are due.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    warmup_due: DueTimes,
    measured_due: DueTimes,
    measured_from: Moment,
    measured_until: Moment,
    choice: Choice,
    share: Share,
    next: Option<(Task, u32)>,
}

impl Arrivals {
    /// The tasks of a share of the workers.
    pub(crate) fn new(windows: &Windows, choice: Choice, share: Share) -> Self {
        let mut arrivals = Self {
            warmup_due: windows.warmup.due_times(),
            measured_due: windows.measured.due_times(),
            measured_from: windows.measured_from(),
            measured_until: windows.measured_until(),
            choice,
            share,
            next: None,
        };
        arrivals.next = arrivals.own_from(Phase::Warmup, 0);
        arrivals
    }

    /// The first own task from this one of the dyno's on, with its worker.
    fn own_from(&mut self, mut phase: Phase, mut number: u64) -> Option<(Task, u32)> {
        loop {
            let due = match phase {
                Phase::Warmup => self.warmup_due.next().map(Moment::from_nanoseconds),
                Phase::Measured => self
                    .measured_due
                    .next()
                    .map(|due| self.measured_from.plus(due)),
            };
            match (due, phase) {
                (Some(due), _) => {
                    let worker = self.choice.worker_of(phase, number);
                    if self.share.has(worker) {
                        return Some((Task { phase, number, due }, worker));
                    }
                    number += 1;
                }
                (None, Phase::Warmup) => (phase, number) = (Phase::Measured, 0),
                (None, Phase::Measured) => return None,
            }
        }
    }

    /// When the next own task is due; None after the last.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.next.map(|(task, _)| task.due)
    }

    /// Takes the next own task, with its worker.
    pub(crate) fn take(&mut self) -> Option<(Task, u32)> {
        let taken = self.next.take()?;
        let (Task { phase, number, .. }, _) = taken;
        self.next = self.own_from(phase, number + 1);
        Some(taken)
    }

    /// t0: the start of the measured window.
    pub(crate) const fn measured_from(&self) -> Moment {
        self.measured_from
    }

    /// The end of the measured window.
    pub(crate) const fn measured_until(&self) -> Moment {
        self.measured_until
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use redyno_contract::plan::DynoName;
    use redyno_contract::schedule::Rate;

    use super::*;

    fn choice(assignment: Assignment) -> Choice {
        let dyno = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        Choice {
            seed: Seed::of(1, &dyno),
            assignment,
            workers: 7,
        }
    }

    fn all(windows: &Windows, choice: Choice, share: Share) -> Vec<(Task, u32)> {
        let mut arrivals = Arrivals::new(windows, choice, share);
        std::iter::from_fn(|| arrivals.take()).collect()
    }

    #[test]
    fn the_warmup_comes_first_and_every_task_once() {
        let rate = Rate::per_second(7);
        let windows = Windows {
            warmup: Schedule::new(rate.percent(50), 1, 2, 2),
            measured: Schedule::new(rate, 1, 2, 3),
        };
        let tasks: Vec<Task> = all(&windows, choice(Assignment::Random), Share::WHOLE)
            .into_iter()
            .map(|(task, _)| task)
            .collect();
        let count = |phase| tasks.iter().filter(|task| task.phase == phase).count();
        assert_eq!((count(Phase::Warmup), count(Phase::Measured)), (7, 21));
        assert!(tasks.windows(2).all(|pair| pair[0].due <= pair[1].due));
        let t0 = Moment::from_seconds(2);
        assert!(
            tasks
                .iter()
                .all(|task| (task.due < t0) == (task.phase == Phase::Warmup))
        );
        // The second of two dynos comes half a period after the first.
        assert_eq!(tasks[7].due.nanoseconds_since(t0), 1_000_000_000 / 14);
        assert_eq!(windows.due_until(Phase::Measured, t0), 0);
        assert_eq!(
            windows.due_until(Phase::Measured, Moment::from_seconds(5)),
            21
        );
        assert_eq!(windows.due_until(Phase::Warmup, Moment::from_seconds(9)), 7);
    }

    #[test]
    fn without_a_warmup_the_first_measured_task_is_due_at_the_start() {
        let rate = Rate::per_second(10);
        let windows = Windows {
            warmup: Schedule::new(rate.percent(10), 0, 1, 0),
            measured: Schedule::new(rate, 0, 1, 1),
        };
        let first = Arrivals::new(&windows, choice(Assignment::Random), Share::WHOLE).take();
        assert_eq!(
            first.map(|(task, _)| task),
            Some(Task {
                phase: Phase::Measured,
                number: 0,
                due: Moment::default()
            })
        );
    }

    #[test]
    fn however_many_threads_there_are_every_task_has_the_same_worker() {
        let rate = Rate::per_second(50);
        let windows = Windows {
            warmup: Schedule::new(rate.percent(10), 0, 1, 3),
            measured: Schedule::new(rate, 0, 1, 4),
        };
        for assignment in [Assignment::Random, Assignment::RoundRobin] {
            let choice = choice(assignment);
            let alone = all(&windows, choice, Share::WHOLE);
            assert_eq!(alone.len(), 215);
            for threads in 2..=9 {
                let threads = NonZeroU32::new(threads).unwrap();
                let mut together: Vec<_> = Share::of(threads)
                    .flat_map(|share| {
                        let own = all(&windows, choice, share);
                        assert!(own.iter().all(|(_, worker)| share.has(*worker)));
                        own
                    })
                    .collect();
                together.sort_by_key(|(task, _)| (task.phase == Phase::Measured, task.number));
                assert_eq!(together, alone, "{threads} threads, {assignment:?}");
            }
        }
    }
}
