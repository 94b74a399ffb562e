//! What the target says of itself, once a second: only one dyno of a run asks.

use std::collections::VecDeque;

use redyno_contract::report::TargetVitals;
use redyno_target::Info;

use super::seconds::{LAST_NANOSECONDS, per_mille};
use redyno_engine::Moment;

/// Samples are kept for so long: the last seconds may lie before a hold of 5 s and a drain of 5 s.
const KEPT_NANOSECONDS: u64 = 4 * LAST_NANOSECONDS;

/// A target that has said nothing for so long may have been busy with anything.
const STALE_NANOSECONDS: u64 = LAST_NANOSECONDS / 2;

/// All that INFO said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetSamples {
    samples: u32,
    first: Option<Info>,
    /// The first of the measured window, and when it came.
    at_start: Option<(Moment, Info)>,
    last: Option<(Moment, Info)>,
    recent: VecDeque<Recent>,
    connections_max: u64,
}

/// What the target said of itself at one moment.
#[derive(Clone, Copy, Debug)]
struct Recent {
    at: Moment,
    cpu_microseconds: Option<u64>,
    evicted_keys: u64,
    rejected_connections: u64,
    memory_bytes: Option<u64>,
}

/// What the target said of the 5 s before a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastOfTarget {
    /// The main thread, in thousandths of its core.
    pub(crate) main_thread_per_mille: Option<u32>,
    /// Keys evicted.
    pub(crate) evicted_keys: Option<u64>,
    /// Connections refused.
    pub(crate) rejected_connections: Option<u64>,
    /// Memory used at the end.
    pub(crate) memory_bytes: Option<u64>,
}

impl TargetSamples {
    /// Adds what INFO said at `at`; `in_window` once t0 has passed.
    pub(crate) fn add(&mut self, at: Moment, in_window: bool, info: Info) {
        self.samples = self.samples.saturating_add(1);
        self.connections_max = self
            .connections_max
            .max(info.connected_clients.unwrap_or(0));
        self.recent.push_back(Recent {
            at,
            cpu_microseconds: info.main_thread_cpu_microseconds,
            evicted_keys: info.evicted_keys.unwrap_or(0),
            rejected_connections: info.rejected_connections.unwrap_or(0),
            memory_bytes: info.used_memory,
        });
        while self
            .recent
            .front()
            .is_some_and(|oldest| at.nanoseconds_since(oldest.at) > KEPT_NANOSECONDS)
        {
            self.recent.pop_front();
        }
        if self.first.is_none() {
            self.first = Some(info.clone());
        }
        if in_window && self.at_start.is_none() {
            self.at_start = Some((at, info.clone()));
        }
        self.last = Some((at, info));
    }

    /// What it said last.
    pub(crate) fn latest(&self) -> Option<&Info> {
        self.last.as_ref().map(|(_, info)| info)
    }

    /// The 5 s before `end`, or before the latest sample.
    ///
    /// What was refused just before the end is told of only by the first sample after it. By then
    /// the load may be gone and the main thread idle: how busy it was, the last sample before the
    /// end tells, unless that is too old.
    pub(crate) fn before(&self, end: Option<Moment>) -> LastOfTarget {
        let Some(latest) = self.recent.back() else {
            return LastOfTarget::default();
        };
        let end = end.unwrap_or(latest.at);
        let after = self
            .recent
            .iter()
            .find(|sample| sample.at >= end)
            .unwrap_or(latest);
        let last = self
            .recent
            .iter()
            .rev()
            .find(|sample| sample.at <= end)
            .filter(|last| end.nanoseconds_since(last.at) <= STALE_NANOSECONDS)
            .unwrap_or(after);
        let oldest = self.five_seconds_before(after);
        LastOfTarget {
            main_thread_per_mille: self
                .five_seconds_before(last)
                .and_then(|oldest| share(oldest, last))
                // Without two samples before the end, one of them is after it.
                .or_else(|| share(oldest?, after)),
            evicted_keys: oldest
                .map(|oldest| after.evicted_keys.saturating_sub(oldest.evicted_keys)),
            rejected_connections: oldest.map(|oldest| {
                after
                    .rejected_connections
                    .saturating_sub(oldest.rejected_connections)
            }),
            memory_bytes: after.memory_bytes,
        }
    }

    /// The last sample that is 5 s older than this one, or else the first.
    fn five_seconds_before(&self, sample: &Recent) -> Option<&Recent> {
        let older = |other: &&Recent| sample.at.nanoseconds_since(other.at) >= LAST_NANOSECONDS;
        (self.recent.iter().rev().find(older))
            .or_else(|| self.recent.front())
            .filter(|oldest| oldest.at < sample.at)
    }

    /// The main thread since the sample before, in thousandths of its core.
    pub(crate) fn latest_per_mille(&self) -> Option<u32> {
        let newest = self.recent.len().checked_sub(1)?;
        share(
            self.recent.get(newest.checked_sub(1)?)?,
            self.recent.get(newest)?,
        )
    }

    /// For the report; None if there is no sample.
    pub(crate) fn vitals(&self) -> Option<TargetVitals> {
        let first = self.first.as_ref()?;
        let (last_at, last) = self.last.as_ref()?;
        let (start_at, start) = self
            .at_start
            .as_ref()
            .map_or((*last_at, last), |(at, info)| (*at, info));
        let cpu = |info: &Info| info.main_thread_cpu_microseconds;
        let main_thread = cpu(start)
            .zip(cpu(last))
            .and_then(|(from, to)| share_of((start_at, from), (*last_at, to)))
            .unwrap_or(0);
        let grown =
            |from: Option<u64>, to: Option<u64>| to.unwrap_or(0).saturating_sub(from.unwrap_or(0));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(TargetVitals {
            samples: self.samples,
            version: text(&last.version),
            role: text(&last.role),
            maxmemory_bytes: last.maxmemory.unwrap_or(0),
            maxmemory_policy: text(&last.policy),
            maxclients: last.maxclients.unwrap_or(0),
            main_thread_per_mille: main_thread,
            memory_at_start_bytes: start.used_memory.unwrap_or(0),
            memory_at_end_bytes: last.used_memory.unwrap_or(0),
            connections_max: self.connections_max,
            evicted_keys: grown(start.evicted_keys, last.evicted_keys),
            rejected_connections: grown(first.rejected_connections, last.rejected_connections),
            append_only_file: last.aof_enabled,
            replicas: last.connected_slaves.unwrap_or(0),
        })
    }
}

fn share(from: &Recent, to: &Recent) -> Option<u32> {
    share_of(
        (from.at, from.cpu_microseconds?),
        (to.at, to.cpu_microseconds?),
    )
}

fn share_of(from: (Moment, u64), to: (Moment, u64)) -> Option<u32> {
    let elapsed = to.0.microseconds_since(from.0);
    (elapsed > 0).then(|| per_mille(to.1.saturating_sub(from.1), elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(second: u64) -> Info {
        Info {
            version: Some("7.0.15".to_owned()),
            used_memory: Some(1_000_000 + second * 1000),
            connected_clients: Some(10 + second % 3),
            // A fifth of its core in the first ten seconds, then all of it.
            main_thread_cpu_microseconds: Some(
                second.min(10) * 200_000 + second.saturating_sub(10) * 1_000_000,
            ),
            evicted_keys: Some(second),
            rejected_connections: Some(second * 2),
            ..Info::default()
        }
    }

    #[test]
    fn windows_and_last_seconds_are_told_apart() {
        let mut samples = TargetSamples::default();
        assert_eq!(samples.vitals(), None);
        for second in 0..=20_u32 {
            samples.add(
                Moment::from_seconds(second),
                second >= 10,
                info(u64::from(second)),
            );
        }
        let at = |second| samples.before(Some(Moment::from_seconds(second)));
        assert_eq!(at(9).main_thread_per_mille, Some(200));
        // Between two samples, how busy it was is that of the former, all else of the latter.
        let between = samples.before(Some(Moment::from_seconds(10).plus(1)));
        assert_eq!(between.main_thread_per_mille, Some(200));
        assert_eq!(between.memory_bytes, Some(1_011_000));
        assert_eq!(
            samples.before(None),
            LastOfTarget {
                main_thread_per_mille: Some(1000),
                evicted_keys: Some(5),
                rejected_connections: Some(10),
                memory_bytes: Some(1_020_000),
            }
        );
        assert_eq!(at(90), samples.before(None));
        assert_eq!(at(12).main_thread_per_mille, Some(520));
        assert_eq!(samples.latest_per_mille(), Some(1000));
        let vitals = samples.vitals().unwrap();
        assert_eq!(vitals.samples, 21);
        assert_eq!(vitals.main_thread_per_mille, 1000);
        assert_eq!(vitals.memory_at_start_bytes, 1_010_000);
        assert_eq!(vitals.memory_at_end_bytes, 1_020_000);
        assert_eq!(vitals.evicted_keys, 10);
        assert_eq!(vitals.rejected_connections, 40);
        assert_eq!(vitals.connections_max, 12);
    }

    #[test]
    fn a_target_that_did_not_answer_is_judged_by_what_it_said_at_last() {
        let mut samples = TargetSamples::default();
        for second in [0, 1, 8] {
            samples.add(Moment::from_seconds(second), true, info(second.into()));
        }
        let last = samples.before(Some(Moment::from_seconds(6)));
        // From 1 s to 8 s.
        assert_eq!(last.main_thread_per_mille, Some(200));
        assert_eq!(last.rejected_connections, Some(14));
        // Of one sample nothing but the memory is known.
        let mut samples = TargetSamples::default();
        samples.add(Moment::from_seconds(1), true, info(1));
        assert_eq!(
            samples.before(Some(Moment::from_seconds(1))),
            LastOfTarget {
                memory_bytes: Some(1_001_000),
                ..LastOfTarget::default()
            }
        );
    }

    #[test]
    fn a_target_that_says_nothing_has_no_share() {
        let mut samples = TargetSamples::default();
        samples.add(Moment::default(), true, Info::default());
        assert_eq!(samples.before(None), LastOfTarget::default());
        assert_eq!(samples.vitals().unwrap().main_thread_per_mille, 0);
    }
}
