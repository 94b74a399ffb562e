//! Several fake dynos, one Redis.

use redyno_contract::plan::{DynoName, Flush, TargetKind};
use redyno_contract::{Plan, message::PreflightResult};
use redyno_target::coordination::{
    Barrier, Claim, Evictions, Leave, Ready, Seat, Surroundings, Watch, claim, evictions, leave,
    look_around, map_clock, mark_ready, poll_barrier, set_stop, watch_stop,
};
use redyno_target::keys::RunKeys;
use redyno_target::{Connection, Target};
use redyno_test_redis::RedisServer;

use crate::run::{connect, inventory, keys, plan, say, target, web};

struct Dyno {
    connection: Connection,
    seat: Seat,
}

impl Dyno {
    async fn new(plan: &Plan, target: &Target, name: DynoName, pod: &str) -> Self {
        Self {
            connection: connect(target).await,
            seat: Seat::new(plan, target, name, pod),
        }
    }

    async fn claim(&mut self) -> Claim {
        claim(&mut self.connection, &self.seat).await.unwrap()
    }

    async fn ready(&mut self) -> Ready {
        mark_ready(&mut self.connection, &self.seat).await.unwrap()
    }

    async fn poll(&mut self) -> Barrier {
        poll_barrier(&mut self.connection, &self.seat)
            .await
            .unwrap()
    }

    async fn watch(&mut self) -> Watch {
        watch_stop(&mut self.connection, &self.seat).await.unwrap()
    }

    async fn leave(&mut self) -> Leave {
        leave(&mut self.connection, &self.seat).await.unwrap()
    }
}

/// The dynos web.1, web.2 and clock.1, after a preflight.
async fn dynos(plan: &Plan, target: &Target) -> Vec<Dyno> {
    let report = redyno_target::preflight::run(plan, target, "preflight-pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    let mut dynos = Vec::new();
    for name in plan.dynos() {
        let pod = format!("pod-of-{name}");
        dynos.push(Dyno::new(plan, target, name, &pod).await);
    }
    dynos
}

async fn lifetimes(connection: &mut Connection) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    for key in keys(connection).await {
        let value = say(connection, &format!("TTL {key}")).await;
        found.push((key, redis::from_redis_value(value).unwrap()));
    }
    found
}

/// What is left to the finish.
fn lock_and_inventory(plan: &Plan) -> [String; 3] {
    let [runs, data] = inventory(plan);
    ["redyno:lock".to_owned(), runs, data]
}

#[tokio::test]
async fn a_run_from_its_claims_to_its_last_dyno() {
    // A database of its own, so that the lock lies elsewhere.
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&format!("{}/5", server.url()));
    let plan = plan(Flush::RunKeys);
    let mut dynos = dynos(&plan, &target).await;

    for dyno in &mut dynos {
        assert_eq!(
            dyno.poll().await,
            Barrier::Waiting {
                ready: 0,
                planned: 3
            }
        );
        assert_eq!(dyno.claim().await, Claim::Claimed);
        assert_eq!(dyno.watch().await, Watch::Quiet);
    }
    assert_eq!(dynos[0].ready().await, Ready::Marked);
    assert_eq!(dynos[1].ready().await, Ready::Marked);
    assert_eq!(dynos[1].ready().await, Ready::Marked);
    assert_eq!(
        dynos[0].poll().await,
        Barrier::Waiting {
            ready: 2,
            planned: 3
        }
    );
    for (key, seconds) in lifetimes(&mut dynos[0].connection).await {
        if inventory(&plan).contains(&key) {
            // As long as the data, which does not expire.
            assert_eq!(seconds, -1, "{key}");
            continue;
        }
        assert!(
            (30..=90).contains(&seconds),
            "{key} lives {seconds} s before the start"
        );
    }

    assert_eq!(dynos[2].ready().await, Ready::Marked);
    let clock = map_clock(&mut dynos[0].connection, 5).await.unwrap();
    let before = clock.redis_microseconds_at(tokio::time::Instant::now());
    let Barrier::Start { at_microseconds } = dynos[1].poll().await else {
        panic!("all are ready");
    };
    let after = clock.redis_microseconds_at(tokio::time::Instant::now());
    // The clock may be slewed by up to 500 us per second, and the poll takes far less than that.
    let error = clock.error_microseconds() + 500;
    assert!(at_microseconds >= before + 3_000_000 - error);
    assert!(at_microseconds <= after + 3_000_000 + error);
    for dyno in &mut dynos {
        assert_eq!(dyno.poll().await, Barrier::Start { at_microseconds });
    }
    let mut elsewhere = connect(&crate::run::target(&server.url())).await;
    assert_eq!(keys(&mut elsewhere).await, ["redyno:lock"]);
    let mut living = lifetimes(&mut dynos[0].connection).await;
    living.extend(lifetimes(&mut elsewhere).await);
    let beside_the_data = living.extract_if(.., |(key, _)| inventory(&plan).contains(key));
    assert!(beside_the_data.map(|(_, seconds)| seconds).eq([-1, -1]));
    assert_eq!(living.len(), 7, "{living:?}");
    for (key, seconds) in living {
        // 3 + 2 + 10 + 5 + 3600
        assert!(
            (3560..=3620).contains(&seconds),
            "{key} lives {seconds} s after the start"
        );
    }

    let mut late = Dyno::new(&plan, &target, web(1), "pod-too-late").await;
    assert_eq!(late.claim().await, Claim::HeldBy("pod-of-web.2".to_owned()));
    assert_eq!(late.ready().await, Ready::HeldBy("pod-of-web.2".to_owned()));
    assert_eq!(late.poll().await, Barrier::TooLate);

    assert_eq!(dynos[0].leave().await, Leave::Left);
    assert_eq!(late.leave().await, Leave::Left);
    // Its dyno is free again, but the run has begun without it.
    let mut successor = Dyno::new(&plan, &target, web(0), "pod-after").await;
    assert_eq!(successor.claim().await, Claim::Claimed);
    assert_eq!(successor.ready().await, Ready::TooLate);
    assert_eq!(successor.poll().await, Barrier::TooLate);
    assert_eq!(successor.leave().await, Leave::Left);

    assert_eq!(dynos[1].leave().await, Leave::Left);
    assert_eq!(dynos[2].leave().await, Leave::Last);
    assert_eq!(keys(&mut dynos[0].connection).await, inventory(&plan));
    // The finish is still to remove the run's data; if it never comes, the lock goes by itself.
    let [(lock, seconds)] = &lifetimes(&mut elsewhere).await[..] else {
        panic!("only the lock is left");
    };
    assert_eq!(lock, "redyno:lock");
    assert!((60..=120).contains(seconds), "the lock lives {seconds} s");
    assert_eq!(dynos[0].poll().await, Barrier::PhaseGone);
    assert_eq!(dynos[0].watch().await, Watch::PhaseGone);
    assert_eq!(dynos[0].claim().await, Claim::PhaseGone);
    assert_eq!(dynos[0].ready().await, Ready::PhaseGone);
}

#[tokio::test]
async fn of_many_pods_one_gets_the_dyno() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    dynos(&plan, &target).await;
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..20 {
        let mut dyno = Dyno::new(&plan, &target, web(0), &format!("pod-{number}")).await;
        racing.spawn(async move { (number, dyno.claim().await) });
    }
    let results = racing.join_all().await;
    let winners: Vec<_> = results
        .iter()
        .filter(|(_, claim)| *claim == Claim::Claimed)
        .collect();
    let [(winner, _)] = winners[..] else {
        panic!("one winner: {results:?}");
    };
    let holder = Claim::HeldBy(format!("pod-{winner}"));
    assert_eq!(
        results.iter().filter(|(_, claim)| *claim == holder).count(),
        19
    );
    // Whoever lost an answer may ask again.
    let mut again = Dyno::new(&plan, &target, web(0), &format!("pod-{winner}")).await;
    assert_eq!(again.claim().await, Claim::Claimed);
}

#[tokio::test]
async fn all_dynos_that_ask_at_once_get_the_same_start() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut plan = plan(Flush::RunKeys);
    plan.formation[0].quantity = 30;
    plan.target.connections = 100;
    let mut racing = tokio::task::JoinSet::new();
    for mut dyno in dynos(&plan, &target).await {
        racing.spawn(async move {
            assert_eq!(dyno.claim().await, Claim::Claimed);
            assert_eq!(dyno.ready().await, Ready::Marked);
            loop {
                match dyno.poll().await {
                    Barrier::Start { at_microseconds } => break at_microseconds,
                    Barrier::Waiting { planned: 31, .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    let starts = racing.join_all().await;
    assert_eq!(starts.len(), 31);
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
}

#[tokio::test]
async fn a_stop_is_seen_by_all_and_the_first_reason_stays() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let mut dynos = dynos(&plan, &target).await;
    let [first, second, third] = &mut dynos[..] else {
        panic!("three dynos");
    };
    first.claim().await;
    first.ready().await;
    set_stop(&mut first.connection, &first.seat, "backlog limit")
        .await
        .unwrap();
    set_stop(&mut second.connection, &second.seat, "something else")
        .await
        .unwrap();
    let stopped = "web.1: backlog limit".to_owned();
    assert_eq!(third.watch().await, Watch::Stopped(stopped.clone()));
    assert_eq!(third.poll().await, Barrier::Stopped(stopped));
    // The run has not started: whoever is still on the way is to learn why it will not.
    assert_eq!(first.leave().await, Leave::Left);
    assert_eq!(third.claim().await, Claim::Claimed);
}

#[tokio::test]
async fn a_full_redis_can_be_told_to_stop_and_left() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"])
        .await
        .unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let mut dynos = dynos(&plan, &target).await;
    for dyno in &mut dynos {
        dyno.claim().await;
        dyno.ready().await;
    }
    for dyno in &mut dynos {
        assert!(matches!(dyno.poll().await, Barrier::Start { .. }));
    }
    say(&mut dynos[0].connection, "CONFIG SET maxmemory 1").await;
    let refused = dynos[0]
        .connection
        .send(redis::cmd("SET").arg("more").arg(1))
        .await;
    assert_eq!(refused.unwrap_err().code(), Some("OOM"));
    assert!(matches!(dynos[1].poll().await, Barrier::Start { .. }));
    let Dyno { connection, seat } = &mut dynos[0];
    set_stop(connection, seat, "error limit").await.unwrap();
    assert!(matches!(dynos[1].watch().await, Watch::Stopped(_)));
    assert_eq!(dynos[0].leave().await, Leave::Left);
    assert_eq!(dynos[1].leave().await, Leave::Left);
    assert_eq!(dynos[2].leave().await, Leave::Last);
    assert_eq!(
        keys(&mut dynos[0].connection).await,
        lock_and_inventory(&plan)
    );
}

#[tokio::test]
async fn where_the_finish_removes_no_data_the_last_dyno_frees_the_target() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&format!("{}/5", server.url()));
    let mut elsewhere = connect(&crate::run::target(&server.url())).await;
    for kind in [
        TargetKind::Managed,
        TargetKind::Existing { flush: Flush::None },
    ] {
        let mut plan = plan(Flush::None);
        plan.target.kind = kind;
        let mut dynos = dynos(&plan, &target).await;
        for dyno in &mut dynos {
            dyno.claim().await;
            dyno.ready().await;
        }
        assert!(matches!(dynos[0].poll().await, Barrier::Start { .. }));
        assert_eq!(keys(&mut elsewhere).await, ["redyno:lock"]);
        for dyno in &mut dynos {
            dyno.leave().await;
        }
        assert_eq!(keys(&mut elsewhere).await, [""; 0], "{kind:?}");
    }
}

#[tokio::test]
async fn without_the_list_of_those_that_are_ready_nobody_is_the_last() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let mut dynos = dynos(&plan, &target).await;
    for dyno in &mut dynos {
        dyno.claim().await;
        dyno.ready().await;
    }
    assert!(matches!(dynos[0].poll().await, Barrier::Start { .. }));
    let keys = RunKeys::new(&plan.run.uid);
    // As a target does that evicts keys that expire.
    say(
        &mut dynos[0].connection,
        &format!("UNLINK {}", keys.ready()),
    )
    .await;
    assert_eq!(dynos[0].leave().await, Leave::Left);
    assert_eq!(dynos[1].watch().await, Watch::Quiet, "the phase is there");
    assert_eq!(dynos[1].leave().await, Leave::Left);
    // Nor is who leaves twice.
    assert_eq!(dynos[1].leave().await, Leave::Left);
}

#[tokio::test]
async fn the_lock_is_set_again_as_long_as_the_phase_is_there() {
    let server = RedisServer::start(&[]).await.unwrap();
    for database in [0, 5] {
        let target = target(&format!("{}/{database}", server.url()));
        let plan = plan(Flush::RunKeys);
        let mut dynos = dynos(&plan, &target).await;
        let mut elsewhere = connect(&crate::run::target(&server.url())).await;
        let Dyno { connection, seat } = &mut dynos[0];
        for lock in ["UNLINK redyno:lock", "PING"] {
            say(&mut elsewhere, lock).await;
            let seen = look_around(connection, seat, None).await.unwrap();
            let fine = Surroundings {
                lock_taken_by: None,
                evicted_keys: None,
            };
            assert_eq!(seen, fine);
            let lifetime: i64 =
                redis::from_redis_value(say(&mut elsewhere, "TTL redyno:lock").await).unwrap();
            assert!((30..=90).contains(&lifetime), "{lifetime}");
        }
        say(&mut elsewhere, "SET redyno:lock team/another\tuid").await;
        let seen = look_around(connection, seat, None).await.unwrap();
        assert_eq!(seen.lock_taken_by.as_deref(), Some("team/another uid"));
        // Whose phase is gone has nothing to hold.
        say(&mut elsewhere, "FLUSHALL").await;
        look_around(connection, seat, None).await.unwrap();
        assert_eq!(keys(&mut elsewhere).await, [""; 0]);
    }
}

#[tokio::test]
async fn evictions_are_seen_from_the_preflight_on() {
    let server = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    let target = target(&server.url());
    let mut plan = plan(Flush::RunKeys);
    let mut connection = connect(&target).await;
    say(&mut connection, "SET somebody's data").await;
    say(&mut connection, "CONFIG SET maxmemory 100mb").await;
    let dynos = dynos(&plan, &target).await;
    let seat = &dynos[0].seat;
    let mut since = evictions(&mut connection, seat).await.unwrap().unwrap();
    let mut seen = async |since: &mut Evictions| {
        let seen = look_around(&mut connection, seat, Some(since)).await;
        seen.unwrap().evicted_keys.unwrap()
    };
    assert_eq!(seen(&mut since).await, 0);
    let mut other = connect(&target).await;
    say(&mut other, "CONFIG SET maxmemory 1").await;
    // It evicts in its own time.
    while seen(&mut since).await == 0 {
        tokio::task::yield_now().await;
    }
    // Where everything may go, nobody looks.
    say(&mut other, "CONFIG SET maxmemory 100mb").await;
    say(&mut other, "FLUSHALL").await;
    plan.run.uid = crate::run::OTHER_UID.to_owned();
    let dynos = self::dynos(&plan, &target).await;
    let none = evictions(&mut other, &dynos[0].seat).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn the_last_dyno_leaves_the_lock_of_another_run_alone() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = plan(Flush::RunKeys);
    let mut dynos = dynos(&plan, &target).await;
    for dyno in &mut dynos {
        dyno.claim().await;
        dyno.ready().await;
    }
    assert!(matches!(dynos[0].poll().await, Barrier::Start { .. }));
    say(&mut dynos[0].connection, "SET redyno:lock team/another").await;
    for dyno in &mut dynos {
        dyno.leave().await;
    }
    assert_eq!(
        keys(&mut dynos[0].connection).await,
        lock_and_inventory(&plan)
    );
}

#[tokio::test]
async fn two_mappings_of_one_clock_agree_within_their_errors() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let (mut one, mut other) = (connect(&target).await, connect(&target).await);
    let left = map_clock(&mut one, 8).await.unwrap();
    let right = map_clock(&mut other, 8).await.unwrap();
    let allowed = left.error_microseconds() + right.error_microseconds();
    // The machine's own clock may be slewed by up to 500 us per second meanwhile.
    assert!(
        left.drift_microseconds(&right) <= allowed + 500,
        "{left:?} {right:?}"
    );
}
