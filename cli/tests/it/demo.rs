//! `redyno demo`.

use crate::command::{Redyno, on_a_quiet_machine};

/// The stalled second is in the response time of more than one percent of the tasks.
#[test]
fn the_stall_shows_in_response_time() {
    let redyno = Redyno::new();
    let ended = on_a_quiet_machine(0, || {
        redyno
            .command()
            .args(["demo", "-o", "json"])
            .output()
            .unwrap()
    });
    let summary = ended.load_test().status.unwrap().summary.unwrap();
    assert_eq!(summary.tasks.scheduled_tasks, 6_000);
    let (response, service) = (summary.response.unwrap(), summary.service.unwrap());
    assert!(response.p99_microseconds >= 200_000, "{response:?}");
    assert!(
        service.p99_microseconds < response.p99_microseconds,
        "{service:?}"
    );
    for words in ["forecast:", "stalled now", "started within", "Next:"] {
        assert!(
            ended.err.contains(words),
            "{words:?} is not in {}",
            ended.err
        );
    }
    redyno.expect_nothing_left();
}

#[test]
fn a_backlog_limit_that_cannot_hold_fails_and_says_why() {
    let redyno = Redyno::new();
    let ended = on_a_quiet_machine(1, || {
        redyno
            .command()
            .args([
                "demo",
                "--max-worker-backlog",
                "5",
                "--duration-seconds",
                "6",
            ])
            .output()
            .unwrap()
    });
    for words in ["FAILED", "worker ", "5 waiting", "Try ", "BREACHED"] {
        assert!(
            ended.out.contains(words),
            "{words:?} is not in\n{}",
            ended.out
        );
    }
    redyno.expect_nothing_left();
}
