//! With the least rights a run goes to its end and leaves nothing; with any one of them taken away
//! the preflight names it.

use redyno_contract::Message;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::plan::{
    Fetch, Flush, Keyspace, MixedCommand, Plan, Prefill, TargetKind, Workload,
};
use redyno_contract::report::Ending;
use redyno_contract::samples;
use redyno_target::preflight::least_rights;
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

fn entry(name: &str, command: &[&str]) -> MixedCommand {
    samples::entry(name, 1, command)
}

fn mix(prefix: &str, prefill: Prefill, mix: Vec<MixedCommand>) -> Plan {
    let mut plan = plans::small();
    let mut commands = samples::commands(20, 32, prefill, mix);
    prefix.clone_into(&mut commands.keyspace.prefix);
    plan.formation[0].workload = Workload::Commands(commands);
    plan
}

/// The workloads of the examples, and what differs in its rights from them.
fn workloads() -> Vec<(&'static str, Plan)> {
    let mut graph = plans::small();
    plans::graph(&mut graph).fetch = Fetch::Hgetall;
    let mut empty = plans::small();
    plans::graph(&mut empty).prefill = Prefill::Empty;
    let flushing = |flush| {
        let mut plan = mix(
            Keyspace::DEFAULT_PREFIX,
            Prefill::Full,
            vec![entry("get", &["GET", "{key}"])],
        );
        plan.target.kind = TargetKind::Existing { flush };
        plan.target.flush_hosts = vec!["*".to_owned()];
        plan
    };
    let mut stays = plans::small();
    stays.target.kind = TargetKind::Existing { flush: Flush::None };
    vec![
        ("flush of the database", flushing(Flush::Database)),
        ("flush of all databases", flushing(Flush::AllDatabases)),
        ("data that stays", stays),
        (
            "names with the signs of patterns",
            mix(
                "it's [a] *?:",
                Prefill::Full,
                vec![
                    entry("get", &["GET", "{{key}}:\\x[y]"]),
                    entry("mset", &["MSET", "{key}", "{value}", "other:{key}", "1"]),
                    entry("encoding", &["OBJECT", "ENCODING", "{key}"]),
                ],
            ),
        ),
        ("object graph by Lua", plans::small()),
        ("object graph by HGETALL", graph),
        ("object graph, empty at first", empty),
        (
            "cache",
            mix(
                Keyspace::DEFAULT_PREFIX,
                Prefill::Full,
                vec![
                    entry("get", &["GET", "{key}"]),
                    entry("set", &["SET", "{key}", "{value}"]),
                ],
            ),
        ),
        (
            "kinds of values with prefixes of their own",
            mix(
                "mine:",
                Prefill::Empty,
                vec![
                    entry("hset", &["HSET", "hash:{key}", "field", "{value}"]),
                    entry("lpush", &["LPUSH", "list:{key}", "{value}"]),
                    entry("zadd", &["ZADD", "set:{key}", "1", "{value}"]),
                ],
            ),
        ),
    ]
}

/// Gives the user exactly these rights.
async fn grant(server: &RedisServer, rules: &[String]) {
    let _: () = redis::cmd("ACL")
        .arg("SETUSER")
        .arg("anna")
        .arg("reset")
        .arg("on")
        .arg(">tops3cret")
        .arg(rules)
        .query_async(&mut connect(server).await)
        .await
        .unwrap();
}

async fn keys(server: &RedisServer) -> Vec<String> {
    redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connect(server).await)
        .await
        .unwrap()
}

async fn empty(server: &RedisServer) {
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connect(server).await)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_workload_runs_with_its_least_rights_and_names_each_that_is_missing() {
    let server = RedisServer::start(&[]).await.unwrap();
    let url = format!("redis://anna:tops3cret@127.0.0.1:{}", server.port());
    for (name, plan) in workloads() {
        let rights = least_rights(&plan);
        for (position, missing) in rights.iter().enumerate() {
            let mut fewer = rights.clone();
            fewer.remove(position);
            grant(&server, &fewer).await;
            let (code, message) = Run::at(&plan, &url).part("preflight").await;
            let Message::Preflight(report) = message else {
                panic!("{message:?}")
            };
            assert_eq!(code, 65, "{name} without {missing}: {}", report.message);
            assert_eq!(
                report.result,
                PreflightResult::Refused {
                    reason: Refusal::PermissionDenied
                },
                "{name} without {missing}: {}",
                report.message
            );
            let granted = report.message.split("grant it ").nth(1).unwrap_or_default();
            assert!(
                // Of a command with subcommands the one that is missing is enough.
                granted
                    .split(' ')
                    .any(|rule| rule == missing || rule.starts_with(&format!("{missing}|"))),
                "{name} without {missing}: {}",
                report.message
            );
            assert!(!report.message.contains("tops3cret"));
            // What a preflight that may not remove it has tried goes by itself.
            for key in keys(&server).await {
                let seconds: i64 = redis::cmd("TTL")
                    .arg(&key)
                    .query_async(&mut connect(&server).await)
                    .await
                    .unwrap();
                assert!(seconds != -1, "{name} without {missing}: {key} stays");
            }
        }
        grant(&server, &rights).await;
        let run = Run::at(&plan, &url);
        run.pass_preflight().await;
        let ended = run.dyno("web", 0).end().await;
        ended.check();
        assert_eq!(*ended.ending(), Ending::Completed, "{name}");
        assert_eq!(ended.report.books.failed, 0, "{name}");
        assert_eq!(ended.report.own.coordination_failures, 0, "{name}");
        let (code, message) = run.part("finish").await;
        assert_eq!(code, 0, "{name}: {message:?}");
        // After a flush, and where it was asked for, the data stays.
        if plan.target.kind == plans::small().target.kind {
            assert_eq!(keys(&server).await, [""; 0], "{name}");
        } else {
            let left = keys(&server).await;
            assert!(!left.iter().any(|key| key.starts_with("redyno:")), "{name}");
            empty(&server).await;
        }
    }
}

/// Who has nothing is told everything, once: granted that, the run may begin.
#[tokio::test]
async fn what_a_refusal_lists_is_enough() {
    let server = RedisServer::start(&[]).await.unwrap();
    let url = format!("redis://anna:tops3cret@127.0.0.1:{}", server.port());
    for (name, plan) in workloads() {
        let mut granted = vec!["+get".to_owned(), "+set".to_owned()];
        let mut refusals = 0;
        loop {
            grant(&server, &granted).await;
            let (code, message) = Run::at(&plan, &url).part("preflight").await;
            let Message::Preflight(report) = message else {
                panic!("{message:?}")
            };
            if code == 0 {
                break;
            }
            refusals += 1;
            // A flush, and a look at other databases, cannot be tried before they are done.
            let most = if plan.target.flush_hosts.is_empty() {
                2
            } else {
                4
            };
            assert!(refusals <= most, "{name}: {}", report.message);
            let more = report.message.split("grant it ").nth(1).unwrap();
            granted.extend(more.split(' ').map(str::to_owned));
        }
        empty(&server).await;
    }
}

/// The documentation lists what this code says.
#[test]
fn the_documented_rights_are_the_least() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let text = std::fs::read_to_string(path).unwrap();
    // Beside them stands what a flush needs, and no user of an example has names of patterns.
    for (name, plan) in workloads().into_iter().skip(4) {
        // A table of Markdown needs a backslash before a bar.
        let rights = least_rights(&plan).join(" ").replace('|', "\\|");
        assert!(text.contains(&rights), "{name} needs {rights}");
    }
}
