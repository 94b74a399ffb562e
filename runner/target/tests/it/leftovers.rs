//! What a run left that was killed is removed by whoever comes next.

use std::time::Duration;

use redyno_contract::Plan;
use redyno_contract::message::PreflightResult;
use redyno_contract::plan::{
    Commands, Distribution, Expectation, Flush, Keyspace, MixedCommand, Prefill, Workload,
};
use redyno_target::keys::{RUNS, RunKeys};
use redyno_target::leftovers::{CleanedRun, Holder, clean, end, holder};
use redyno_target::{ConnectOptions, Connection, Inventory, Target, finish, preflight};
use redyno_test_redis::RedisServer;

use crate::run::{connect, inventory, keys, of_another, plan, say, target};

const PATIENCE: Duration = Duration::from_secs(30);

/// A keyspace of ten, as strings with a prefix and as hashes with another.
fn mix(mut plan: Plan) -> Plan {
    let entry = |name: &str, line: &str| MixedCommand {
        name: name.to_owned(),
        weight: 1,
        command: line.split(' ').map(str::to_owned).collect(),
        expect: Expectation::Any,
    };
    plan.formation[0].workload = Workload::Commands(Commands {
        keyspace: Keyspace {
            prefix: "app:".to_owned(),
            keys: 10,
            distribution: Distribution::Uniform,
        },
        value_bytes: 10,
        prefill: Prefill::Empty,
        mix: vec![
            entry("set", "SET cache:{key} {value}"),
            entry("get", "GET cache:{key}"),
            entry("hset", "HSET {{key}}:hash field {value}"),
        ],
    });
    plan
}

/// A run that wrote all that it can write, and was killed with all that belonged to it.
async fn killed(connection: &mut Connection, plan: &Plan, target: &Target) {
    let report = preflight::run(plan, target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    for key in Inventory::of(plan).keys() {
        say(connection, &format!("SET {key} x")).await;
    }
    say(connection, "UNLINK redyno:lock").await;
}

#[tokio::test]
async fn the_next_preflight_removes_what_a_killed_run_left() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = mix(plan(Flush::RunKeys));
    let mut connection = connect(&target).await;
    killed(&mut connection, &plan, &target).await;
    for name in ["cache:app:0d3b9c1e:web:7", "{app:0d3b9c1e:web:7}:hash"] {
        assert!(
            keys(&mut connection).await.contains(&name.to_owned()),
            "{name}"
        );
    }
    say(&mut connection, "SET cache:app:somebody's data").await;

    let next = of_another(&plan);
    let report = preflight::run(&next, &target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    // Twenty of the mix, five of the clock's building.
    assert!(
        report
            .message
            .contains("removed 25 data keys that the run default/small had left"),
        "{}",
        report.message
    );
    let [runs, data] = inventory(&next);
    let phase = RunKeys::new(&next.run.uid).phase();
    assert_eq!(
        keys(&mut connection).await,
        [
            "cache:app:somebody's".to_owned(),
            "redyno:lock".to_owned(),
            runs,
            data,
            phase
        ]
    );
    assert_eq!(
        report.target.unwrap().keys,
        Some(1),
        "as it is without them"
    );
}

#[tokio::test]
async fn so_does_a_clean_and_so_does_a_finish_and_none_of_them_touches_a_run_under_way() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&format!("{}/3", server.url()));
    let plan = mix(plan(Flush::RunKeys));
    let mut connection = connect(&target).await;
    let mut elsewhere = connect(&crate::run::target(&server.url())).await;
    killed(&mut connection, &plan, &target).await;
    say(&mut elsewhere, "UNLINK redyno:lock").await;
    let another = of_another(&plan);
    // Entered without the cleaning of its preflight, as if both had begun at once.
    let kept = keys(&mut connection).await;
    for key in &kept {
        say(&mut connection, &format!("COPY {key} copy-of-{key}")).await;
    }
    let report = preflight::run(&another, &target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    for key in &kept {
        if key != RUNS {
            say(&mut connection, &format!("RENAME copy-of-{key} {key}")).await;
        }
    }
    say(&mut connection, &format!("UNLINK copy-of-{RUNS}")).await;
    let uid = &plan.run.uid;
    say(&mut connection, &format!("HSET {RUNS} {uid} default/small")).await;
    let all = keys(&mut connection).await.len();

    let cleaned = clean(&target, PATIENCE).await.unwrap();
    assert_eq!(cleaned.under_way.as_deref(), Some("team/another"));
    assert_eq!(cleaned.incomplete, None);
    assert_eq!(
        cleaned.runs,
        [CleanedRun {
            name: "default/small".to_owned(),
            uid: uid.clone(),
            removed_keys: 25,
            problem: None,
        }]
    );
    // Its data, its inventory and its phase; the list of runs has another one in it.
    assert_eq!(keys(&mut connection).await.len(), all - 25 - 2);
    let again = clean(&target, PATIENCE).await.unwrap();
    assert_eq!(again.sentence(), None);

    // The finish removes its own, and what is left of others.
    say(&mut connection, &format!("HSET {RUNS} {uid} default/small")).await;
    let json = Inventory::of(&plan).to_json();
    let record = redis::cmd("SET")
        .arg(RunKeys::new(uid).data())
        .arg(json)
        .to_owned();
    connection.send(&record).await.unwrap();
    say(&mut connection, "SET cache:app:0d3b9c1e:web:3 x").await;
    let report = finish::run(&another, &target).await;
    assert!(
        report
            .message
            .contains("removed 1 data keys that the run default/small had left"),
        "{}",
        report.message
    );
    assert_eq!(keys(&mut connection).await, [""; 0]);
}

#[tokio::test]
async fn a_clean_finds_runs_whose_names_are_lost() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let plan = mix(plan(Flush::RunKeys));
    let mut connection = connect(&target).await;
    killed(&mut connection, &plan, &target).await;
    say(&mut connection, &format!("UNLINK {RUNS}")).await;
    for number in 0..3000 {
        say(&mut connection, &format!("SET somebody's:{number} x")).await;
    }
    let cleaned = clean(&target, PATIENCE).await.unwrap();
    assert_eq!(cleaned.removed_keys(), 25, "{cleaned:?}");
    assert_eq!(keys(&mut connection).await.len(), 3000);
}

#[tokio::test]
async fn what_cannot_be_removed_is_said_and_kept_for_the_next() {
    let server = RedisServer::start(&[
        "--user",
        "small",
        "on",
        ">pw",
        "+@all",
        "~redyno:*",
        "~test:building:*",
    ])
    .await
    .unwrap();
    let all = target(&server.url());
    let plan = mix(plan(Flush::RunKeys));
    let mut connection = connect(&all).await;
    killed(&mut connection, &plan, &all).await;
    let before = keys(&mut connection).await;
    let small = target(&format!("redis://small:pw@127.0.0.1:{}", server.port()));
    let cleaned = clean(&small, PATIENCE).await.unwrap();
    let problem = cleaned.runs[0].problem.clone().unwrap();
    assert!(problem.contains("NOPERM"), "{problem}");
    assert!(!problem.contains("Index"), "{problem}");
    assert_eq!(keys(&mut connection).await, before);
}

#[tokio::test]
async fn what_somebody_else_wrote_there_is_let_be() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    let mut connection = connect(&target).await;
    let uid = "77777777-0000-4000-8000-000000000000";
    let data = RunKeys::new(uid).data();
    say(&mut connection, &format!("SET {data} rubbish")).await;
    say(&mut connection, &format!("HSET {RUNS} {uid} \u{1b}[2J")).await;
    // Its inventory is gone: there is nothing to remember.
    say(&mut connection, &format!("HSET {RUNS} gone-gone team/gone")).await;
    let cleaned = clean(&target, PATIENCE).await.unwrap();
    assert_eq!(cleaned.runs.len(), 1, "{cleaned:?}");
    let problem = cleaned.runs[0].problem.as_deref().unwrap();
    assert!(problem.contains("inventory cannot be used"), "{problem}");
    assert!(!format!("{cleaned:?}").contains('\u{1b}'));
    let kept = [RUNS.to_owned(), data];
    assert_eq!(keys(&mut connection).await, kept);
    // Nor does it keep a run from beginning and ending.
    let plan = plan(Flush::RunKeys);
    let report = preflight::run(&plan, &target, "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
    let report = finish::run(&plan, &target).await;
    assert!(report.complete, "{}", report.message);
    assert_eq!(keys(&mut connection).await, kept);
    say(&mut connection, &format!("SET {RUNS} rubbish")).await;
    assert!(clean(&target, PATIENCE).await.is_err());
}

#[tokio::test]
async fn where_data_may_stay_nothing_is_kept_of_it() {
    let server = RedisServer::start(&[]).await.unwrap();
    let target = target(&server.url());
    for flush in [Flush::None, Flush::Database] {
        let mut connection = connect(&target).await;
        say(&mut connection, "FLUSHALL").await;
        drop(connection);
        let plan = plan(flush);
        let report = preflight::run(&plan, &target, "pod").await;
        assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
        let mut connection = connect(&target).await;
        say(&mut connection, "SET test:building:0d3b9c1e:web.1:0 x").await;
        for key in inventory(&plan) {
            assert!(!keys(&mut connection).await.contains(&key), "{flush:?}");
        }
        let report = finish::run(&plan, &target).await;
        assert!(report.complete, "{}", report.message);
        assert_eq!(report.left_keys, Some(1));
        assert!(
            report.message.contains(&format!(
                "left 1 data keys of the run, as flush: {flush:?} says"
            )),
            "{}",
            report.message
        );
        assert_eq!(
            keys(&mut connection).await,
            ["test:building:0d3b9c1e:web.1:0"]
        );
    }
}

/// Killed without anything, its lock among it: nobody else gets in for an hour, unless a person says
/// that it is dead.
#[tokio::test]
async fn a_dead_run_is_ended_by_its_name_and_by_no_other() {
    let server = RedisServer::start(&[]).await.unwrap();
    for database in ["", "/3"] {
        let target = target(&format!("{}{database}", server.url()));
        let plan = mix(plan(Flush::RunKeys));
        let mut connection = connect(&target).await;
        assert_eq!(holder(&target, PATIENCE).await.unwrap(), None);
        let report = preflight::run(&plan, &target, "pod").await;
        assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
        for key in Inventory::of(&plan).keys() {
            say(&mut connection, &format!("SET {key} x")).await;
        }
        let uid = &plan.run.uid;
        for key in RunKeys::new(uid).expiring(plan.dynos()) {
            say(&mut connection, &format!("SET {key} x")).await;
        }
        say(&mut connection, "SET cache:app:somebody's data").await;
        let dyno = ConnectOptions::patient("redyno web.1 control");
        let _dyno = target.connect(&dyno).await.unwrap();
        let seen = Holder {
            name: "default/small".to_owned(),
            data_keys: Some(25),
            dyno_connections: Some(1),
        };
        assert_eq!(holder(&target, PATIENCE).await.unwrap(), Some(seen));

        let before = keys(&mut connection).await;
        assert_eq!(end(&target, "default/other", PATIENCE).await.unwrap(), None);
        assert_eq!(keys(&mut connection).await, before);

        let ended = end(&target, "default/small", PATIENCE).await.unwrap();
        let expected = CleanedRun {
            name: "default/small".to_owned(),
            uid: uid.clone(),
            removed_keys: 25,
            problem: None,
        };
        assert_eq!(ended, Some(expected));
        assert_eq!(keys(&mut connection).await, ["cache:app:somebody's"]);
        assert_eq!(holder(&target, PATIENCE).await.unwrap(), None);
        say(&mut connection, "UNLINK cache:app:somebody's").await;
    }
}
