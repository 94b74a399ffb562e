//! A small run to test with.

use std::sync::Arc;

use redyno_contract::Plan;
use redyno_contract::plan::{
    Arrivals, Assignment, DynoName, DynoTypePlan, Fetch, Flush, ObjectGraph, OnDynoFailure,
    PLAN_VERSION, Prefill, QueueOrder, RunIdentity, TargetKind, TargetPlan, TlsVerification,
    Workload,
};
use redyno_contract::schedule::Rate;
use redyno_target::{ConnectOptions, Connection, SystemNetwork, Target};
use redyno_test_redis::Folder;

pub(crate) const UID: &str = "0d3b9c1e-3c44-4f7e-9b39-2b8a2c0a7a51";
pub(crate) const OTHER_UID: &str = "77777777-3c44-4f7e-9b39-2b8a2c0a7a51";

/// Two dynos `web` of two workers and one `clock` of one, on somebody's Redis.
pub(crate) fn plan(flush: Flush) -> Plan {
    Plan {
        version: PLAN_VERSION,
        run: RunIdentity {
            namespace: "default".to_owned(),
            name: "small".to_owned(),
            uid: UID.to_owned(),
        },
        target: TargetPlan {
            title: "existing my-redis".to_owned(),
            kind: TargetKind::Existing { flush },
            tls: TlsVerification::VerifyFull,
            connections: 10,
            flush_hosts: vec!["127.0.0.1".to_owned()],
            cpu_millis: None,
        },
        duration_seconds: 10,
        warmup_seconds: 2,
        warmup_percent: 10,
        drain_seconds: 5,
        start_timeout_seconds: 30,
        task_timeout_milliseconds: 1000,
        on_dyno_failure: OnDynoFailure::StopAll,
        seed: 1,
        formation: vec![dynos("web", 2, 2), dynos("clock", 1, 1)],
        thresholds: Vec::new(),
        linger_seconds: 0,
    }
}

fn dynos(dyno_type: &str, quantity: u32, workers: u32) -> DynoTypePlan {
    DynoTypePlan {
        dyno_type: dyno_type.to_owned(),
        quantity,
        workers,
        rate: Rate::per_second(10),
        arrivals: Arrivals::Constant,
        assignment: Assignment::Random,
        queue_order: QueueOrder::OldestFirst,
        max_worker_backlog: 100,
        workload: Workload::ObjectGraph(ObjectGraph {
            max_flats: 3,
            item_payload_bytes: 5000,
            fetch: Fetch::Lua,
            prefill: Prefill::Full,
        }),
        application_cpu_microseconds: 0,
        cpu_millis: None,
        memory_bytes: None,
    }
}

/// The same plan for another run.
pub(crate) fn of_another(plan: &Plan) -> Plan {
    Plan {
        run: RunIdentity {
            namespace: "team".to_owned(),
            name: "another".to_owned(),
            uid: OTHER_UID.to_owned(),
        },
        ..plan.clone()
    }
}

pub(crate) fn web(index: u32) -> DynoName {
    DynoName {
        dyno_type: "web".to_owned(),
        index,
    }
}

pub(crate) fn target(url: &str) -> Target {
    let folder = Folder::with(&[("url", url.as_bytes())]).unwrap();
    Target::from_directory(
        folder.path(),
        TlsVerification::VerifyFull,
        Arc::new(SystemNetwork),
    )
    .unwrap()
}

pub(crate) async fn connect(target: &Target) -> Connection {
    target
        .connect(&ConnectOptions::patient("redyno-test"))
        .await
        .unwrap()
}

/// One command, written as one would type it; words have no spaces in them.
pub(crate) async fn say(connection: &mut Connection, line: &str) -> redis::Value {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    connection.send(&command).await.unwrap()
}

/// Every key of the selected database, sorted.
pub(crate) async fn keys(connection: &mut Connection) -> Vec<String> {
    let value = say(connection, "KEYS *").await;
    let mut keys: Vec<String> = redis::from_redis_value(value).unwrap();
    keys.sort();
    keys
}

/// The two keys that a run keeps beside its data, in the order of [`keys`].
pub(crate) fn inventory(plan: &Plan) -> [String; 2] {
    [
        "redyno:runs".to_owned(),
        format!("redyno:{{{}}}:data", plan.run.uid),
    ]
}
