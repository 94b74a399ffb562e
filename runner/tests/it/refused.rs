//! What a target refuses for good before the start ends the run at once, for all its dynos.

use std::time::{Duration, Instant};

use redyno_contract::plan::{DynoTypePlan, Plan, Prefill, Workload};
use redyno_contract::report::Ending;
use redyno_contract::samples::{commands, entry};
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

/// The plans would wait for a minute.
const AT_ONCE: Duration = Duration::from_secs(15);

async fn say(server: &RedisServer, words: &[&str]) {
    let (command, arguments) = words.split_first().unwrap();
    let _: redis::Value = redis::cmd(command)
        .arg(arguments)
        .query_async(&mut connect(server).await)
        .await
        .unwrap();
}

fn mix(prefill: Prefill) -> Workload {
    let get = entry("get", 1, &["GET", "{key}"]);
    Workload::Commands(commands(100, 100, prefill, vec![get]))
}

/// A type whose dyno has nothing to write, and one whose dyno has.
fn of_two_types() -> Plan {
    let mut plan = plans::small();
    plan.formation[0].workload = mix(Prefill::Empty);
    let filling = DynoTypePlan {
        dyno_type: "filling".to_owned(),
        workload: mix(Prefill::Full),
        ..plan.formation[0].clone()
    };
    plan.target.connections += filling.workers + 1;
    plan.formation.push(filling);
    plan
}

/// One of two dynos may not write what it begins with: the other is told, and need not wait for it.
#[tokio::test]
async fn the_other_dynos_do_not_wait_for_one_that_is_refused() {
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = of_two_types();
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let begun = Instant::now();
    let waiting = run.dyno("web", 0);
    // Until the other one waits at the barrier: what it needs for that takes memory, too.
    let ready = format!("redyno:{{{}}}:ready", plan.run.uid);
    loop {
        let count: u64 = redis::cmd("HLEN")
            .arg(&ready)
            .query_async(&mut connect(&server).await)
            .await
            .unwrap();
        if count == 1 {
            break;
        }
        assert!(begun.elapsed() < AT_ONCE, "the first dyno is not ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = run.dyno("filling", 0).end().await;
    assert_eq!(refused.code, 77);
    let Ending::TargetRefused { detail } = refused.ending() else {
        panic!("{:?}", refused.ending())
    };
    assert!(detail.contains("(oom): OOM command"), "{detail}");
    let stopped = waiting.end().await;
    assert_eq!(*stopped.ending(), Ending::Stopped);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

/// What a dyno needs beside its tasks is taken away after the preflight.
#[tokio::test]
async fn who_may_no_longer_take_part_says_so_at_once() {
    for (rules, words) in [
        (&["off"][..], "user"),
        (&["resetpass", ">another"][..], "password"),
        (&["-eval"][..], "'eval' command"),
        (&["-info"][..], "'info' command"),
        (&["resetkeys", "~test:*"][..], "NOPERM"),
    ] {
        let server = RedisServer::start(&[]).await.unwrap();
        let user = ["ACL", "SETUSER", "anna"];
        say(
            &server,
            &[&user[..], &["on", ">secret", "+@all", "~*", "&*"]].concat(),
        )
        .await;
        let url = format!("redis://anna:secret@127.0.0.1:{}", server.port());
        let run = Run::at(&plans::small(), &url);
        run.pass_preflight().await;
        say(&server, &[&user[..], rules].concat()).await;
        let begun = Instant::now();
        let ended = run.dyno("web", 0).end().await;
        assert_eq!(ended.code, 77, "{rules:?}: {:?}", ended.ending());
        let Ending::TargetRefused { detail } = ended.ending() else {
            panic!("{:?}", ended.ending())
        };
        assert!(detail.contains(words), "{rules:?}: {detail}");
        assert!(!detail.contains("secret"), "{detail}");
        assert!(
            begun.elapsed() < AT_ONCE,
            "{rules:?}: {:?}",
            begun.elapsed()
        );
    }
}
