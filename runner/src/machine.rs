//! What a dyno takes from the machine that it runs on: load threads, timers, CPU time.
//!
//! Chosen by type when the dyno is built, so that asking for any of it costs what it costs without
//! this. What time it is says the runtime.

use std::fmt::Debug;
use std::io;

use redyno_engine::ThreadTime;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::observe::control_group::ControlGroup;
pub use crate::observe::control_group::Throttling;
use crate::observe::own;
pub use crate::observe::own::Memory;
pub use crate::shard::SystemTimer;
use crate::shard::attention::{self, ThisThread};
pub use crate::shard::attention::{Attention, Sleep};
use crate::shard::{application, busy};

/// What is known of the process that a dyno is.
pub trait Process: Debug + Send + Sync {
    /// CPU time of all its threads so far, in microseconds.
    fn cpu_microseconds(&self) -> u64;

    /// Its scheduling periods so far.
    fn throttling(&self) -> Throttling;

    /// Its memory.
    fn memory(&self) -> Memory;
}

/// What a dyno takes from its machine.
pub trait Machine: Process + Clone + 'static {
    /// Its timers.
    type Timer: Timer;

    /// Starts a load thread, on which nothing else stands in the way of this work. What the work
    /// starts with `spawn_local` ends with it. If the work fails, `failed` is told why.
    ///
    /// # Errors
    /// The system has no thread left.
    fn start<F>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Box<dyn LoadThread>>
    where
        F: Future<Output = io::Result<()>> + 'static;

    /// A timer that is not set.
    ///
    /// # Errors
    /// What the system says: too many open files, most likely.
    fn timer(&self) -> io::Result<Self::Timer>;

    /// What the calling load thread has spent so far.
    fn spent(&self) -> ThreadTime;

    /// What the calling load thread can know of how it gets on.
    fn attention(&self) -> Box<dyn Attention>;

    /// Uses so much of the calling load thread's CPU time, in microseconds: the application's own.
    fn work(&self, microseconds: u32);
}

/// An absolute one-shot timer.
pub trait Timer {
    /// Waits until `instant`; one that has passed still lets other tasks have their turn. May be
    /// dropped and called again at any time.
    ///
    /// # Errors
    /// What the system says.
    fn wait_until(&self, instant: Instant) -> impl Future<Output = io::Result<()>>;
}

/// A load thread that was started.
pub trait LoadThread: Debug + Send {
    /// Waits for its end, which must be near; false if it panicked.
    fn join(self: Box<Self>) -> bool;
}

impl LoadThread for std::thread::JoinHandle<()> {
    fn join(self: Box<Self>) -> bool {
        (*self).join().is_ok()
    }
}

/// The machine that this process runs on.
#[derive(Clone, Debug)]
pub(crate) struct SystemMachine {
    group: ControlGroup,
}

impl SystemMachine {
    /// For a process in this control group.
    pub(crate) const fn new(group: ControlGroup) -> Self {
        Self { group }
    }
}

impl Process for SystemMachine {
    fn cpu_microseconds(&self) -> u64 {
        own::cpu_microseconds()
    }

    fn throttling(&self) -> Throttling {
        self.group.throttling()
    }

    fn memory(&self) -> Memory {
        Memory::look()
    }
}

impl Machine for SystemMachine {
    type Timer = SystemTimer;

    /// A thread with a runtime of its own.
    fn start<F>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Box<dyn LoadThread>>
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .on_thread_park(attention::falls_asleep)
                .on_thread_unpark(attention::wakes_up)
                .build()?;
            let result = LocalSet::new().block_on(&runtime, work());
            // Without waiting for a name that does not resolve.
            runtime.shutdown_background();
            result
        };
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                if let Err(error) = run() {
                    failed(error);
                }
            })?;
        Ok(Box::new(thread))
    }

    fn timer(&self) -> io::Result<SystemTimer> {
        SystemTimer::new()
    }

    fn spent(&self) -> ThreadTime {
        busy::of_this_thread()
    }

    fn attention(&self) -> Box<dyn Attention> {
        Box::new(ThisThread::new(self.group.clone()))
    }

    fn work(&self, microseconds: u32) {
        application::burn(microseconds);
    }
}
