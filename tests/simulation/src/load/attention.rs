//! How a modelled load thread notices that it did not get on: the real watch, by the clocks that a
//! system has.

use std::cell::Cell;
use std::rc::Rc;

use redyno_engine::{Clocks, CpuQuota, Delay, Moment, Watch};

use super::quota::Quota;
use super::time::Time;

/// What the system tells of a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Rc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    cpu: Cell<Time>,
    waited: Cell<Time>,
    throttled: Cell<Time>,
    quota: Cell<Option<CpuQuota>>,
    dyno_cpu: Cell<Time>,
}

impl Told {
    /// The thread has used so much CPU time.
    pub(super) fn used(&self, time: Time) {
        self.0.cpu.set(self.0.cpu.get() + time);
    }

    /// It could have run for so long, and others did.
    pub(super) fn waited(&self, time: Time) {
        self.0.waited.set(self.0.waited.get() + time);
    }

    /// What there is to tell of the dyno's quota.
    pub(super) fn quota(&self, quota: &Quota) {
        self.0.throttled.set(quota.held_back());
        self.0.quota.set(quota.quota());
        self.0.dyno_cpu.set(quota.used());
    }
}

impl Clocks for Told {
    fn cpu_nanoseconds(&self) -> u64 {
        self.0.cpu.get()
    }

    fn waited_nanoseconds(&self) -> Option<u64> {
        Some(self.0.waited.get())
    }

    fn throttled_nanoseconds(&self) -> u64 {
        self.0.throttled.get()
    }

    fn quota(&self) -> Option<CpuQuota> {
        self.0.quota.get()
    }

    fn dyno_cpu_nanoseconds(&self) -> u64 {
        self.0.dyno_cpu.get()
    }
}

/// The watch of a thread, which begins with S.
#[derive(Debug, Default)]
pub(super) struct Attention {
    pub(super) told: Told,
    watch: Option<Watch<Told>>,
}

impl Attention {
    /// The thread gets on.
    pub(super) fn gets_on(&mut self, now: Moment) -> Option<Delay> {
        self.watch(now).gets_on(now)
    }

    /// The thread has slept, and should have been woken by then.
    pub(super) fn wakes(
        &mut self,
        slept: Moment,
        now: Moment,
        timer: Option<Moment>,
    ) -> Option<Delay> {
        self.watch(slept).wakes(slept, now, timer)
    }

    /// The probe looks at the clocks.
    pub(super) fn probe(&mut self, now: Moment) {
        self.watch(now).look(now);
    }

    fn watch(&mut self, now: Moment) -> &mut Watch<Told> {
        let told = &self.told;
        self.watch
            .get_or_insert_with(|| Watch::new(told.clone(), now))
    }
}
