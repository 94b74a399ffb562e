//! Nobody's data is flushed by accident.

use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::plan::Flush;
use redyno_target::preflight;
use redyno_test_redis::RedisServer;

use crate::run::{connect, keys, of_another, plan, say, target};

/// A server that holds what the commands put there, and what a preflight makes of it.
async fn flushed(
    flush: Flush,
    database: u32,
    commands: &[&str],
) -> (RedisServer, Result<u64, Refusal>, String) {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut connection = connect(&target(&server.url())).await;
    for command in commands {
        say(&mut connection, command).await;
    }
    drop(connection);
    let target = target(&format!("{}/{database}", server.url()));
    let report = preflight::run(&plan(flush), &target, "pod").await;
    let result = match report.result {
        PreflightResult::Passed => Ok(report.target.unwrap().flushed_keys),
        PreflightResult::Refused { reason } => Err(reason),
    };
    (server, result, report.message)
}

#[tokio::test]
async fn only_what_may_go_is_flushed() {
    let many = "EVAL for_i=1,1001_do_redis.call('SET','redyno:'..i,1)_end 0".replace('_', "\t");
    let old = "SET test:building:99999999:web.1:0 1";
    let own = "SET test:building:0d3b9c1e:web.1:0 1";
    let marker = "SET redyno:disposable yes";
    for (flush, database, commands, expected, words) in [
        (Flush::Database, 0, &[][..], Ok(0), ""),
        (
            Flush::Database,
            0,
            &["SET redyno:old 1", own],
            Ok(2),
            "2 keys flushed",
        ),
        (
            Flush::Database,
            0,
            &["SET a 1", "SET b 1", marker],
            Ok(2),
            "2 keys flushed",
        ),
        (
            Flush::Database,
            0,
            &["SET a 1"],
            Err(Refusal::FlushForeignData),
            "database 0 holds 1 keys, among them one that is not of this run, \"a\"",
        ),
        (
            Flush::Database,
            0,
            &[old],
            Err(Refusal::FlushForeignData),
            "SET redyno:disposable 1",
        ),
        (
            Flush::Database,
            0,
            &["SET redynos 1"],
            Err(Refusal::FlushForeignData),
            "\"redynos\"",
        ),
        (
            Flush::Database,
            0,
            &[&many],
            Err(Refusal::FlushForeignData),
            "holds 1001 keys",
        ),
        (
            Flush::Database,
            0,
            &[&many, "LPUSH redyno:disposable x"],
            Ok(1001),
            "1001 keys flushed",
        ),
        (Flush::Database, 3, &["SET a 1"], Ok(0), ""),
        (
            Flush::Database,
            3,
            &["SELECT 3", "SET a 1"],
            Err(Refusal::FlushForeignData),
            "database 3",
        ),
        (
            Flush::AllDatabases,
            3,
            &["SET a 1"],
            Err(Refusal::FlushForeignData),
            "database 0",
        ),
        (
            Flush::AllDatabases,
            0,
            &["SELECT 3", "SET a 1"],
            Err(Refusal::FlushForeignData),
            "database 3",
        ),
        (
            Flush::AllDatabases,
            0,
            &[marker, "SELECT 3", "SET a 1"],
            Err(Refusal::FlushForeignData),
            "database 3",
        ),
        (
            Flush::AllDatabases,
            0,
            &[
                "SET redyno:x 1",
                "SELECT 3",
                "SET a 1",
                marker,
                "SELECT 9",
                marker,
            ],
            Ok(2),
            "2 keys flushed",
        ),
        (Flush::None, 0, &["SET a 1"], Ok(0), "1 keys"),
    ] {
        let (server, result, message) = flushed(flush, database, commands).await;
        assert_eq!(result, expected, "{flush:?} {commands:?}: {message}");
        assert!(message.contains(words), "{flush:?} {commands:?}: {message}");
        let (with_marker, survivors) = left_in(&server).await;
        // Whoever said that a database may be wiped said so for the next time, too.
        assert_eq!(with_marker, marked_by(commands), "{commands:?}");
        match (expected, flush) {
            (Err(_), _) | (Ok(_), Flush::None) => assert_ne!(survivors, [0; 0], "{commands:?}"),
            (Ok(_), Flush::Database) => assert!(!survivors.contains(&database), "{commands:?}"),
            (Ok(_), _) => assert_eq!(survivors, [0; 0], "{commands:?}"),
        }
    }
}

/// The databases that hold a marker, and those that hold something of the time before.
async fn left_in(server: &RedisServer) -> (Vec<u32>, Vec<u32>) {
    let mut connection = connect(&target(&server.url())).await;
    let (mut marked, mut survivors) = (Vec::new(), Vec::new());
    for database in [0, 3, 9] {
        say(&mut connection, &format!("SELECT {database}")).await;
        for key in keys(&mut connection).await {
            if key == "redyno:disposable" {
                marked.push(database);
            } else if key != "redyno:lock" && !key.starts_with("redyno:{") {
                survivors.push(database);
            }
        }
    }
    (marked, survivors)
}

/// The databases that the commands put a marker into.
fn marked_by(commands: &[&str]) -> Vec<u32> {
    let mut selected = 0;
    let mut marked = Vec::new();
    for command in commands {
        if let Some(number) = command.strip_prefix("SELECT ") {
            selected = number.parse().unwrap();
        } else if command.contains("redyno:disposable") {
            marked.push(selected);
        }
    }
    marked
}

#[tokio::test]
async fn a_marker_keeps_what_it_says() {
    let (server, result, message) = flushed(
        Flush::Database,
        0,
        &["SET a 1", "SET redyno:disposable since-monday"],
    )
    .await;
    assert_eq!(result, Ok(1), "{message}");
    let mut connection = connect(&target(&server.url())).await;
    let marker: String =
        redis::from_redis_value(say(&mut connection, "GET redyno:disposable").await).unwrap();
    assert_eq!(marker, "since-monday");
}

/// Whatever the keys say: who runs the cluster decides first.
#[tokio::test]
async fn nothing_is_flushed_where_the_administrator_does_not_allow_it() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut connection = connect(&target).await;
    say(&mut connection, "SET redyno:disposable 1").await;
    for flush in [Flush::Database, Flush::AllDatabases] {
        let mut plan = plan(flush);
        plan.target.flush_hosts = vec!["*.staging.example".to_owned()];
        let report = preflight::run(&plan, &target, "pod").await;
        assert_eq!(
            report.result,
            PreflightResult::Refused {
                reason: Refusal::FlushNotAllowed
            },
            "{}",
            report.message
        );
        assert_eq!(report.target, None, "it was not even looked at");
        assert_eq!(keys(&mut connection).await, ["redyno:disposable"]);
    }
}

#[tokio::test]
async fn nothing_is_flushed_while_others_are_connected() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut other = connect(&target).await;
    say(&mut other, "SET redyno:disposable 1").await;
    for flush in [Flush::Database, Flush::AllDatabases] {
        let report = preflight::run(&plan(flush), &target, "pod").await;
        assert_eq!(
            report.result,
            PreflightResult::Refused {
                reason: Refusal::FlushOtherClients
            },
        );
        assert!(
            report.message.contains("1 other clients"),
            "{}",
            report.message
        );
    }
    assert_eq!(keys(&mut other).await, ["redyno:disposable"]);
    let report = preflight::run(&plan(Flush::RunKeys), &target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
}

#[tokio::test]
async fn a_second_preflight_flushes_nothing() {
    let (server, result, message) = flushed(Flush::AllDatabases, 0, &[]).await;
    assert_eq!(result, Ok(0), "{message}");
    let target = target(&server.url());
    let mut connection = connect(&target).await;
    say(&mut connection, "SET redyno:disposable 1").await;
    say(&mut connection, "SET test:building:0d3b9c1e:web.1:0 1").await;
    drop(connection);
    let report = preflight::run(&plan(Flush::AllDatabases), &target, "another-pod").await;
    assert_eq!(report.result, PreflightResult::Passed);
    assert!(
        report.message.contains("already passed"),
        "{}",
        report.message
    );
    let busy = preflight::run(&of_another(&plan(Flush::AllDatabases)), &target, "pod").await;
    assert_eq!(
        busy.result,
        PreflightResult::Refused {
            reason: Refusal::TargetBusy
        }
    );
    let mut connection = connect(&target).await;
    assert_eq!(keys(&mut connection).await.len(), 4);
}
