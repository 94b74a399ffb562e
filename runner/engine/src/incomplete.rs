//! What is known of measured tasks that did not complete: how long those took that failed, and how
//! old the others were when the books were closed.

use redyno_contract::Histogram;
use redyno_contract::histogram::Digits;
use redyno_contract::report::Latencies;

use super::limits::Unfinished;

/// What is known of measured tasks that did not complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncompleteTasks {
    /// How long failed tasks took until they failed.
    pub failed: Latencies,
    /// Failed tasks in which each step of the workload had begun.
    pub steps_failed: Vec<u64>,
    /// Ages of the others; None until the books are closed, and if there are none.
    pub ages: Option<Box<AgeHistograms>>,
}

/// Ages of tasks that had neither completed nor failed when the books were closed.
#[derive(Clone, Debug, PartialEq)]
pub struct AgeHistograms {
    /// Since they were due.
    pub response: Histogram,
    /// From due to start, or until the end of those that had not started.
    pub wait: Histogram,
    /// Since they started, of those that had.
    pub service: Histogram,
}

impl Default for AgeHistograms {
    fn default() -> Self {
        let empty = || Histogram::new(Digits::Two);
        Self {
            response: empty(),
            wait: empty(),
            service: empty(),
        }
    }
}

impl IncompleteTasks {
    /// Notes a task that failed: its times until then, and the steps that had begun.
    pub(crate) fn failed(&mut self, age: &Unfinished, steps_begun: &[usize]) {
        let Latencies {
            response,
            wait,
            service,
        } = &mut self.failed;
        response.record(age.since_due);
        wait.record(age.wait.unwrap_or(age.since_due));
        service.record(age.since_start.unwrap_or(0));
        for step in steps_begun {
            if self.steps_failed.len() <= *step {
                self.steps_failed.resize(step + 1, 0);
            }
            self.steps_failed[*step] += 1;
        }
    }

    /// Notes a task that has neither completed nor failed.
    pub(crate) fn unfinished(&mut self, age: &Unfinished) {
        let AgeHistograms {
            response,
            wait,
            service,
        } = &mut **self.ages.get_or_insert_default();
        response.record(age.since_due);
        wait.record(age.wait.unwrap_or(age.since_due));
        if let Some(since_start) = age.since_start {
            service.record(since_start);
        }
    }

    /// Adds what another engine noted.
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            failed:
                Latencies {
                    response,
                    wait,
                    service,
                },
            steps_failed,
            ages,
        } = other;
        self.failed.response = self.failed.response.plus(response);
        self.failed.wait = self.failed.wait.plus(wait);
        self.failed.service = self.failed.service.plus(service);
        let steps = self.steps_failed.len().max(steps_failed.len());
        self.steps_failed.resize(steps, 0);
        for (mine, others) in self.steps_failed.iter_mut().zip(steps_failed) {
            *mine += others;
        }
        if let Some(others) = ages {
            let mine = self.ages.get_or_insert_default();
            mine.response.add(&others.response);
            mine.wait.add(&others.wait);
            mine.service.add(&others.service);
        }
    }
}
