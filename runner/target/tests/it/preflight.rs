//! What the preflight finds and refuses.

use redyno_contract::PreflightReport;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::plan::Flush;
use redyno_target::preflight;
use redyno_test_redis::RedisServer;

use crate::run::{connect, keys, of_another, plan, say, target};

fn refusal(report: &PreflightReport) -> Option<Refusal> {
    match report.result {
        PreflightResult::Passed => None,
        PreflightResult::Refused { reason } => Some(reason),
    }
}

#[tokio::test]
async fn a_fitting_target_is_taken_once() {
    let server = RedisServer::start(&["--maxmemory", "100mb", "--maxclients", "50"])
        .await
        .unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let mut connection = connect(&target).await;
    say(&mut connection, "SET somebody's data").await;

    let report = preflight::run(&plan, &target, "pod-1").await;
    assert_eq!(refusal(&report), None, "{}", report.message);
    let found = report.target.unwrap();
    assert_eq!(found.version.as_ref().unwrap().split('.').count(), 3);
    assert_eq!(found.role.as_deref(), Some("master"));
    assert_eq!(
        (found.maxmemory_bytes, found.maxclients),
        (Some(100 << 20), Some(50))
    );
    assert_eq!(
        (found.keys, found.other_clients, found.flushed_keys),
        (Some(1), Some(1), 0)
    );
    assert_eq!(found.full_after_seconds, None);
    // 3 dynos x (2 + 100) tasks of 6.2 KB.
    assert!(
        (1_800_000..2_200_000).contains(&found.expected_growth_bytes),
        "{found:?}"
    );
    assert!(
        report
            .message
            .contains("10 of 50 connections needed, 1 in use by others"),
        "{}",
        report.message
    );
    let made = [
        "redyno:lock".to_owned(),
        "redyno:runs".to_owned(),
        format!("redyno:{{{}}}:data", plan.run.uid),
        format!("redyno:{{{}}}:phase", plan.run.uid),
        "somebody's".to_owned(),
    ];
    assert_eq!(keys(&mut connection).await, made);

    let again = preflight::run(&plan, &target, "pod-2").await;
    assert_eq!(refusal(&again), None);
    assert!(
        again.message.contains("already passed"),
        "{}",
        again.message
    );
    assert_eq!(keys(&mut connection).await, made);

    let busy = preflight::run(&of_another(&plan), &target, "pod-3").await;
    assert_eq!(refusal(&busy), Some(Refusal::TargetBusy));
    assert!(busy.message.contains("default/small"), "{}", busy.message);
    assert!(
        busy.message.contains("its lock lives at most"),
        "{}",
        busy.message
    );
    assert_eq!(keys(&mut connection).await, made);
}

#[tokio::test]
async fn the_lock_is_the_same_for_all_databases() {
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = plan(Flush::RunKeys);
    let in_five = target(&format!("{}/5", server.url()));
    let report = preflight::run(&plan, &in_five, "pod").await;
    assert_eq!(refusal(&report), None, "{}", report.message);
    for url in [
        server.url(),
        format!("{}/5", server.url()),
        format!("{}/6", server.url()),
    ] {
        let busy = preflight::run(&of_another(&plan), &target(&url), "pod").await;
        assert_eq!(
            refusal(&busy),
            Some(Refusal::TargetBusy),
            "{url}: {}",
            busy.message
        );
    }
}

#[tokio::test]
async fn a_lock_that_is_rubbish_is_a_lock() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut connection = connect(&target).await;
    connection
        .send(
            redis::cmd("SET")
                .arg("redyno:lock")
                .arg(&b"\xff\x1b[2J\n"[..]),
        )
        .await
        .unwrap();
    let busy = preflight::run(&plan(Flush::RunKeys), &target, "pod").await;
    assert_eq!(refusal(&busy), Some(Refusal::TargetBusy));
    assert!(busy.message.contains("does not expire"), "{}", busy.message);
    assert!(
        !busy.message.chars().any(char::is_control),
        "{:?}",
        busy.message
    );
}

#[tokio::test]
async fn nobody_listens() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    server.kill().unwrap();
    let report = preflight::run(&plan(Flush::RunKeys), &target(&server.url()), "pod").await;
    assert_eq!(refusal(&report), Some(Refusal::ConnectionRefused));
    assert_eq!(report.target, None);
}

#[tokio::test]
async fn a_replica_is_refused() {
    let master = RedisServer::start(&[]).await.unwrap();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &master.port().to_string()])
        .await
        .unwrap();
    let report = preflight::run(&plan(Flush::RunKeys), &target(&replica.url()), "pod").await;
    assert_eq!(
        refusal(&report),
        Some(Refusal::TargetIsReplica),
        "{}",
        report.message
    );
    assert_eq!(report.target.unwrap().role.as_deref(), Some("slave"));
}

#[tokio::test]
async fn a_cluster_is_refused() {
    let server = RedisServer::start(&["--cluster-enabled", "yes"])
        .await
        .unwrap();
    for database in ["", "/0", "/1"] {
        let target = target(&format!("{}{database}", server.url()));
        let report = preflight::run(&plan(Flush::RunKeys), &target, "pod").await;
        assert_eq!(
            refusal(&report),
            Some(Refusal::ClusterModeUnsupported),
            "{}",
            report.message
        );
    }
}

#[tokio::test]
async fn too_few_connections_are_refused_before_the_run() {
    let server = RedisServer::start(&["--maxclients", "11"]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let _first = connect(&target).await;
    let second = connect(&target).await;
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(refusal(&report), Some(Refusal::TooFewConnections));
    assert!(
        report.message.contains("needs 10 connections"),
        "{}",
        report.message
    );
    assert!(report.message.contains("allows 11"), "{}", report.message);
    drop(second);
    let report = loop {
        let report = preflight::run(&plan, &target, "pod").await;
        // The server learns of a closed connection when it gets round to it.
        if report
            .target
            .as_ref()
            .is_some_and(|found| found.other_clients.unwrap() < 2)
        {
            break report;
        }
    };
    assert_eq!(refusal(&report), None, "{}", report.message);
}

#[tokio::test]
async fn a_server_that_is_full_of_connections_already() {
    let server = RedisServer::start(&["--maxclients", "1"]).await.unwrap();
    let target = target(&server.url());
    let _only = connect(&target).await;
    let report = preflight::run(&plan(Flush::RunKeys), &target, "pod").await;
    assert_eq!(refusal(&report), Some(Refusal::TooFewConnections));
}

#[tokio::test]
async fn memory_is_refused_only_where_the_run_cannot_begin() {
    let server = RedisServer::start(&["--maxmemory", "3mb"]).await.unwrap();
    let target = target(&server.url());
    let mut plan = plan(Flush::RunKeys);
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(refusal(&report), None, "{}", report.message);

    "77777777-0000-4000-8000-000000000000".clone_into(&mut plan.run.uid);
    let mut connection = connect(&target).await;
    say(&mut connection, "UNLINK redyno:lock").await;
    plan.duration_seconds = 1000;
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(refusal(&report), None, "{}", report.message);
    let full_after = report.target.unwrap().full_after_seconds.unwrap();
    assert!((5..20).contains(&full_after), "{}", report.message);
    assert!(
        report
            .message
            .contains(&format!("full {full_after} s after t0")),
        "{}",
        report.message
    );

    "88888888-0000-4000-8000-000000000000".clone_into(&mut plan.run.uid);
    say(&mut connection, "UNLINK redyno:lock").await;
    plan.warmup_seconds = 600;
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(
        refusal(&report),
        Some(Refusal::TooLittleMemory),
        "{}",
        report.message
    );
    assert!(
        report.message.contains("prefill and warm-up take about"),
        "{}",
        report.message
    );

    // So full that not even a key of ours can be made.
    say(&mut connection, "CONFIG SET maxmemory 1").await;
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(
        refusal(&report),
        Some(Refusal::TooLittleMemory),
        "{}",
        report.message
    );
    // What the runs before had of their own went with the lock that somebody removed.
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

const GRANTED: [&str; 6] = ["on", ">s3cret", "+@all", "-@dangerous", "-@admin", "+info"];

async fn with_user(rules: &[&str], flush: Flush) -> (RedisServer, PreflightReport) {
    let mut arguments = vec!["--user", "anna"];
    arguments.extend(GRANTED);
    arguments.extend(rules);
    let server = RedisServer::start(&arguments).await.unwrap();
    let target = target(&format!("redis://anna:s3cret@127.0.0.1:{}", server.port()));
    let report = preflight::run(&plan(flush), &target, "pod").await;
    let mut connection = connect(&crate::run::target(&server.url())).await;
    if refusal(&report).is_some() {
        assert_eq!(
            keys(&mut connection).await,
            [""; 0],
            "nothing is left of a refusal"
        );
    }
    (server, report)
}

#[tokio::test]
async fn the_documented_user_may_do_everything_that_is_needed() {
    let (_server, report) = with_user(&["~redyno:*", "~test:building:*"], Flush::RunKeys).await;
    assert_eq!(refusal(&report), None, "{}", report.message);
}

#[tokio::test]
async fn every_missing_permission_is_named() {
    for (rules, words) in [
        (
            &["~*", "-hgetall", "-evalsha", "-set"][..],
            "may not run EVALSHA, HGETALL, SET: grant it +evalsha +hgetall +set",
        ),
        (
            &["~*", "-script|load"],
            "may not run SCRIPT LOAD: grant it +script|load",
        ),
        (&["~*", "-info", "-time"], "may not run INFO, TIME"),
        (&["~*", "-eval"], "may not run EVAL"),
        (&["~*", "-multi"], "may not run MULTI"),
        (&["~*", "-exec"], "may not run EXEC: grant it +exec"),
        (
            &["~redyno:*"],
            "may not use the run's keys: grant it ~test:building:*",
        ),
        (&["~other:*"], "grant it ~redyno:* ~test:building:*"),
        (
            &["~redyno:*", "-get", "-rpush"],
            "grant it +get +rpush ~test:building:*",
        ),
    ] {
        let (_server, report) = with_user(rules, Flush::RunKeys).await;
        assert_eq!(
            refusal(&report),
            Some(Refusal::PermissionDenied),
            "{rules:?}: {}",
            report.message
        );
        assert!(
            report.message.contains(words),
            "{rules:?}: {}",
            report.message
        );
    }
    for (rules, flush, words) in [
        (
            &["~*"][..],
            Flush::Database,
            "may not run FLUSHDB: use flush: RunKeys, or grant it +flushdb",
        ),
        (
            &["~*"],
            Flush::AllDatabases,
            "may not run FLUSHALL: use flush: RunKeys, or grant it +flushall",
        ),
        (
            &["~*", "+flushall", "-select"],
            Flush::AllDatabases,
            "may not run SELECT",
        ),
        (
            &["~*", "+flushdb", "-scan"],
            Flush::Database,
            "may not run SCAN",
        ),
    ] {
        let (_server, report) = with_user(rules, flush).await;
        assert_eq!(
            refusal(&report),
            Some(Refusal::PermissionDenied),
            "{rules:?}: {}",
            report.message
        );
        assert!(
            report.message.contains(words),
            "{rules:?}: {}",
            report.message
        );
    }
}

#[tokio::test]
async fn commands_that_do_not_exist_there_are_named() {
    let server = RedisServer::start(&[
        "--rename-command",
        "EVALSHA",
        "",
        "--rename-command",
        "CONFIG",
        "",
    ])
    .await
    .unwrap();
    let report = preflight::run(&plan(Flush::RunKeys), &target(&server.url()), "pod").await;
    assert_eq!(refusal(&report), Some(Refusal::PermissionDenied));
    assert!(
        report.message.contains("does not have EVALSHA"),
        "{}",
        report.message
    );
    let server = RedisServer::start(&[
        "--rename-command",
        "CONFIG",
        "",
        "--rename-command",
        "CLIENT",
        "",
        "--rename-command",
        "FLUSHDB",
        "",
    ])
    .await
    .unwrap();
    let report = preflight::run(&plan(Flush::RunKeys), &target(&server.url()), "pod").await;
    assert_eq!(refusal(&report), None, "{}", report.message);
    let report = preflight::run(
        &of_another(&plan(Flush::Database)),
        &target(&server.url()),
        "pod",
    )
    .await;
    assert_eq!(refusal(&report), Some(Refusal::TargetBusy));
    let mut connection = connect(&target(&server.url())).await;
    say(&mut connection, "UNLINK redyno:lock").await;
    drop(connection);
    let report = preflight::run(
        &of_another(&plan(Flush::Database)),
        &target(&server.url()),
        "pod",
    )
    .await;
    assert_eq!(refusal(&report), Some(Refusal::PermissionDenied));
    assert!(
        report.message.contains("does not have FLUSHDB"),
        "{}",
        report.message
    );
}
