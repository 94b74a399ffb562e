//! How often the CPU quota ended the dyno's turn: `cpu.stat` of its own control group.
//!
//! Version 2 has one hierarchy, version 1 one for every controller. Inside a container the own
//! group is usually the root of what is mounted, whatever path the kernel names.

use std::fs;
use std::path::PathBuf;

/// Scheduling periods so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Throttling {
    /// Periods that had anything to run.
    pub(crate) periods: u64,
    /// Periods in which the quota was used up.
    pub(crate) throttled: u64,
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

/// Where the own control group's `cpu.stat` is, if anywhere.
#[derive(Clone, Debug)]
pub(crate) struct ControlGroup {
    cpu_stat: Option<PathBuf>,
}

impl ControlGroup {
    /// Finds it.
    pub(crate) fn find() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let candidates = candidates(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let cpu_stat = candidates
            .into_iter()
            .find(|path| fs::read_to_string(path).is_ok_and(|text| parse(&text).is_some()));
        tracing::debug!(?cpu_stat, "control group");
        Self { cpu_stat }
    }

    /// Periods so far; none without a quota.
    pub(crate) fn throttling(&self) -> Throttling {
        self.cpu_stat
            .as_ref()
            .and_then(|path| fs::read_to_string(path).ok())
            .and_then(|text| parse(&text))
            .unwrap_or_default()
    }
}

/// Reads `cpu.stat`. None if it does not tell of periods, as in a group without a CPU controller.
fn parse(cpu_stat: &str) -> Option<Throttling> {
    let field = |name: &str| {
        cpu_stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(field, _)| *field == name)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    Some(Throttling {
        periods: field("nr_periods")?,
        throttled: field("nr_throttled")?,
    })
}

/// Where `cpu.stat` may be, the likeliest first, from /proc/self/cgroup and /proc/self/mountinfo.
fn candidates(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for mount in mounts.lines().filter_map(Mount::parse) {
        let Some(group) = groups
            .lines()
            .filter_map(Group::parse)
            .find(|group| mount.shows(group))
        else {
            continue;
        };
        // The mount may show only a part of the hierarchy: the path is then below its root.
        let below = group
            .path
            .strip_prefix(mount.root)
            .map_or(group.path, |rest| rest);
        for path in [below, ""] {
            let place = PathBuf::from(mount.point)
                .join(path.trim_start_matches('/'))
                .join("cpu.stat");
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }
    found
}

/// One line of /proc/self/cgroup: `4:cpu,cpuacct:/path`, `0::/path` for version 2.
struct Group<'a> {
    controllers: &'a str,
    path: &'a str,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':');
        let _hierarchy = parts.next()?;
        Some(Self {
            controllers: parts.next()?,
            path: parts.next()?,
        })
    }
}

/// One line of /proc/self/mountinfo that mounts control groups with a CPU controller.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    version_2: bool,
}

impl<'a> Mount<'a> {
    /// See proc_pid_mountinfo(5): `32 31 0:29 <root> <point> <options> <tags> - <type> <source>
    /// <super options>`.
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let version_2 = match after.next()? {
            "cgroup2" => true,
            "cgroup" if after.nth(1)?.split(',').any(|option| option == "cpu") => false,
            _ => return None,
        };
        Some(Self {
            root,
            point,
            version_2,
        })
    }

    fn shows(&self, group: &Group<'_>) -> bool {
        if self.version_2 {
            group.controllers.is_empty()
        } else {
            group.controllers.split(',').any(|name| name == "cpu")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(groups: &str, mounts: &str) -> Vec<String> {
        candidates(groups, mounts)
            .into_iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn version_2_in_a_container() {
        assert_eq!(
            paths(
                "0::/\n",
                "1 0 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
            ),
            ["/sys/fs/cgroup/cpu.stat"]
        );
    }

    #[test]
    fn version_2_on_a_machine() {
        assert_eq!(
            paths(
                "0::/user.slice/a.scope\n",
                "1 0 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
            ),
            [
                "/sys/fs/cgroup/user.slice/a.scope/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
    }

    #[test]
    fn version_1_with_the_hosts_path_in_a_container() {
        assert_eq!(
            paths(
                "5:memory:/kubepods/pod1/c1\n4:cpu,cpuacct:/kubepods/pod1/c1\n0::/\n",
                "1 0 0:31 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                 2 0 0:29 /kubepods/pod1/c1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
            ),
            ["/sys/fs/cgroup/cpu,cpuacct/cpu.stat"]
        );
    }

    #[test]
    fn version_1_beside_an_empty_version_2() {
        let found = paths(
            "2:cpuacct:/\n1:cpu:/a\n0::/\n",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(
            found,
            [
                "/sys/fs/cgroup/cpu/a/cpu.stat",
                "/sys/fs/cgroup/cpu/cpu.stat",
                "/sys/fs/cgroup/unified/cpu.stat"
            ]
        );
    }

    #[test]
    fn anything_else_is_nothing() {
        for (groups, mounts) in [("", ""), ("nonsense", "nonsense - x"), ("0::/", "- - - -")] {
            assert!(candidates(groups, mounts).is_empty());
        }
        assert_eq!(parse("usage_usec 17\n"), None);
        assert_eq!(
            parse("usage_usec 17\nnr_periods 40\nnr_throttled 10\nthrottled_usec 5\n"),
            Some(Throttling {
                periods: 40,
                throttled: 10
            })
        );
    }

    #[test]
    fn a_share_is_of_the_periods_in_between() {
        let at = |periods, throttled| Throttling { periods, throttled };
        assert_eq!(at(30, 5).per_mille_since(at(10, 3)), 100);
        assert_eq!(at(10, 3).per_mille_since(at(10, 3)), 0);
        assert_eq!(at(0, 0).per_mille_since(at(10, 3)), 0);
    }
}
