//! The dyno's own CPU time, memory and bytes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redyno_target::ByteCounters;
use rustix::time::{ClockId, clock_gettime};

use super::control_group::{ControlGroup, Throttling};

/// Counters of one moment: differences of two tell of the time between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnSample {
    /// CPU time of all threads, in microseconds.
    pub(crate) cpu_microseconds: u64,
    /// Scheduling periods.
    pub(crate) throttling: Throttling,
    /// Bytes written by the workers.
    pub(crate) bytes_out: u64,
    /// Bytes read by them.
    pub(crate) bytes_in: u64,
}

/// Looks at the own process.
#[derive(Clone, Debug)]
pub(crate) struct OwnProcess {
    group: ControlGroup,
    bytes: Arc<ByteCounters>,
}

impl OwnProcess {
    /// Finds where to look.
    pub(crate) fn new(bytes: Arc<ByteCounters>) -> Self {
        Self {
            group: ControlGroup::find(),
            bytes,
        }
    }

    /// Its counters now.
    pub(crate) fn sample(&self) -> OwnSample {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or(0);
        OwnSample {
            cpu_microseconds: seconds * 1_000_000 + nanoseconds / 1000,
            throttling: self.group.throttling(),
            bytes_out: self.bytes.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.bytes.bytes_in.load(Ordering::Relaxed),
        }
    }
}

/// Highest resident memory of the process so far, in bytes; 0 if the kernel does not say.
pub(crate) fn peak_memory_bytes() -> u64 {
    parse_peak_memory(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

fn parse_peak_memory(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix("kB"))
        .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read() {
        assert_eq!(
            parse_peak_memory("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   38912 kB\n"),
            38912 * 1024
        );
        assert_eq!(parse_peak_memory("VmHWM: lots"), 0);
        assert!(peak_memory_bytes() > 0);
    }

    #[test]
    fn cpu_time_never_goes_back() {
        let process = OwnProcess::new(Arc::default());
        let first = process.sample();
        assert!(process.sample().cpu_microseconds >= first.cpu_microseconds);
    }
}
