//! Being told to go.

use redyno_contract::record::{Record, RecordKind};
use redyno_contract::report::Ending;
use redyno_contract::{Event, Message};
use redyno_test_redis::{Folder, RedisServer};
use tokio::process::Command;

use crate::plans;
use crate::process::{Run, connect};

#[tokio::test]
async fn after_sigterm_it_drains_reports_and_takes_its_keys_along() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.until(|event| matches!(event, Event::Progress(_)))
        .await;
    dyno.terminate().await;
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 143);
    assert_eq!(*ended.ending(), Ending::Terminated);
    let books = ended.report.books;
    assert!(books.scheduled > 0 && books.scheduled < 3000);
    assert_eq!(books.abandoned, 0);
    let left: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    // It was the last dyno, so all is gone and the target is free. How much it removed is kept for a
    // finish, which may come, and goes by itself.
    let removed = format!("redyno:{{{}}}:removed", plan.run.uid);
    assert_eq!(left, [removed.as_str()]);
    let lifetime: i64 = redis::cmd("TTL")
        .arg(&removed)
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    assert!((1..=120).contains(&lifetime), "{lifetime}");
    let (_, message) = run.part("finish").await;
    let Message::Finish(finish) = message else {
        panic!("not a finish: {message:?}");
    };
    assert!(
        finish
            .message
            .contains("of them by dynos that were told to end"),
        "{}",
        finish.message
    );
    assert!(finish.removed_keys > 1);
    assert_eq!(finish.left_keys, Some(0));
}

fn ending(record: &Record) -> Ending {
    assert_eq!(record.kind, RecordKind::Final);
    let Message::Dyno(report) = &record.message else {
        panic!("not a dyno's record: {record:?}");
    };
    assert!(report.books.balanced());
    report.end.clone().unwrap().ending
}

/// Standard output and standard error are full pipes that nobody reads.
#[tokio::test]
async fn it_ends_and_writes_its_record_though_nobody_reads_what_it_prints() {
    let servers = [
        RedisServer::start(&[]).await.unwrap(),
        RedisServer::start(&[]).await.unwrap(),
    ];
    let to_its_end = async {
        let run = Run::new(&plans::small(), &servers[0]);
        run.pass_preflight().await;
        run.dyno_that_nobody_reads("web", 0).await.end().await
    };
    let until_sigterm = async {
        let mut plan = plans::small();
        plan.duration_seconds = 60;
        let run = Run::new(&plan, &servers[1]);
        run.pass_preflight().await;
        let dyno = run.dyno_that_nobody_reads("web", 0).await;
        dyno.started().await;
        dyno.terminate().await;
        dyno.end().await
    };
    let ((done, whole), (terminated, cut)) = tokio::join!(to_its_end, until_sigterm);
    assert_eq!((done, ending(&whole)), (0, Ending::Completed));
    assert_eq!((terminated, ending(&cut)), (143, Ending::Terminated));
}

#[tokio::test]
async fn a_parent_that_dies_takes_its_dynos_along() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 2;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.ready().await;
    dyno.abandon();
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 143);
    assert_eq!(*ended.ending(), Ending::Terminated);
    assert_eq!(ended.report.start, None);
}

#[tokio::test]
async fn a_bad_plan_is_refused_with_the_field_that_is_wrong() {
    let mut plan = serde_json::to_value(plans::small()).unwrap();
    plan["durationSeconds"] = 0.into();
    let folder = Folder::with(&[("plan.json", plan.to_string().as_bytes())]).unwrap();
    for part in ["preflight", "dyno", "finish"] {
        let output = Command::new(env!("CARGO_BIN_EXE_redyno-runner"))
            .arg(part)
            .arg("--config")
            .arg(folder.path())
            .arg("--report")
            .arg(folder.path().join("report"))
            .args(["--http", "127.0.0.1:0"])
            .env("REDYNO_DYNO_TYPE", "web")
            .env("JOB_COMPLETION_INDEX", "0")
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{part}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("durationSeconds is 0, must be 1 or more"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_index_that_the_plan_does_not_have_is_refused() {
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = serde_json::to_vec(&plans::small()).unwrap();
    let folder = Folder::with(&[("plan.json", &plan)]).unwrap();
    std::fs::create_dir(folder.path().join("target")).unwrap();
    std::fs::write(folder.path().join("target/url"), server.url()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_redyno-runner"))
        .arg("dyno")
        .arg("--config")
        .arg(folder.path())
        .arg("--report")
        .arg(folder.path().join("report"))
        .args(["--http", "127.0.0.1:0"])
        .env("REDYNO_DYNO_TYPE", "web")
        .env("JOB_COMPLETION_INDEX", "1")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("it has 1 x web"), "{said}");
}
