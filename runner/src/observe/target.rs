//! What the target says of itself, once a second: only one dyno of a run asks.

use std::collections::VecDeque;

use redyno_contract::report::TargetVitals;
use redyno_target::Info;

use super::seconds::{LAST_NANOSECONDS, per_mille};
use crate::engine::Moment;

/// All that INFO said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetSamples {
    samples: u32,
    first: Option<Info>,
    /// The first of the measured window, and when it came.
    at_start: Option<(Moment, Info)>,
    last: Option<(Moment, Info)>,
    /// CPU time of the main thread, in microseconds.
    cpu: VecDeque<(Moment, u64)>,
    connections_max: u64,
}

impl TargetSamples {
    /// Adds what INFO said at `at`; `in_window` once t0 has passed.
    pub(crate) fn add(&mut self, at: Moment, in_window: bool, info: Info) {
        self.samples = self.samples.saturating_add(1);
        self.connections_max = self
            .connections_max
            .max(info.connected_clients.unwrap_or(0));
        if let Some(cpu) = info.main_thread_cpu_microseconds {
            self.cpu.push_back((at, cpu));
            // One that is older than the last seconds stays: what is compared with.
            while let Some((second, _)) = self.cpu.get(1)
                && at.nanoseconds_since(*second) >= LAST_NANOSECONDS
            {
                self.cpu.pop_front();
            }
        }
        if self.first.is_none() {
            self.first = Some(info.clone());
        }
        if in_window && self.at_start.is_none() {
            self.at_start = Some((at, info.clone()));
        }
        self.last = Some((at, info));
    }

    /// The main thread over the last seconds, in thousandths of its core.
    pub(crate) fn last_per_mille(&self) -> Option<u32> {
        share(*self.cpu.front()?, *self.cpu.back()?)
    }

    /// The main thread since the sample before, in thousandths of its core.
    pub(crate) fn latest_per_mille(&self) -> Option<u32> {
        let newest = self.cpu.len().checked_sub(1)?;
        share(
            *self.cpu.get(newest.checked_sub(1)?)?,
            *self.cpu.get(newest)?,
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
            .and_then(|(from, to)| share((start_at, from), (*last_at, to)))
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

fn share(from: (Moment, u64), to: (Moment, u64)) -> Option<u32> {
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
            if second == 9 {
                assert_eq!(samples.last_per_mille(), Some(200));
            }
        }
        assert_eq!(samples.last_per_mille(), Some(1000));
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
    fn a_target_that_says_nothing_has_no_share() {
        let mut samples = TargetSamples::default();
        samples.add(Moment::default(), true, Info::default());
        assert_eq!(samples.last_per_mille(), None);
        assert_eq!(samples.vitals().unwrap().main_thread_per_mille, 0);
    }
}
