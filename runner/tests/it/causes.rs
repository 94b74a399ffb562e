//! Five servers, with one and with two I/O threads, brought to their limit in five ways: the cause
//! that is named is the right one, or none is.
//!
//! Without further ado a few of them are tried. `make causes` tries all and prints what was named.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redyno_contract::plan::*;
use redyno_contract::samples;
use redyno_contract::schedule::Rate;
use redyno_contract::{Bottleneck, Judgement, Plan, Verdict};
use redyno_test_redis::{RedisServer, Software};
use rustix::process::{Pid, Signal, kill_process};

use crate::bottlenecks::{distant, judged, plan, prefer};
use crate::plans;
use crate::process::Run;
use crate::turns::turn;

/// A way to bring a run to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Redis computes all the time.
    RedisCpu,
    /// Redis would have CPU to spare, but stands still for four fifths of the time.
    ThrottledRedis,
    /// The dyno's load thread computes all the time.
    DynoCpu,
    /// Every round trip takes a tenth of a second.
    DelayedNetwork,
    /// The dyno stands still for half of the time.
    Generator,
}

impl Cause {
    const ALL: [Self; 5] = [
        Self::RedisCpu,
        Self::ThrottledRedis,
        Self::DynoCpu,
        Self::DelayedNetwork,
        Self::Generator,
    ];

    const fn right(self) -> Bottleneck {
        match self {
            Self::RedisCpu | Self::ThrottledRedis => Bottleneck::RedisCpu,
            Self::DynoCpu => Bottleneck::DynoCpu,
            Self::DelayedNetwork => Bottleneck::Network,
            Self::Generator => Bottleneck::Generator,
        }
    }

    /// One dyno that comes to its limit by it.
    fn plan(self) -> Plan {
        match self {
            // Some 2 ms of Redis for each of 1,000 tasks in a second.
            Self::RedisCpu => scripts(500_000),
            // Less than a millisecond: enough CPU, if it got it.
            Self::ThrottledRedis => scripts(200_000),
            Self::DynoCpu => {
                let mut plan = plan(200, 200);
                plan.formation[0].application_cpu_microseconds = 20_000;
                plan
            }
            Self::DelayedNetwork => plan(40, 40),
            Self::Generator => {
                let mut plan = plan(200, 1000);
                plan.thresholds.push(plans::response("p99", 50_000));
                plan
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::RedisCpu => "Redis CPU",
            Self::ThrottledRedis => "throttled Redis",
            Self::DynoCpu => "dyno CPU",
            Self::DelayedNetwork => "delayed network",
            Self::Generator => "generator",
        })
    }
}

/// 1,000 scripts in a second, each of so many turns of a loop.
fn scripts(turns: u32) -> Plan {
    let mut plan = plan(1000, 60);
    plan.formation[0].workers = 64;
    plan.formation[0].rate = Rate::per_second(1000);
    plan.target.connections = 70;
    let count = samples::entry(
        "count",
        1,
        &["EVAL", &format!("for i = 1, {turns} do end return 1"), "0"],
    );
    plan.formation[0].workload =
        Workload::Commands(samples::commands(1, 1, Prefill::Empty, vec![count]));
    plan
}

/// Lets a process run for a while and stand still for a while, until it is dropped.
struct Pulses {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulses {
    /// On a thread of its own: what else the test does must not make a pulse longer.
    fn start(process: u32, runs: Duration, stands: Duration) -> Self {
        let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                for (signal, wait) in [(Signal::STOP, stands), (Signal::CONT, runs)] {
                    // It may have ended in between.
                    kill_process(process, signal).ok();
                    thread::sleep(wait);
                }
            }
        });
        Self {
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Pulses {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn run(software: Software, io_threads: u32, cause: Cause) -> Judgement {
    let _turn = turn().await;
    let io_threads = io_threads.to_string();
    let server = RedisServer::start_software(software, &["--io-threads", &io_threads])
        .await
        .unwrap();
    let plan = cause.plan();
    let run = match cause {
        Cause::DelayedNetwork => {
            let url = format!("redis://127.0.0.1:{}", distant(&server).await);
            Run::at(&plan, &url)
        }
        _ => Run::new(&plan, &server),
    };
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    match cause {
        Cause::RedisCpu | Cause::ThrottledRedis => prefer(server.process_id()),
        Cause::DynoCpu => prefer(dyno.process_id()),
        Cause::DelayedNetwork | Cause::Generator => {}
    }
    dyno.started().await;
    let _pulses = match cause {
        Cause::ThrottledRedis => Some(Pulses::start(
            server.process_id(),
            Duration::from_millis(20),
            Duration::from_millis(80),
        )),
        Cause::Generator => Some(Pulses::start(
            dyno.process_id(),
            Duration::from_millis(300),
            Duration::from_millis(300),
        )),
        Cause::RedisCpu | Cause::DynoCpu | Cause::DelayedNetwork => None,
    };
    judged(&plan, dyno.end().await)
}

/// What is tried where nobody asks for all of it: the servers that tell most and least.
const FEW: [(Software, u32, Cause); 3] = [
    (Software::Valkey91, 2, Cause::DelayedNetwork),
    (Software::Redis82, 2, Cause::ThrottledRedis),
    (Software::Redis62, 2, Cause::RedisCpu),
];

#[tokio::test]
async fn no_cause_is_named_that_is_not_the_right_one() {
    let all = std::env::var_os("REDYNO_CAUSES").is_some();
    let cases: Vec<(Software, u32, Cause)> = if all {
        let servers = Software::ALL
            .into_iter()
            .flat_map(|software| [(software, 1), (software, 2)]);
        Cause::ALL
            .into_iter()
            .flat_map(|cause| {
                servers
                    .clone()
                    .map(move |(software, io_threads)| (software, io_threads, cause))
            })
            .collect()
    } else {
        FEW.to_vec()
    };
    let mut wrong = Vec::new();
    let mut named = [0_u32; Cause::ALL.len()];
    for (software, io_threads, cause) in cases {
        let judgement = run(software, io_threads, cause).await;
        let found = judgement.bottleneck.unwrap();
        let is_right = found == cause.right();
        let position = Cause::ALL.iter().position(|other| *other == cause);
        named[position.unwrap()] += u32::from(is_right);
        let line = format!(
            "{cause:<16} {:<18} io-threads {io_threads}  {:<9} {:<12} {}",
            software.name(),
            found.as_str(),
            judgement.verdict.as_str(),
            judgement.message
        );
        if all {
            println!("{line}");
        }
        // A dyno that others on this machine kept from its CPU says so, and no verdict is made of it.
        let is_late = judgement.verdict == Verdict::Inconclusive && found == Bottleneck::Generator;
        if !is_right && !is_late && found != Bottleneck::Unknown {
            wrong.push(line);
        }
    }
    if all {
        for (cause, named) in Cause::ALL.into_iter().zip(named) {
            println!("{cause:<16} named {named} of 10");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
