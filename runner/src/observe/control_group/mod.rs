//! The dyno's own control group: how much CPU and memory it was given, and how often the CPU quota
//! ended its turn.
//!
//! Version 2 has one hierarchy, version 1 one for every controller. A limit of a group above holds
//! as well, so far as it can be seen: of all that apply, the lowest counts.

mod places;

use std::fs;
use std::path::{Path, PathBuf};

use places::Controller;
use redyno_contract::report::Allowance;
use redyno_engine::CpuQuota;

/// From here on a memory limit of version 1 is none: the kernel says the highest multiple of a
/// page that fits into 63 bits.
const NO_MEMORY_LIMIT: u64 = 1 << 60;

/// Scheduling periods so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods that had anything to run.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled: u64,
    /// How long it stood still for that, in microseconds, over all CPUs.
    pub throttled_microseconds: u64,
}

impl Throttling {
    /// Throttled periods since an earlier look, in thousandths of all since then.
    pub(crate) fn per_mille_since(self, earlier: Self) -> u32 {
        let periods = self.periods.saturating_sub(earlier.periods);
        let throttled = self.throttled.saturating_sub(earlier.throttled);
        (throttled.min(periods) * 1000)
            .checked_div(periods)
            .and_then(|per_mille| u32::try_from(per_mille).ok())
            .unwrap_or(0)
    }
}

/// What the own control group allows, and where it tells of throttling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ControlGroup {
    cpu_stat: Option<PathBuf>,
    /// CPU time that may be used in each period; None without a limit.
    pub(crate) cpu_quota: Option<CpuQuota>,
    /// Memory that may be used, in bytes; None without a limit.
    pub(crate) memory_limit_bytes: Option<u64>,
    /// Whether the kernel told of limits of CPU, or that there are none.
    tells_cpu: bool,
    /// Whether the kernel told of limits of memory, or that there are none.
    tells_memory: bool,
}

/// What a dyno may really use: None is what the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// CPU, in thousandths of a core.
    pub cpu_millis: Option<Allowance>,
    /// Memory, in bytes.
    pub memory_bytes: Option<Allowance>,
}

impl ControlGroup {
    /// Looks at the own process'.
    pub(crate) fn find() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let group = Self::of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        tracing::debug!(?group, "control group");
        group
    }

    fn of(groups: &str, mounts: &str) -> Self {
        let cpu = places::folders(Controller::Cpu, groups, mounts);
        let memory = places::folders(Controller::Memory, groups, mounts);
        let limit = cpu
            .iter()
            .filter_map(|folder| Some((cpu_quota(folder)?, folder)))
            .min_by_key(|(quota, _)| millis(*quota));
        // It is the group with the limit that is throttled.
        let cpu_stat = limit
            .map(|(_, folder)| folder)
            .into_iter()
            .chain(&cpu)
            .map(|folder| folder.join("cpu.stat"))
            .find(|path| fs::read_to_string(path).is_ok_and(|text| throttling(&text).is_some()));
        Self {
            cpu_stat,
            cpu_quota: limit.map(|(quota, _)| quota),
            memory_limit_bytes: memory
                .iter()
                .filter_map(|folder| memory_limit_bytes(folder))
                .min(),
            tells_cpu: tells(&cpu, &CPU_LIMITS),
            tells_memory: tells(&memory, &MEMORY_LIMITS),
        }
    }

    /// CPU that may be used, in thousandths of a core; None without a limit.
    pub(crate) fn cpu_limit_millis(&self) -> Option<u32> {
        self.cpu_quota.map(millis)
    }

    /// What may be used. The root of all groups has no file of a limit: then nothing is known.
    pub(crate) fn allowances(&self) -> Allowances {
        let allowance = |limit: Option<u64>, told: bool| {
            limit
                .map(Allowance::Limited)
                .or_else(|| told.then_some(Allowance::Unlimited))
        };
        Allowances {
            cpu_millis: allowance(self.cpu_limit_millis().map(u64::from), self.tells_cpu),
            memory_bytes: allowance(self.memory_limit_bytes, self.tells_memory),
        }
    }

    /// Periods so far; none without a quota.
    pub(crate) fn throttling(&self) -> Throttling {
        self.cpu_stat
            .as_ref()
            .and_then(|path| fs::read_to_string(path).ok())
            .and_then(|text| throttling(&text))
            .unwrap_or_default()
    }
}

/// The files that name a limit, or that there is none.
const CPU_LIMITS: [&str; 2] = ["cpu.max", "cpu.cfs_quota_us"];
const MEMORY_LIMITS: [&str; 2] = ["memory.max", "memory.limit_in_bytes"];

/// Whether one of these files can be read in one of these folders.
fn tells(folders: &[PathBuf], files: &[&str]) -> bool {
    folders.iter().any(|folder| {
        files
            .iter()
            .any(|file| fs::read_to_string(folder.join(file)).is_ok())
    })
}

/// Reads `cpu.stat`. None if it does not tell of periods, as in a group without a CPU controller.
fn throttling(cpu_stat: &str) -> Option<Throttling> {
    let field = |name: &str| -> Option<u64> {
        cpu_stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(field, _)| *field == name)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    Some(Throttling {
        periods: field("nr_periods")?,
        throttled: field("nr_throttled")?,
        // Microseconds in version 2, nanoseconds in version 1.
        throttled_microseconds: field("throttled_usec")
            .or_else(|| Some(field("throttled_time")? / 1000))
            .unwrap_or(0),
    })
}

/// `cpu.max` of version 2 is `<quota or max> <period>`; version 1 has a file for each, and -1 for
/// no quota. In microseconds.
fn cpu_quota(folder: &Path) -> Option<CpuQuota> {
    let read = |name| fs::read_to_string(folder.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(max) => {
            let (quota, period) = max.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    let nanoseconds = |text: &str| text.trim().parse::<u64>().ok()?.checked_mul(1000);
    Some(CpuQuota {
        cpu_nanoseconds: nanoseconds(&quota)?,
        period_nanoseconds: nanoseconds(&period).filter(|period| *period > 0)?,
    })
}

/// Thousandths of a core, at least one.
fn millis(quota: CpuQuota) -> u32 {
    let millis =
        u128::from(quota.cpu_nanoseconds) * 1000 / u128::from(quota.period_nanoseconds.max(1));
    u32::try_from(millis).unwrap_or(u32::MAX).max(1)
}

fn memory_limit_bytes(folder: &Path) -> Option<u64> {
    MEMORY_LIMITS
        .iter()
        .find_map(|name| fs::read_to_string(folder.join(name)).ok())?
        .trim()
        .parse()
        .ok()
        .filter(|bytes| *bytes < NO_MEMORY_LIMIT)
}

#[cfg(test)]
mod tests {
    use redyno_test_redis::Folder;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes()))
            .collect();
        Folder::with(&files).unwrap()
    }

    #[test]
    fn limits_are_read_of_both_versions() {
        for (files, cpu, memory) in [
            (
                &[("cpu.max", "50000 100000\n"), ("memory.max", "268435456\n")][..],
                Some(500),
                Some(268_435_456),
            ),
            (
                &[("cpu.max", "max 100000\n"), ("memory.max", "max\n")],
                None,
                None,
            ),
            (
                &[
                    ("cpu.cfs_quota_us", "250000\n"),
                    ("cpu.cfs_period_us", "100000\n"),
                    ("memory.limit_in_bytes", "1048576\n"),
                ],
                Some(2500),
                Some(1_048_576),
            ),
            (
                &[
                    ("cpu.cfs_quota_us", "-1\n"),
                    ("cpu.cfs_period_us", "100000\n"),
                    ("memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                None,
                None,
            ),
            (&[("cpu.max", "nonsense"), ("memory.max", "-")], None, None),
            (&[("cpu.max", "100 0")], None, None),
            (&[], None, None),
        ] {
            let folder = folder(files);
            assert_eq!(cpu_quota(folder.path()).map(millis), cpu, "{files:?}");
            assert_eq!(memory_limit_bytes(folder.path()), memory, "{files:?}");
        }
    }

    /// A container that sees its own group and the one above.
    #[test]
    fn the_lowest_limit_counts_and_its_group_is_the_one_that_is_throttled() {
        let stat = |periods| format!("nr_periods {periods}\nnr_throttled 1\nthrottled_usec 7\n");
        let above = folder(&[
            ("cpu.max", "10000 100000\n"),
            ("cpu.stat", &stat(40)),
            ("memory.max", "900\n"),
        ]);
        let own = above.path().join("own");
        fs::create_dir(&own).unwrap();
        for (name, text) in [
            ("cpu.max", "400000 100000\n".to_owned()),
            ("cpu.stat", stat(10)),
            ("memory.max", "700\n".to_owned()),
        ] {
            fs::write(own.join(name), text).unwrap();
        }
        let mounts = format!(
            "1 0 0:26 / {} rw - cgroup2 cgroup2 rw\n",
            above.path().display()
        );
        let group = ControlGroup::of("0::/own\n", &mounts);
        assert_eq!(group.cpu_limit_millis(), Some(100));
        assert_eq!(group.memory_limit_bytes, Some(700));
        assert_eq!(
            group.throttling(),
            Throttling {
                periods: 40,
                throttled: 1,
                throttled_microseconds: 7
            }
        );
        assert_eq!(
            group.allowances(),
            Allowances {
                cpu_millis: Some(Allowance::Limited(100)),
                memory_bytes: Some(Allowance::Limited(700)),
            }
        );
        assert_eq!(ControlGroup::of("", ""), ControlGroup::default());
        assert_eq!(ControlGroup::default().allowances(), Allowances::default());
        assert_eq!(ControlGroup::default().throttling(), Throttling::default());
    }

    /// No limit is known to be none only where the kernel says so.
    #[test]
    fn no_limit_is_not_an_unknown_one() {
        let unlimited = folder(&[("cpu.max", "max 100000\n"), ("memory.max", "max\n")]);
        let old = folder(&[
            ("cpu.cfs_quota_us", "-1\n"),
            ("cpu.cfs_period_us", "100000\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        let silent = folder(&[("cpu.stat", "usage_usec 17\n")]);
        let none = Some(Allowance::Unlimited);
        for (folder, expected) in [(&unlimited, none), (&old, none), (&silent, None)] {
            let mounts = format!(
                "1 0 0:26 / {} rw - cgroup2 cgroup2 rw\n",
                folder.path().display()
            );
            let allowances = ControlGroup::of("0::/\n", &mounts).allowances();
            assert_eq!(allowances.cpu_millis, expected);
            assert_eq!(allowances.memory_bytes, expected);
        }
    }

    #[test]
    fn throttling_is_read_of_both_versions() {
        assert_eq!(throttling("usage_usec 17\n"), None);
        let expected = Some(Throttling {
            periods: 40,
            throttled: 10,
            throttled_microseconds: 5,
        });
        for text in [
            "usage_usec 17\nnr_periods 40\nnr_throttled 10\nthrottled_usec 5\n",
            "nr_periods 40\nnr_throttled 10\nthrottled_time 5999\n",
        ] {
            assert_eq!(throttling(text), expected);
        }
    }

    #[test]
    fn a_share_is_of_the_periods_in_between() {
        let at = |periods, throttled| Throttling {
            periods,
            throttled,
            throttled_microseconds: 0,
        };
        assert_eq!(at(30, 5).per_mille_since(at(10, 3)), 100);
        assert_eq!(at(10, 3).per_mille_since(at(10, 3)), 0);
        assert_eq!(at(0, 0).per_mille_since(at(10, 3)), 0);
    }
}
