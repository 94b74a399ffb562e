//! A dyno that fails a limit of its own.

use redyno_contract::report::Ending;
use redyno_contract::schedule::Rate;
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

/// Says something to the server.
pub(crate) async fn ask(server: &RedisServer, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(word);
    }
    command
        .query_async(&mut connect(server).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_full_backlog_fails_the_dyno_at_that_arrival() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 20;
    plan.formation[0].rate = Rate::per_second(100);
    plan.formation[0].max_worker_backlog = 7;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    ask(&server, &["CLIENT", "PAUSE", "2000"]).await;
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 0);
    let Ending::BacklogLimit {
        worker, backlog, ..
    } = *ended.ending()
    else {
        panic!("{:?}", ended.ending())
    };
    assert!(worker < 4);
    assert_eq!(backlog, 7);
    assert_eq!(ended.report.books.rejected, 1);
    // The worker that failed is the busiest, or as busy as another with a lower number.
    assert_eq!(ended.report.busiest[0].peak_backlog, 7);
    assert!(ended.report.end.unwrap().after_milliseconds < 20_000);
    // The pause ended during the drain, so all that was handed over was done.
    assert_eq!(ended.report.books.abandoned, 0);
}

#[tokio::test]
async fn errors_of_a_full_redis_are_named() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 20;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 0);
    assert_eq!(
        *ended.ending(),
        Ending::ErrorLimit {
            threshold: "errors".to_owned(),
            cause: "oom 1".to_owned()
        }
    );
    assert!(ended.report.books.failed >= 1);
    assert_eq!(ended.report.books.timed_out, 0);
}

#[tokio::test]
async fn a_limit_that_no_task_can_hold_ends_the_run_when_it_is_final() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 20;
    plan.thresholds.push(plans::response("wide", 60_000_000));
    plan.thresholds.push(plans::response("tight", 1));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(
        *ended.ending(),
        Ending::LatencyLimit {
            threshold: "tight".to_owned()
        }
    );
    // 1 % of the planned 1,000 tasks may be over it.
    let [wide, tight] = &ended.report.over[..] else {
        panic!("{:?}", ended.report.over)
    };
    assert_eq!((wide.over, wide.unknown), (0, 0));
    assert!(tight.over >= 11);
    assert_eq!(tight.total, ended.report.books.scheduled);
}

#[tokio::test]
async fn a_ladder_of_limits_agrees_with_the_histogram() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].rate = Rate::per_second(200);
    // Of both types' 220 tasks, 219 may be over such a limit: web's 200 alone never break it.
    let mut other = plans::web();
    other.dyno_type = "other".to_owned();
    other.rate = Rate::per_second(20);
    plan.formation.push(other);
    plan.thresholds = [100, 200, 300, 500, 700, 1000, 2000, 3000, 5000, 10_000]
        .iter()
        .map(|microseconds| {
            let mut threshold = plans::response(&format!("l{microseconds}"), *microseconds);
            if let redyno_contract::plan::Limit::Latency(limit) = &mut threshold.limit {
                limit.percentile = redyno_contract::plan::Percentile::try_from(1).unwrap();
            }
            threshold
        })
        .collect();
    plan.thresholds.push(plans::errors(0));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let other = run.dyno("other", 0);
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    other.end().await.check();
    assert_eq!(*ended.ending(), Ending::Completed);
    let histogram = ended.report.histograms.response.unwrap().decode().unwrap();
    let limits: Vec<_> = plan.latency_limits("web").collect();
    assert_eq!(limits.len(), 10);
    for ((_, limit), count) in limits.iter().zip(&ended.report.over) {
        let limit = limit.max_microseconds;
        let above = |edge: u64| -> u64 {
            histogram
                .buckets()
                .filter(|bucket| bucket.highest > edge)
                .map(|bucket| bucket.count)
                .sum()
        };
        // The histogram tells values apart to a thousandth.
        let (most, fewest) = (above(limit), above(limit + limit / 500 + 1));
        assert!(
            (fewest..=most).contains(&count.over),
            "{limit} us: counted {}, histogram {fewest} to {most}",
            count.over
        );
    }
}

#[tokio::test]
async fn the_others_are_told_to_stop() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let mut hasty = plans::web();
    hasty.dyno_type = "hasty".to_owned();
    hasty.workers = 1;
    hasty.rate = Rate::per_second(20_000);
    hasty.max_worker_backlog = 1;
    plan.formation.push(hasty);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let (web, hasty) = (run.dyno("web", 0), run.dyno("hasty", 0));
    let hasty = hasty.end().await;
    hasty.check();
    let Ending::BacklogLimit {
        worker, backlog, ..
    } = *hasty.ending()
    else {
        panic!("{:?}", hasty.ending());
    };
    assert_eq!((worker, backlog), (0, 1));
    let web = web.end().await;
    web.check();
    assert_eq!(*web.ending(), Ending::Stopped);
    assert_eq!(web.code, 0);
    assert!(web.report.end.unwrap().after_milliseconds < 60_000);
}

#[tokio::test]
async fn failed_tasks_are_followed_by_a_new_connection() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 2;
    plan.task_timeout_milliseconds = 300;
    plan.thresholds = vec![plans::errors(1_000_000)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    ask(&server, &["CLIENT", "PAUSE", "700"]).await;
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(*ended.ending(), Ending::Completed);
    let books = ended.report.books;
    assert!(books.timed_out >= 1, "{books:?}");
    assert_eq!(books.failed, books.timed_out);
    assert!(ended.report.own.reconnects >= 1);
    assert!(books.completed + books.failed == 100, "{books:?}");
}
