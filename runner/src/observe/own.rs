//! The dyno's own CPU time, memory and bytes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redyno_target::ByteCounters;
use rustix::time::{ClockId, clock_gettime};

use super::control_group::{ControlGroup, Throttling};
use crate::machine::Process;

/// Counters of one moment: differences of two tell of the time between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnSample {
    /// CPU time of all threads, in microseconds.
    pub cpu_microseconds: u64,
    /// Scheduling periods.
    pub throttling: Throttling,
    /// Bytes written by the workers.
    pub bytes_out: u64,
    /// Bytes read by them.
    pub bytes_in: u64,
    /// Highest resident memory so far, in bytes; 0 where the kernel does not say.
    pub memory_peak_bytes: u64,
}

/// Looks at the own process.
#[derive(Clone, Debug)]
pub(crate) struct OwnProcess {
    process: Arc<dyn Process>,
    group: ControlGroup,
    /// One for each load thread.
    bytes: Vec<Arc<ByteCounters>>,
}

impl OwnProcess {
    /// Of a process in this group, whose workers count their bytes so.
    pub(crate) const fn new(
        process: Arc<dyn Process>,
        group: ControlGroup,
        bytes: Vec<Arc<ByteCounters>>,
    ) -> Self {
        Self {
            process,
            group,
            bytes,
        }
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Memory {
        self.process.memory()
    }

    /// Where the workers of each load thread count their bytes.
    pub(crate) fn bytes(&self) -> &[Arc<ByteCounters>] {
        &self.bytes
    }

    /// Its control group.
    pub(crate) const fn group(&self) -> &ControlGroup {
        &self.group
    }

    /// Its counters now.
    pub(crate) fn sample(&self) -> OwnSample {
        let sum = |of: fn(&ByteCounters) -> u64| self.bytes.iter().map(|bytes| of(bytes)).sum();
        OwnSample {
            cpu_microseconds: self.process.cpu_microseconds(),
            throttling: self.process.throttling(),
            bytes_out: sum(|bytes| bytes.bytes_out.load(Ordering::Relaxed)),
            bytes_in: sum(|bytes| bytes.bytes_in.load(Ordering::Relaxed)),
            memory_peak_bytes: self.process.memory().peak_bytes,
        }
    }
}

/// CPU time of all threads of this process so far, in microseconds.
pub(crate) fn cpu_microseconds() -> u64 {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(cpu.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1000
}

/// Resident memory of the process, in bytes; 0 where the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub now_bytes: u64,
    /// The highest so far.
    pub peak_bytes: u64,
}

impl Memory {
    /// The own process'.
    pub(crate) fn look() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|value| value.trim().strip_suffix("kB"))
                .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
                .map_or(0, |kilobytes| kilobytes.saturating_mul(1024))
        };
        Self {
            now_bytes: field("VmRSS:"),
            peak_bytes: field("VmHWM:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::SystemMachine;

    #[test]
    fn memory_is_read() {
        assert_eq!(
            Memory::parse("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   38912 kB\nVmRSS:\t 12 kB\n"),
            Memory {
                now_bytes: 12 * 1024,
                peak_bytes: 38912 * 1024
            }
        );
        assert_eq!(Memory::parse("VmHWM: lots"), Memory::default());
        let own = Memory::look();
        assert!(own.now_bytes > 0 && own.peak_bytes >= own.now_bytes);
    }

    #[test]
    fn cpu_time_never_goes_back_and_bytes_of_all_threads_count() {
        let bytes = vec![Arc::new(ByteCounters::default()), Arc::default()];
        bytes[0].bytes_out.store(7, Ordering::Relaxed);
        bytes[1].bytes_out.store(5, Ordering::Relaxed);
        let group = ControlGroup::default();
        let machine = Arc::new(SystemMachine::new(group.clone()));
        let process = OwnProcess::new(machine, group, bytes);
        let first = process.sample();
        assert_eq!((first.bytes_out, first.bytes_in), (12, 0));
        assert!(process.sample().cpu_microseconds >= first.cpu_microseconds);
    }
}
