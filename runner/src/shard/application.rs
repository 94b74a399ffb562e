//! The application's own CPU time, burnt where the application would burn it.

use std::hint::black_box;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Keeps this thread busy until it has used so much CPU time. By the thread's own clock: time in
/// which it did not run, because others did or because the dyno's quota was used up, is not
/// counted, just as it would not get the application any further.
///
/// It blocks the load thread, and so every worker on it, as a task of the application would block
/// the one process that runs it.
pub(crate) fn burn(microseconds: u32) {
    if microseconds == 0 {
        return;
    }
    let end = nanoseconds(clock_gettime(ClockId::ThreadCPUTime)) + i128::from(microseconds) * 1000;
    let mut state = u64::from(microseconds);
    while nanoseconds(clock_gettime(ClockId::ThreadCPUTime)) < end {
        // Asking for the time is a system call: between two of them, half a microsecond of work.
        for _ in 0..256 {
            state = black_box(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        }
    }
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_uses_what_it_was_asked_to() {
        for microseconds in [0, 50, 2000] {
            let before = nanoseconds(clock_gettime(ClockId::ThreadCPUTime));
            burn(microseconds);
            let used = nanoseconds(clock_gettime(ClockId::ThreadCPUTime)) - before;
            assert!(used >= i128::from(microseconds) * 1000);
        }
    }
}
