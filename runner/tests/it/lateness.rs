//! Who stood still: the dyno, or its Redis. The same limit is broken either way; the verdict is not
//! the same.

use std::process::Command;
use std::time::Duration;

use redyno_contract::judge::judge;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::plan::*;
use redyno_contract::report::Ending;
use redyno_contract::schedule::Rate;
use redyno_contract::{Judgement, Message, Plan, Reason, Verdict};
use redyno_test_redis::RedisServer;

use crate::bottlenecks::prefer;
use crate::plans;
use crate::process::{Ended, Run};
use crate::turns::turn;

/// Ten workers, 200 tasks/s for eight seconds.
fn plan() -> Plan {
    let mut plan = plans::small();
    plan.duration_seconds = 8;
    plan.formation[0].workers = 10;
    plan.formation[0].rate = Rate::per_second(200);
    plan
}

/// Of 1,600 tasks, one may take longer than 15 ms.
fn with_a_tail() -> Plan {
    let mut plan = plan();
    plan.thresholds.push(ThresholdPlan {
        name: "tail".to_owned(),
        dyno_type: None,
        limit: Limit::Latency(LatencyLimit {
            of: Latency::Response,
            step: Step::Task,
            percentile: Percentile::P999,
            max_microseconds: 15_000,
        }),
    });
    plan
}

/// At most five wait at a worker.
fn with_a_short_backlog() -> Plan {
    let mut plan = plan();
    plan.formation[0].max_worker_backlog = 5;
    plan
}

/// Whom to stop.
#[derive(Clone, Copy)]
enum Who {
    Dyno,
    Redis,
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{name}");
}

/// The run, in which one of both stands still for so long, two seconds after the start.
async fn stopped(plan: &Plan, who: Who, milliseconds: u64) -> Ended {
    let _turn = turn().await;
    let server = RedisServer::start(&[]).await.unwrap();
    let run = Run::new(plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    // A Redis that the tests beside this one keep from the CPU breaks the limit as well.
    prefer(server.process_id());
    prefer(dyno.process_id());
    let process = match who {
        Who::Dyno => dyno.process_id(),
        Who::Redis => server.process_id(),
    };
    let pause = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        signal("-STOP", process);
        // By this process' clock, not by that of the machine's timers: so long, or a little more.
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        signal("-CONT", process);
    });
    let ended = dyno.end().await;
    pause.await.unwrap();
    ended.check();
    ended
}

fn judged(plan: &Plan, ended: Ended) -> Judgement {
    let Message::Dyno(report) = ended.record.message else {
        panic!("not a dyno's record");
    };
    let outcome = DynoOutcome {
        dyno: report.dyno.clone(),
        pod_name: None,
        node_name: None,
        fate: Fate::Exited { code: ended.code },
        report: Evidence::Complete(report),
    };
    judge(plan, &RunFacts::default(), &[outcome])
}

fn expect(judgement: &Judgement, verdict: Verdict, reason: Reason) {
    assert_eq!(
        (judgement.verdict, judgement.reason),
        (verdict, reason),
        "{}",
        judgement.message
    );
}

#[tokio::test]
async fn a_dyno_that_stood_still_for_44_milliseconds_breaks_no_limit_by_the_target() {
    let plan = with_a_tail();
    let ended = stopped(&plan, Who::Dyno, 44).await;
    assert_eq!(*ended.ending(), Ending::Completed);
    let longest = ended.report.lateness.as_ref().unwrap().longest[0];
    assert!(longest.microseconds > 30_000, "{longest:?}");
    let judgement = judged(&plan, ended);
    expect(&judgement, Verdict::Inconclusive, Reason::ScheduleLag);
}

#[tokio::test]
async fn a_redis_that_stood_still_for_44_milliseconds_breaks_it_at_once() {
    let plan = with_a_tail();
    let ended = stopped(&plan, Who::Redis, 44).await;
    assert!(
        matches!(ended.ending(), Ending::LatencyLimit { .. }),
        "{:?}",
        ended.ending()
    );
    let judgement = judged(&plan, ended);
    expect(&judgement, Verdict::Failed, Reason::ThresholdsBreached);
}

fn waiting_on_time(ended: &Ended) -> u32 {
    match *ended.ending() {
        Ending::BacklogLimit { on_time, .. } => on_time.expect("it was counted"),
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dyno_that_stood_still_for_4_seconds_has_no_backlog_of_the_target_s() {
    let plan = with_a_short_backlog();
    let ended = stopped(&plan, Who::Dyno, 4_000).await;
    assert!(waiting_on_time(&ended) < 5, "{:?}", ended.ending());
    let judgement = judged(&plan, ended);
    expect(&judgement, Verdict::Inconclusive, Reason::ScheduleLag);
}

#[tokio::test]
async fn a_redis_that_stood_still_for_4_seconds_has_one_of_its_own() {
    let plan = with_a_short_backlog();
    let ended = stopped(&plan, Who::Redis, 4_000).await;
    assert!(waiting_on_time(&ended) >= 5, "{:?}", ended.ending());
    let judgement = judged(&plan, ended);
    expect(&judgement, Verdict::Failed, Reason::BacklogLimitReached);
}
