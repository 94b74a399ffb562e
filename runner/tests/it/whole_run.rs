//! A run that goes well.

use std::collections::BTreeSet;

use redyno_contract::plan::{DynoName, Percentile};
use redyno_contract::record::RecordKind;
use redyno_contract::report::Ending;
use redyno_contract::schedule::Rate;
use redyno_contract::{Event, Message};
use redyno_test_redis::RedisServer;

use crate::plans;
use crate::process::{Run, connect};

#[tokio::test]
async fn a_run_completes_and_its_books_are_exact() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.warmup_seconds = 1;
    plan.thresholds.push(plans::response("p99", 10_000_000));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let ended = run.dyno("web", 0).end().await;
    ended.check();
    assert_eq!(ended.code, 0);
    assert_eq!(*ended.ending(), Ending::Completed);

    let report = &ended.report;
    assert_eq!(report.run, plan.run.uid);
    assert_eq!(
        report.dyno,
        DynoName {
            dyno_type: "web".to_owned(),
            index: 0
        }
    );
    assert_eq!(report.pod, "pod-web-0");
    let end = report.end.as_ref().unwrap();
    assert_eq!(end.after_milliseconds, 2000);
    assert!(!end.during_warmup);
    assert_eq!(report.books.scheduled, 50);
    assert_eq!(report.books.completed, 50);
    assert_eq!(report.warmup.scheduled, 5);
    assert_eq!(report.warmup.completed, 5);
    assert_eq!(report.over.len(), 1);
    assert_eq!(
        (
            report.over[0].over,
            report.over[0].unknown,
            report.over[0].total
        ),
        (0, 0, 50)
    );
    assert!(report.start.is_some());
    assert_eq!(report.steps.len(), 3);
    for step in &report.steps {
        assert_eq!(step.service.count, 50);
    }
    // The steps follow each other without a gap: their sums are the service, but for what is
    // lost in rounding each of them down.
    let steps: u64 = report
        .steps
        .iter()
        .map(|step| step.service.sum_microseconds)
        .sum();
    let service = report.latencies.service.sum_microseconds;
    assert!(steps <= service && service <= steps + 3 * 50);
    assert_eq!(report.busiest.len(), 4);
    let tasks: u64 = report.busiest.iter().map(|worker| worker.tasks).sum();
    assert_eq!(tasks, 50);

    // It samples the target, for it is the first of the first type.
    let target = report.target.as_ref().unwrap();
    assert!(target.samples >= 3, "{target:?}");
    assert!(
        target
            .version
            .as_ref()
            .unwrap()
            .starts_with(char::is_numeric)
    );
    // 4 workers, control and sampler.
    assert!(target.connections_max.unwrap() >= 6);
    assert!(target.memory_at_start_bytes.unwrap() > 0 && target.memory_at_end_bytes.unwrap() > 0);
    // Every task writes more than its mail and reads ten flats.
    assert!(report.own.bytes_out > 50 * 3000);
    assert!(report.own.bytes_in > 50 * 2000);
    assert!(report.own.cpu_microseconds > 0);
    assert!(report.own.loop_lag.count == 100);
    assert_eq!(report.own.schedule_lag.count, 50);

    let names: Vec<&str> = ended
        .events
        .iter()
        // How long anything takes on this machine is no matter.
        .filter(|event| !matches!(event, Event::Waiting { .. }))
        .map(|event| match event {
            Event::Waiting { .. } => "waiting",
            Event::Listening { .. } => "listening",
            Event::Ready => "ready",
            Event::Started { .. } => "started",
            Event::Progress(_) => "progress",
            Event::Report { .. } => "report",
        })
        .collect();
    assert_eq!(names[..3], ["listening", "ready", "started"]);
    assert!(names.contains(&"progress"), "{names:?}");

    // The record is the same, but its histograms are only as precise as fits.
    let Message::Dyno(recorded) = &ended.record.message else {
        unreachable!()
    };
    let p99 = |report: &redyno_contract::Report| {
        let histogram = report.histograms.response.as_ref().unwrap();
        histogram.decode().unwrap().percentile(Percentile::P99)
    };
    let (coarse, fine) = (p99(recorded), p99(report));
    assert!(
        coarse >= fine && coarse <= fine + fine / 9,
        "{coarse} {fine}"
    );
    // Checkpoints came before it.
    assert!(ended.record.sequence >= 1);
    assert_eq!(ended.record.kind, RecordKind::Final);
}

#[tokio::test]
async fn nothing_but_data_and_its_lock_is_left_and_the_finish_takes_that() {
    let server = RedisServer::start(&[]).await.unwrap();
    let plan = plans::small();
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    run.dyno("web", 0).end().await.check();
    let mut connection = connect(&server).await;
    let (coordination, keys): (Vec<String>, Vec<String>) = redis::cmd("KEYS")
        .arg("*")
        .query_async::<Vec<String>>(&mut connection)
        .await
        .unwrap()
        .into_iter()
        .partition(|key| key.starts_with("redyno:"));
    let coordination: BTreeSet<String> = coordination.into_iter().collect();
    let left = [
        "redyno:lock".to_owned(),
        "redyno:runs".to_owned(),
        format!("redyno:{{{}}}:data", plan.run.uid),
    ];
    assert_eq!(coordination, BTreeSet::from(left));
    assert!(!keys.is_empty());
    let prefix = format!("test:building:{}:web.1:", &plan.run.uid[..8]);
    for key in &keys {
        assert!(key.starts_with(&prefix), "{key}");
    }
    let (code, message) = run.part("finish").await;
    assert_eq!(code, 0, "{message:?}");
    let left: u64 = redis::cmd("DBSIZE")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn two_dynos_and_two_types_share_one_start_and_schedule_exactly() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 2;
    plan.formation[0].rate = Rate::per_second(333);
    let mut other = plans::web();
    other.dyno_type = "job".to_owned();
    other.rate = Rate::per_second(7);
    plan.formation.push(other);
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let dynos = [("web", 0), ("web", 1), ("job", 0)].map(|(name, index)| run.dyno(name, index));
    let mut starts = Vec::new();
    let mut scheduled = Vec::new();
    for dyno in dynos {
        let ended = dyno.end().await;
        ended.check();
        assert_eq!(*ended.ending(), Ending::Completed);
        starts.push(ended.report.start.unwrap().at_microseconds);
        scheduled.push(ended.report.books.scheduled);
        // Only the first of the first type asks the target.
        assert_eq!(ended.report.target.is_some(), starts.len() == 1);
    }
    assert_eq!(scheduled, [333, 333, 7]);
    assert_eq!(starts[0], starts[1]);
    assert_eq!(starts[0], starts[2]);
}

#[tokio::test]
async fn a_server_that_forgot_the_script_is_sent_it_again() {
    let server = RedisServer::start(&[]).await.unwrap();
    let run = Run::new(&plans::small(), &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    let mut connection = connect(&server).await;
    let flushed: String = redis::cmd("SCRIPT")
        .arg("FLUSH")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(flushed, "OK");
    let ended = dyno.end().await;
    ended.check();
    assert_eq!(*ended.ending(), Ending::Completed);
    assert_eq!(ended.report.books.completed, 50);
    let exists: Vec<u8> = redis::cmd("SCRIPT")
        .arg("EXISTS")
        .arg("9a1d4c963a3be864d6da9c366da0032ab8775025")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(exists, [1]);
}
