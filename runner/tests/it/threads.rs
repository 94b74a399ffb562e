//! A dyno with several load threads.

use redyno_contract::report::{Ending, Report};
use redyno_contract::schedule::Rate;
use redyno_contract::{Event, Plan};
use redyno_test_redis::RedisServer;

use crate::limits::ask;
use crate::plans;
use crate::process::{Ended, Run};

/// The dyno of a plan, with so many load threads.
async fn end(plan: &Plan, server: &RedisServer, threads: &str) -> Ended {
    let run = Run::new(plan, server);
    run.pass_preflight().await;
    let ended = run
        .dyno_with("web", 0, &["--load-threads", threads])
        .end()
        .await;
    ended.check();
    ended
}

/// What does not depend on how fast anything was.
fn fates(report: &Report) -> Vec<(u32, u64)> {
    let mut workers: Vec<_> = report
        .busiest
        .iter()
        .map(|worker| (worker.worker, worker.tasks))
        .collect();
    workers.sort_unstable();
    workers
}

#[tokio::test]
async fn tasks_go_to_the_same_workers_however_many_threads_there_are() {
    let servers = [
        RedisServer::start(&[]).await.unwrap(),
        RedisServer::start(&[]).await.unwrap(),
    ];
    let mut plan = plans::small();
    plan.warmup_seconds = 1;
    plan.formation[0].workers = 5;
    plan.formation[0].rate = Rate::per_second(333);
    plan.thresholds.push(plans::response("p99", 10_000_000));
    let (one, three) = tokio::join!(end(&plan, &servers[0], "1"), end(&plan, &servers[1], "3"));
    let (one, three) = (one.report, three.report);
    assert_eq!((one.own.load_threads, three.own.load_threads), (1, 3));
    for report in [&one, &three] {
        assert_eq!(report.books.scheduled, 333);
        assert_eq!(report.books.completed, 333);
        assert_eq!(report.warmup.completed, 34);
        assert_eq!(report.over[0].total, 333);
        assert_eq!(report.own.schedule_lag.count, 333);
        assert!(report.own.load_thread_busy_per_mille > 0);
        assert!(report.own.loop_lag.count > 0);
        let lag = report.histograms.schedule_lag.as_ref().unwrap();
        assert_eq!(lag.decode().unwrap().count(), 333);
        assert!(report.own.bytes_out > 333 * 3000);
    }
    assert_eq!(fates(&one), fates(&three));
    // Each probes its own loop, every 10 ms of a second.
    assert_eq!(three.own.loop_lag.count, 3 * one.own.loop_lag.count);
}

#[tokio::test]
async fn a_limit_that_one_thread_finds_broken_ends_the_others() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 30;
    plan.formation[0].rate = Rate::per_second(200);
    plan.formation[0].max_worker_backlog = 7;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno_with("web", 0, &["--load-threads", "4"]);
    dyno.started().await;
    ask(&server, &["CLIENT", "PAUSE", "2000"]).await;
    let ended = dyno.end().await;
    ended.check();
    let Ending::BacklogLimit {
        worker, backlog, ..
    } = *ended.ending()
    else {
        panic!("{:?}", ended.ending())
    };
    assert!(worker < 4);
    assert_eq!(backlog, 7);
    let books = ended.report.books;
    // Another thread's worker may have been full at the same time.
    assert!((1..=4).contains(&books.rejected), "{books:?}");
    assert!(books.scheduled < 30 * 200, "{books:?}");
    assert_eq!(books.abandoned, 0);
}

#[tokio::test]
async fn what_only_all_threads_together_break_is_found_at_the_next_look() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 30;
    plan.formation[0].rate = Rate::per_second(20);
    // Of 600 planned tasks 36 may fail: each of four threads fails 5 of them a second.
    plan.thresholds = vec![plans::errors(60_000)];
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno_with("web", 0, &["--load-threads", "4"]);
    dyno.started().await;
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let ended = dyno.end().await;
    ended.check();
    let Ending::ErrorLimit { threshold, cause } = ended.ending() else {
        panic!("{:?}", ended.ending())
    };
    assert_eq!(threshold, "errors");
    assert!(cause.starts_with("oom "), "{cause}");
    let failed = ended.report.books.failed;
    assert!(failed > 36, "{failed}");
    assert!(ended.report.books.scheduled < 600);
}

#[tokio::test]
async fn a_lost_target_ends_all_threads_at_the_time_when_it_was_lost() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.duration_seconds = 60;
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno_with("web", 0, &["--load-threads", "3"]);
    dyno.started().await;
    let progress = |event: &Event| match event {
        Event::Progress(progress) => Some(progress.at_milliseconds),
        _ => None,
    };
    let last = dyno.until(|event| progress(event).is_some()).await;
    server.kill().unwrap();
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(ended.code, 69);
    assert!(matches!(ended.ending(), Ending::TargetLost { .. }));
    // Five seconds were waited for it to come back.
    let end = ended.report.end.as_ref().unwrap();
    let seen = ended.events.iter().filter_map(progress).max().unwrap();
    assert!(end.after_milliseconds + 4000 < seen, "{end:?} {seen}");
    assert!(end.after_milliseconds >= progress(&last).unwrap());
}
