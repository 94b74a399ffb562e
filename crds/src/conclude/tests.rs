use redyno_contract::Bottleneck;
use redyno_contract::judgement::{
    Distribution, DynoNumbers, DynoResult, DynoVerdict, Quantile, ReportState, ThresholdResult,
    TimeSpent, Totals, TypeResult,
};
use redyno_contract::limit::Holding;
use redyno_contract::message::{PreflightReport, PreflightResult, TargetFound};
use redyno_contract::outcome::Fate;
use redyno_contract::plan::{DynoName, RunIdentity};
use redyno_contract::report::{Books, End, Ending, OwnVitals, TargetVitals, Times};
use serde_json::json;

use super::*;
use crate::catalogue::Catalogue;
use crate::conditions::{
    ACCEPTED, ConditionStatus, DYNOS_READY, PREFLIGHT_PASSED, RECONCILING, STALLED, STARTED,
    SUCCEEDED, condition, initial_conditions, reasons, set_condition,
};
use crate::resolve::Resolved;
use crate::validate::structure;

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

fn resolved(scale_percent: i32) -> Resolved {
    let spec = serde_json::from_value(json!({
        "target": {"managed": {"plan": "premium-5", "scalePercent": scale_percent}},
        "durationSeconds": 60,
        "formation": [{"type": "web", "quantity": 2, "size": "basic", "tasksPerSecond": 10,
            "scalePercent": scale_percent, "workload": {"objectGraph": {}}}]
    }))
    .unwrap();
    let run = RunIdentity {
        namespace: "default".to_owned(),
        name: "test".to_owned(),
        uid: "12345678".to_owned(),
    };
    crate::resolve(&spec, run, &Catalogue::built_in(), 0).unwrap()
}

fn books() -> Books {
    Books {
        scheduled: 600,
        delivered: 600,
        completed: 600,
        in_time: 599,
        ..Books::default()
    }
}

fn totals() -> Totals {
    let at = Quantile::At;
    Totals {
        planned: 600,
        books: books(),
        achieved_tasks_per_second: 9.98,
        achieved_per_mille: Some(998),
        response: Some(Distribution {
            p50: at(900),
            p90: at(1900),
            p99: at(4800),
            p999: Quantile::Maximum(31_200),
            max: Quantile::Maximum(31_200),
            times: Times {
                count: 600,
                sum_microseconds: 660_000,
                max_microseconds: 31_200,
            },
            digits: 2,
        }),
        ..Totals::default()
    }
}

fn judgement(verdict: Verdict, reason: Reason) -> Judgement {
    let dyno = |index, result, numbers, ending| DynoResult {
        dyno: DynoName {
            dyno_type: "web".to_owned(),
            index,
        },
        pod_name: Some("test-web-0-abcde".to_owned()),
        node_name: None,
        result,
        reason: None,
        fate: Fate::Exited { code: 0 },
        end: Some(End {
            ending,
            after_milliseconds: 28_400,
            during_warmup: false,
        }),
        report: ReportState::Complete,
        numbers,
    };
    Judgement {
        verdict,
        reason,
        during_warmup: false,
        bottleneck: Some(Bottleneck::RedisCpu),
        message: "2 of 2 dynos held 20 tasks/s".to_owned(),
        start_microseconds: Some(1_000_000_000),
        start_skew_microseconds: Some(300),
        encryption: None,
        formation: vec![TypeResult {
            dyno_type: "web".to_owned(),
            totals: totals(),
            timeline: None,
            time_spent: Some(TimeSpent {
                waiting_microseconds: 10,
                dyno_microseconds: 20,
                executing_microseconds: None,
                elsewhere_microseconds: 40,
            }),
        }],
        summary: totals(),
        thresholds: vec![ThresholdResult {
            name: "errors".to_owned(),
            holding: Holding::Held,
            observed: "0".to_owned(),
            limit: "0 per million".to_owned(),
            over_count: Some(0),
            allowed_count: Some(0),
        }],
        backlogs: Vec::new(),
        dynos: vec![
            dyno(
                0,
                DynoVerdict::Failed,
                Some(DynoNumbers {
                    books: books(),
                    achieved_tasks_per_second: 4.99,
                    max_worker_backlog: 100,
                    response_p99: Some(Quantile::AtLeast(250_000)),
                    own: OwnVitals::default(),
                    start_offset_microseconds: Some(12),
                    busiest: Vec::new(),
                    other_workers_backlog: 3,
                }),
                Ending::BacklogLimit {
                    worker: 17,
                    backlog: 100,
                    on_time: Some(100),
                },
            ),
            dyno(1, DynoVerdict::Missing, None, Ending::Completed),
        ],
        target: Some(TargetVitals {
            samples: 60,
            version: Some("7.0.15".to_owned()),
            memory_at_start_bytes: Some(1000),
            memory_at_end_bytes: Some(900),
            ..TargetVitals::default()
        }),
        timeline: None,
    }
}

fn running() -> LoadTestStatus {
    let mut status = LoadTestStatus {
        conditions: initial_conditions(Some(1), &at(1)),
        ..LoadTestStatus::default()
    };
    for (type_, reason) in [
        (ACCEPTED, reasons::VALID),
        (PREFLIGHT_PASSED, reasons::PASSED),
    ] {
        set_condition(
            &mut status.conditions,
            type_,
            ConditionStatus::True,
            reason,
            "",
            Some(1),
            &at(2),
        );
    }
    status
}

fn conclude(status: &mut LoadTestStatus, judgement: &Judgement, resolved: &Resolved) {
    let target = status.target.get_or_insert_default();
    target.preflight = Some("saw an empty Redis".to_owned());
    let notes = Notes {
        cleanup: None,
        scale: resolved.scale_note(),
    };
    conclude_judged(
        status,
        judgement,
        &resolved.plan,
        &notes,
        Some(1),
        &at(99),
        true,
    );
}

fn conditions_of(status: &LoadTestStatus) -> Vec<(&str, &str, &str)> {
    let conditions = status.conditions.iter();
    conditions
        .map(|condition| {
            (
                condition.type_.as_str(),
                condition.status.as_str(),
                condition.reason.as_str(),
            )
        })
        .collect()
}

#[test]
fn a_pass_fills_everything() {
    let mut status = running();
    conclude(
        &mut status,
        &judgement(Verdict::Passed, Reason::Passed),
        &resolved(100),
    );
    assert_eq!(
        conditions_of(&status),
        [
            ("Accepted", "True", "Valid"),
            ("PreflightPassed", "True", "Passed"),
            ("DynosReady", "True", "AllReady"),
            ("Started", "True", "Started"),
            ("Finished", "True", "Passed"),
            ("Succeeded", "True", "Passed"),
            ("Reconciling", "False", "Finished"),
            ("Stalled", "False", "Finished"),
        ]
    );
    assert_eq!(status.state.as_deref(), Some("Finished"));
    assert_eq!(status.verdict.as_deref(), Some("Passed"));
    assert_eq!(
        status.message.as_deref(),
        Some("2 of 2 dynos held 20 tasks/s")
    );
    assert_eq!(status.bottleneck.as_deref(), Some("RedisCpu"));
    assert_eq!(status.dynos_ready.as_deref(), Some("2/2"));
    // S is at 1000 s, the warm-up 5 s long.
    assert_eq!(status.start_time, Some(at(1005)));
    assert_eq!(status.completion_time, Some(at(99)));
    let summary = status.summary.as_ref().unwrap();
    assert_eq!(summary.rate.as_deref(), Some("9.9 /s"));
    assert_eq!(summary.p99.as_deref(), Some("4.8 ms"));
    assert_eq!(summary.target.as_deref(), Some("managed premium-5"));
    assert_eq!(summary.achieved_per_mille, Some(998));
    assert_eq!(summary.tasks.in_time_tasks, 599);
    let response = status.formation[0].response.as_ref().unwrap();
    assert_eq!(response.p999_microseconds, 31_200);
    assert_eq!(response.mean_microseconds, 1100);
    let [failed, missing] = status.dynos.as_slice() else {
        panic!("{:?}", status.dynos)
    };
    assert_eq!(
        (failed.name.as_str(), failed.failed_worker),
        ("web.1", Some(17))
    );
    assert_eq!(failed.failed_worker_backlog, Some(100));
    assert_eq!(failed.response_p99_microseconds, Some(250_000));
    assert_eq!(failed.ended_after_milliseconds, Some(28_400));
    assert_eq!(
        (missing.result.as_str(), missing.max_worker_backlog),
        ("Missing", None)
    );
    let target = status.target.as_ref().unwrap();
    assert_eq!(target.version.as_deref(), Some("7.0.15"));
    assert_eq!(target.memory_growth_bytes, Some(-100));
    assert_eq!(target.preflight.as_deref(), Some("saw an empty Redis"));
}

#[test]
fn a_failure_is_stalled_unless_the_administrator_says_otherwise() {
    let mut during_warmup = judgement(Verdict::Failed, Reason::BacklogLimitReached);
    during_warmup.during_warmup = true;
    for (stalled_on_failure, expected) in [(true, "True"), (false, "False")] {
        let mut status = running();
        conclude_judged(
            &mut status,
            &during_warmup,
            &resolved(100).plan,
            &Notes::default(),
            None,
            &at(99),
            stalled_on_failure,
        );
        let stalled = condition(&status.conditions, STALLED).unwrap();
        assert_eq!(stalled.status, expected);
        let succeeded = condition(&status.conditions, SUCCEEDED).unwrap();
        assert_eq!(succeeded.status, "False");
        assert_eq!(succeeded.reason, "BacklogLimitReachedDuringWarmup");
        let reconciling = condition(&status.conditions, RECONCILING).unwrap();
        assert_eq!(reconciling.status, "False");
    }
}

#[test]
fn scaled_sizes_are_said() {
    let mut status = running();
    conclude(
        &mut status,
        &judgement(Verdict::Passed, Reason::Passed),
        &resolved(50),
    );
    assert_eq!(
        status.message.as_deref(),
        Some("2 of 2 dynos held 20 tasks/s. Sizes were scaled to 50 %.")
    );
}

#[test]
fn without_a_start_nothing_is_called_ready() {
    let mut judgement = judgement(Verdict::Errored, Reason::StartTimeout);
    judgement.start_microseconds = None;
    let mut status = running();
    set_condition(
        &mut status.conditions,
        DYNOS_READY,
        ConditionStatus::False,
        reasons::UNSCHEDULABLE,
        "0 of 1 nodes fit",
        Some(1),
        &at(3),
    );
    conclude(&mut status, &judgement, &resolved(100));
    let ready = condition(&status.conditions, DYNOS_READY).unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "Unschedulable")
    );
    assert_eq!(ready.last_transition_time, at(3));
    let started = condition(&status.conditions, STARTED).unwrap();
    assert_eq!(
        (started.status.as_str(), started.reason.as_str()),
        ("False", "StartTimeout")
    );
    assert_eq!(status.start_time, None);
}

#[test]
fn an_invalid_spec_is_not_accepted() {
    let mut status = LoadTestStatus {
        conditions: initial_conditions(Some(1), &at(1)),
        ..LoadTestStatus::default()
    };
    conclude_errored(
        &mut status,
        Reason::InvalidSpec,
        "spec.formation[0].size: \"huge\" is not a size",
        &Notes::default(),
        Some(1),
        &at(2),
        true,
    );
    assert_eq!(
        conditions_of(&status),
        [
            ("Accepted", "False", "InvalidSpec"),
            ("PreflightPassed", "False", "InvalidSpec"),
            ("DynosReady", "False", "InvalidSpec"),
            ("Started", "False", "InvalidSpec"),
            ("Finished", "True", "InvalidSpec"),
            ("Succeeded", "False", "InvalidSpec"),
            ("Reconciling", "False", "Finished"),
            ("Stalled", "True", "InvalidSpec"),
        ]
    );
    assert_eq!(status.verdict.as_deref(), Some("Errored"));
    assert_eq!(
        status.message.as_deref(),
        Some(
            "spec.formation[0].size: \"huge\" is not a size. Correct the named field and create \
             the LoadTest anew; its spec cannot be changed."
        )
    );
}

#[test]
fn terminal_is_terminal() {
    let mut status = running();
    conclude(
        &mut status,
        &judgement(Verdict::Passed, Reason::Passed),
        &resolved(100),
    );
    let before = status.clone();
    conclude(
        &mut status,
        &judgement(Verdict::Failed, Reason::ThresholdsBreached),
        &resolved(50),
    );
    conclude_errored(
        &mut status,
        Reason::Cancelled,
        "cancelled",
        &Notes::default(),
        Some(2),
        &at(200),
        true,
    );
    assert_eq!(status, before);
}

#[test]
fn every_reason_ends_a_run_in_one_piece() {
    for reason in Reason::ALL {
        let mut status = running();
        conclude_errored(
            &mut status,
            *reason,
            "it happened",
            &Notes::default(),
            Some(1),
            &at(2),
            true,
        );
        assert!(conditions::is_true(&status.conditions, FINISHED));
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| condition.status != "Unknown"),
            "{reason:?}"
        );
        let message = status.message.unwrap();
        assert!(message.ends_with(reason.advice()), "{message}");
    }
}

/// A status that the API server would refuse must never be written, because the verdict would be
/// lost.
#[test]
fn every_text_fits_the_schema() {
    let text = "ä".repeat(50_000);
    let mut long = judgement(Verdict::Failed, Reason::ThresholdsBreached);
    long.message = text.clone();
    long.thresholds[0].observed = text.clone();
    long.dynos[0].reason = Some(text.clone());
    long.dynos[0].node_name = Some(text.clone());
    if let Some(target) = &mut long.target {
        target.version = Some(text.clone());
    }
    let notes = Notes {
        cleanup: Some(Cleanup::Failed(text.clone())),
        scale: resolved(50).scale_note(),
    };
    let mut judged = running();
    let resolved = resolved(50);
    conclude_judged(
        &mut judged,
        &long,
        &resolved.plan,
        &notes,
        Some(1),
        &at(99),
        true,
    );
    let mut errored = running();
    let reason = Reason::PodRejected;
    conclude_errored(&mut errored, reason, &text, &notes, Some(1), &at(99), true);
    let report = PreflightReport {
        run: text.clone(),
        result: PreflightResult::Passed,
        message: text.clone(),
        target: Some(TargetFound {
            server: Some(text.clone()),
            version: Some(text.clone()),
            role: Some(text),
            maxmemory_bytes: Some(u64::MAX),
            maxclients: Some(u64::MAX),
            keys: None,
            other_clients: None,
            expected_growth_bytes: 0,
            full_after_seconds: None,
            flushed_keys: 0,
        }),
    };
    let mut found = running();
    let refused = conclude_preflight(&mut found, &report, Some(1), &at(99));
    assert_eq!(refused, None);
    for status in [judged, errored, found, running()] {
        let value = serde_json::to_value(&status).unwrap();
        assert_eq!(
            structure::check("status", &value, structure::status_schema()),
            []
        );
    }
}

#[test]
fn a_cleanup_that_failed_is_a_condition() {
    for (cleanup, expected) in [
        (
            Cleanup::Done("12 keys removed".to_owned()),
            ("True", "Cleaned"),
        ),
        (
            Cleanup::Failed("no route".to_owned()),
            ("False", "CleanupFailed"),
        ),
    ] {
        let notes = Notes {
            cleanup: Some(cleanup.clone()),
            ..Notes::default()
        };
        let mut status = running();
        let judgement = judgement(Verdict::Passed, Reason::Passed);
        let plan = resolved(100).plan;
        conclude_judged(&mut status, &judgement, &plan, &notes, None, &at(99), true);
        let condition = condition(&status.conditions, TARGET_CLEANED).unwrap();
        assert_eq!(
            (condition.status.as_str(), condition.reason.as_str()),
            expected
        );
        assert_eq!(condition.message, cleanup.text());
        assert_eq!(
            status.verdict.as_deref(),
            Some("Passed"),
            "no verdict's business"
        );
    }
    let mut status = running();
    let judgement = judgement(Verdict::Passed, Reason::Passed);
    let plan = resolved(100).plan;
    conclude_judged(
        &mut status,
        &judgement,
        &plan,
        &Notes::default(),
        None,
        &at(99),
        true,
    );
    assert!(condition(&status.conditions, TARGET_CLEANED).is_none());
}

#[test]
fn dynos_beside_the_managed_redis_are_named() {
    let judgement = |nodes: [&str; 2]| {
        let mut judgement = judgement(Verdict::Passed, Reason::Passed);
        let first = judgement.dynos[0].clone();
        judgement.dynos = (0_u32..)
            .zip(nodes)
            .map(|(index, node)| DynoResult {
                dyno: redyno_contract::plan::DynoName {
                    index,
                    ..first.dyno.clone()
                },
                node_name: Some(node.to_owned()),
                ..first.clone()
            })
            .collect();
        judgement
    };
    for (redis, nodes, expected) in [
        (
            Some("a"),
            ["a", "a"],
            Some("web.1 and 1 more ran on a beside"),
        ),
        (Some("a"), ["b", "a"], Some("web.2 ran on a beside")),
        (Some("a"), ["b", "b"], None),
        (None, ["a", "a"], None),
    ] {
        let mut status = running();
        status.target.get_or_insert_default().node_name = redis.map(str::to_owned);
        let plan = resolved(100).plan;
        conclude_judged(
            &mut status,
            &judgement(nodes),
            &plan,
            &Notes::default(),
            None,
            &at(99),
            true,
        );
        let message = status.message.unwrap();
        match expected {
            Some(words) => assert!(message.contains(words), "{message}"),
            None => assert!(!message.contains("beside"), "{message}"),
        }
    }
}
