//! What a server's threads did between two times that it was asked.

use redyno_contract::report::TargetWork;
use redyno_target::Info;

use super::seconds::per_mille;

/// Commands that execute others, whose time is in theirs.
const CONTAINERS: [&str; 7] = [
    "eval",
    "evalsha",
    "eval_ro",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
    "exec",
];

/// Servers before this version have no I/O threads, and say nothing of them.
const FIRST_WITH_IO_THREADS: u32 = 6;

/// Counters of one moment, in microseconds: differences of two tell of the time between. None is
/// what the server does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    main_thread: Option<u64>,
    process: Option<u64>,
    event_loop: Option<u64>,
    executing: Option<Executing>,
    io_threads: Vec<(u32, u64)>,
    io: IoThreads,
}

/// Time for which commands were executing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executing {
    /// So long.
    Exactly(u64),
    /// By the times of the commands, in which what a script or a transaction executes is counted
    /// twice: in its own time and in that of each command. So long for commands that execute
    /// others, and so long for the rest: together it was at least the longer of the two.
    AtLeast { containers: u64, rest: u64 },
}

/// Whether threads beside the main thread serve clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum IoThreads {
    /// The server does not say.
    #[default]
    Unknown,
    /// It has none.
    Never,
    /// Whether they served at this moment, and how often until then.
    Served { active: bool, operations: u64 },
}

impl Counters {
    pub(crate) fn of(info: &Info) -> Self {
        let executing = match (info.executing_microseconds, &info.commands_spent) {
            (Some(microseconds), _) => Some(Executing::Exactly(microseconds)),
            (None, Some(commands)) => {
                let (mut containers, mut rest) = (0_u64, 0_u64);
                for command in commands {
                    let sum = if CONTAINERS.contains(&command.name.as_str()) {
                        &mut containers
                    } else {
                        &mut rest
                    };
                    *sum = sum.saturating_add(command.microseconds);
                }
                Some(Executing::AtLeast { containers, rest })
            }
            (None, None) => None,
        };
        Self {
            main_thread: info.main_thread_cpu_microseconds,
            process: info.process_cpu_microseconds,
            event_loop: info.event_loop_microseconds,
            executing,
            io_threads: info.io_threads_microseconds.clone(),
            io: IoThreads::of(info),
        }
    }

    /// CPU time of the main thread since an earlier look, in thousandths of the time since then.
    pub(crate) fn main_thread_since(&self, earlier: &Self, microseconds: u64) -> Option<u32> {
        share(earlier.main_thread, self.main_thread, microseconds)
    }

    /// What the threads did since an earlier look.
    pub(crate) fn work_since(&self, earlier: &Self, microseconds: u64) -> TargetWork {
        let Self {
            main_thread: _,
            process,
            event_loop,
            executing,
            io_threads,
            io,
        } = self;
        let executing = match (earlier.executing, executing) {
            (Some(Executing::Exactly(from)), Some(Executing::Exactly(to))) => to.checked_sub(from),
            (
                Some(Executing::AtLeast { containers, rest }),
                Some(Executing::AtLeast {
                    containers: containers_now,
                    rest: rest_now,
                }),
            ) => containers_now
                .checked_sub(containers)
                .zip(rest_now.checked_sub(rest))
                .map(|(containers, rest)| containers.max(rest)),
            _ => None,
        };
        TargetWork {
            process_per_mille: share(earlier.process, *process, microseconds),
            event_loop_per_mille: share(earlier.event_loop, *event_loop, microseconds),
            executing_per_mille: share(executing.map(|_| 0), executing, microseconds),
            io_thread_per_mille: io_threads
                .iter()
                .filter_map(|(number, to)| {
                    let (_, from) = earlier
                        .io_threads
                        .iter()
                        .find(|(other, _)| other == number)?;
                    share(Some(*from), Some(*to), microseconds)
                })
                .max(),
            io_threads: io.served_since(earlier.io),
        }
    }
}

impl IoThreads {
    fn of(info: &Info) -> Self {
        let major: Option<u32> = info
            .version
            .as_deref()
            .and_then(|version| version.split('.').next()?.parse().ok());
        match (info.io_threads_active, info.io_threaded_operations) {
            (Some(active), Some(operations)) => Self::Served { active, operations },
            (None, None) if major.is_some_and(|major| major < FIRST_WITH_IO_THREADS) => Self::Never,
            _ => Self::Unknown,
        }
    }

    fn served_since(self, earlier: Self) -> Option<bool> {
        match (earlier, self) {
            (Self::Never, Self::Never) => Some(false),
            (
                Self::Served {
                    active: before,
                    operations: from,
                },
                Self::Served {
                    active: now,
                    operations: to,
                },
            ) => Some(before || now || from != to),
            _ => None,
        }
    }
}

/// What a counter of microseconds grew by, in thousandths of a time; None where either is not
/// known, where it went back, as after CONFIG RESETSTAT, and of no time.
fn share(from: Option<u64>, to: Option<u64>, microseconds: u64) -> Option<u32> {
    let grown = to?.checked_sub(from?)?;
    (microseconds > 0).then(|| per_mille(grown, microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(before: &str, after: &str) -> TargetWork {
        let counters = |text: &str| Counters::of(&Info::parse(text.as_bytes()));
        counters(after).work_since(&counters(before), 1_000_000)
    }

    #[test]
    fn each_is_known_by_itself() {
        for (before, after, expected) in [
            ("", "", TargetWork::default()),
            (
                "used_cpu_sys:1.0\nused_cpu_user:1.0",
                "used_cpu_sys:1.5\nused_cpu_user:2.0",
                TargetWork {
                    process_per_mille: Some(1500),
                    ..TargetWork::default()
                },
            ),
            (
                "eventloop_duration_sum:100000\neventloop_duration_cmd_sum:7",
                "eventloop_duration_sum:350000\neventloop_duration_cmd_sum:100007",
                TargetWork {
                    event_loop_per_mille: Some(250),
                    executing_per_mille: Some(100),
                    ..TargetWork::default()
                },
            ),
            (
                "used_active_time_main_thread:1\nused_active_time_io_thread_1:1\n\
                 used_active_time_io_thread_2:1\neventloop_duration_sum:1",
                "used_active_time_main_thread:1.2\nused_active_time_io_thread_1:1.9\n\
                 used_active_time_io_thread_2:1.1\neventloop_duration_sum:900001",
                TargetWork {
                    event_loop_per_mille: Some(200),
                    io_thread_per_mille: Some(900),
                    ..TargetWork::default()
                },
            ),
            // What the script executed is in its own time: 400 ms in all, not 700.
            (
                "cmdstat_evalsha:calls=1,usec=0\ncmdstat_hgetall:calls=1,usec=0\n",
                "cmdstat_evalsha:calls=9,usec=400000\ncmdstat_hgetall:calls=9,usec=300000\n",
                TargetWork {
                    executing_per_mille: Some(400),
                    ..TargetWork::default()
                },
            ),
            // After CONFIG RESETSTAT.
            (
                "eventloop_duration_sum:100000\ncmdstat_get:calls=1,usec=5",
                "eventloop_duration_sum:350\ncmdstat_get:calls=1,usec=4",
                TargetWork::default(),
            ),
        ] {
            assert_eq!(work(before, after), expected, "{after}");
        }
    }

    #[test]
    fn whether_io_threads_served_is_known_where_the_server_tells_all_of_it() {
        let io = |active, reads| {
            format!(
                "io_threads_active:{active}\nio_threaded_reads_processed:{reads}\n\
                 io_threaded_writes_processed:1"
            )
        };
        for (before, after, expected) in [
            (io(0, 5), io(0, 5), Some(false)),
            (io(0, 5), io(0, 6), Some(true)),
            (io(1, 5), io(0, 5), Some(true)),
            (io(0, 5), "io_threads_active:0".to_owned(), None),
            (String::new(), String::new(), None),
            (
                "redis_version:5.0.14".to_owned(),
                "redis_version:5.0.14".to_owned(),
                Some(false),
            ),
            (
                "redis_version:7.0.15".to_owned(),
                "redis_version:7.0.15".to_owned(),
                None,
            ),
        ] {
            assert_eq!(work(&before, &after).io_threads, expected, "{after}");
        }
    }
}
