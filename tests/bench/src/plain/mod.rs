//! Plain sockets: the same requests from a program that does nothing else.
//!
//! It writes prepared bytes and counts the bytes that come back, one task at a time on every
//! connection, on one thread with one `epoll`. It keeps no schedule, measures no times and looks at
//! no reply. So it uses what the kernel takes for the traffic itself, which is the floor for every
//! program that does more.

mod requests;
mod talk;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};
use redyno_contract::plan::Workload;
use redyno_test_redis::RedisServer;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use requests::{of_buildings, of_gets};
use talk::Talk;

use crate::plans::Load;
use crate::run::{Cores, Outcome};

/// How long it runs before anything is measured.
const WARMUP: Duration = Duration::from_secs(1);

/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(4);

/// Where a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The reply ends after this many bytes.
    Bytes(usize),
    /// The reply ends after this many lines, since its numbers may grow.
    Lines(usize),
}

/// A request and the length of its reply.
#[derive(Clone, Debug)]
struct Step {
    request: Vec<u8>,
    end: End,
}

/// What a connection does, again and again.
#[derive(Clone, Debug)]
struct Script {
    steps: Vec<Step>,
    /// How many steps make a task.
    steps_per_task: usize,
}

/// What plain sockets reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    /// CPU time per task in microseconds.
    pub(crate) cpu_per_task: f64,
    /// Tasks per second, as many as there can be.
    pub(crate) tasks_per_second: u32,
}

/// What redyno reaches, and plain sockets with the same requests to the same server.
pub(crate) async fn beside(cores: &Cores, load: &Load) -> Result<(Outcome, Floor)> {
    let server = cores.redis().await?;
    let outcome = cores.run_against(&server, load, None).await?;
    let scripts = match &load.workload {
        Workload::ObjectGraph(_) => of_buildings(&server).await?,
        Workload::Commands(commands) => {
            of_gets(&server, &commands.keyspace, load.workers as usize).await?
        }
    };
    Ok((outcome, floor(cores, &server, scripts).await?))
}

/// Measures with a connection for each of the scripts.
async fn floor(cores: &Cores, server: &RedisServer, scripts: Vec<Script>) -> Result<Floor> {
    let (core, address) = (cores.own, SocketAddr::from(([127, 0, 0, 1], server.port())));
    tokio::task::spawn_blocking(move || measure(core, address, &scripts)).await?
}

/// Pins the thread, which ends with it.
fn measure(core: u32, address: SocketAddr, scripts: &[Script]) -> Result<Floor> {
    let mut own = CpuSet::new();
    own.set(core as usize);
    sched_setaffinity(None, &own).with_context(|| format!("cannot pin a thread to core {core}"))?;
    ensure!(!scripts.is_empty(), "nothing to send: is the Redis empty?");
    let mut poll = Poll::new()?;
    let mut talks = Vec::with_capacity(scripts.len());
    for (number, script) in scripts.iter().enumerate() {
        let mut talk = Talk::begin(address, script)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(talk.stream(), Token(number), interest)?;
        talks.push(talk);
    }
    let mut events = Events::with_capacity(1024);
    let mut memory = vec![0; 128 * 1024];
    let begin = Instant::now();
    let mut measured = None;
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            talks[event.token().0].proceed(&mut memory)?;
        }
        let (passed, done) = (begin.elapsed(), || {
            talks.iter().map(Talk::tasks).sum::<u64>()
        });
        match measured {
            None if passed >= WARMUP => measured = Some((passed, used(), done())),
            Some((since, used_before, done_before)) if passed >= WARMUP + MEASURED => {
                let count = done() - done_before;
                ensure!(count > 0, "no task was done with plain sockets");
                return Ok(Floor {
                    cpu_per_task: (used() - used_before) / count as f64,
                    tasks_per_second: per_second(count, passed.saturating_sub(since)),
                });
            }
            None | Some(_) => {}
        }
    }
}

/// CPU time of this thread in microseconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn per_second(count: u64, time: Duration) -> u32 {
    let rate = u128::from(count) * 1000 / time.as_millis().max(1);
    u32::try_from(rate).unwrap_or(u32::MAX)
}
