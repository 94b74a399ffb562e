//! A target that goes away, or is not the one it was.

use std::time::Duration;

use redyno_contract::Plan;
use redyno_contract::failure::FailureClass;
use redyno_contract::plan::{DynoName, OnDynoFailure};
use redyno_contract::report::Ending;
use redyno_target::keys::RunKeys;
use redyno_test_redis::RedisServer;

use crate::balancer::Balancer;
use crate::plans;
use crate::process::{Run, connect};

#[tokio::test]
async fn a_killed_server_is_a_lost_target_and_no_error_limit() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    dyno.until(|event| matches!(event, redyno_contract::Event::Progress(_)))
        .await;
    server.kill().unwrap();
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 69);
    let Ending::TargetLost { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("within 5 s"), "{detail}");
    assert!(ended.report.books.completed > 0);
    assert!(ended.report.books.failed > 0);
}

#[tokio::test]
async fn a_restarted_server_is_a_lost_target() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    server.kill().unwrap();
    let port = server.port().to_string();
    let again = RedisServer::start(&["--port", &port]).await.unwrap();
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 69);
    let Ending::TargetLost { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("run_id changed"), "{detail}");
    drop(again);
}

#[tokio::test]
async fn a_server_that_only_drops_connections_is_not_lost() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    let mut connection = connect(&server).await;
    // Every worker has a task under way when its connection goes: an idle one would only
    // connect again.
    let _: () = redis::cmd("CLIENT")
        .arg("PAUSE")
        .arg(60_000)
        .arg("WRITE")
        .query_async(&mut connection)
        .await
        .unwrap();
    dyno.until(|event| match event {
        redyno_contract::Event::Progress(progress) => progress.waiting >= 20,
        _ => false,
    })
    .await;
    let killed: u64 = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(killed >= 5);
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 0);
    let Ending::ErrorLimit { threshold, cause } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert_eq!(threshold, "errors");
    assert!(cause.starts_with("connection "), "{cause}");
}

#[tokio::test]
async fn a_redis_without_the_phase_is_not_the_one_that_the_preflight_saw() {
    let server = RedisServer::start(&[]).await.unwrap();
    let run = Run::new(&plans::small(), &server);
    let ended = run.dyno("web", 0).end().await;
    assert_eq!(ended.code, 69);
    assert!(matches!(ended.ending(), Ending::TargetChanged { .. }));
    assert_eq!(ended.report.start, None);
    let keys: u64 = redis::cmd("DBSIZE")
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    assert_eq!(keys, 0, "nothing is written to it");
}

#[tokio::test]
async fn a_report_without_a_start_has_everything_that_a_reader_expects() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.thresholds.push(plans::response("p99", 1000));
    let run = Run::new(&plan, &server);
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(ended.report.over.len(), 1);
    assert_eq!(ended.report.steps.len(), 3);
    assert_eq!(
        ended.report.dyno,
        DynoName {
            dyno_type: "web".to_owned(),
            index: 0
        }
    );
}

async fn tell(server: &RedisServer, words: &[&str]) {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    let _: redis::Value = command
        .query_async(&mut connect(server).await)
        .await
        .unwrap();
}

/// A minute of a load of which every task may fail.
fn tolerant() -> Plan {
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    plan.thresholds = vec![plans::errors(1_000_000)];
    plan
}

/// Somebody wipes the server in mid-run, or only the run's phase goes, as by an eviction.
#[tokio::test]
async fn a_target_that_loses_what_was_prepared_on_it_has_changed() {
    let server = RedisServer::start(&[]).await.unwrap();
    for (flushes, words) in [
        (true, "somebody flushed it"),
        (false, "the run's phase is gone from the target"),
    ] {
        let plan = tolerant();
        let run = Run::new(&plan, &server);
        run.pass_preflight().await;
        let mut dyno = run.dyno("web", 0);
        dyno.started().await;
        if flushes {
            tell(&server, &["FLUSHALL"]).await;
        } else {
            tell(&server, &["DEL", &RunKeys::new(&plan.run.uid).phase()]).await;
        }
        let ended = dyno.end().await;
        ended.check();
        assert_eq!(ended.code, 69);
        let Ending::TargetChanged { detail } = ended.ending() else {
            panic!("{:?}", ended.ending())
        };
        assert!(detail.contains(words), "{detail}");
        run.part("finish").await;
    }
}

/// Without an allowance for errors the first task without its data breaks the limit: even so it is
/// the target that has changed, and not the load that it could not carry.
#[tokio::test]
async fn a_flush_in_mid_run_is_no_error_limit() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    tell(&server, &["FLUSHALL"]).await;
    let ended = dyno.end().await;
    ended.check();
    assert!(
        matches!(ended.ending(), Ending::TargetChanged { .. }),
        "{:?}",
        ended.ending()
    );
    let failures = ended.report.failures.as_deref().unwrap();
    assert!(failures.iter().all(|row| row.class == FailureClass::Lost));
}

/// A balancer closes connections that it takes for idle, and leads the next ones to another server.
#[tokio::test]
async fn workers_that_are_led_to_another_redis_give_it_no_task() {
    let (first, second) = (
        RedisServer::start(&[]).await.unwrap(),
        RedisServer::start(&[]).await.unwrap(),
    );
    let balancer = Balancer::start(first.port(), second.port()).await;
    let run = Run::at(&tolerant(), &balancer.url());
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    balancer.lead_workers_elsewhere();
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 69);
    let Ending::TargetChanged { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("leads to several servers"), "{detail}");
    let keys: u64 = redis::cmd("DBSIZE")
        .query_async(&mut connect(&second).await)
        .await
        .unwrap();
    assert_eq!(keys, 0, "nothing is written to it");
}

/// The same before the start: who is led elsewhere is not waited for.
#[tokio::test]
async fn workers_that_never_reach_the_prepared_redis_end_the_run_before_its_start() {
    let (first, second) = (
        RedisServer::start(&[]).await.unwrap(),
        RedisServer::start(&[]).await.unwrap(),
    );
    let balancer = Balancer::start(first.port(), second.port()).await;
    let run = Run::at(&tolerant(), &balancer.url());
    run.pass_preflight().await;
    balancer.lead_workers_elsewhere();
    let ended = run.dyno("web", 0).end().await;
    assert_eq!(ended.code, 69);
    let Ending::TargetChanged { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("leads to several servers"), "{detail}");
    assert_eq!(ended.report.start, None);
}

/// A server that hangs up on who is idle makes no task fail: the worker connects again.
#[tokio::test]
async fn idle_connections_that_the_server_closes_fail_no_task() {
    let server = RedisServer::start(&["--timeout", "1"]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 8;
    plan.formation[0].rate = redyno_contract::schedule::Rate::per_second(1);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(ended.code, 0);
    assert_eq!(*ended.ending(), Ending::Completed);
    let books = ended.report.books;
    assert_eq!((books.scheduled, books.completed, books.failed), (8, 8, 0));
}

#[tokio::test]
async fn a_run_ends_before_somebodys_keys_are_evicted_for_it() {
    let server = RedisServer::start(&["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    let mut connection = connect(&server).await;
    let script = "for key = 1, 3000 do redis.call('SET', 'somebody:' .. key, string.rep('x', 1000)) end return 'OK'";
    let answer: String = redis::cmd("EVAL")
        .arg(script)
        .arg(0)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(answer, "OK");
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    plan.formation[0].quantity = 2;
    // Also where one that fails does not end the others.
    plan.on_dyno_failure = OnDynoFailure::Continue;
    // The run's own data goes, too, and every task that misses it fails: that is not what ends it.
    plan.thresholds = vec![plans::errors(1_000_000)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dynos = [run.dyno("web", 0), run.dyno("web", 1)];
    for dyno in &mut dynos {
        dyno.started().await;
    }
    // What nobody could foresee: somebody else needs the memory, too. There is enough to evict for
    // every write, so none is refused.
    let info: String = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .unwrap();
    let used: u64 = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|number| number.trim().parse().ok())
        .unwrap();
    let shrunk: String = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(used - 500_000)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(shrunk, "OK");
    for dyno in dynos {
        let ended = dyno.end().await;
        assert!(
            matches!(
                ended.ending(),
                Ending::ForeignKeysEvicted { keys: 1.. }
                    | Ending::Stopped
                    // The run's own keys were among those that went.
                    | Ending::TargetChanged { .. }
            ),
            "{:?}",
            ended.ending()
        );
    }
}

#[tokio::test]
async fn a_run_whose_target_another_one_took_does_not_pass() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    let answer: String = redis::cmd("SET")
        .arg("redyno:lock")
        .arg("team/other 77777777-0000")
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    assert_eq!(answer, "OK");
    let ended = dyno.end().await;
    ended.check();
    let Ending::TargetChanged { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("team/other"), "{detail}");
}

/// The phase is looked for a few times a second: nobody would see what happens after the last time.
#[tokio::test]
async fn a_target_that_is_emptied_shortly_before_the_end_has_changed() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = tolerant();
    (plan.warmup_seconds, plan.duration_seconds) = (0, 2);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut connection = connect(&server).await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    tokio::time::sleep(Duration::from_millis(1_930)).await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    let ended = dyno.end().await;
    assert!(
        matches!(ended.ending(), Ending::TargetChanged { .. }),
        "{:?}",
        ended.ending()
    );
}
