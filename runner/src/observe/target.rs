//! What the target says of itself, once a second: only one dyno of a run asks.

use std::collections::VecDeque;

use redyno_contract::report::{CommandWork, MOST_COMMANDS_OF_TARGET, TargetVitals, TargetWork};
use redyno_target::Info;

use super::seconds::LAST_NANOSECONDS;
use super::server_work::Counters;
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
    connections_max: Option<u64>,
}

/// What the target said of itself at one moment.
#[derive(Clone, Debug)]
struct Recent {
    at: Moment,
    counters: Counters,
    evicted_keys: Option<u64>,
    rejected_connections: Option<u64>,
    memory_bytes: Option<u64>,
}

/// What the target said of the 5 s before a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastOfTarget {
    /// The main thread, in thousandths of its core.
    pub(crate) main_thread_per_mille: Option<u32>,
    /// What else its threads did.
    pub(crate) work: TargetWork,
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
        self.connections_max = self.connections_max.max(info.connected_clients);
        self.recent.push_back(Recent {
            at,
            counters: Counters::of(&info),
            evicted_keys: info.evicted_keys,
            rejected_connections: info.rejected_connections,
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
        let busy = self
            .five_seconds_before(last)
            .map(|oldest| (oldest, last))
            // Without two samples before the end, one of them is after it.
            .or_else(|| Some((oldest?, after)));
        let since_oldest = |of: fn(&Recent) -> Option<u64>| grown(oldest.and_then(of), of(after));
        LastOfTarget {
            main_thread_per_mille: busy.and_then(|(from, to)| main_thread(from, to)),
            work: busy
                .map(|(from, to)| {
                    let elapsed = to.at.microseconds_since(from.at);
                    to.counters.work_since(&from.counters, elapsed)
                })
                .unwrap_or_default(),
            evicted_keys: since_oldest(|sample| sample.evicted_keys),
            rejected_connections: since_oldest(|sample| sample.rejected_connections),
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
        main_thread(
            self.recent.get(newest.checked_sub(1)?)?,
            self.recent.get(newest)?,
        )
    }

    /// For the report; None if there is no sample. What only two samples together could tell is
    /// not known of one.
    pub(crate) fn vitals(&self) -> Option<TargetVitals> {
        let first = self.first.as_ref()?;
        let (last_at, last) = self.last.as_ref()?;
        let start = self
            .at_start
            .as_ref()
            .filter(|(start_at, _)| start_at < last_at);
        let since_start =
            |of: fn(&Info) -> Option<u64>| grown(start.and_then(|(_, info)| of(info)), of(last));
        let (main_thread_per_mille, work) = start
            .map(|(start_at, start)| {
                let (from, to) = (Counters::of(start), Counters::of(last));
                let elapsed = last_at.microseconds_since(*start_at);
                (
                    to.main_thread_since(&from, elapsed),
                    to.work_since(&from, elapsed),
                )
            })
            .unwrap_or_default();
        Some(TargetVitals {
            samples: self.samples,
            server: last.server_name.clone(),
            version: last.own_version().map(str::to_owned),
            role: last.role.clone(),
            maxmemory_bytes: last.maxmemory,
            maxmemory_policy: last.policy.clone(),
            maxclients: last.maxclients,
            main_thread_per_mille,
            memory_at_start_bytes: start.and_then(|(_, info)| info.used_memory),
            memory_at_end_bytes: last.used_memory,
            connections_max: self.connections_max,
            evicted_keys: since_start(|info| info.evicted_keys),
            rejected_connections: (self.samples > 1)
                .then(|| grown(first.rejected_connections, last.rejected_connections))
                .flatten(),
            append_only_file: last.aof_enabled,
            replicas: last.connected_slaves,
            work,
            commands: start
                .map(|(_, start)| commands(start, last))
                .unwrap_or_default(),
        })
    }
}

/// What a counter grew by; None where either is not known, and where it went back, as after
/// CONFIG RESETSTAT.
fn grown(from: Option<u64>, to: Option<u64>) -> Option<u64> {
    to?.checked_sub(from?)
}

fn main_thread(from: &Recent, to: &Recent) -> Option<u32> {
    let elapsed = to.at.microseconds_since(from.at);
    to.counters.main_thread_since(&from.counters, elapsed)
}

/// The commands that most time was spent on between two samples.
fn commands(from: &Info, to: &Info) -> Vec<CommandWork> {
    let (Some(from), Some(to)) = (&from.commands_spent, &to.commands_spent) else {
        return Vec::new();
    };
    let mut spent: Vec<CommandWork> = to
        .iter()
        .filter_map(|spent| {
            let before = from.iter().find(|before| before.name == spent.name);
            let (calls, microseconds) =
                before.map_or((0, 0), |before| (before.calls, before.microseconds));
            Some(CommandWork {
                name: spent.name.clone(),
                calls: spent.calls.checked_sub(calls).filter(|calls| *calls > 0)?,
                microseconds: spent.microseconds.checked_sub(microseconds)?,
            })
        })
        .collect();
    spent.sort_by_key(|command| std::cmp::Reverse(command.microseconds));
    spent.truncate(MOST_COMMANDS_OF_TARGET);
    spent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redyno_target::CommandSpent;

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
                work: TargetWork::default(),
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
        assert_eq!(vitals.main_thread_per_mille, Some(1000));
        assert_eq!(vitals.memory_at_start_bytes, Some(1_010_000));
        assert_eq!(vitals.memory_at_end_bytes, Some(1_020_000));
        assert_eq!(vitals.evicted_keys, Some(10));
        assert_eq!(vitals.rejected_connections, Some(40));
        assert_eq!(vitals.connections_max, Some(12));
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

    /// Absent is never a number: not 0 % of its core, not "no keys evicted", not "no maxmemory".
    #[test]
    fn what_the_target_does_not_say_is_not_known() {
        let nothing = TargetVitals {
            samples: 3,
            ..TargetVitals::default()
        };
        let mut samples = TargetSamples::default();
        for second in 0..3 {
            samples.add(Moment::from_seconds(second), true, Info::default());
        }
        assert_eq!(samples.before(None), LastOfTarget::default());
        assert_eq!(samples.latest_per_mille(), None);
        assert_eq!(samples.vitals(), Some(nothing));
    }

    /// Of one answer in the window no share and no growth is known, whatever it says.
    #[test]
    fn one_answer_tells_of_no_time() {
        let mut samples = TargetSamples::default();
        samples.add(Moment::from_seconds(1), true, info(20));
        let vitals = samples.vitals().unwrap();
        assert_eq!(vitals.memory_at_end_bytes, Some(1_020_000));
        assert_eq!(vitals.connections_max, Some(12));
        for (name, known) in [
            ("main thread", vitals.main_thread_per_mille.map(u64::from)),
            ("memory at start", vitals.memory_at_start_bytes),
            ("evicted", vitals.evicted_keys),
            ("rejected", vitals.rejected_connections),
        ] {
            assert_eq!(known, None, "{name}");
        }
    }

    /// After CONFIG RESETSTAT a counter begins anew: what it was before is not known.
    #[test]
    fn a_counter_that_went_back_tells_nothing() {
        let mut samples = TargetSamples::default();
        for (second, evicted) in [(0, 500), (1, 600), (2, 7)] {
            let said = Info {
                evicted_keys: Some(evicted),
                main_thread_cpu_microseconds: Some(evicted),
                ..Info::default()
            };
            samples.add(Moment::from_seconds(second), true, said);
        }
        assert_eq!(samples.vitals().unwrap().evicted_keys, None);
        assert_eq!(samples.before(None), LastOfTarget::default());
    }

    #[test]
    fn the_commands_that_took_most_are_listed() {
        let said = |calls: u64| Info {
            commands_spent: Some(
                (1..=12)
                    .map(|number| CommandSpent {
                        name: format!("command-{number}"),
                        calls: calls * number,
                        microseconds: calls * number * number,
                    })
                    .chain([CommandSpent {
                        name: "never".to_owned(),
                        calls: 4,
                        microseconds: 1_000_000,
                    }])
                    .collect(),
            ),
            ..Info::default()
        };
        let mut samples = TargetSamples::default();
        samples.add(Moment::from_seconds(1), false, said(9));
        samples.add(Moment::from_seconds(2), true, said(10));
        samples.add(Moment::from_seconds(3), true, said(30));
        let commands = samples.vitals().unwrap().commands;
        assert_eq!(commands.len(), MOST_COMMANDS_OF_TARGET);
        assert_eq!(
            commands[0],
            CommandWork {
                name: "command-12".to_owned(),
                calls: 240,
                microseconds: 2880,
            }
        );
    }

    /// Everything that an INFO of a busy server says of one moment.
    fn said(second: u64) -> Vec<String> {
        [
            ("redis_version", "7.2.4".to_owned()),
            ("server_name", "valkey".to_owned()),
            ("valkey_version", "9.1.2".to_owned()),
            ("role", "master".to_owned()),
            ("used_memory", (1000 * second).to_string()),
            ("maxmemory", "5000".to_owned()),
            ("maxmemory_policy", "noeviction".to_owned()),
            ("maxclients", "50".to_owned()),
            ("connected_clients", "7".to_owned()),
            ("evicted_keys", second.to_string()),
            ("rejected_connections", (2 * second).to_string()),
            ("used_cpu_sys", format!("{second}.2")),
            ("used_cpu_user", format!("{second}.4")),
            ("used_cpu_sys_main_thread", format!("{second}.1")),
            ("used_cpu_user_main_thread", format!("{second}.3")),
            ("eventloop_duration_sum", (900_000 * second).to_string()),
            ("eventloop_duration_cmd_sum", (500_000 * second).to_string()),
            ("used_active_time_main_thread", format!("0.{second}")),
            ("used_active_time_io_thread_1", format!("0.{second}")),
            ("io_threads_active", "1".to_owned()),
            ("io_threaded_reads_processed", second.to_string()),
            ("io_threaded_writes_processed", second.to_string()),
            ("aof_enabled", "0".to_owned()),
            ("connected_slaves", "0".to_owned()),
            (
                "cmdstat_get",
                format!("calls={},usec={}", 9 * second, 70 * second),
            ),
        ]
        .map(|(name, value)| format!("{name}:{value}"))
        .to_vec()
    }

    fn vitals_without(missing: u32) -> TargetVitals {
        let mut samples = TargetSamples::default();
        for second in 1..=3 {
            let told: Vec<String> = (0..)
                .zip(said(second))
                .filter(|(position, _)| missing & (1 << position) == 0)
                .map(|(_, line)| line)
                .collect();
            samples.add(
                Moment::from_seconds(u32::try_from(second).unwrap()),
                true,
                Info::parse(told.join("\r\n").as_bytes()),
            );
        }
        samples.vitals().unwrap()
    }

    proptest! {
        /// Whatever INFO leaves out: a figure is what it would be with everything told, or not
        /// known; or it comes from the next best field that does tell, which is here another
        /// number. It is never 0.
        #[test]
        fn what_info_leaves_out_is_never_a_number(missing in 0_u32..1 << 25) {
            let TargetVitals {
                samples: _,
                server: _,
                version: _,
                role: _,
                maxmemory_bytes,
                maxmemory_policy: _,
                maxclients,
                main_thread_per_mille,
                memory_at_start_bytes,
                memory_at_end_bytes,
                connections_max,
                evicted_keys,
                rejected_connections,
                append_only_file,
                replicas,
                work,
                commands,
            } = vitals_without(missing);
            let TargetWork {
                process_per_mille,
                event_loop_per_mille,
                executing_per_mille,
                io_thread_per_mille,
                io_threads,
            } = work;
            let numbers: [(&str, Option<u64>, &[u64]); 13] = [
                ("maxmemory", maxmemory_bytes, &[5000]),
                ("maxclients", maxclients, &[50]),
                ("main thread", main_thread_per_mille.map(u64::from), &[2000]),
                ("memory at start", memory_at_start_bytes, &[1000]),
                ("memory at end", memory_at_end_bytes, &[3000]),
                ("connections", connections_max, &[7]),
                ("evicted", evicted_keys, &[2]),
                ("rejected", rejected_connections, &[4]),
                ("replicas", replicas, &[0]),
                ("process", process_per_mille.map(u64::from), &[2000]),
                ("event loop", event_loop_per_mille.map(u64::from), &[100, 900]),
                ("executing", executing_per_mille.map(u64::from), &[500]),
                ("I/O thread", io_thread_per_mille.map(u64::from), &[100]),
            ];
            for (name, found, possible) in numbers {
                if let Some(found) = found {
                    // The times of the commands tell of 70 us in a second.
                    let possible = possible.contains(&found) || (name == "executing" && found == 0);
                    prop_assert!(possible, "{}: {}", name, found);
                }
            }
            prop_assert_ne!(append_only_file, Some(true));
            prop_assert_ne!(io_threads, Some(false));
            prop_assert!(commands.iter().all(|command| command.calls == 18));
        }
    }
}
