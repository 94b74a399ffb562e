//! What a reply holds, and what it says: errors are answers, and a reply of nothing is none where
//! something was written before.

use redyno_contract::Event;
use redyno_contract::failure::{ClassFailures, FailureClass};
use redyno_contract::plan::{Expectation, Fetch, MixedCommand, Plan, Prefill, Workload};
use redyno_contract::report::{Ending, Replies};
use redyno_contract::samples;
use redyno_contract::schedule::Rate;
use redyno_test_redis::{Certificates, RedisServer};

use crate::plans;
use crate::process::{Ended, Run, connect};

fn entry(name: &str, weight: u32, command: &[&str], expect: Expectation) -> MixedCommand {
    MixedCommand {
        expect,
        ..samples::entry(name, weight, command)
    }
}

/// 500 tasks per second for a second, with every error allowed.
fn mix(prefill: Prefill, mix: Vec<MixedCommand>) -> Plan {
    let mut plan = plans::small();
    plan.formation[0].rate = Rate::per_second(500);
    plan.formation[0].workload = Workload::Commands(samples::commands(100, 32, prefill, mix));
    plan.thresholds = vec![plans::errors(1_000_000)];
    plan
}

/// The only class of failures.
fn only_failures(ended: &Ended) -> &ClassFailures {
    let [failures] = ended.report.failures.as_deref().unwrap() else {
        panic!("{:?}", ended.report.failures)
    };
    failures
}

fn replies(ended: &Ended) -> Vec<Replies> {
    let steps = &ended.report.steps;
    steps.iter().filter_map(|step| step.replies).collect()
}

async fn number(server: &RedisServer, info: &str, field: &str) -> u64 {
    let said: String = redis::cmd("INFO")
        .arg(info)
        .query_async(&mut connect(server).await)
        .await
        .unwrap();
    let value = said
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

/// A server that refuses a tenth of the tasks is asked on by the same connections, encrypted or
/// not, and its words are in the report.
#[tokio::test]
async fn an_error_reply_is_an_answer_and_costs_no_connection() {
    let counting_text = vec![
        entry("get", 9, &["GET", "{key}"], Expectation::Hit),
        entry("incr", 1, &["INCR", "{key}"], Expectation::Any),
    ];
    let certificates = Certificates::make().unwrap();
    let unencrypted = RedisServer::start(&[]).await.unwrap();
    let encrypted = RedisServer::start_tls(&certificates, &[]).await.unwrap();
    let plan = mix(Prefill::Full, counting_text);
    for run in [
        Run::new(&plan, &unencrypted),
        Run::encrypted(&plan, &encrypted, &certificates),
    ] {
        run.pass_preflight().await;
        let ended = run.dyno("web", 0).end().await;
        ended.check();
        assert_eq!(*ended.ending(), Ending::Completed);
        let failures = only_failures(&ended);
        assert_eq!(failures.class, FailureClass::Other);
        assert!(failures.measured > 20, "{failures:?}");
        assert_eq!(
            failures.example.as_deref(),
            Some("ERR value is not an integer or out of range")
        );
        assert_eq!(ended.report.own.reconnects, 0);
    }
    // The preflight, four workers and the dyno's other connections, and this one.
    let connections = number(&unencrypted, "stats", "total_connections_received").await;
    assert!(connections < 15, "{connections}");
}

/// A full server refuses what is written; the object graph's transactions are discarded, and their
/// connections stay.
#[tokio::test]
async fn a_full_server_is_asked_on_by_the_same_connections() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 3;
    plan.thresholds = vec![plans::errors(1_000_000)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.until(|event| matches!(event, Event::Progress(progress) if progress.completed > 0))
        .await;
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    let ended = dyno.end().await;
    ended.check();
    let failures = only_failures(&ended);
    assert_eq!(failures.class, FailureClass::OutOfMemory);
    let example = failures.example.as_deref().unwrap_or_default();
    assert!(example.starts_with("OOM command not allowed"), "{example}");
    assert_eq!(ended.report.own.reconnects, 0);
}

#[tokio::test]
async fn hits_and_misses_of_every_command_are_counted() {
    let server = RedisServer::start(&[]).await.unwrap();
    for (prefill, command, hits) in [
        (Prefill::Full, &["GET", "{key}"][..], true),
        (Prefill::Empty, &["GET", "{key}"], false),
        (Prefill::Empty, &["LRANGE", "{key}", "0", "-1"], false),
        (Prefill::Empty, &["MGET", "{key}", "{key}"], false),
        (Prefill::Empty, &["EXISTS", "{key}"], true),
    ] {
        let plan = mix(prefill, vec![entry("a", 1, command, Expectation::Any)]);
        let run = Run::new(&plan, &server);
        run.pass_preflight().await;
        let ended = run.dyno("web", 0).end().await;
        ended.check();
        assert_eq!(ended.report.books.completed, 500);
        let expected = if hits { (500, 0) } else { (0, 500) };
        let [Replies { hits, misses }] = replies(&ended)[..] else {
            panic!("{:?}", ended.report.steps)
        };
        assert_eq!((hits, misses), expected, "{command:?}");
        run.part("finish").await;
    }
}

/// The mix that never found anything, and passed.
#[tokio::test]
async fn a_miss_where_a_hit_is_expected_is_a_lost_task() {
    let server = RedisServer::start(&[]).await.unwrap();
    let get = vec![entry("get", 1, &["GET", "{key}"], Expectation::Hit)];
    let mut plan = mix(Prefill::Empty, get);
    plan.thresholds = vec![plans::errors(0)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    let Ending::ErrorLimit { cause, .. } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(cause.starts_with("lost "), "{cause}");
    let failures = only_failures(&ended);
    assert_eq!(failures.class, FailureClass::Lost);
    assert_eq!(
        failures.example.as_deref(),
        Some("the reply to get holds nothing, where a hit is expected")
    );
    assert_eq!(ended.report.books.completed, 0);
}

/// Somebody removes flats, or a whole building, from under a worker.
#[tokio::test]
async fn what_is_missing_of_a_building_is_a_lost_task() {
    let server = RedisServer::start(&[]).await.unwrap();
    for (fetch, prefill, ends_with, words) in [
        (
            Fetch::Lua,
            Prefill::Full,
            ":flats",
            "0 of 10 flats of the building are there",
        ),
        (
            Fetch::Hgetall,
            Prefill::Empty,
            ":flats",
            "flats of the building are there",
        ),
        (
            Fetch::Lua,
            Prefill::Empty,
            ":0",
            "the building is not there",
        ),
        (
            Fetch::Hgetall,
            Prefill::Full,
            ":0",
            "the building is not there",
        ),
    ] {
        let mut plan = plans::small();
        plan.duration_seconds = 3;
        plan.thresholds = vec![plans::errors(1_000_000)];
        plan.formation[0].workers = 1;
        let graph = plans::graph(&mut plan);
        (graph.fetch, graph.prefill) = (fetch, prefill);
        let run = Run::new(&plan, &server);
        run.pass_preflight().await;
        let mut dyno = run.dyno("web", 0);
        dyno.until(|event| matches!(event, Event::Progress(progress) if progress.completed > 0))
            .await;
        let key =
            redyno_target::keys::BuildingKeys::new(&plan.run.uid, &plan.dynos().next().unwrap(), 0);
        let key = match ends_with {
            ":flats" => key.flats(),
            _ => key.root().to_owned(),
        };
        let removed: u64 = redis::cmd("DEL")
            .arg(key)
            .query_async(&mut connect(&server).await)
            .await
            .unwrap();
        assert_eq!(removed, 1);
        let ended = dyno.end().await;
        ended.check();
        let failures = only_failures(&ended);
        assert_eq!(failures.class, FailureClass::Lost);
        let example = failures.example.as_deref().unwrap_or_default();
        assert!(example.ends_with(words), "{example}");
        assert!(
            failures.measured > 1,
            "a loss is not forgotten: {failures:?}"
        );
        assert_eq!(ended.report.own.reconnects, 0);
        run.part("finish").await;
    }
}

/// A refusal that waiting cannot heal ends the run at once, in the target's words, instead of when
/// the time for the start is over.
#[tokio::test]
async fn a_prefill_that_is_refused_for_good_ends_at_once() {
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = mix(
        Prefill::Full,
        vec![entry("get", 1, &["GET", "{key}"], Expectation::Hit)],
    );
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let ended = run.dyno("web", 0).end().await;
    // The plan would wait for a minute.
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    let Ending::TargetRefused { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(
        detail.contains("(oom): OOM command not allowed"),
        "{detail}"
    );
}
