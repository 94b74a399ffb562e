//! A target that goes away, or is not the one it was.

use redyno_contract::plan::DynoName;
use redyno_contract::report::Ending;
use redyno_test_redis::RedisServer;

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
