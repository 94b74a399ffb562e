//! Ctrl-C, SIGTERM, and what happens when the command or one of its processes is killed.

use redyno_crds::conditions::{STARTED, is_true};

use crate::command::{EASY, MANAGED, Redyno, Running, load_test};

fn running(redyno: &Redyno) -> Running {
    let file = redyno.file(&load_test(MANAGED, 600, EASY));
    let mut command = redyno.command();
    command.args(["run", "-o", "json"]).arg(file);
    Running::start(command)
}

#[test]
fn an_interrupt_drains_and_ends_cancelled() {
    for signal in ["INT", "TERM"] {
        let redyno = Redyno::new();
        let mut running = running(&redyno);
        // The first line of progress after the heading.
        running.await_words("offered /s");
        running.signal(signal);
        let ended = running.ended().expect(2);
        assert_eq!(ended.reason(), "Cancelled");
        let status = ended.load_test().status.unwrap();
        assert_eq!(status.verdict.as_deref(), Some("Errored"));
        assert!(is_true(&status.conditions, STARTED));
        assert!(
            status.dynos.iter().all(|dyno| dyno.report == "Complete"),
            "{:?}",
            status.dynos
        );
        redyno.expect_nothing_left();
    }
}

#[test]
fn an_interrupt_before_the_start_ends_cancelled_too() {
    let redyno = Redyno::new();
    let mut running = running(&redyno);
    running.await_words("Preflight");
    running.signal("INT");
    let ended = running.ended().expect(2);
    assert_eq!(ended.reason(), "Cancelled");
    redyno.expect_nothing_left();
}

#[test]
fn a_second_interrupt_kills() {
    let redyno = Redyno::new();
    let mut running = running(&redyno);
    running.await_words("offered /s");
    running.signal("INT");
    running.await_words("Once more kills");
    running.signal("INT");
    let ended = running.ended().expect(2);
    assert_eq!(ended.reason(), "Cancelled");
    redyno.expect_nothing_left();
}

#[test]
fn nothing_outlives_a_command_that_is_killed() {
    let redyno = Redyno::new();
    let mut running = running(&redyno);
    running.await_words("offered /s");
    assert!(
        redyno.processes().len() >= 4,
        "a guard, a Redis and two dynos: {:?}",
        redyno.processes()
    );
    running.signal("KILL");
    drop(running.ended());
    redyno.await_nothing_left();
}

#[test]
fn a_killed_dyno_errors_the_run_and_ends_the_others() {
    let redyno = Redyno::new();
    let mut running = running(&redyno);
    running.await_words("offered /s");
    redyno.kill("runner dyno");
    let ended = running.ended().expect(2);
    assert_eq!(ended.reason(), "DynoLost");
    let dynos = ended.load_test().status.unwrap().dynos;
    let results: Vec<&str> = dynos.iter().map(|dyno| dyno.result.as_str()).collect();
    assert!(
        results.contains(&"Errored") && results.contains(&"Stopped"),
        "{dynos:?}"
    );
    redyno.expect_nothing_left();
}

#[test]
fn a_killed_redis_fails_the_run() {
    let redyno = Redyno::new();
    let mut running = running(&redyno);
    running.await_words("offered /s");
    redyno.kill("redis-server 127.0.0.1:");
    let ended = running.ended().expect(1);
    assert_eq!(ended.reason(), "TargetLost");
    redyno.expect_nothing_left();
}
