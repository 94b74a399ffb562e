//! How much memory this machine has left for a managed Redis.

use std::fs;

/// `maxmemory` of a managed Redis: the plan's, but at most half of what is available.
pub(super) fn maxmemory(planned_bytes: u64) -> u64 {
    let available = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available_bytes(&text));
    limited(planned_bytes, available)
}

fn limited(planned_bytes: u64, available_bytes: Option<u64>) -> u64 {
    available_bytes.map_or(planned_bytes, |available| planned_bytes.min(available / 2))
}

/// `MemAvailable` of /proc/meminfo, which counts in units of 1024 bytes.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_available_memory_at_most() {
        let meminfo =
            "MemTotal:       16384000 kB\nMemFree:          102400 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available_bytes(meminfo), Some(2 << 20));
        assert_eq!(available_bytes("MemTotal: 1 kB\n"), None);
        assert_eq!(available_bytes("MemAvailable: many kB\n"), None);
        assert_eq!(limited(50 << 20, Some(2 << 20)), 1 << 20);
        assert_eq!(limited(50 << 20, Some(200 << 20)), 50 << 20);
        assert_eq!(limited(50 << 20, None), 50 << 20);
    }
}
