//! Runs of a mix of commands.

use redyno_contract::plan::{
    Distribution, Expectation, Latency, LatencyLimit, Limit, MixedCommand, Percentile, Plan,
    Prefill, Step, ThresholdPlan, Workload,
};
use redyno_contract::report::Ending;
use redyno_contract::samples::{commands, entry};
use redyno_contract::schedule::Rate;
use redyno_contract::{Event, Message, Report};
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

fn plan(mix: Vec<MixedCommand>, distribution: Distribution, prefill: Prefill) -> Plan {
    let mut plan = plans::small();
    plan.formation[0].rate = Rate::per_second(500);
    let mut commands = commands(100, 32, prefill, mix);
    commands.keyspace.distribution = distribution;
    plan.formation[0].workload = Workload::Commands(commands);
    plan
}

fn counts(report: &Report) -> Vec<(String, u64)> {
    report
        .steps
        .iter()
        .map(|times| (times.step.to_string(), times.service.count))
        .collect()
}

async fn text(server: &RedisServer, words: &[&str]) -> String {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    let mut connection = connect(server).await;
    command.query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn every_command_of_a_mix_is_a_step_of_its_own() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plan(
        vec![
            entry("get", 3, &["GET", "{key}"]),
            entry("set", 1, &["SET", "{key}", "{value}"]),
        ],
        Distribution::Uniform,
        Prefill::Full,
    );
    plan.thresholds.push(ThresholdPlan {
        name: "get".to_owned(),
        dyno_type: None,
        limit: Limit::Latency(LatencyLimit {
            of: Latency::Service,
            step: Step::Command("get".to_owned()),
            percentile: Percentile::P99,
            max_microseconds: 10_000_000,
        }),
    });
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(*ended.ending(), Ending::Completed);
    let report = &ended.report;
    assert_eq!(report.books.completed, 500);
    let counts = counts(report);
    let [(get, gets), (set, sets)] = counts.as_slice() else {
        panic!("two steps expected, found {counts:?}")
    };
    assert_eq!((get.as_str(), set.as_str()), ("get", "set"));
    assert_eq!(gets + sets, 500);
    // 375 expected; six standard deviations are 58.
    assert!(gets.abs_diff(375) < 58, "{gets}");
    // What is limited of a step is counted among the tasks that took it.
    assert_eq!(report.over[0].total, *gets);
    // Every key was there at the start, with a value of the size that was asked for.
    let size = text(&server, &["STRLEN", &format!("{}17", prefix(&plan))]).await;
    assert_eq!(size, "32");
    assert_eq!(text(&server, &["DBSIZE"]).await, keys_left(100));

    // And all of them go, with what the run needed to agree.
    run.part("finish").await;
    assert_eq!(text(&server, &["DBSIZE"]).await, "0");
}

/// The keys of the run, before the finish: its lock is among them, and the two that are kept beside
/// its data.
fn keys_left(data: u32) -> String {
    (data + 3).to_string()
}

fn prefix(plan: &Plan) -> String {
    let Workload::Commands(commands) = &plan.formation[0].workload else {
        panic!("not a mix");
    };
    redyno_target::keys::keyspace_prefix(&plan.run.uid, "web", &commands.keyspace)
}

#[tokio::test]
async fn what_is_sent_is_filled_and_removed() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plan(
        vec![
            entry("get", 1, &["GET", "user:{key}"]),
            entry("mget", 1, &["MGET", "{key}", "{{key}}:tagged"]),
            entry("hset", 1, &["HSET", "hash:{key}", "field", "{value}"]),
            entry("push", 1, &["LPUSH", "list:{key}", "{value}"]),
            entry("member", 1, &["SADD", "set:{key}", "member-of-{key}"]),
        ],
        Distribution::Uniform,
        Prefill::Full,
    );
    let Workload::Commands(commands) = &mut plan.formation[0].workload else {
        panic!("not a mix");
    };
    commands.keyspace.prefix = "app:".to_owned();
    for (position, entry) in commands.mix.iter_mut().enumerate() {
        // Of what is filled, every command finds something.
        if position < 2 {
            entry.expect = Expectation::Hit;
        }
    }
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(*ended.ending(), Ending::Completed);
    assert_eq!(ended.report.books.failed, 0);
    let key = format!("app:{}:web:17", &plan.run.uid[..8]);
    for (name, kind) in [
        (format!("user:{key}"), "string"),
        (key.clone(), "string"),
        (format!("{{{key}}}:tagged"), "string"),
        // A member is no key.
        (format!("member-of-{key}"), "none"),
    ] {
        assert_eq!(text(&server, &["TYPE", &name]).await, kind, "{name}");
    }
    let (code, message) = run.part("finish").await;
    assert_eq!(code, 0, "{message:?}");
    assert_eq!(text(&server, &["DBSIZE"]).await, "0");
    let Message::Finish(finish) = message else {
        panic!("not a finish: {message:?}");
    };
    // Three strings of each of the hundred keys, and what hashes, lists and sets there were.
    assert!(finish.removed_keys > 300, "{}", finish.message);
}

#[tokio::test]
async fn dynos_that_are_told_to_go_take_the_keys_of_their_mix_along() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plan(
        vec![entry("set", 1, &["SET", "cache:{key}", "{value}"])],
        Distribution::Uniform,
        Prefill::Full,
    );
    plan.duration_seconds = 60;
    plan.formation[0].quantity = 2;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dynos = [run.dyno("web", 0), run.dyno("web", 1)];
    for dyno in &mut dynos {
        dyno.until(|event| matches!(event, Event::Progress(_)))
            .await;
    }
    for dyno in &dynos {
        dyno.terminate().await;
    }
    for dyno in dynos {
        let ended = dyno.end().await;
        assert_eq!(*ended.ending(), Ending::Terminated);
    }
    // What they removed is written down for a finish, and goes by itself.
    let removed = format!("redyno:{{{}}}:removed", plan.run.uid);
    assert_eq!(text(&server, &["EXISTS", &removed]).await, "1");
    assert_eq!(text(&server, &["DBSIZE"]).await, "1");
    let (_, message) = run.part("finish").await;
    let Message::Finish(finish) = message else {
        panic!("not a finish: {message:?}");
    };
    assert!(
        finish
            .message
            .contains("of them by dynos that were told to end)"),
        "{}",
        finish.message
    );
    assert!(finish.removed_keys >= 100, "{}", finish.message);
    assert_eq!(text(&server, &["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn an_error_reply_is_a_failed_task() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plan(
        vec![entry("count", 1, &["INCR", "{key}"])],
        Distribution::Zipf {
            exponent_percent: 99,
        },
        Prefill::Full,
    );
    // Texts were written before, and none of them is a number.
    plan.thresholds = vec![plans::errors(1_000_000)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(ended.report.books.completed, 0);
    assert!(ended.report.books.failed > 0);
    assert!(ended.report.books.balanced());
}

#[tokio::test]
async fn a_mix_that_cannot_be_run_is_refused_before_it_begins() {
    let server = RedisServer::start(&[]).await.unwrap();
    for (command, words) in [
        (
            &["GETT", "{key}"][..],
            "command get of type web (GETT): the target does not have it",
        ),
        (
            &["GET"],
            "command get of type web (GET): wrong number of arguments",
        ),
    ] {
        let plan = plan(
            vec![entry("get", 1, command)],
            Distribution::Uniform,
            Prefill::Empty,
        );
        let (code, message) = Run::new(&plan, &server).part("preflight").await;
        assert_eq!(code, 65);
        let Message::Preflight(report) = message else {
            panic!("{message:?}")
        };
        assert!(report.message.contains(words), "{}", report.message);
    }
}

#[tokio::test]
async fn the_application_is_part_of_the_service_and_of_no_step() {
    const BURNT: u64 = 3000;
    let server = RedisServer::start(&[]).await.unwrap();
    let mut graph = plans::small();
    graph.formation[0].application_cpu_microseconds = u32::try_from(BURNT).unwrap();
    let mut mix = plan(
        vec![entry("ping", 1, &["PING"])],
        Distribution::Uniform,
        Prefill::Empty,
    );
    mix.formation[0].rate = Rate::per_second(50);
    mix.formation[0].application_cpu_microseconds = u32::try_from(BURNT).unwrap();
    for plan in [graph, mix] {
        let run = Run::new(&plan, &server);
        run.pass_preflight().await;
        let ended = run.dyno("web", 0).end().await;
        ended.check();
        let report = &ended.report;
        assert_eq!(report.books.completed, 50);
        let steps: u64 = report
            .steps
            .iter()
            .map(|times| times.service.sum_microseconds)
            .sum();
        let service = report.latencies.service.sum_microseconds;
        assert!(service >= steps + 50 * BURNT, "{service} {steps}");
        assert!(report.own.cpu_microseconds >= 49 * BURNT);
        run.part("finish").await;
    }
}

/// What a GET of a full prefill expects by default depends on the target: a cache evicts.
#[tokio::test]
async fn a_miss_on_a_cache_is_no_failure_unless_a_hit_was_asked_for() {
    for (policy, maxmemory, expect, misses_fail) in [
        ("allkeys-lru", "50mb", Expectation::HitUnlessEvicted, false),
        ("allkeys-lru", "50mb", Expectation::Hit, true),
        ("allkeys-lru", "0", Expectation::HitUnlessEvicted, true),
        ("volatile-lru", "50mb", Expectation::HitUnlessEvicted, true),
        ("noeviction", "50mb", Expectation::HitUnlessEvicted, true),
    ] {
        let arguments = ["--maxmemory", maxmemory, "--maxmemory-policy", policy];
        let server = RedisServer::start(&arguments).await.unwrap();
        let mut plan = plans::small();
        // Nothing is there, so that every GET misses.
        let get = MixedCommand {
            expect,
            ..entry("get", 1, &["GET", "{key}"])
        };
        plan.formation[0].workload =
            Workload::Commands(commands(10, 10, Prefill::Empty, vec![get]));
        let run = Run::new(&plan, &server);
        run.pass_preflight().await;
        let ended = run.dyno("web", 0).end().await;
        assert_eq!(
            ended.report.books.failed > 0,
            misses_fail,
            "{policy} {maxmemory} {expect:?}: {:?}",
            ended.ending()
        );
    }
}
