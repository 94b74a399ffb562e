//! Whether Redis itself was the limit, by what it says of its threads.
//!
//! Which figures there are depends on the server, and none of them is right everywhere. The CPU time
//! of the main thread is what it needs only while no I/O threads serve: threads that wait for each
//! other spin. The times of the event loop and of the commands are those of the clock: a thread that
//! is kept from its CPU is as busy by them as one that computes. So every figure convicts only where
//! it can, and what is not known convicts and acquits nobody.

use crate::figures;
use crate::report::TargetWork;

/// A thread that is at work for so much of the time is the limit.
const BUSY_PER_MILLE: u32 = 900;

/// A Redis that is at work for less than this has nothing to do with how long tasks take.
const IDLE_PER_MILLE: u32 = 500;

/// At work for so much of the time, and on a CPU for less than half of that, Redis lacks CPU.
const KEPT_PER_MILLE: u32 = 600;
const TIMES_KEPT: u32 = 2;

/// What Redis says of its threads, of some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Redis {
    /// CPU time of the main thread, in thousandths of a core.
    pub(super) main_thread_per_mille: Option<u32>,
    /// What else it says.
    pub(super) work: TargetWork,
    /// CPU that it may use, in thousandths of a core, where the run gave it a limit.
    pub(super) cpu_limit_millis: Option<u32>,
}

/// Why Redis was the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Its main thread used its core.
    MainThread(u32),
    /// It used the CPU that it may use.
    Limit { used_millis: u32, limit_millis: u32 },
    /// Its main thread never waited for anything.
    EventLoop(u32),
    /// It executed commands all the time.
    Executing(u32),
    /// An I/O thread never waited for anything.
    IoThread(u32),
    /// It had something to do, and did not get the CPU for it.
    Kept { at_work: u32, main_thread: u32 },
}

impl Redis {
    /// Whether anything is known.
    pub(super) fn is_known(&self) -> bool {
        self.main_thread_per_mille.is_some() || !self.work.is_unknown()
    }

    /// Why it was the limit, whatever else was.
    pub(super) fn busy(&self) -> Option<Busy> {
        let Self {
            main_thread_per_mille,
            work,
            cpu_limit_millis,
        } = *self;
        let TargetWork {
            process_per_mille,
            event_loop_per_mille,
            executing_per_mille,
            io_thread_per_mille,
            io_threads,
        } = work;
        let busy = |per_mille: Option<u32>| per_mille.filter(|busy| *busy >= BUSY_PER_MILLE);
        let limit = process_per_mille
            .zip(cpu_limit_millis)
            .filter(|(used, limit)| {
                u64::from(*used) * 1000 >= u64::from(*limit) * u64::from(BUSY_PER_MILLE)
            })
            .map(|(used_millis, limit_millis)| Busy::Limit {
                used_millis,
                limit_millis,
            });
        // Only a thread that never spins needs all the CPU that it uses, and waits whenever its
        // event loop does.
        let alone = io_threads == Some(false);
        busy(main_thread_per_mille)
            .filter(|_| alone)
            .map(Busy::MainThread)
            .or(limit)
            .or_else(|| self.kept(BUSY_PER_MILLE))
            .or_else(|| {
                busy(event_loop_per_mille)
                    .filter(|_| alone)
                    .map(Busy::EventLoop)
            })
            .or_else(|| busy(executing_per_mille).map(Busy::Executing))
            .or_else(|| busy(io_thread_per_mille).map(Busy::IoThread))
    }

    /// Why it was the limit, if nothing else was: who takes the CPU from a Redis that has some time
    /// left may be a dyno on the same machine that needs it all.
    pub(super) fn busy_if_nothing_else(&self) -> Option<Busy> {
        self.kept(KEPT_PER_MILLE)
    }

    /// Whether it was at work for so long, but not on a CPU. With I/O threads the event loop tells
    /// nothing of it: the time in which it waits for one of them is among its own.
    fn kept(&self, least_per_mille: u32) -> Option<Busy> {
        let alone = self.work.io_threads == Some(false);
        let event_loop = self.work.event_loop_per_mille.filter(|_| alone);
        let at_work = event_loop.max(self.work.executing_per_mille)?;
        let main_thread = self.main_thread_per_mille?;
        (at_work >= least_per_mille && at_work >= main_thread.saturating_mul(TIMES_KEPT)).then_some(
            Busy::Kept {
                at_work,
                main_thread,
            },
        )
    }

    /// How much of the time its main thread was at work, in thousandths, where that is known and
    /// not only that it was at least so much.
    pub(super) fn at_work(&self) -> Option<u32> {
        let known = if self.work.io_threads == Some(false) {
            self.main_thread_per_mille
                .max(self.work.event_loop_per_mille)
        } else {
            self.work.event_loop_per_mille
        };
        known.map(|known| known.max(self.work.executing_per_mille.unwrap_or(0)))
    }

    /// Whether it is known to have waited most of the time.
    pub(super) fn is_idle(&self) -> bool {
        self.at_work().is_some_and(|busy| busy < IDLE_PER_MILLE)
    }

    /// How busy it was, for people: `at` and `41 % of its core`. None where nothing is known. With
    /// I/O threads the CPU time of the main thread alone would mislead.
    pub(super) fn shown(&self) -> Option<(&'static str, String)> {
        match (self.main_thread_per_mille, self.work.io_threads) {
            (Some(busy), Some(false)) => Some(("at", of_its_core(busy))),
            (main_thread, io_threads) => self
                .at_work()
                .map(|busy| {
                    (
                        "busy for",
                        format!("{} of the time", figures::percent(busy)),
                    )
                })
                .or_else(|| {
                    let beside = match io_threads {
                        Some(true) => ", which says little beside its I/O threads",
                        Some(false) | None => "",
                    };
                    Some(("at", format!("{}{beside}", of_its_core(main_thread?))))
                }),
        }
    }
}

fn of_its_core(per_mille: u32) -> String {
    format!("{} of its core", figures::percent(per_mille))
}

impl Busy {
    /// Why, as a clause after the server's name.
    pub(super) fn clause(self) -> String {
        let percent = |per_mille: u32| figures::percent(per_mille);
        match self {
            Self::MainThread(busy) => format!("was at {} of its core", percent(busy)),
            Self::Limit {
                used_millis,
                limit_millis,
            } => format!(
                "used {} of the {} that it may use",
                figures::cpu(used_millis),
                figures::cpu(limit_millis)
            ),
            Self::EventLoop(busy) => format!("was busy for {} of the time", percent(busy)),
            Self::Executing(busy) => {
                format!("was executing commands for {} of the time", percent(busy))
            }
            Self::IoThread(busy) => {
                format!(
                    "had an I/O thread that was busy for {} of the time",
                    percent(busy)
                )
            }
            Self::Kept {
                at_work,
                main_thread,
            } => format!(
                "had work for {} of the time and got {} of a core for it",
                percent(at_work),
                percent(main_thread)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        redis: Redis,
        busy: Option<Busy>,
        if_nothing_else: Option<Busy>,
        idle: bool,
    }

    fn redis(
        main_thread_per_mille: impl Into<Option<u32>>,
        io_threads: impl Into<Option<bool>>,
    ) -> Redis {
        Redis {
            main_thread_per_mille: main_thread_per_mille.into(),
            work: TargetWork {
                io_threads: io_threads.into(),
                ..TargetWork::default()
            },
            cpu_limit_millis: None,
        }
    }

    impl Redis {
        fn event_loop(mut self, per_mille: u32) -> Self {
            self.work.event_loop_per_mille = Some(per_mille);
            self
        }

        fn executing(mut self, per_mille: u32) -> Self {
            self.work.executing_per_mille = Some(per_mille);
            self
        }
    }

    /// The figures are of real servers, measured under load.
    #[test]
    fn each_figure_convicts_only_where_it_can() {
        let kept = |at_work, main_thread| {
            Some(Busy::Kept {
                at_work,
                main_thread,
            })
        };
        let cases = [
            Case {
                name: "nothing is known",
                redis: Redis::default(),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "one thread, its core used",
                redis: redis(990, false),
                busy: Some(Busy::MainThread(990)),
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "one thread, idle",
                redis: redis(19, false),
                busy: None,
                if_nothing_else: None,
                idle: true,
            },
            Case {
                name: "one thread, it is not known whether there are others",
                redis: redis(990, None),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "Redis 7.0 with two threads that spin at 2,000 GET/s",
                redis: redis(456, true).executing(2),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "two threads that spin",
                redis: redis(990, true).executing(2),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "Valkey 8.1 with two threads that spin",
                redis: redis(502, true).event_loop(950).executing(2),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "Valkey 8.1 whose second thread lacks the CPU that a dyno takes",
                redis: redis(100, true).event_loop(700).executing(10),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "Redis 8.2 with two threads, idle",
                redis: redis(74, true).event_loop(37).executing(5),
                busy: None,
                if_nothing_else: None,
                idle: true,
            },
            Case {
                name: "two threads, commands all the time",
                redis: redis(980, true).executing(930),
                busy: Some(Busy::Executing(930)),
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "Redis 6.2, stopped for 80 ms of every 100",
                redis: redis(132, false).executing(672),
                busy: None,
                if_nothing_else: kept(672, 132),
                idle: false,
            },
            Case {
                name: "Redis 8.2, stopped for 80 ms of every 100",
                redis: redis(165, false).event_loop(922).executing(706),
                busy: kept(922, 165),
                if_nothing_else: kept(922, 165),
                idle: false,
            },
            Case {
                name: "Valkey 9.1 with two threads, stopped for 80 ms of every 100",
                redis: redis(57, true).event_loop(798).executing(240),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
            Case {
                name: "on a machine that others use, too",
                redis: redis(482, false).event_loop(856).executing(638),
                busy: None,
                if_nothing_else: None,
                idle: false,
            },
        ];
        for case in cases {
            let Case {
                name,
                redis,
                busy,
                if_nothing_else,
                idle,
            } = case;
            assert_eq!(redis.busy(), busy, "{name}");
            assert_eq!(redis.busy_if_nothing_else(), if_nothing_else, "{name}");
            assert_eq!(redis.is_idle(), idle, "{name}");
        }
    }

    #[test]
    fn a_limit_below_a_core_is_a_limit() {
        let with = |used: u32, limit: u32| Redis {
            work: TargetWork {
                process_per_mille: Some(used),
                ..TargetWork::default()
            },
            cpu_limit_millis: Some(limit),
            ..Redis::default()
        };
        let busy = with(180, 200).busy();
        assert_eq!(
            busy,
            Some(Busy::Limit {
                used_millis: 180,
                limit_millis: 200
            })
        );
        assert_eq!(
            busy.unwrap().clause(),
            "used 0.18 CPU of the 0.2 CPU that it may use"
        );
        assert_eq!(with(179, 200).busy(), None);
    }
}
