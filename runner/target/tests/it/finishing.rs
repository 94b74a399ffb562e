//! A run leaves nothing behind.

use redyno_contract::Plan;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::plan::{Flush, TargetKind};
use redyno_target::coordination::{
    Barrier, Leave, Seat, Watch, claim, leave, mark_ready, poll_barrier, watch_stop,
};
use redyno_target::keys::{BuildingKeys, flat_id};
use redyno_target::{Connection, finish, preflight};
use redyno_test_redis::RedisServer;

use crate::run::{connect, keys, of_another, plan, say, target, web};

/// What workers write: 5 buildings of 3 flats each, 25 keys.
async fn write_data(connection: &mut Connection, plan: &Plan) {
    for dyno in plan.dynos() {
        for worker in 0..plan.dyno_type(&dyno.dyno_type).unwrap().workers {
            let building = BuildingKeys::new(&plan.run.uid, &dyno, worker);
            say(connection, &format!("SET {} x", building.root())).await;
            for position in 0..3 {
                let flat = flat_id(plan.seed, &dyno, worker, position);
                say(connection, &format!("HSET {} {flat} x", building.flats())).await;
                say(connection, &format!("RPUSH {} x", building.mail(&flat))).await;
            }
        }
    }
}

#[tokio::test]
async fn everything_of_the_run_goes_and_nothing_else() {
    let server = RedisServer::start(&[]).await.unwrap();
    for (kind, data_stays) in [
        (
            TargetKind::Existing {
                flush: Flush::RunKeys,
            },
            false,
        ),
        (TargetKind::Existing { flush: Flush::None }, true),
        (
            TargetKind::Existing {
                flush: Flush::Database,
            },
            true,
        ),
        (TargetKind::Managed, true),
    ] {
        let target = target(&format!("{}/7", server.url()));
        let mut plan = plan(Flush::RunKeys);
        let mut connection = connect(&target).await;
        say(&mut connection, "FLUSHALL").await;
        let report = preflight::run(&plan, &target, "pod").await;
        assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
        write_data(&mut connection, &plan).await;
        write_data(&mut connection, &of_another(&plan)).await;
        say(&mut connection, "SET somebody's data").await;
        // Somebody's key, the phase, and the two that are kept beside the data; the lock is elsewhere.
        assert_eq!(keys(&mut connection).await.len(), 25 + 25 + 1 + 1 + 2);

        plan.target.kind = kind;
        let report = finish::run(&plan, &target).await;
        assert!(report.complete, "{}", report.message);
        // Phase, stop, lock, and the two beside the data; the dynos never came.
        let data = if data_stays { 0 } else { 25 };
        assert_eq!(report.removed_keys, data + 5, "{}", report.message);
        assert_eq!(report.left_keys, Some(25 - data), "{}", report.message);
        assert!(
            report.message.contains("lock released"),
            "{}",
            report.message
        );
        let left = keys(&mut connection).await;
        assert_eq!(left.len() as u64, 25 + 25 + 1 - data, "{left:?}");
        assert!(
            !left.iter().any(|key| key.starts_with("redyno:")),
            "{left:?}"
        );
        say(&mut connection, "SELECT 0").await;
        assert_eq!(keys(&mut connection).await, [""; 0]);
    }
}

#[tokio::test]
async fn dynos_are_told_to_stop_and_waited_for() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    preflight::run(&plan, &target, "pod").await;
    let mut connection = connect(&target).await;
    let seat = Seat::new(&plan, &target, web(0), "pod-1");
    claim(&mut connection, &seat).await.unwrap();
    mark_ready(&mut connection, &seat).await.unwrap();
    let dyno = tokio::spawn(async move {
        while watch_stop(&mut connection, &seat).await.unwrap() == Watch::Quiet {
            tokio::task::yield_now().await;
        }
        let data = say(&mut connection, "SET test:building:0d3b9c1e:web.1:0 late").await;
        assert_eq!(data, redis::Value::Okay);
        leave(&mut connection, &seat).await.unwrap();
        connection
    });
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    assert!(
        !report.message.contains("had not left"),
        "{}",
        report.message
    );
    let mut connection = dyno.await.unwrap();
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

#[tokio::test]
async fn a_dyno_that_died_is_not_waited_for_for_ever() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    preflight::run(&plan, &target, "pod").await;
    let mut connection = connect(&target).await;
    let seat = Seat::new(&plan, &target, web(0), "pod-1");
    claim(&mut connection, &seat).await.unwrap();
    mark_ready(&mut connection, &seat).await.unwrap();
    // The lock would not last as long as the finish waits for that dyno.
    say(&mut connection, "PEXPIRE redyno:lock 3000").await;
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    for words in ["1 dyno had not left", "lock released"] {
        assert!(report.message.contains(words), "{}", report.message);
    }
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

#[tokio::test]
async fn the_next_run_is_let_in_when_the_last_ones_data_is_gone() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let next = of_another(&plan);
    preflight::run(&plan, &target, "pod").await;
    let mut connection = connect(&target).await;
    let mut seats = Vec::new();
    for dyno in plan.dynos() {
        let seat = Seat::new(&plan, &target, dyno.clone(), &format!("pod-of-{dyno}"));
        claim(&mut connection, &seat).await.unwrap();
        mark_ready(&mut connection, &seat).await.unwrap();
        seats.push(seat);
    }
    let started = poll_barrier(&mut connection, &seats[0]).await.unwrap();
    assert!(matches!(started, Barrier::Start { .. }), "{started:?}");
    write_data(&mut connection, &plan).await;
    let mut last = Leave::Left;
    for seat in &seats {
        last = leave(&mut connection, seat).await.unwrap();
    }
    assert_eq!(last, Leave::Last);

    let report = preflight::run(&next, &target, "next").await;
    assert_eq!(
        report.result,
        PreflightResult::Refused {
            reason: Refusal::TargetBusy
        },
        "{}",
        report.message
    );
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    assert_eq!(keys(&mut connection).await, [""; 0]);
    let report = preflight::run(&next, &target, "next").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
}

#[tokio::test]
async fn the_lock_of_another_run_is_left_alone() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let another = of_another(&plan);
    let report = preflight::run(&another, &target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    let mut connection = connect(&target).await;
    let before = keys(&mut connection).await;
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    assert!(
        report.message.contains("held by another run"),
        "{}",
        report.message
    );
    assert_eq!(keys(&mut connection).await, before);
    // And twice is as good as once.
    let report = finish::run(&another, &target).await;
    assert!(report.complete);
    let report = finish::run(&another, &target).await;
    assert!(report.complete);
    assert!(report.message.contains("lock free"), "{}", report.message);
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

#[tokio::test]
async fn a_target_that_is_full_is_cleaned() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    preflight::run(&plan, &target, "pod").await;
    let mut connection = connect(&target).await;
    write_data(&mut connection, &plan).await;
    say(&mut connection, "CONFIG SET maxmemory 1").await;
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

#[tokio::test]
async fn a_target_that_is_gone_is_said_to_be() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    server.kill().unwrap();
    let report = finish::run(&plan(Flush::RunKeys), &target(&server.url())).await;
    assert!(!report.complete);
    assert_eq!(report.removed_keys, 0);
    assert!(
        report.message.contains("connection refused"),
        "{}",
        report.message
    );
}
