//! Where the own control group's files are. Inside a container the own group is usually the root of
//! what is mounted, whatever path the kernel names.

use std::path::PathBuf;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Controller {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
}

impl Controller {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// The folders of the own group and of those above it, the own one first, from
/// /proc/self/cgroup and /proc/self/mountinfo.
pub(super) fn folders(controller: Controller, groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for mount in mounts
        .lines()
        .filter_map(|line| Mount::parse(line, controller))
    {
        let Some(group) = groups
            .lines()
            .filter_map(Group::parse)
            .find(|group| mount.shows(group, controller))
        else {
            continue;
        };
        // The mount may show only a part of the hierarchy: the path is then below its root.
        let below = group.path.strip_prefix(mount.root).unwrap_or(group.path);
        let mut folder = PathBuf::from(mount.point);
        let mut chain = vec![folder.clone()];
        for part in below.split('/').filter(|part| !part.is_empty()) {
            // The group of a process in another namespace: it cannot be seen from here.
            if part == ".." {
                break;
            }
            folder.push(part);
            chain.push(folder.clone());
        }
        found.extend(chain.into_iter().rev());
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

/// One line of /proc/self/mountinfo that mounts control groups with a controller.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    version_2: bool,
}

impl<'a> Mount<'a> {
    /// See proc_pid_mountinfo(5): `32 31 0:29 <root> <point> <options> <tags> - <type> <source>
    /// <super options>`.
    fn parse(line: &'a str, controller: Controller) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let version_2 = match after.next()? {
            "cgroup2" => true,
            "cgroup"
                if after
                    .nth(1)?
                    .split(',')
                    .any(|option| option == controller.as_str()) =>
            {
                false
            }
            _ => return None,
        };
        Some(Self {
            root,
            point,
            version_2,
        })
    }

    fn shows(&self, group: &Group<'_>, controller: Controller) -> bool {
        if self.version_2 {
            group.controllers.is_empty()
        } else {
            group
                .controllers
                .split(',')
                .any(|name| name == controller.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(controller: Controller, groups: &str, mounts: &str) -> Vec<String> {
        folders(controller, groups, mounts)
            .into_iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn version_2_in_a_container() {
        for controller in [Controller::Cpu, Controller::Memory] {
            let found = paths(
                controller,
                "0::/\n",
                "1 0 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n",
            );
            assert_eq!(found, ["/sys/fs/cgroup"]);
        }
    }

    #[test]
    fn version_2_on_a_machine() {
        assert_eq!(
            paths(
                Controller::Cpu,
                "0::/user.slice/a.scope\n",
                "1 0 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
            ),
            [
                "/sys/fs/cgroup/user.slice/a.scope",
                "/sys/fs/cgroup/user.slice",
                "/sys/fs/cgroup"
            ]
        );
    }

    #[test]
    fn version_1_with_the_hosts_path_in_a_container() {
        let groups = "5:memory:/kubepods/pod1/c1\n4:cpu,cpuacct:/kubepods/pod1/c1\n0::/\n";
        let mounts = "1 0 0:31 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
             2 0 0:29 /kubepods/pod1/c1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";
        assert_eq!(
            paths(Controller::Cpu, groups, mounts),
            ["/sys/fs/cgroup/cpu,cpuacct"]
        );
        assert_eq!(
            paths(Controller::Memory, groups, mounts),
            ["/sys/fs/cgroup/memory"]
        );
    }

    #[test]
    fn version_1_beside_an_empty_version_2() {
        let found = paths(
            Controller::Cpu,
            "2:cpuacct:/\n1:cpu:/a\n0::/\n",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(
            found,
            [
                "/sys/fs/cgroup/cpu/a",
                "/sys/fs/cgroup/cpu",
                "/sys/fs/cgroup/unified"
            ]
        );
    }

    #[test]
    fn anything_else_is_nothing() {
        for (groups, mounts) in [("", ""), ("nonsense", "nonsense - x"), ("0::/", "- - - -")] {
            assert!(folders(Controller::Cpu, groups, mounts).is_empty());
        }
        // A path out of the mount leads nowhere else.
        let found = paths(
            Controller::Cpu,
            "0::/../../x\n",
            "1 0 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(found, ["/sys/fs/cgroup"]);
    }
}
