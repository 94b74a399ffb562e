//! Every bottleneck, provoked, and named by the judge from what the dyno said.
//!
//! What other processes do meanwhile must not matter: a Redis that is to be busy has the machine
//! before them, and what is to be slow is slow by a wide margin.

use std::process::Command;
use std::time::Duration;

use redyno_contract::judge::judge;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::plan::*;
use redyno_contract::samples;
use redyno_contract::schedule::Rate;
use redyno_contract::{Bottleneck, Reason, Verdict};
use redyno_contract::{Event, Judgement, Message, Plan};
use redyno_test_redis::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::plans;
use crate::process::{Ended, Run, connect};
use crate::turns::turn;

/// One dyno of 4 workers, to be overloaded: it ends by its backlog after a few seconds.
pub(crate) fn plan(rate: u32, max_worker_backlog: u32) -> Plan {
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    // In the drain it shows whether those that waited would have waited with everything on time.
    plan.drain_seconds = 5;
    plan.formation[0].rate = Rate::per_second(rate);
    plan.formation[0].max_worker_backlog = max_worker_backlog;
    plan
}

/// The verdict on a run of one dyno, from its record, as everybody else gets it.
pub(crate) fn judged(plan: &Plan, ended: Ended) -> Judgement {
    ended.check();
    let Message::Dyno(report) = ended.record.message else {
        panic!("not a dyno's record");
    };
    let outcome = DynoOutcome {
        dyno: report.dyno.clone(),
        pod_name: None,
        node_name: None,
        fate: Fate::Exited { code: ended.code },
        report: Evidence::Complete(report),
    };
    judge(plan, &RunFacts::default(), &[outcome])
}

fn check(
    judgement: &Judgement,
    verdict: Verdict,
    reason: Reason,
    bottleneck: Bottleneck,
    says: &str,
) {
    let found = (judgement.verdict, judgement.reason, judgement.bottleneck);
    let expected = (verdict, reason, Some(bottleneck));
    assert_eq!(found, expected, "{}", judgement.message);
    assert!(judgement.message.contains(says), "{}", judgement.message);
}

/// Puts a process before all others, where that is allowed. (A nice value would not: it only counts
/// within a session where the kernel groups processes by them.)
pub(crate) fn prefer(process: u32) {
    let preferred = Command::new("chrt")
        .args(["--all-tasks", "--fifo", "--pid", "1", &process.to_string()])
        .output();
    drop(preferred);
}

#[tokio::test]
async fn redis_cpu() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    prefer(server.process_id());
    // Some 5 ms of Redis' main thread each, of which it has 1000 in a second; so many workers that
    // one that is slow to ask again leaves it enough to do.
    let mut plan = plan(1000, 60);
    plan.formation[0].workers = 64;
    plan.target.connections = 70;
    let count = samples::entry(
        "count",
        1,
        &["EVAL", "for i = 1, 500000 do end return 1", "0"],
    );
    plan.formation[0].workload =
        Workload::Commands(samples::commands(1, 1, Prefill::Empty, vec![count]));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    check(
        &judged(&plan, run.dyno("web", 0).end().await),
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::RedisCpu,
        "; Redis was at ",
    );
}

#[tokio::test]
async fn redis_memory() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = plan(50, 1000);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    crate::limits::ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    check(
        &judged(&plan, dyno.end().await),
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::RedisMemory,
        "Redis was out of memory",
    );
}

#[tokio::test]
async fn redis_connections() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = plan(50, 1000);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut connection = connect(&server).await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    dyno.until(|event| matches!(event, Event::Progress(_)))
        .await;
    // No new connection, and then every worker loses its own.
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "maxclients", "1"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query_async(&mut connection)
        .await
        .unwrap();
    let field = |client: &str, name: &str| {
        let mut fields = client.split(' ');
        fields.find_map(|field| Some(field.strip_prefix(name)?.to_owned()))
    };
    let mut killed = 0;
    for client in clients.lines() {
        if field(client, "name=").is_some_and(|name| name.ends_with("web.1")) {
            let _: u64 = redis::cmd("CLIENT")
                .arg(&["KILL", "ID", &field(client, "id=").unwrap()])
                .query_async(&mut connection)
                .await
                .unwrap();
            killed += 1;
        }
    }
    assert_eq!(killed, 4, "{clients}");
    check(
        &judged(&plan, dyno.end().await),
        Verdict::Failed,
        Reason::ErrorLimitReached,
        Bottleneck::RedisConnections,
        "; Redis refused ",
    );
}

/// Hands on what comes in, a while later.
async fn delay(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        sleep_until(Instant::now() + Duration::from_millis(50)).await;
        if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// A long way to the server: its port.
pub(crate) async fn distant(server: &RedisServer) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, there) = (listener.local_addr().unwrap().port(), server.port());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(("127.0.0.1", there)).await else {
                return;
            };
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(delay(near.0, far.1));
            tokio::spawn(delay(far.0, near.1));
        }
    });
    port
}

#[tokio::test]
async fn network() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    // Four round trips of 100 ms: four workers get through 10 tasks of the 40 in a second.
    let plan = plan(40, 40);
    let run = Run::at(
        &plan,
        &format!("redis://127.0.0.1:{}", distant(&server).await),
    );
    run.pass_preflight().await;
    check(
        &judged(&plan, run.dyno("web", 0).end().await),
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Network,
        "was busy, tasks waited in between: 4",
    );
}

/// CPU that the application is stated to need is the size under test, not the generator.
#[tokio::test]
async fn dyno_cpu() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    // The one load thread gets through 5 tasks of the 20 in a second. They are so long that a time in
    // which others have the CPU is less than one of them.
    let mut plan = plan(20, 20);
    plan.formation[0].application_cpu_microseconds = 200_000;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    check(
        &judged(&plan, run.dyno("web", 0).end().await),
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::DynoCpu,
        "; the dyno's load thread used ",
    );
}

#[tokio::test]
async fn generator_that_stands_still() {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plan(200, 1000);
    // No limit ends it: none is broken by the target.
    plan.duration_seconds = 4;
    plan.thresholds.push(plans::response("p99", 50_000));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    let process = dyno.process_id().to_string();
    let pulses = tokio::spawn(async move {
        loop {
            for signal in ["-STOP", "-CONT"] {
                let status = Command::new("kill").args([signal, &process]).status();
                assert!(status.is_ok());
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    });
    let ended = dyno.end().await;
    pulses.abort();
    check(
        &judged(&plan, ended),
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "; but with its own load threads on time only ",
    );
}
