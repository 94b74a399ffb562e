//! Starting together, or not at all.

use redyno_contract::report::Ending;
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

async fn keys(server: &RedisServer, pattern: &str) -> Vec<String> {
    redis::cmd("KEYS")
        .arg(pattern)
        .query_async(&mut connect(server).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_second_pod_of_the_same_dyno_gives_way() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 2;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut first = run.dyno_as("web", 0, "first-pod");
    first.ready().await;
    let second = run.dyno_as("web", 0, "second-pod").end().await;
    assert_eq!(second.code, 76);
    assert_eq!(
        *second.ending(),
        Ending::DuplicateDyno {
            holder: "first-pod".to_owned()
        }
    );
    // The first one is not disturbed.
    let other = run.dyno("web", 1).end().await;
    assert_eq!(*other.ending(), Ending::Completed);
    let first = first.end().await;
    first.check();
    assert_eq!(*first.ending(), Ending::Completed);
}

#[tokio::test]
async fn a_dyno_whose_siblings_do_not_come_gives_up_and_says_so() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 3;
    plan.start_timeout_seconds = 2;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(ended.code, 75);
    let Ending::StartTimeout { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("2 of 3 dynos"), "{detail}");
    assert!(keys(&server, "redyno:*claim*").await.is_empty());
}

#[tokio::test]
async fn a_target_without_room_for_all_workers_is_named() {
    // Two connections are left for the five that the dyno needs beside this test's own.
    let server = RedisServer::start(&["--maxclients", "4"]).await.unwrap();
    let mut plan = plans::small();
    plan.target.connections = 3;
    plan.start_timeout_seconds = 3;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    assert_eq!(ended.code, 75);
    let Ending::StartTimeout { detail } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert!(detail.contains("of 4 workers"), "{detail}");
}
