//! The machine that the figures were measured on.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// The machine and the versions of everything that took part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// Logical processors.
    pub(crate) cores: usize,
    /// Memory in GiB.
    pub(crate) memory_gib: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// `redis-server --version`, its first words.
    pub(crate) redis: String,
    /// The revision of redyno.
    pub(crate) revision: String,
}

impl Machine {
    /// Reads all of this from the system.
    pub(crate) fn look() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |text: &str, name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
        };
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes: u64 = field(&memory, "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .unwrap_or(0);
        Self {
            processor: field(&processors, "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: processors
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            memory_gib: kibibytes.div_ceil(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map(|text| text.trim().to_owned())
                .unwrap_or_default(),
            redis: said("redis-server", &["--version"])
                .split(' ')
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            revision: said("git", &["describe", "--always", "--dirty"]),
        }
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
}
