//! What all parts of a load thread share: its engine, and who waits for what.

use std::cell::{Cell, RefCell};

use redyno_contract::report::Times;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::attention::Attention;
use super::clock::Clock;
use redyno_engine::{Engine, Moment, ThreadTime, ThreadVitals, Watch};

/// What all parts of a load thread share.
pub(super) struct Shared {
    /// The state machine. Borrowed only between two awaits.
    pub(super) engine: RefCell<Engine>,
    /// Its clock.
    pub(super) clock: Clock,
    /// How late the probe's timer was.
    pub(super) loop_lag: Cell<Times>,
    /// Whether the thread gets on.
    watch: RefCell<Watch<Box<dyn Attention>>>,
    /// When the pacer's timer wakes it.
    pub(super) pacer_timer: Cell<Option<Moment>>,
    /// When the probe's timer wakes it.
    pub(super) probe_timer: Cell<Option<Moment>>,
    /// What the thread had spent when S came.
    pub(super) spent_before: Cell<ThreadTime>,
    /// One for every worker: a task is in its hands.
    wakes: Vec<Notify>,
    /// The pacer has to look at the engine before the time at which it wants to.
    changed: Notify,
    /// Workers that wait for a task.
    idle: Cell<u32>,
    /// The pacer relies on nobody being idle.
    relies_on_all_being_busy: Cell<bool>,
}

impl Shared {
    /// For a dyno with so many workers, of whom a part may be other threads'.
    pub(super) fn new(
        engine: Engine,
        clock: Clock,
        workers: u32,
        attention: Box<dyn Attention>,
    ) -> Self {
        Self {
            engine: RefCell::new(engine),
            watch: RefCell::new(Watch::new(attention, clock.now())),
            pacer_timer: Cell::default(),
            probe_timer: Cell::default(),
            clock,
            loop_lag: Cell::default(),
            spent_before: Cell::default(),
            wakes: (0..workers).map(|_| Notify::new()).collect(),
            changed: Notify::new(),
            idle: Cell::new(0),
            relies_on_all_being_busy: Cell::new(false),
        }
    }

    /// Now. If the thread did not get on although it should have, the engine hears of it first: to
    /// be called before whatever happens now is told to the engine.
    pub(super) fn now(&self) -> Moment {
        self.looks(Instant::now())
    }

    /// The same of an instant that has just been looked at.
    pub(super) fn looks(&self, at: Instant) -> Moment {
        let now = self.clock.moment(at);
        if now == Moment::default() {
            // Before S nothing can be late.
            return now;
        }
        let delay = {
            let mut watch = self.watch.borrow_mut();
            match watch.clocks().slept() {
                None => watch.gets_on(now),
                Some(sleep) => {
                    let [from, until] =
                        [sleep.from, sleep.until].map(|at| self.clock.moment(at.into()));
                    let timers = [self.pacer_timer.get(), self.probe_timer.get()];
                    watch.wakes(from, until, timers.into_iter().flatten().min())
                }
            }
        };
        if let Some(delay) = delay {
            self.engine.borrow_mut().delayed(delay);
        }
        now
    }

    /// Now, by the probe.
    pub(super) fn probes(&self) -> Moment {
        let now = self.now();
        self.watch.borrow_mut().look(now);
        now
    }

    /// Wakes a worker that has to begin with a task.
    pub(super) fn wake(&self, worker: u32) {
        self.wakes[worker as usize].notify_one();
    }

    /// What the thread, which has spent so much, has seen of itself so far.
    pub(super) fn vitals(&self, spent: ThreadTime) -> ThreadVitals {
        ThreadVitals {
            loop_lag: self.loop_lag.get(),
            spent: spent.since(self.spent_before.get()),
        }
    }

    /// A worker's task has ended in this way. What fell due before is handed over before, so that
    /// it does not matter whether the pacer has come by since.
    pub(super) fn end_task(&self, end: impl FnOnce(&mut Engine, Moment)) {
        let now = self.now();
        let mut engine = self.engine.borrow_mut();
        engine.hand_over(now, |worker| self.wake(worker));
        end(&mut engine, now);
        // The pacer only needs to know if this may have been the last task, or broke a limit.
        if engine.needs_attention() {
            self.changed.notify_one();
        }
    }

    /// Waits until this worker, which has nothing to do, may have a task in its hands.
    pub(super) async fn task_for(&self, worker: u32) {
        self.idle.set(self.idle.get() + 1);
        if self.relies_on_all_being_busy.take() {
            self.changed.notify_one();
        }
        self.wakes[worker as usize].notified().await;
        self.idle.set(self.idle.get() - 1);
    }

    /// Whether no worker waits for a task. If so, the pacer is told of the first that does.
    pub(super) fn relies_on_all_being_busy(&self) -> bool {
        self.relies_on_all_being_busy.set(self.idle.get() == 0);
        self.relies_on_all_being_busy.get()
    }

    /// Waits until the pacer has to look at the engine.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redyno_contract::plan::{Assignment, DynoName, QueueOrder};
    use redyno_contract::random::Seed;
    use redyno_contract::schedule::{Rate, Schedule};
    use redyno_engine::{Choice, Disturbances, EngineSettings, PlannedLimits, Share, Windows};
    use tokio::time::Instant;

    use super::*;
    use crate::observe::control_group::ControlGroup;
    use crate::shard::attention::ThisThread;

    /// One worker and a thousand tasks a second, a second after the start.
    fn shared() -> Shared {
        let dyno = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        let settings = EngineSettings {
            choice: Choice {
                seed: Seed::of(1, &dyno),
                assignment: Assignment::Random,
                workers: 1,
            },
            windows: Windows {
                warmup: Schedule::new(Rate::per_second(1000).percent(10), 0, 1, 2),
                measured: Schedule::new(Rate::per_second(1000), 0, 1, 10),
            },
            queue_order: QueueOrder::OldestFirst,
            steps: 3,
            max_worker_backlog: 1_000_000,
            drain_seconds: 30,
            limits: PlannedLimits::default(),
        };
        let start = Instant::now()
            .checked_sub(Duration::from_secs(1))
            .expect("the machine runs for longer");
        let disturbances = Disturbances::new(std::num::NonZeroU32::MIN);
        Shared::new(
            Engine::new(settings, Share::WHOLE, &disturbances),
            Clock::from(start),
            1,
            Box::new(ThisThread::new(ControlGroup::default())),
        )
    }

    fn hand_over_at_the_start(shared: &Shared) {
        let mut engine = shared.engine.borrow_mut();
        engine.hand_over(Moment::default(), |worker| shared.wake(worker));
    }

    #[tokio::test]
    async fn what_fell_due_during_a_task_is_in_the_queue_when_it_ends() {
        let shared = shared();
        // The pacer came at S and never again. A tenth of the rate in the warm-up: 100 tasks.
        hand_over_at_the_start(&shared);
        let first = shared.engine.borrow_mut().begin(0, Moment::default());
        assert_eq!(first.map(|task| task.number), Some(0));
        shared.end_task(|engine, now| engine.complete(0, now));
        let next = shared
            .engine
            .borrow_mut()
            .begin(0, shared.clock.now())
            .unwrap();
        assert_eq!(next.number, 1, "the oldest of them, though it came late");
        assert!(shared.engine.borrow().unfinished() >= 99);
    }

    #[tokio::test]
    async fn the_pacer_hears_of_the_first_who_is_idle() {
        let shared = shared();
        assert!(shared.relies_on_all_being_busy());
        let mut changed = looks_at(shared.changed());
        assert!(!changed());
        let mut idle = looks_at(shared.task_for(0));
        assert!(!idle());
        assert!(changed());
        assert!(!shared.relies_on_all_being_busy());
        hand_over_at_the_start(&shared);
        assert!(idle());
        assert!(shared.relies_on_all_being_busy());
    }

    /// Polls a future once each time it is called, and says whether it is done.
    fn looks_at(future: impl Future<Output = ()>) -> impl FnMut() -> bool {
        let mut future = Box::pin(future);
        move || {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            future.as_mut().poll(&mut context).is_ready()
        }
    }
}
