//! Targets that evict keys: whose, and what becomes of the run's own.

use redyno_contract::PreflightReport;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::plan::{
    Commands, Distribution, Expectation, Flush, Keyspace, MixedCommand, Prefill, Workload,
};
use redyno_target::preflight;
use redyno_test_redis::RedisServer;

use crate::run::{connect, of_another, plan, say, target};

/// What the preflight says to a run of 3 MB on a server of 9 MB with this policy, after these
/// commands.
async fn with(policy: &str, commands: &[&str]) -> (RedisServer, PreflightReport) {
    with_expectation(Expectation::Any, policy, commands).await
}

async fn with_expectation(
    expect: Expectation,
    policy: &str,
    commands: &[&str],
) -> (RedisServer, PreflightReport) {
    let server = RedisServer::start(&["--maxmemory", "9mb", "--maxmemory-policy", policy])
        .await
        .unwrap();
    let target = target(&server.url());
    let mut connection = connect(&target).await;
    for command in commands {
        say(&mut connection, command).await;
    }
    let mut plan = plan(Flush::RunKeys);
    plan.formation.truncate(1);
    plan.formation[0].workload = Workload::Commands(Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys: 2_500,
            distribution: Distribution::Uniform,
        },
        value_bytes: 1_000,
        prefill: Prefill::Full,
        mix: vec![MixedCommand {
            name: "get".to_owned(),
            weight: 1,
            command: vec!["GET".to_owned(), "{key}".to_owned()],
            expect,
        }],
    });
    let report = preflight::run(&plan, &target, "pod").await;
    (server, report)
}

fn populate(keys: u32) -> String {
    format!("EVAL for\ti=1,{keys}\tdo\tredis.call('SET','foreign:'..i,string.rep('x',1000))\tend 0")
}

#[tokio::test]
async fn keys_of_others_are_evicted_only_where_that_is_what_happens_anyway() {
    const FEW: u32 = 10;
    // Of 9 MB some 5,500 fill 8; 20,000 fill all, with evictions.
    let (few, many, more) = (populate(FEW), populate(5_500), populate(20_000));
    let marker = "SET redyno:disposable yes";
    let elsewhere = ["SELECT 7", "SET a 1", "SELECT 0"];
    for (policy, commands, expected, words) in [
        (
            "allkeys-lru",
            &[few.as_str()][..],
            None,
            "the run is ended if it begins to",
        ),
        (
            "allkeys-random",
            &[many.as_str()],
            Some(Refusal::WouldEvictForeignKeys),
            "holds 5500 keys that are not the run's",
        ),
        (
            "allkeys-lfu",
            &[many.as_str(), marker],
            None,
            "full target evicts",
        ),
        ("allkeys-lru", &[], None, "full target evicts"),
        // A cache as caches are.
        ("allkeys-lru", &[more.as_str()], None, "it is full already"),
        // Only what expires would go, and that is the run's own lock.
        (
            "volatile-lru",
            &[many.as_str()],
            Some(Refusal::TooLittleMemory),
            "the run's own lock and coordination among them",
        ),
        (
            "volatile-ttl",
            &[many.as_str(), marker],
            Some(Refusal::TooLittleMemory),
            "the run's own lock",
        ),
        (
            "volatile-lru",
            &[few.as_str()],
            None,
            "evicts keys that expire",
        ),
        (
            "noeviction",
            &[many.as_str()],
            Some(Refusal::TooLittleMemory),
            "use fewer keys, smaller values, a shorter warm-up or a larger target",
        ),
        // Eviction knows no databases.
        (
            "allkeys-lru",
            &[
                many.as_str(),
                elsewhere[0],
                elsewhere[1],
                elsewhere[2],
                marker,
            ],
            Some(Refusal::WouldEvictForeignKeys),
            "keys that are not the run's",
        ),
        (
            "allkeys-lru",
            &[many.as_str(), elsewhere[0], marker, elsewhere[2], marker],
            None,
            "full target evicts",
        ),
    ] {
        let (_server, report) = with(policy, commands).await;
        let found = match report.result {
            PreflightResult::Passed => None,
            PreflightResult::Refused { reason } => Some(reason),
        };
        assert_eq!(found, expected, "{policy}: {}", report.message);
        assert!(
            report.message.contains(words),
            "{policy}: {}",
            report.message
        );
    }
}

#[tokio::test]
async fn a_run_that_was_refused_has_written_nothing() {
    let many = populate(5_500);
    let (server, report) = with("allkeys-lru", &[&many]).await;
    assert!(matches!(report.result, PreflightResult::Refused { .. }));
    let mut connection = connect(&target(&server.url())).await;
    let size: u64 = redis::from_redis_value(say(&mut connection, "DBSIZE").await).unwrap();
    assert_eq!(size, 5_500);
    // And the next one is not kept out by it.
    say(&mut connection, "SET redyno:disposable 1").await;
    drop(connection);
    let next = of_another(&plan(Flush::RunKeys));
    let report = preflight::run(&next, &target(&server.url()), "pod").await;
    assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
}

/// It is known before the run that a cache may not have what a command expects.
#[tokio::test]
async fn a_hit_that_a_full_cache_may_not_give_is_told_before_the_run() {
    const WORDS: &str = "a task of get of type web fails where its key was evicted";
    let full = populate(20_000);
    for (expect, policy, is_told) in [
        (Expectation::Hit, "allkeys-lru", true),
        (Expectation::HitUnlessEvicted, "allkeys-lru", false),
        (Expectation::Any, "allkeys-random", false),
    ] {
        let (_server, report) = with_expectation(expect, policy, &[&full]).await;
        assert_eq!(report.result, PreflightResult::Passed, "{}", report.message);
        assert_eq!(
            report.message.contains(WORDS),
            is_told,
            "{}",
            report.message
        );
    }
    let (_server, report) = with_expectation(Expectation::Hit, "noeviction", &[]).await;
    assert!(!report.message.contains(WORDS), "{}", report.message);
}
