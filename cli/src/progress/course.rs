//! The course of a run that is under way: the progress lines of single dynos, merged over all of
//! them.
//!
//! Dynos print at their own pace. A line of the whole run is due as soon as every dyno that still
//! runs has printed its own. A dyno that falls behind delays the line only until the fastest one is
//! a few lines ahead.

use std::collections::BTreeMap;

use redyno_contract::histogram::Digits;
use redyno_contract::plan::{DynoName, Percentile};
use redyno_contract::{Histogram, Plan, Progress};

/// How many lines the fastest dyno may be ahead before a line is shown without the slowest one.
const PATIENCE: u64 = 3;

/// The run as a whole between two progress lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Second {
    /// Seconds since S, rounded.
    pub at_seconds: u64,
    /// Whether t0 is still to come.
    pub warming_up: bool,
    /// Tasks that fell due, per second.
    pub offered_per_second: f64,
    /// Tasks that ended without error, per second.
    pub achieved_per_second: f64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks waiting at its end.
    pub waiting: u64,
    /// Response p99 of the tasks that ended in it, in microseconds, and its significant digits.
    pub response_p99: Option<(u64, u8)>,
    /// The target's main thread, in thousandths of its core.
    pub redis_main_thread_per_mille: Option<u32>,
}

/// What is kept of a run's progress.
#[derive(Debug)]
pub struct Course {
    interval_milliseconds: u64,
    warmup_seconds: u64,
    duration_seconds: u64,
    dynos: BTreeMap<DynoName, Latest>,
    lines: BTreeMap<u64, Line>,
    shown: u64,
}

/// The last line of a dyno.
#[derive(Debug, Default)]
struct Latest {
    at_milliseconds: u64,
    scheduled: u64,
    completed: u64,
    failed: u64,
    line: u64,
    ended: bool,
}

/// What the dynos printed for one line.
#[derive(Debug)]
struct Line {
    warming_up: bool,
    offered_per_second: f64,
    achieved_per_second: f64,
    failed: u64,
    waiting: u64,
    response: Option<Histogram>,
    redis_main_thread_per_mille: Option<u32>,
}

impl Course {
    /// The course of a run of this plan, whose dynos print a line every `interval_seconds` (at
    /// least 1).
    pub fn new(plan: &Plan, interval_seconds: u32) -> Self {
        Self {
            interval_milliseconds: u64::from(interval_seconds.max(1)) * 1000,
            warmup_seconds: u64::from(plan.warmup_seconds),
            duration_seconds: u64::from(plan.duration_seconds),
            dynos: plan.dynos().map(|dyno| (dyno, Latest::default())).collect(),
            lines: BTreeMap::new(),
            shown: 0,
        }
    }

    /// Takes a dyno's line, and returns the lines of the whole run that are due now.
    pub fn progress(&mut self, dyno: &DynoName, progress: &Progress) -> Vec<Second> {
        let Some(latest) = self.dynos.get_mut(dyno) else {
            return Vec::new();
        };
        let elapsed = progress
            .at_milliseconds
            .saturating_sub(latest.at_milliseconds);
        let number = (progress.at_milliseconds + self.interval_milliseconds / 2)
            / self.interval_milliseconds;
        if elapsed == 0 || latest.ended {
            return Vec::new();
        }
        let completed = progress.completed.saturating_sub(latest.completed);
        let failed = progress.failed.saturating_sub(latest.failed);
        let per_second = |tasks: u64| tasks as f64 * 1000.0 / elapsed as f64;
        let offered = per_second(progress.scheduled.saturating_sub(latest.scheduled));
        *latest = Latest {
            at_milliseconds: progress.at_milliseconds,
            scheduled: progress.scheduled,
            completed: progress.completed,
            failed: progress.failed,
            line: number,
            ended: false,
        };
        let response = progress.response.decode().ok();
        if number > self.shown {
            let line = self.lines.entry(number).or_insert(Line {
                warming_up: false,
                offered_per_second: 0.0,
                achieved_per_second: 0.0,
                failed: 0,
                waiting: 0,
                response: None,
                redis_main_thread_per_mille: None,
            });
            // The line of second k speaks of the time from k - 1 to k.
            line.warming_up = number * self.interval_milliseconds <= self.warmup_seconds * 1000;
            line.offered_per_second += offered;
            line.achieved_per_second += per_second(completed);
            line.failed += failed;
            line.waiting += progress.waiting;
            if let Some(response) = &response {
                merge(&mut line.response, response);
            }
            if progress.redis_main_thread_per_mille.is_some() {
                line.redis_main_thread_per_mille = progress.redis_main_thread_per_mille;
            }
        }
        self.due()
    }

    /// Notes that a dyno prints no more lines.
    pub fn ended(&mut self, dyno: &DynoName) -> Vec<Second> {
        if let Some(latest) = self.dynos.get_mut(dyno) {
            latest.ended = true;
        }
        self.due()
    }

    /// Length of the whole run in seconds, from S to the end of the window.
    pub const fn length_seconds(&self) -> u64 {
        self.warmup_seconds + self.duration_seconds
    }

    fn due(&mut self) -> Vec<Second> {
        let running = || self.dynos.values().filter(|latest| !latest.ended);
        let slowest = running().map(|latest| latest.line).min();
        let fastest = self.dynos.values().map(|latest| latest.line).max();
        let until = match (slowest, fastest) {
            (Some(slowest), Some(fastest)) => slowest.max(fastest.saturating_sub(PATIENCE)),
            (None, Some(fastest)) => fastest,
            (_, None) => 0,
        };
        let mut seconds = Vec::new();
        while let Some(entry) = self.lines.first_entry() {
            if *entry.key() > until {
                break;
            }
            let (number, line) = entry.remove_entry();
            self.shown = number;
            seconds.push(Second {
                at_seconds: number * self.interval_milliseconds / 1000,
                warming_up: line.warming_up,
                offered_per_second: line.offered_per_second,
                achieved_per_second: line.achieved_per_second,
                failed: line.failed,
                waiting: line.waiting,
                response_p99: line
                    .response
                    .filter(|response| response.count() > 0)
                    .map(|response| (response.percentile(Percentile::P99), response.digits())),
                redis_main_thread_per_mille: line.redis_main_thread_per_mille,
            });
        }
        seconds
    }
}

/// Adds to a histogram, at the precision of the first one that was added.
pub(crate) fn merge(sum: &mut Option<Histogram>, more: &Histogram) {
    match sum {
        Some(sum) if sum.digits() > more.digits() => {
            let digits = if more.digits() == 1 {
                Digits::One
            } else {
                Digits::Two
            };
            *sum = sum.coarser(digits);
            sum.add(more);
        }
        Some(sum) => sum.add(more),
        None => *sum = Some(more.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn dyno(index: u32) -> DynoName {
        DynoName {
            dyno_type: "web".to_owned(),
            index,
        }
    }

    fn line(at_milliseconds: u64, tasks: u64, microseconds: u64) -> Progress {
        let mut response = Histogram::new(Digits::Two);
        response.record(microseconds);
        Progress {
            at_milliseconds,
            warming_up: at_milliseconds < 5_000,
            scheduled: tasks,
            completed: tasks,
            failed: 0,
            waiting: 2,
            max_backlog: 1,
            response: response.encode(),
            service: response.encode(),
            redis_main_thread_per_mille: None,
        }
    }

    #[test]
    fn a_second_is_shown_once_all_dynos_have_told_it() {
        let mut course = Course::new(&fixtures::plan(2), 1);
        assert_eq!(course.progress(&dyno(0), &line(1_001, 100, 1_000)), []);
        let seconds = course.progress(&dyno(1), &line(998, 100, 9_000));
        assert_eq!(seconds.len(), 1);
        assert_eq!(seconds[0].at_seconds, 1);
        assert_eq!(seconds[0].waiting, 4);
        assert!((seconds[0].offered_per_second - 200.1).abs() < 0.1);
        // The 99th percentile of the two samples is the larger one, not a mean.
        assert_eq!(seconds[0].response_p99, Some((9_023, 2)));
    }

    #[test]
    fn a_dyno_that_ended_or_stays_behind_holds_nobody_up_for_long() {
        let mut course = Course::new(&fixtures::plan(2), 1);
        for second in 1..=3 {
            assert_eq!(
                course.progress(&dyno(0), &line(second * 1000, second * 100, 1_000)),
                []
            );
        }
        let seconds = course.progress(&dyno(0), &line(4_000, 400, 1_000));
        assert_eq!(
            seconds
                .iter()
                .map(|second| second.at_seconds)
                .collect::<Vec<_>>(),
            [1]
        );
        let seconds = course.ended(&dyno(1));
        assert_eq!(
            seconds
                .iter()
                .map(|second| second.at_seconds)
                .collect::<Vec<_>>(),
            [2, 3, 4]
        );
        // A line that comes too late changes nothing that was shown.
        assert_eq!(course.progress(&dyno(1), &line(1_000, 100, 1_000)), []);
    }
}
