//! Which task is due next: first those of the warm-up, then those of the measured window.

use redyno_contract::schedule::{DueTimes, Schedule};

use super::moment::Moment;

/// Whether a task belongs to the warm-up or to the measured window: decided by its due time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Due before t0: counted in the warm-up's books only.
    Warmup,
    /// Due in [t0, t0 + duration).
    Measured,
}

/// One task: when it is due, and everything that its random choices depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Of the warm-up, or measured.
    pub(crate) phase: Phase,
    /// Its number within the phase, from 0.
    pub(crate) number: u64,
    /// When it has to start.
    pub(crate) due: Moment,
}

/// The tasks of one dyno in the order in which they are due.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    warmup: Schedule,
    measured: Schedule,
    warmup_due: DueTimes,
    measured_due: DueTimes,
    measured_from: Moment,
    next: Option<Task>,
}

impl Arrivals {
    /// All tasks of a dyno. The measured window begins where the warm-up's ends.
    pub(crate) fn new(warmup: Schedule, measured: Schedule) -> Self {
        let mut arrivals = Self {
            warmup,
            measured,
            warmup_due: warmup.due_times(),
            measured_due: measured.due_times(),
            measured_from: Moment::from_nanoseconds(warmup.window_nanoseconds()),
            next: None,
        };
        arrivals.next = arrivals
            .task(Phase::Warmup, 0)
            .or_else(|| arrivals.task(Phase::Measured, 0));
        arrivals
    }

    /// The next task of a phase, which has this number.
    fn task(&mut self, phase: Phase, number: u64) -> Option<Task> {
        let due = match phase {
            Phase::Warmup => Moment::from_nanoseconds(self.warmup_due.next()?),
            Phase::Measured => self.measured_from.plus(self.measured_due.next()?),
        };
        Some(Task { phase, number, due })
    }

    /// The next task, due or not; None after the last.
    pub(crate) const fn peek(&self) -> Option<&Task> {
        self.next.as_ref()
    }

    /// Takes the next task.
    pub(crate) fn take(&mut self) -> Option<Task> {
        let taken = self.next.take()?;
        let following = taken.number + 1;
        self.next = self
            .task(taken.phase, following)
            .or_else(|| match taken.phase {
                Phase::Warmup => self.task(Phase::Measured, 0),
                Phase::Measured => None,
            });
        Some(taken)
    }

    /// How many tasks of a phase are due up to and including `moment`.
    pub(crate) fn due_until(&self, phase: Phase, moment: Moment) -> u64 {
        match phase {
            Phase::Warmup => self.warmup.due_until(moment.nanoseconds()),
            Phase::Measured if moment < self.measured_from => 0,
            Phase::Measured => self
                .measured
                .due_until(moment.nanoseconds_since(self.measured_from)),
        }
    }

    /// t0: the start of the measured window.
    pub(crate) const fn measured_from(&self) -> Moment {
        self.measured_from
    }

    /// The end of the measured window.
    pub(crate) fn measured_until(&self) -> Moment {
        self.measured_from.plus(self.measured.window_nanoseconds())
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::schedule::Rate;

    use super::*;

    #[test]
    fn the_warmup_comes_first_and_every_task_once() {
        let rate = Rate::per_second(7);
        let mut arrivals = Arrivals::new(
            Schedule::new(rate.percent(50), 1, 2, 2),
            Schedule::new(rate, 1, 2, 3),
        );
        let mut tasks = Vec::new();
        while let Some(task) = arrivals.take() {
            tasks.push(task);
        }
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
        assert_eq!(arrivals.due_until(Phase::Measured, t0), 0);
        assert_eq!(
            arrivals.due_until(Phase::Measured, Moment::from_seconds(5)),
            21
        );
        assert_eq!(
            arrivals.due_until(Phase::Warmup, Moment::from_seconds(9)),
            7
        );
    }

    #[test]
    fn without_a_warmup_the_first_measured_task_is_due_at_the_start() {
        let rate = Rate::per_second(10);
        let arrivals = Arrivals::new(
            Schedule::new(rate.percent(10), 0, 1, 0),
            Schedule::new(rate, 0, 1, 1),
        );
        assert_eq!(
            arrivals.peek(),
            Some(&Task {
                phase: Phase::Measured,
                number: 0,
                due: Moment::default()
            })
        );
    }
}
