//! A machine for dynos on paused time: its load threads are local tasks, and it uses no CPU.

use std::io;

use redyno_engine::{Clocks, CpuQuota, ThreadTime};
use redyno_runner::machine::{
    Attention, LoadThread, Machine, Memory, Process, Sleep, Throttling, Timer,
};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until};

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct ModelledMachine;

impl Process for ModelledMachine {
    fn cpu_microseconds(&self) -> u64 {
        0
    }

    fn throttling(&self) -> Throttling {
        Throttling::default()
    }

    fn memory(&self) -> Memory {
        Memory::default()
    }
}

impl Machine for ModelledMachine {
    type Timer = ModelledTimer;

    fn start<F>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Box<dyn LoadThread>>
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        let task = spawn_local(async move {
            if let Err(error) = work().await {
                failed(error);
            }
        });
        Ok(Box::new(ModelledThread(task)))
    }

    fn timer(&self) -> io::Result<ModelledTimer> {
        Ok(ModelledTimer)
    }

    fn spent(&self) -> ThreadTime {
        ThreadTime::default()
    }

    fn attention(&self) -> Box<dyn Attention> {
        Box::new(NeverLate(Instant::now()))
    }

    fn work(&self, _microseconds: u32) {}
}

/// Of threads that always get on: all the time since then was their own.
#[derive(Clone, Copy, Debug)]
struct NeverLate(Instant);

impl Clocks for NeverLate {
    fn cpu_nanoseconds(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn waited_nanoseconds(&self) -> Option<u64> {
        Some(0)
    }

    fn throttled_nanoseconds(&self) -> u64 {
        0
    }

    fn quota(&self) -> Option<CpuQuota> {
        None
    }

    fn dyno_cpu_nanoseconds(&self) -> u64 {
        0
    }
}

impl Attention for NeverLate {
    /// Never, by its own account.
    fn slept(&self) -> Option<Sleep> {
        None
    }
}

/// A timer of the runtime: whole milliseconds, never early.
#[derive(Clone, Copy, Debug)]
pub struct ModelledTimer;

impl Timer for ModelledTimer {
    async fn wait_until(&self, instant: Instant) -> io::Result<()> {
        sleep_until(instant).await;
        Ok(())
    }
}

#[derive(Debug)]
struct ModelledThread(JoinHandle<()>);

impl Drop for ModelledThread {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LoadThread for ModelledThread {
    /// It has ended by its last word, or is about to; its panic stops the whole run anyway.
    fn join(self: Box<Self>) -> bool {
        true
    }
}
