//! Runs on a redis-server that the command starts itself.

use std::path::PathBuf;

use redyno_test_redis::Software;

use crate::command::{EASY, Ended, MANAGED, MANAGED_VALKEY, Redyno, load_test, on_a_quiet_machine};

#[test]
fn an_easy_load_passes_and_prints_the_tables() {
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(MANAGED, 3, EASY));
    let ended = on_a_quiet_machine(0, || {
        redyno.command().arg("run").arg(&file).output().unwrap()
    });
    for words in [
        "small   PASSED",
        "ASKED   2 x web, standard-1x",
        "not enforced",
        "TARGET  managed premium-0: Redis ",
        "NOT SIMULATED",
        "LIMIT",
        "TRUST",
        "reports 2/2",
        "LATENCY ms",
        "    fetch",
        "TIMELINE",
        "BUSIEST WORKERS",
        "DYNO",
        "REDIS",
    ] {
        assert!(
            ended.out.contains(words),
            "{words:?} is not in\n{}",
            ended.out
        );
    }
    // 2 dynos, 20 tasks a second each, 3 seconds.
    let scheduled = ended.out.lines().find(|line| line.starts_with("scheduled"));
    let numbers: Vec<&str> = scheduled
        .unwrap()
        .split_whitespace()
        .skip(1)
        .take(3)
        .collect();
    assert_eq!(numbers, ["60", "60", "120"]);
    assert!(!ended.out.contains('\x1b'), "colours without a terminal");
    assert!(ended.err.contains("2 of 2 dynos ready"), "{}", ended.err);
    assert!(ended.err.contains("offered /s"), "{}", ended.err);
    redyno.expect_nothing_left();
}

#[test]
fn a_backlog_that_grows_fails_and_is_printed_as_the_api_server_would_hold_it() {
    let redyno = Redyno::new();
    // One worker cannot carry it: every task takes four round trips.
    let file = redyno.file(&load_test(
        MANAGED,
        20,
        "    workers: 1\n    tasksPerSecond: 50000\n    maxWorkerBacklog: 20\n",
    ));
    let ended = on_a_quiet_machine(1, || {
        redyno
            .command()
            .args(["run", "-o", "json"])
            .arg(&file)
            .output()
            .unwrap()
    });
    let load_test = ended.load_test();
    let status = load_test.status.as_ref().unwrap();
    assert_eq!(status.verdict.as_deref(), Some("Failed"));
    assert_eq!(status.state.as_deref(), Some("Finished"));
    assert!(
        ended.reason().starts_with("BacklogLimitReached"),
        "{}",
        ended.reason()
    );
    let dyno = &status.dynos[0];
    assert_eq!(dyno.result, "Failed");
    assert_eq!(dyno.report, "Complete");
    assert_eq!(
        (dyno.failed_worker, dyno.failed_worker_backlog),
        (Some(0), Some(20))
    );
    let tasks = &dyno.tasks;
    assert_eq!(
        tasks.scheduled_tasks,
        tasks.delivered_tasks + tasks.rejected_tasks + tasks.undispatched_tasks
    );
    assert_eq!(
        tasks.delivered_tasks,
        tasks.completed_tasks + tasks.failed_tasks + tasks.abandoned_tasks
    );
    assert!(load_test.metadata.uid.is_some() && load_test.metadata.creation_timestamp.is_some());
    redyno.expect_nothing_left();
}

#[test]
fn without_the_server_it_says_what_to_install() {
    let redyno = Redyno::new();
    for (target, words) in [
        (
            MANAGED,
            ["redis-server is not", "apt-get install redis-server"],
        ),
        (
            MANAGED_VALKEY,
            ["valkey-server is not", "apt-get install valkey-server"],
        ),
    ] {
        let file = redyno.file(&load_test(target, 3, EASY));
        let ended = Ended::of(
            redyno
                .command()
                .args(["run", "-o", "json"])
                .arg(file)
                .env("PATH", "/nowhere")
                .output()
                .unwrap(),
        )
        .expect(2);
        assert_eq!(ended.reason(), "ManagedRedisNotReady");
        let message = ended.load_test().status.unwrap().message.unwrap();
        for words in words {
            assert!(message.contains(words), "{words:?} is not in {message}");
        }
        redyno.expect_nothing_left();
    }
}

/// In PATH is a valkey-server, and no redis-server that could stand in for it.
#[test]
fn a_valkey_is_started_where_it_is_asked_for_and_called_by_its_name() {
    let redyno = Redyno::new();
    let program = PathBuf::from(Software::Valkey81.program());
    let path = program.parent().unwrap();
    assert!(program.ends_with("valkey-server"));
    assert!(!path.join("redis-server").exists());
    let file = redyno.file(&load_test(MANAGED_VALKEY, 3, EASY));
    let run = |format: &str| {
        redyno
            .command()
            .args(["run", "-o", format])
            .arg(&file)
            .env("PATH", path)
            .output()
            .unwrap()
    };
    let ended = on_a_quiet_machine(0, || run("json"));
    let status = ended.load_test().status.unwrap();
    let target = status.target.unwrap();
    assert_eq!(target.server.as_deref(), Some("Valkey"));
    let version = target.version.unwrap();
    assert!(version.starts_with("8.1."), "{version}");
    let summary = status.summary.unwrap();
    assert_eq!(
        summary.target.as_deref(),
        Some("managed premium-0 (Valkey)")
    );
    // The tables say it whatever the verdict is.
    let tables = Ended::of(run("table")).out;
    let line = "TARGET  managed premium-0 (Valkey): Valkey 8.1.";
    assert!(tables.contains(line), "{line:?} is not in\n{tables}");
    redyno.expect_nothing_left();
}

/// Every run, whatever its verdict, can be printed as a page and as a test suite.
#[test]
fn a_run_that_cannot_begin_is_reported_in_every_format() {
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(MANAGED, 3, EASY));
    for (format, words) in [
        (
            "html",
            [
                "<title>small Errored - redyno</title>",
                "install redis-server",
            ],
        ),
        ("junit", ["errors=\"1\"", "<error type=\"Errored\""]),
    ] {
        let ended = Ended::of(
            redyno
                .command()
                .args(["run", "-o", format])
                .arg(&file)
                .env("PATH", "/nowhere")
                .output()
                .unwrap(),
        )
        .expect(2);
        for words in words {
            assert!(
                ended.out.contains(words),
                "{words:?} is not in\n{}",
                ended.out
            );
        }
    }
    redyno.expect_nothing_left();
}

#[test]
fn a_run_is_a_test_suite() {
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(MANAGED, 2, EASY));
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .args(["run", "-o", "junit"])
            .arg(&file)
            .output()
            .unwrap()
    });
    for words in [
        "<testsuites name=\"redyno\"",
        "<testsuite name=\"small\"",
        "failures=\"0\" errors=\"0\"",
        "<property name=\"verdict\" value=\"Passed\"/>",
        "<testcase name=\"threshold errors\" classname=\"redyno.local.small\"",
        "<testcase name=\"verdict\"",
        "NOT SIMULATED",
    ] {
        assert!(
            ended.out.contains(words),
            "{words:?} is not in\n{}",
            ended.out
        );
    }
    redyno.expect_nothing_left();
}

#[test]
fn a_changed_file_runs_as_changed() {
    let redyno = Redyno::new();
    let file = redyno.file(&load_test(MANAGED, 3000, EASY));
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .args([
                "run",
                "-o",
                "yaml",
                "--duration-seconds",
                "2",
                "--load-percent",
                "50",
            ])
            .arg(&file)
            .output()
            .unwrap()
    });
    assert!(ended.out.contains("durationSeconds: 2\n"), "{}", ended.out);
    assert!(ended.out.contains("verdict: Passed"), "{}", ended.out);
    // 2 dynos, 10 tasks a second each, 2 seconds.
    assert!(ended.out.contains("scheduledTasks: 40\n"), "{}", ended.out);
}
