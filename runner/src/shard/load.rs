//! All load threads as one: their events gathered, their numbers added up.
//!
//! Whatever one of them finds, the others are told by the control thread: that a limit was broken,
//! that the run is over. What all of them counted together is held against the limits at each look.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use redyno_contract::report::{Ending, Times};
use redyno_target::ByteCounters;

use super::busy::ThreadTime;
use super::{Shard, ShardCommand, ShardEvent, ShardSample, ShardSettings, engine_settings};
use redyno_engine::{Breach, Interval, Moment, Share, ShareSnapshot, Snapshot, Whole};

/// What the load threads tell.
#[derive(Debug)]
pub(crate) enum LoadEvent {
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
    /// All threads were there for S, the last one at this instant: the dyno's true start.
    Started {
        /// By the monotonic clock.
        at: Instant,
    },
    /// A limit was broken by connection errors alone.
    Held {
        /// How the run ends if the target is there.
        ending: Ending,
        /// When.
        since: Moment,
    },
    /// The first thread saw the run end so.
    Ending(Ending),
    /// No thread hands over any more; the numbers of that moment.
    Ended(Box<Sample>),
    /// The answer to [`Load::sample`].
    Sample(Box<Sample>),
    /// Nothing is left to wait for: the final numbers. The last event of a run that started.
    Closed(Box<Sample>),
    /// A mistake of ours, or of the machine. The last event.
    Broken(String),
}

/// The dyno's numbers of one moment.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Counts since S.
    pub(crate) snapshot: Snapshot,
    /// How late a 10 ms timer of the load threads was, in the measured window.
    pub(crate) loop_lag: Times,
    /// What each load thread has spent since S.
    pub(crate) threads: Vec<ThreadTime>,
    /// What was recorded since the last sample.
    pub(crate) interval: Box<Interval>,
}

/// All load threads, seen from the control thread. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Load {
    shards: Vec<Shard>,
    known: Vec<Known>,
    whole: Whole,
    workers: u32,
    /// What all threads are being asked for.
    round: Option<Round>,
    held: bool,
    progress: Progress,
    events: VecDeque<LoadEvent>,
}

/// How far the end of the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// No thread has seen it.
    Running,
    /// A thread has.
    Ending,
    /// All have, and are asked for their numbers.
    Ended,
    /// Their numbers are in.
    Told,
    /// Nothing is left to wait for: all are to close their books.
    Closing,
}

/// What is known of one load thread.
#[derive(Debug)]
struct Known {
    /// Its workers that are without connection.
    not_ready: u32,
    ready: bool,
    started: Option<Instant>,
    /// How it saw the run end, and when.
    end: Option<(Ending, Moment)>,
    drained: bool,
    /// An empty interval for it; None while it has it.
    spare: Option<Box<Interval>>,
    /// Its answer to the round under way.
    sample: Option<Box<ShardSample>>,
    closed: Option<Box<ShardSample>>,
}

/// What all threads are being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Look,
    End,
}

impl Load {
    /// Starts so many threads, one for each of the counters, which at once begin to get their
    /// workers ready.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn spawn(
        settings: &ShardSettings,
        counters: &[Arc<ByteCounters>],
    ) -> io::Result<Self> {
        let engine = engine_settings(settings);
        let threads = u32::try_from(counters.len())
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN);
        let shards = Share::of(threads)
            .zip(counters)
            .map(|(share, bytes)| {
                Shard::spawn(ShardSettings {
                    share,
                    bytes: Arc::clone(bytes),
                    ..settings.clone()
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            known: shards
                .iter()
                .map(|_| Known {
                    not_ready: 0,
                    ready: false,
                    started: None,
                    end: None,
                    drained: false,
                    spare: Some(Box::new(Interval::new(engine.steps))),
                    sample: None,
                    closed: None,
                })
                .collect(),
            shards,
            whole: Whole::new(&engine),
            workers: settings.dynos.workers,
            round: None,
            held: false,
            progress: Progress::Running,
            events: VecDeque::new(),
        })
    }

    /// The common start is known: S, which may lie ahead.
    pub(crate) fn start(&self, at: Instant) {
        for shard in &self.shards {
            shard.tell(ShardCommand::Start { at });
        }
    }

    /// Asks for the numbers, unless they were asked for already.
    pub(crate) fn sample(&mut self) {
        if self.progress < Progress::Ended {
            self.ask(Round::Look);
        }
    }

    /// The run is over for this reason, since this moment or since now.
    pub(crate) fn end(&self, ending: &Ending, at: Option<Moment>) {
        for shard in &self.shards {
            shard.tell(ShardCommand::End {
                ending: ending.clone(),
                at,
            });
        }
    }

    /// Takes back the interval of a sample, empty.
    pub(crate) fn give_back(&mut self, interval: Box<Interval>) {
        self.keep(interval);
        self.proceed();
    }

    /// What they tell next. May be dropped and called again at any time.
    pub(crate) async fn event(&mut self) -> LoadEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let (shards, known) = (&mut self.shards, &self.known);
            let (thread, event) = poll_fn(|context| {
                for (thread, shard) in shards.iter_mut().enumerate() {
                    // Who has closed its books has nothing more to say.
                    if known[thread].closed.is_none()
                        && let Poll::Ready(event) = shard.poll_event(context)
                    {
                        return Poll::Ready((thread, event));
                    }
                }
                Poll::Pending
            })
            .await;
            self.take(thread, event);
            self.proceed();
        }
    }

    /// Ends the threads and waits for them, so that their connections are closed.
    pub(crate) fn join(self) {
        for shard in self.shards {
            shard.join();
        }
    }

    fn take(&mut self, thread: usize, event: ShardEvent) {
        let known = &mut self.known[thread];
        match event {
            ShardEvent::NotReady { workers, detail } => {
                known.not_ready = workers;
                let workers = self.known.iter().map(|known| known.not_ready).sum();
                self.events.push_back(LoadEvent::NotReady {
                    workers,
                    of: self.workers,
                    detail,
                });
            }
            ShardEvent::Ready => {
                (known.ready, known.not_ready) = (true, 0);
                if self.known.iter().all(|known| known.ready) {
                    self.events.push_back(LoadEvent::Ready);
                }
            }
            ShardEvent::Started { at } => {
                known.started = Some(at);
                let all: Option<Vec<Instant>> =
                    self.known.iter().map(|known| known.started).collect();
                if let Some(at) = all.and_then(|all| all.into_iter().max()) {
                    self.events.push_back(LoadEvent::Started { at });
                }
            }
            ShardEvent::Held { ending, since } => self.hold(ending, since),
            ShardEvent::Ended { ending, at } => {
                known.end = Some((ending.clone(), at));
                if self.progress == Progress::Running {
                    self.progress = Progress::Ending;
                    // To the end of its window each comes by itself, unless it is held until it is
                    // known how the run ends.
                    if ending != Ending::Completed {
                        self.tell_others(thread, &ending, at);
                    }
                    self.events.push_back(LoadEvent::Ending(ending));
                }
            }
            ShardEvent::Sample(sample) => {
                known.sample = Some(sample);
                self.complete_round();
            }
            ShardEvent::Drained => known.drained = true,
            ShardEvent::Closed(sample) => {
                known.closed = Some(sample);
                if self.known.iter().all(|known| known.closed.is_some()) {
                    let samples = self
                        .known
                        .iter_mut()
                        .filter_map(|known| known.closed.take());
                    if let Some((sample, _)) = together(samples, |all| self.whole.closed(all)) {
                        self.events.push_back(LoadEvent::Closed(Box::new(sample)));
                    }
                }
            }
            ShardEvent::Broken(detail) => self.events.push_back(LoadEvent::Broken(detail)),
        }
    }

    fn tell_others(&self, thread: usize, ending: &Ending, at: Moment) {
        for (other, shard) in self.shards.iter().enumerate() {
            if other != thread {
                shard.tell(ShardCommand::End {
                    ending: ending.clone(),
                    at: Some(at),
                });
            }
        }
    }

    fn hold(&mut self, ending: Ending, since: Moment) {
        // One question, one answer.
        if !self.held && self.progress == Progress::Running {
            self.held = true;
            self.events.push_back(LoadEvent::Held { ending, since });
        }
    }

    fn ask(&mut self, round: Round) -> bool {
        let free = self.round.is_none() && self.known.iter().all(|known| known.spare.is_some());
        if free {
            self.round = Some(round);
            for (shard, known) in self.shards.iter().zip(&mut self.known) {
                if let Some(fresh) = known.spare.take() {
                    shard.tell(ShardCommand::Sample { fresh });
                }
            }
        }
        free
    }

    fn complete_round(&mut self) {
        if !self.known.iter().all(|known| known.sample.is_some()) {
            return;
        }
        let samples = self
            .known
            .iter_mut()
            .filter_map(|known| known.sample.take());
        let Some((sample, empty)) = together(samples, |all| self.whole.so_far(all)) else {
            return;
        };
        for interval in empty {
            self.keep(interval);
        }
        let sample = Box::new(sample);
        if self.round.take() == Some(Round::End) {
            self.progress = Progress::Told;
            self.events.push_back(LoadEvent::Ended(sample));
        } else {
            self.hold_against_limits(&sample.snapshot);
            self.events.push_back(LoadEvent::Sample(sample));
        }
    }

    /// No thread alone may have seen a limit broken that all of them together break.
    fn hold_against_limits(&mut self, snapshot: &Snapshot) {
        if self.shards.len() == 1 || self.progress != Progress::Running {
            return;
        }
        if let Some(Breach {
            ending,
            by_lost_connections,
        }) = self.whole.broken(snapshot)
        {
            if by_lost_connections {
                self.hold(ending, snapshot.at);
            } else if !self.held {
                self.end(&ending, Some(snapshot.at));
            }
        }
    }

    /// Goes on with the end of the run, once all threads have come so far.
    fn proceed(&mut self) {
        if self.progress == Progress::Ending
            && self.known.iter().all(|known| known.end.is_some())
            && self.ask(Round::End)
        {
            self.progress = Progress::Ended;
        }
        if self.progress == Progress::Told
            && self.known.iter().all(|known| known.drained)
            && let Some((ending, at)) = self
                .known
                .iter()
                .filter_map(|known| known.end.clone())
                .min_by_key(|(_, at)| *at)
        {
            self.progress = Progress::Closing;
            for shard in &self.shards {
                shard.tell(ShardCommand::Close {
                    ending: ending.clone(),
                    at,
                });
            }
        }
    }

    fn keep(&mut self, interval: Box<Interval>) {
        if let Some(known) = self.known.iter_mut().find(|known| known.spare.is_none()) {
            known.spare = Some(interval);
        }
    }
}

/// Intervals that wait to be filled again.
type Spares = Vec<Box<Interval>>;

/// The samples of all threads as one, and the intervals that are left over, empty. None without
/// any.
fn together(
    samples: impl IntoIterator<Item = Box<ShardSample>>,
    merge: impl FnOnce(Vec<ShareSnapshot>) -> Snapshot,
) -> Option<(Sample, Spares)> {
    let (mut snapshots, mut threads, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    let mut loop_lag = Times::default();
    let mut merged: Option<Box<Interval>> = None;
    for sample in samples {
        let ShardSample {
            snapshot,
            loop_lag: lag,
            thread,
            mut interval,
        } = *sample;
        snapshots.push(snapshot);
        threads.push(thread);
        loop_lag = loop_lag.plus(lag);
        match &mut merged {
            None => merged = Some(interval),
            Some(merged) => {
                merged.add(&interval);
                interval.clear();
                empty.push(interval);
            }
        }
    }
    let sample = Sample {
        snapshot: merge(snapshots),
        loop_lag,
        threads,
        interval: merged?,
    };
    Some((sample, empty))
}
