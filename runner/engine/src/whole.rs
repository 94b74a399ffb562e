//! The whole dyno: what its engines counted, added up and held against the plan.

use redyno_contract::limit::LimitCount;
use redyno_contract::report::{Books, End, Ending, Lateness, Queues};

use super::arrivals::{Choice, Windows};
use super::settings::PlannedLimits;
use super::snapshot::Counted;
use super::{Breach, EngineSettings, Moment, Phase, Share, ShareSnapshot, Stage, Tally, Task};

/// What only the whole plan tells.
#[derive(Clone, Debug)]
pub struct Whole {
    choice: Choice,
    windows: Windows,
    limits: PlannedLimits,
}

/// The dyno's numbers at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When.
    pub at: Moment,
    /// t0 has passed.
    pub in_window: bool,
    /// How it ended, once it did.
    pub end: Option<End>,
    /// The books of the warm-up.
    pub warmup: Books,
    /// The books of the measured window.
    pub measured: Books,
    /// Counts of the latency limits.
    pub over: Vec<LimitCount>,
    /// Whether the queues grew; None until the books of a run are closed that came to the end of its
    /// window.
    pub queues: Option<Queues>,
    /// Everything that needs no plan to be told.
    pub counted: Counted,
}

impl Snapshot {
    /// Tasks that wait, over all workers.
    pub fn waiting(&self) -> u64 {
        self.counted
            .backlogs
            .iter()
            .map(|waiting| u64::from(*waiting))
            .sum()
    }

    /// The longest queue now.
    pub fn longest_queue(&self) -> u32 {
        self.counted.backlogs.iter().copied().max().unwrap_or(0)
    }

    /// How late the dyno's own load threads were, and what that excuses.
    pub fn lateness(&self) -> Lateness {
        let excused = self.counted.limits.excused_timeouts();
        Lateness {
            longest: self.counted.delays.clone(),
            timed_out: excused.measured,
            timed_out_in_warmup: excused.warmup,
        }
    }

    /// The longest queue so far.
    pub fn peak_backlog(&self) -> u32 {
        let busiest = &self.counted.busiest;
        busiest.first().map_or(0, |worker| worker.peak_backlog)
    }
}

/// The first end of a run that several engines saw end: how, and when.
pub fn first_end<'a>(stages: impl Iterator<Item = &'a Stage>) -> Option<(Ending, Moment)> {
    first_of(stages.filter_map(|stage| match stage {
        Stage::Draining { ending, at, .. } => Some((ending.clone(), *at)),
        Stage::Running | Stage::Held { .. } => None,
    }))
}

/// The first of several ends. Who came to the end of its window only says that nothing had ended
/// the run until then: of several ends at one moment that one is the last.
pub(crate) fn first_of(
    ends: impl IntoIterator<Item = (Ending, Moment)>,
) -> Option<(Ending, Moment)> {
    ends.into_iter().min_by_key(|(ending, at)| {
        // Who has the worker knows more of a backlog than the others were told.
        let uncounted = matches!(ending, Ending::BacklogLimit { on_time: None, .. });
        (*at, *ending == Ending::Completed, uncounted)
    })
}

impl Whole {
    /// Of a dyno with these settings.
    pub fn new(settings: &EngineSettings) -> Self {
        let EngineSettings {
            choice,
            windows,
            limits,
            queue_order: _,
            steps: _,
            max_worker_backlog: _,
            drain_seconds: _,
        } = settings;
        Self {
            choice: *choice,
            windows: *windows,
            limits: limits.clone(),
        }
    }

    /// What all engines counted, as if everything ended now. Unfinished tasks are not looked at
    /// one by one: all of them count as unknown.
    pub fn so_far(&self, engines: impl IntoIterator<Item = ShareSnapshot>) -> Snapshot {
        self.snapshot(engines, |books| {
            books.rejected + books.undispatched + books.abandoned
        })
    }

    /// What all engines counted, once each of them is closed.
    pub fn closed(&self, engines: impl IntoIterator<Item = ShareSnapshot>) -> Snapshot {
        let mut closed = self.snapshot(engines, |_| 0);
        closed.queues = closed
            .end
            .as_ref()
            .filter(|end| end.ending == Ending::Completed)
            .map(|_| closed.counted.queues);
        closed
    }

    /// The first limit that all engines' counts together break.
    pub fn broken(&self, snapshot: &Snapshot) -> Option<Breach> {
        self.limits.broken(&snapshot.counted.limits)
    }

    fn snapshot(
        &self,
        engines: impl IntoIterator<Item = ShareSnapshot>,
        unsettled: impl Fn(&Books) -> u64,
    ) -> Snapshot {
        let mut sum = Sum::default();
        for engine in engines {
            sum.add(engine);
        }
        let Sum {
            at,
            stages,
            handed_over,
            warmup,
            measured,
            mut counted,
        } = sum;
        let t0 = self.windows.measured_from();
        let end = first_end(stages.iter());
        let until = end.as_ref().map_or_else(
            || first_hold(&stages).unwrap_or(at),
            |(_, ended_at)| *ended_at,
        );
        let books = |phase, tally| self.books(phase, until, &handed_over, tally);
        let measured = books(Phase::Measured, measured);
        counted.keep_most();
        Snapshot {
            at,
            in_window: at >= t0,
            end: end.map(|(ending, at)| End {
                ending,
                after_milliseconds: at.milliseconds(),
                during_warmup: at < t0,
            }),
            warmup: books(Phase::Warmup, warmup),
            measured,
            queues: None,
            over: self
                .limits
                .counts(&counted.limits, measured.scheduled, unsettled(&measured)),
            counted,
        }
    }

    /// The books of a phase of a run that ended at `until`, or got so far.
    fn books(
        &self,
        phase: Phase,
        until: Moment,
        handed_over: &[(Share, Task)],
        tally: Tally,
    ) -> Books {
        let due = self.windows.due_until(phase, until);
        // An engine that had not heard of the end yet, or that waited to hear whether it was one,
        // handed over tasks that were due after it: those are scheduled, too.
        let beyond: u64 = handed_over
            .iter()
            .map(|(share, last)| self.handed_over_beyond(phase, due, *share, *last))
            .sum();
        let scheduled = due + beyond;
        let Tally {
            delivered,
            rejected,
            completed,
            in_time,
            failed,
            timed_out,
        } = tally;
        Books {
            scheduled,
            delivered,
            rejected,
            undispatched: scheduled.saturating_sub(tally.handed_over()),
            completed,
            in_time,
            failed,
            timed_out,
            abandoned: tally.unfinished(),
        }
    }

    /// How many tasks of a phase, from number `first` on, a share has handed over, `last` being
    /// the last of all.
    fn handed_over_beyond(&self, phase: Phase, first: u64, share: Share, last: Task) -> u64 {
        let end = match (phase, last.phase) {
            (Phase::Warmup, Phase::Warmup) | (Phase::Measured, Phase::Measured) => last.number + 1,
            (Phase::Warmup, Phase::Measured) => self.windows.count(phase),
            (Phase::Measured, Phase::Warmup) => 0,
        };
        (first..end)
            .map(|number| u64::from(share.has(self.choice.worker_of(phase, number))))
            .sum()
    }
}

fn first_hold(stages: &[Stage]) -> Option<Moment> {
    stages
        .iter()
        .filter_map(|stage| match stage {
            Stage::Held { since, .. } => Some(*since),
            Stage::Running | Stage::Draining { .. } => None,
        })
        .min()
}

/// What the engines counted, added up.
#[derive(Default)]
struct Sum {
    at: Moment,
    stages: Vec<Stage>,
    /// The last task that each engine handed over.
    handed_over: Vec<(Share, Task)>,
    warmup: Tally,
    measured: Tally,
    counted: Counted,
}

impl Sum {
    fn add(&mut self, engine: ShareSnapshot) {
        let ShareSnapshot {
            share,
            at,
            stage,
            last,
            warmup,
            measured,
            counted,
        } = engine;
        self.at = self.at.max(at);
        self.stages.push(stage);
        self.handed_over.extend(last.map(|last| (share, last)));
        self.warmup = self.warmup.plus(warmup);
        self.measured = self.measured.plus(measured);
        self.counted.add(counted);
    }
}
