//! All load threads as one: how what they tell becomes what the dyno tells.
//!
//! Plain data: (thread, event, moment) in, commands to threads and [`LoadEvent`]s out. Whatever one
//! thread finds, the others are told: that a limit was broken, that the run is over. What all of
//! them counted together is held against the limits at each look.
//!
//! Invariants:
//! - However many threads see the run end, and in whatever order that is heard, it ends by the first
//!   end in time; of several at one moment, [`Ending::Completed`] is the last ([`first_of`]).
//! - A breach that is held is told as long as it can still be the cause, also after another thread
//!   has come to the end of its window, and no books are closed before it is resolved.
//! - Every stage has a deadline, so that nothing is waited for without an end: what is not told in
//!   time is a mistake of ours, and the run is [`LoadEvent::Broken`], never passed.

mod hold;
mod round;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::num::NonZeroU32;

use redyno_contract::report::{Ending, Times};

use crate::thread::{ThreadCommand, ThreadEvent, ThreadSample, ThreadTime};
use crate::whole::first_of;
use crate::{Breach, EngineSettings, Interval, Moment, Snapshot, Whole};

use hold::Hold;
use round::{Round, Rounds};

/// How long a load thread may keep quiet beyond the time at which it should have spoken, before it
/// is given up. Together with the stages' own times this stays below the margin of two minutes that
/// a dyno's Job has beyond the dyno's planned end.
const PATIENCE_NANOSECONDS: u64 = 30_000_000_000;

/// Who finds out whether the target is there takes at most 5 s for that by itself.
const PATIENCE_WITH_A_HOLD_NANOSECONDS: u64 = 15_000_000_000;

/// A deadline that is looked at so much later than it was is not held against anybody: whoever
/// looks stood still himself, and the load threads may have, too.
const LATE_LOOK_NANOSECONDS: u64 = 1_000_000_000;

/// What the load threads together tell.
#[derive(Debug)]
pub enum LoadEvent {
    /// Workers are still without connection, for this reason; they go on trying.
    NotReady {
        /// How many, as far as is known.
        workers: u32,
        /// Of how many.
        of: u32,
        /// Why the last one failed.
        detail: String,
    },
    /// All workers are connected, their buildings are filled.
    Ready,
    /// All threads were there for S, the last one at this moment: the dyno's true start.
    Started {
        /// S itself, or later.
        at: Moment,
    },
    /// A limit was broken by connection errors alone. To be answered by [`Gather::resolve`].
    Held {
        /// When.
        since: Moment,
    },
    /// The run ends so, as far as is known. Told again if it turns out that something else had
    /// ended it before.
    Ending(Ending),
    /// No thread hands over any more; the numbers of that moment.
    Ended(Box<Sample>),
    /// The answer to [`Gather::sample`].
    Sample(Box<Sample>),
    /// Nothing is left to wait for: the final numbers. The last event of a run that started.
    Closed(Box<Sample>),
    /// A mistake of ours, or of the machine. The last event.
    Broken(String),
}

/// The dyno's numbers of one moment.
#[derive(Debug)]
pub struct Sample {
    /// Counts since S.
    pub snapshot: Snapshot,
    /// How late a 10 ms timer of the load threads was, in the measured window.
    pub loop_lag: Times,
    /// What each load thread has spent since S.
    pub threads: Vec<ThreadTime>,
    /// What was recorded since the last sample.
    pub interval: Box<Interval>,
}

/// How far the end of the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// S is not known.
    Unstarted,
    /// No thread has seen the end.
    Running,
    /// A thread has.
    Ending,
    /// All have, and are asked for their numbers.
    Ended,
    /// Their numbers are in; their tasks may go on for a while.
    Draining,
    /// Nothing is left to wait for: all are to close their books.
    Closing,
    /// All was told.
    Over,
}

/// All load threads as one.
#[derive(Debug)]
pub struct Gather {
    known: Vec<Known>,
    whole: Whole,
    workers: u32,
    measured_until: Moment,
    drain_nanoseconds: u64,
    patience_nanoseconds: u64,
    progress: Progress,
    /// When this stage is given up; None where somebody else has a deadline for it.
    deadline: Option<Moment>,
    /// A breach of which it is not known yet whether it is one.
    hold: Option<Hold>,
    /// An end that no thread alone could see.
    own_end: Option<(Ending, Moment)>,
    /// How the run ends, as was told last.
    announced: Option<Ending>,
    rounds: Rounds,
    commands: VecDeque<(usize, ThreadCommand)>,
    events: VecDeque<LoadEvent>,
}

/// What is known of one load thread.
#[derive(Debug, Default)]
struct Known {
    /// Its workers that are without connection.
    not_ready: u32,
    ready: bool,
    started: Option<Moment>,
    /// How it saw the run end, and when.
    end: Option<(Ending, Moment)>,
    drained: bool,
    closed: Option<Box<ThreadSample>>,
    /// It has said its last word.
    silent: bool,
}

impl Gather {
    /// Of so many threads, which run engines with these settings. `longest_turn_nanoseconds` is how
    /// long the plan itself may keep a thread away from its loop: the application's CPU time.
    pub fn new(
        settings: &EngineSettings,
        threads: NonZeroU32,
        longest_turn_nanoseconds: u64,
    ) -> Self {
        let threads = threads.get() as usize;
        Self {
            known: (0..threads).map(|_| Known::default()).collect(),
            whole: Whole::new(settings),
            workers: settings.choice.workers,
            measured_until: settings.windows.measured_until(),
            drain_nanoseconds: u64::from(settings.drain_seconds) * 1_000_000_000,
            patience_nanoseconds: PATIENCE_NANOSECONDS.saturating_add(longest_turn_nanoseconds),
            progress: Progress::Unstarted,
            deadline: None,
            hold: None,
            own_end: None,
            announced: None,
            rounds: Rounds::new(threads, settings.steps),
            commands: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The common start is known: from now on every stage has its deadline.
    pub fn start(&mut self) {
        if self.progress == Progress::Unstarted {
            self.enter(Progress::Running, self.measured_until);
        }
    }

    /// What a thread is to be told next.
    pub fn next_command(&mut self) -> Option<(usize, ThreadCommand)> {
        self.commands.pop_front()
    }

    /// What the load threads together tell next.
    pub fn next_event(&mut self) -> Option<LoadEvent> {
        self.events.pop_front()
    }

    /// Whether a thread may have more to say.
    pub fn listens_to(&self, thread: usize) -> bool {
        self.progress < Progress::Over && !self.known[thread].silent
    }

    /// When [`Gather::expire`] is to be called, if nothing comes before.
    pub fn deadline(&self) -> Option<Moment> {
        let hold = self.hold.as_ref().map(|hold| hold.deadline);
        match (self.deadline, hold) {
            (Some(stage), Some(hold)) => Some(stage.min(hold)),
            (stage, hold) => stage.or(hold),
        }
    }

    /// A deadline may have passed.
    pub fn expire(&mut self, now: Moment) {
        let Some(deadline) = self.deadline().filter(|deadline| *deadline <= now) else {
            return;
        };
        if now.nanoseconds_since(deadline) > LATE_LOOK_NANOSECONDS {
            self.deadline = self
                .deadline
                .map(|deadline| deadline.max(now.plus(self.patience_nanoseconds)));
            if let Some(hold) = &mut self.hold {
                hold.deadline = now.plus(PATIENCE_WITH_A_HOLD_NANOSECONDS);
            }
            return;
        }
        let detail = if self.hold.as_ref().is_some_and(|hold| hold.deadline <= now) {
            "nobody could tell in time whether the target was still there".to_owned()
        } else {
            self.overdue()
        };
        self.break_off(detail);
    }

    /// A thread told something.
    pub fn take(&mut self, thread: usize, event: ThreadEvent, now: Moment) {
        if !self.listens_to(thread) {
            return;
        }
        let known = &mut self.known[thread];
        match event {
            ThreadEvent::NotReady { workers, detail } => {
                known.not_ready = workers;
                let workers = self.known.iter().map(|known| known.not_ready).sum();
                self.events.push_back(LoadEvent::NotReady {
                    workers,
                    of: self.workers,
                    detail,
                });
            }
            ThreadEvent::Ready => {
                (known.ready, known.not_ready) = (true, 0);
                if self.known.iter().all(|known| known.ready) {
                    self.events.push_back(LoadEvent::Ready);
                }
            }
            ThreadEvent::Started { at } => {
                known.started = Some(at);
                let all: Option<Vec<Moment>> =
                    self.known.iter().map(|known| known.started).collect();
                if let Some(at) = all.and_then(|all| all.into_iter().max()) {
                    self.events.push_back(LoadEvent::Started { at });
                }
            }
            ThreadEvent::Held { ending, since } => self.hold(ending, since, now),
            ThreadEvent::Ended { ending, at } => {
                known.end = Some((ending.clone(), at));
                if self.progress < Progress::Ending {
                    // To the end of its window each comes by itself.
                    let until = match ending {
                        Ending::Completed => now.max(self.measured_until),
                        _ => now,
                    };
                    self.enter(Progress::Ending, until);
                }
                if self.announce() && ending != Ending::Completed {
                    self.tell_of_an_end(&ending, Some(at), |other| other != thread);
                }
            }
            ThreadEvent::Sample(sample) => self.complete_round(thread, sample, now),
            ThreadEvent::Drained => known.drained = true,
            ThreadEvent::Closed(sample) => {
                (known.closed, known.silent) = (Some(sample), true);
                self.complete_books();
            }
            ThreadEvent::Broken(detail) => {
                known.silent = true;
                self.break_off(detail);
            }
        }
        self.proceed(now);
    }

    /// Asks for the numbers, unless they were asked for already.
    pub fn sample(&mut self) {
        if self.progress < Progress::Ended {
            self.ask(Round::Look);
        }
    }

    /// Takes back the interval of a sample, empty.
    pub fn give_back(&mut self, interval: Box<Interval>, now: Moment) {
        self.rounds.keep(interval);
        self.proceed(now);
    }

    /// The run is over for this reason, from now on: not for a breach, of which it would be known
    /// when it came.
    pub fn end(&mut self, ending: &Ending, now: Moment) {
        match ending {
            // That is what was asked: it has been gone since then.
            Ending::TargetLost { .. } | Ending::TargetChanged { .. } if self.hold.is_some() => {
                self.resolve(Some(ending.clone()), now);
                return;
            }
            // Who is told to go waits for no answer.
            Ending::Terminated => self.hold = None,
            _ => {}
        }
        self.hurry(now);
        self.tell_of_an_end(ending, None, |_| true);
        self.proceed(now);
    }

    /// Answers [`LoadEvent::Held`]: the target is there, and the breach was one; or this became of
    /// the target. The run has ended then, at the time when it was held.
    pub fn resolve(&mut self, lost: Option<Ending>, now: Moment) {
        if let Some(Hold { ending, since, .. }) = self.hold.take() {
            self.end_for_all(lost.unwrap_or(ending), since, now);
            self.proceed(now);
        }
    }

    /// The run has ended at this moment by what no thread alone could see.
    fn end_for_all(&mut self, ending: Ending, at: Moment, now: Moment) {
        self.hurry(now);
        self.tell_of_an_end(&ending, Some(at), |_| true);
        let end = (ending, at.min(self.measured_until));
        self.own_end = first_of(self.own_end.take().into_iter().chain([end]));
        self.announce();
    }

    /// Nobody waits for the end of the window any more.
    fn hurry(&mut self, now: Moment) {
        if self.progress <= Progress::Ending {
            let hurried = now.plus(self.patience_nanoseconds);
            self.deadline = self.deadline.map(|deadline| deadline.min(hurried));
        }
    }

    fn tell_of_an_end(&mut self, ending: &Ending, at: Option<Moment>, to: impl Fn(usize) -> bool) {
        for thread in (0..self.known.len()).filter(|thread| to(*thread)) {
            let ending = ending.clone();
            self.commands
                .push_back((thread, ThreadCommand::End { ending, at }));
        }
    }

    /// The first end that is known of, whoever saw it.
    fn first_end(&self) -> Option<(Ending, Moment)> {
        let ends = self.known.iter().filter_map(|known| known.end.clone());
        first_of(ends.chain(self.own_end.clone()))
    }

    /// Tells how the run ends, if that is news.
    fn announce(&mut self) -> bool {
        let first = self.first_end().map(|(ending, _)| ending);
        let news = first.is_some() && first != self.announced;
        if news {
            self.events.extend(first.clone().map(LoadEvent::Ending));
            self.announced = first;
        }
        news
    }

    fn hold(&mut self, ending: Ending, since: Moment, now: Moment) {
        if self.progress > Progress::Ending {
            return;
        }
        // One question, one answer, for the first of them.
        if let Some(hold) = &mut self.hold {
            hold.also(ending, since);
        } else {
            self.hold = Some(Hold {
                ending,
                since,
                deadline: now.plus(PATIENCE_WITH_A_HOLD_NANOSECONDS),
            });
            self.events.push_back(LoadEvent::Held { since });
        }
    }

    fn ask(&mut self, round: Round) -> bool {
        let Some(spares) = self.rounds.begin(round) else {
            return false;
        };
        for (thread, fresh) in spares.into_iter().enumerate() {
            self.commands
                .push_back((thread, ThreadCommand::Sample { fresh }));
        }
        true
    }

    fn complete_round(&mut self, thread: usize, sample: Box<ThreadSample>, now: Moment) {
        let Some((round, samples)) = self.rounds.answered(thread, sample) else {
            return;
        };
        let Some((sample, empty)) = round::together(samples, |all| self.whole.so_far(all)) else {
            return;
        };
        for interval in empty {
            self.rounds.keep(interval);
        }
        let sample = Box::new(sample);
        match round {
            Round::Look => {
                self.hold_against_limits(&sample.snapshot, now);
                self.events.push_back(LoadEvent::Sample(sample));
            }
            Round::End => {
                self.enter(Progress::Draining, now.plus(self.drain_nanoseconds));
                self.events.push_back(LoadEvent::Ended(sample));
            }
        }
    }

    /// No thread alone may have seen a limit broken that all of them together break.
    fn hold_against_limits(&mut self, snapshot: &Snapshot, now: Moment) {
        if self.known.len() == 1 || self.progress != Progress::Running || self.own_end.is_some() {
            return;
        }
        if let Some(Breach {
            ending,
            by_lost_connections,
        }) = self.whole.broken(snapshot)
        {
            if by_lost_connections {
                self.hold(ending, snapshot.at, now);
            } else if self.hold.is_none() {
                self.end_for_all(ending, snapshot.at, now);
            }
        }
    }

    fn complete_books(&mut self) {
        if !self.known.iter().all(|known| known.closed.is_some()) {
            return;
        }
        let samples = self
            .known
            .iter_mut()
            .filter_map(|known| known.closed.take());
        if let Some((sample, _)) = round::together(samples, |all| self.whole.closed(all)) {
            self.events.push_back(LoadEvent::Closed(Box::new(sample)));
        }
        (self.progress, self.deadline) = (Progress::Over, None);
    }

    /// Goes on with the end of the run, once all threads have come so far.
    fn proceed(&mut self, now: Moment) {
        if self.progress == Progress::Ending
            && self.hold.is_none()
            && self.known.iter().all(|known| known.end.is_some())
            && self.ask(Round::End)
        {
            self.enter(Progress::Ended, now);
        }
        if self.progress == Progress::Draining
            && self.known.iter().all(|known| known.drained)
            && let Some((ending, at)) = self.first_end()
        {
            self.enter(Progress::Closing, now);
            for thread in 0..self.known.len() {
                let ending = ending.clone();
                self.commands
                    .push_back((thread, ThreadCommand::Close { ending, at }));
            }
        }
    }

    /// The next stage, which should be over at `until` by itself.
    fn enter(&mut self, progress: Progress, until: Moment) {
        self.progress = progress;
        self.deadline = Some(until.plus(self.patience_nanoseconds));
    }

    fn break_off(&mut self, detail: String) {
        (self.progress, self.deadline, self.hold) = (Progress::Over, None, None);
        self.events.push_back(LoadEvent::Broken(detail));
    }

    /// Who has kept everybody waiting, and with what.
    fn overdue(&self) -> String {
        let (what, silent): (&str, fn(&Known) -> bool) = match self.progress {
            Progress::Unstarted | Progress::Running | Progress::Ending => {
                ("see the end of the window", |known| known.end.is_none())
            }
            Progress::Ended => return self.rounds.overdue(),
            Progress::Draining => ("come to the end of its tasks", |known| !known.drained),
            Progress::Closing | Progress::Over => {
                ("close its books", |known| known.closed.is_none())
            }
        };
        let thread = self.known.iter().position(silent);
        thread.map_or_else(
            || format!("the load threads did not {what} in time"),
            |thread| format!("load thread {thread} did not {what} in time"),
        )
    }
}
