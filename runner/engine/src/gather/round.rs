//! Asking all load threads for their numbers, one round at a time, and adding them up.

use redyno_contract::report::Times;

use super::Sample;
use crate::thread::ThreadSample;
use crate::{Interval, ShareSnapshot, Snapshot};

/// What all threads are being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// The numbers so far.
    Look,
    /// The numbers of the end.
    End,
}

// What is boxed goes on its way as it is, and would else be moved by hundreds of bytes each time.
type Answers = Vec<Box<ThreadSample>>;

/// Intervals that wait to be filled again.
pub(super) type Spares = Vec<Box<Interval>>;

/// The round under way, and the intervals that the next one needs.
#[derive(Debug)]
pub(super) struct Rounds {
    under_way: Option<Round>,
    /// Each thread's answer.
    answers: Vec<Option<Box<ThreadSample>>>,
    /// Empty intervals, one for each thread while nobody has them.
    spares: Spares,
}

impl Rounds {
    /// For so many threads, with a workload of so many steps.
    pub(super) fn new(threads: usize, steps: usize) -> Self {
        Self {
            under_way: None,
            answers: (0..threads).map(|_| None).collect(),
            spares: (0..threads)
                .map(|_| Box::new(Interval::new(steps)))
                .collect(),
        }
    }

    /// Begins a round if none is under way and every interval is back: one for each thread.
    pub(super) fn begin(&mut self, round: Round) -> Option<Spares> {
        let free = self.under_way.is_none() && self.spares.len() == self.answers.len();
        free.then(|| {
            self.under_way = Some(round);
            std::mem::take(&mut self.spares)
        })
    }

    /// Keeps an empty interval for the next round.
    pub(super) fn keep(&mut self, interval: Box<Interval>) {
        if self.spares.len() < self.answers.len() {
            self.spares.push(interval);
        }
    }

    /// A thread's answer; all of them, once the last one is in.
    pub(super) fn answered(
        &mut self,
        thread: usize,
        sample: Box<ThreadSample>,
    ) -> Option<(Round, Answers)> {
        self.answers[thread] = Some(sample);
        if !self.answers.iter().all(Option::is_some) {
            return None;
        }
        let round = self.under_way.take()?;
        Some((
            round,
            self.answers.iter_mut().filter_map(Option::take).collect(),
        ))
    }

    /// Who has not answered.
    pub(super) fn overdue(&self) -> String {
        self.answers.iter().position(Option::is_none).map_or_else(
            || "the load threads did not tell their numbers in time".to_owned(),
            |thread| format!("load thread {thread} did not tell its numbers in time"),
        )
    }
}

/// The samples of all threads as one, and the intervals that are left over, empty. None without
/// any.
pub(super) fn together(
    samples: impl IntoIterator<Item = Box<ThreadSample>>,
    merge: impl FnOnce(Vec<ShareSnapshot>) -> Snapshot,
) -> Option<(Sample, Spares)> {
    let (mut snapshots, mut threads, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    let mut loop_lag = Times::default();
    let mut merged: Option<Box<Interval>> = None;
    for sample in samples {
        let ThreadSample {
            snapshot,
            vitals,
            mut interval,
        } = *sample;
        snapshots.push(snapshot);
        threads.push(vitals.spent);
        loop_lag = loop_lag.plus(vitals.loop_lag);
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
