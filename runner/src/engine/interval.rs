//! What was recorded since the last look: handed over whole, so that recording needs no lock.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;

use super::arrivals::Phase;
use super::limits::TaskTimes;

/// Distributions of one phase.
#[derive(Clone, Debug)]
pub(crate) struct Distributions {
    /// end - due.
    pub(crate) response: Histogram,
    /// start - due.
    pub(crate) wait: Histogram,
    /// end - start.
    pub(crate) service: Histogram,
    /// Service times of Fetch, Save, Ping.
    pub(crate) steps: [Histogram; 3],
    /// Handed over - due.
    pub(crate) schedule_lag: Histogram,
}

impl Distributions {
    /// Empty ones.
    pub(crate) fn new() -> Self {
        let empty = || Histogram::new(Digits::Three);
        Self {
            response: empty(),
            wait: empty(),
            service: empty(),
            steps: [empty(), empty(), empty()],
            schedule_lag: empty(),
        }
    }

    /// Records a completed task.
    pub(crate) fn record(&mut self, times: &TaskTimes) {
        let TaskTimes {
            response,
            wait,
            service,
            steps,
        } = *times;
        self.response.record(response);
        self.wait.record(wait);
        self.service.record(service);
        for (histogram, microseconds) in self.steps.iter_mut().zip(steps) {
            histogram.record(microseconds);
        }
    }

    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.each_with(other, Histogram::add);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
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

    fn each_with(&mut self, other: &Self, change: impl Fn(&mut Histogram, &Histogram)) {
        let Self {
            response,
            wait,
            service,
            steps,
            schedule_lag,
        } = self;
        for (mine, others) in [
            (response, &other.response),
            (wait, &other.wait),
            (service, &other.service),
            (schedule_lag, &other.schedule_lag),
        ]
        .into_iter()
        .chain(steps.iter_mut().zip(&other.steps))
        {
            if others.count() > 0 {
                change(mine, others);
            }
        }
    }
}

/// What was recorded since the last look.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    /// Of tasks of the warm-up.
    pub(crate) warmup: Distributions,
    /// Of measured tasks.
    pub(crate) measured: Distributions,
}

impl Interval {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            warmup: Distributions::new(),
            measured: Distributions::new(),
        }
    }

    /// The distributions of a phase.
    pub(crate) const fn phase(&mut self, phase: Phase) -> &mut Distributions {
        match phase {
            Phase::Warmup => &mut self.warmup,
            Phase::Measured => &mut self.measured,
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.warmup.clear();
        self.measured.clear();
    }
}
