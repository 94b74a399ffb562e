//! What was recorded since the last look: handed over whole, so that recording needs no lock.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;

use super::arrivals::Phase;
use super::limits::TaskTimes;
use super::slots::Slots;

/// Distributions of one phase.
#[derive(Clone, Debug)]
pub struct Distributions {
    /// end - due.
    pub response: Histogram,
    /// start - due.
    pub wait: Histogram,
    /// end - start.
    pub service: Histogram,
    /// Service times of the workload's steps.
    pub steps: Vec<Histogram>,
    /// Handed over - due.
    pub schedule_lag: Histogram,
}

impl Distributions {
    /// Empty ones, of a workload with so many steps.
    pub fn new(steps: usize, digits: Digits) -> Self {
        let empty = || Histogram::new(digits);
        Self {
            response: empty(),
            wait: empty(),
            service: empty(),
            steps: (0..steps).map(|_| empty()).collect(),
            schedule_lag: empty(),
        }
    }

    /// Records a completed task.
    pub fn record(&mut self, times: &TaskTimes) {
        let TaskTimes {
            response,
            wait,
            service,
            steps,
        } = *times;
        self.response.record(response);
        self.wait.record(wait);
        self.service.record(service);
        for (step, microseconds) in steps.iter() {
            if let Some(histogram) = self.steps.get_mut(step) {
                histogram.record(microseconds);
            }
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let Self {
            response,
            wait,
            service,
            steps,
            schedule_lag,
        } = other;
        for (mine, others) in [
            (&mut self.response, response),
            (&mut self.wait, wait),
            (&mut self.service, service),
            (&mut self.schedule_lag, schedule_lag),
        ]
        .into_iter()
        .chain(self.steps.iter_mut().zip(steps))
        {
            if others.count() > 0 {
                mine.add(others);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        let Self {
            response,
            wait,
            service,
            steps,
            schedule_lag,
        } = self;
        for histogram in [response, wait, service, schedule_lag]
            .into_iter()
            .chain(steps)
        {
            if histogram.count() > 0 {
                histogram.clear();
            }
        }
    }
}

/// What was recorded since the last look.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Of tasks of the warm-up.
    pub warmup: Distributions,
    /// Of measured tasks.
    pub measured: Distributions,
    /// The longest queue of any worker.
    pub peak_backlog: u32,
    /// What happened in the slots of the window.
    pub slots: Slots,
}

impl Interval {
    /// An empty one, of a workload with so many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            // The warm-up is only shown while it lasts: two digits take an eighth of the memory.
            warmup: Distributions::new(steps, Digits::Two),
            measured: Distributions::new(steps, Digits::Three),
            peak_backlog: 0,
            slots: Slots::default(),
        }
    }

    /// The distributions of a phase.
    pub const fn phase(&mut self, phase: Phase) -> &mut Distributions {
        match phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Measured => &mut self.measured,
        }
    }

    /// Adds what another load thread recorded in the same time.
    pub fn add(&mut self, other: &Self) {
        let Self {
            warmup,
            measured,
            peak_backlog,
            slots,
        } = other;
        self.warmup.add(warmup);
        self.measured.add(measured);
        self.peak_backlog = self.peak_backlog.max(*peak_backlog);
        self.slots.add(slots);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        let Self {
            warmup,
            measured,
            peak_backlog,
            slots,
        } = self;
        warmup.clear();
        measured.clear();
        *peak_backlog = 0;
        slots.clear();
    }
}
