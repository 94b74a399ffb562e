//! What is shown beside the verdict.

use super::{Case, evicted, lost};
use crate::histogram::{Digits, Histogram};
use crate::judgement::{DynoVerdict, Quantile, ReportState};
use crate::limit::Holding;
use crate::outcome::Fate;
use crate::plan::{Latency, LatencyLimit, Limit, Percentile, Step, Workload};
use crate::report::Ending;
use crate::samples;
use crate::schedule::Rate;
use crate::verdict::{Reason, Verdict};

#[test]
fn rows_tell_what_became_of_every_dyno() {
    use DynoVerdict::{Errored, Failed, Missing, Passed, Stopped};
    let text = || "x".to_owned();
    let by_ending: Vec<(Ending, Fate, DynoVerdict, &str)> = vec![
        (Ending::Completed, evicted(), Passed, ""),
        (
            Ending::ErrorLimit {
                threshold: text(),
                cause: text(),
            },
            Fate::Exited { code: 0 },
            Failed,
            "ErrorLimit",
        ),
        (
            Ending::LatencyLimit { threshold: text() },
            Fate::Exited { code: 0 },
            Failed,
            "LatencyLimit",
        ),
        (
            Ending::Stopped,
            Fate::Exited { code: 0 },
            Stopped,
            "Stopped",
        ),
        (
            Ending::Terminated,
            Fate::Exited { code: 143 },
            Stopped,
            "Terminated",
        ),
        (Ending::Terminated, evicted(), Errored, "Evicted"),
        (Ending::Terminated, lost(), Errored, "Lost"),
        (
            Ending::TargetLost { detail: text() },
            Fate::Exited { code: 69 },
            Errored,
            "TargetLost",
        ),
        (
            Ending::ForeignKeysEvicted { keys: 1 },
            Fate::Exited { code: 69 },
            Errored,
            "ForeignKeysEvicted",
        ),
        (
            Ending::TargetChanged { detail: text() },
            Fate::Exited { code: 69 },
            Errored,
            "TargetChanged",
        ),
        (
            Ending::TargetRefused { detail: text() },
            Fate::Exited { code: 77 },
            Errored,
            "TargetRefused",
        ),
        (
            Ending::StartTimeout { detail: text() },
            Fate::Exited { code: 75 },
            Errored,
            "StartTimeout",
        ),
        (
            Ending::DuplicateDyno { holder: text() },
            Fate::Exited { code: 76 },
            Errored,
            "DuplicateDyno",
        ),
        (
            Ending::Internal { detail: text() },
            Fate::Exited { code: 70 },
            Errored,
            "Internal",
        ),
    ];
    for (ending, fate, result, reason) in by_ending {
        let mut case = Case::held();
        case.end(1, ending);
        case.dynos[1].fate = fate;
        let row = &case.judge().dynos[1];
        assert_eq!(row.result, result);
        assert_eq!(row.reason.as_deref().unwrap_or_default(), reason);
        assert_eq!(row.report, ReportState::Complete);
    }
    for (fate, result, reason) in [
        (Fate::OutOfMemory, Errored, "OutOfMemory"),
        (Fate::DeadlineExceeded, Errored, "DeadlineExceeded"),
        (Fate::Running, Errored, "Running"),
        (Fate::Exited { code: 1 }, Errored, "Exited"),
        (Fate::Exited { code: 0 }, Missing, "ReportMissing"),
        (Fate::NeverSeen, Missing, "NeverSeen"),
    ] {
        let mut case = Case::held();
        case.miss(1, fate);
        let row = &case.judge().dynos[1];
        assert_eq!(row.result, result);
        assert_eq!(row.reason.as_deref(), Some(reason));
        assert_eq!(row.report, ReportState::Missing);
        assert_eq!(row.numbers, None);
    }
    let mut case = Case::held();
    case.lose(1, Fate::Exited { code: 0 });
    let row = &case.judge().dynos[1];
    assert_eq!(row.result, Errored);
    assert_eq!(row.reason.as_deref(), Some("ReportPartial"));
    assert!(row.numbers.is_some());
}

#[test]
fn latencies_need_every_histogram_and_the_same_work() {
    let mut case = Case::held();
    case.report(1).histograms.response = None;
    let judgement = case.judge();
    assert_eq!(judgement.verdict, Verdict::Passed);
    assert_eq!(judgement.summary.response, None);
    assert!(judgement.summary.wait.is_some());
    assert_eq!(judgement.thresholds[0].observed, "<= 250 ms (counted)");
    assert_eq!(
        judgement.dynos[1].numbers.as_ref().unwrap().response_p99,
        None
    );

    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation = vec![
        samples::dyno_type("web", 1),
        samples::dyno_type("worker", 1),
    ];
    let same = Case::of(plan.clone()).judge();
    assert!(same.summary.response.is_some());
    let Workload::ObjectGraph(graph) = &mut plan.formation[1].workload else {
        unreachable!("the sample is an object graph")
    };
    graph.max_flats = 200;
    let different = Case::of(plan).judge();
    assert_eq!(different.verdict, Verdict::Passed);
    assert_eq!(different.summary.response, None);
    assert_eq!(different.summary.books.completed, 2000);
    assert!(different.summary.steps.is_empty());
    assert!(
        different
            .formation
            .iter()
            .all(|row| row.totals.response.is_some() && row.totals.steps.len() == 3)
    );
}

#[test]
fn the_coarsest_histogram_decides_the_digits() {
    let mut case = Case::held();
    let report = case.report(1);
    let coarse = report.histograms.response.as_ref().unwrap();
    report.histograms.response = Some(coarse.decode().unwrap().coarser(Digits::One).encode());
    report.latencies.response.max_microseconds = 1023;
    let judgement = case.judge();
    assert_eq!(judgement.summary.response.unwrap().digits, 1);
    assert_eq!(judgement.thresholds[0].observed, "1 ms");
}

#[test]
fn unfinished_tasks_are_among_the_percentiles() {
    let with = |failed: u64, abandoned: u64| {
        let mut case = Case::held();
        case.plan.thresholds.clear();
        for dyno in 0..2 {
            let report = case.report(dyno);
            report.over.clear();
            report.books.completed -= failed + abandoned;
            report.books.failed = failed;
            report.books.abandoned = abandoned;
            report.books.in_time = report.books.completed;
            let mut histogram = Histogram::new(Digits::Two);
            for number in 0..report.books.completed {
                histogram.record(1 + number);
            }
            report.latencies.response.max_microseconds = report.books.completed;
            report.histograms.response = Some(histogram.encode());
            report.histograms.wait = None;
            report.histograms.service = None;
        }
        case.judge().summary.response.unwrap()
    };
    // 8000 scheduled: p99 is the 7920th, p99.9 the 7992nd.
    let finished = with(0, 0);
    assert!(matches!(finished.p99, Quantile::At(4000)));
    let failed = with(20, 0);
    assert!(matches!(failed.p99, Quantile::At(3960..=3980)));
    assert_eq!(failed.p999, Quantile::AtLeast(3980));
    // 40 tasks never ended. At best they were all quick: then the 7992nd of 8000 is the 7952nd.
    let abandoned = with(0, 20);
    assert!(matches!(abandoned.p90, Quantile::AtLeast(3500..=3600)));
    assert!(matches!(abandoned.p99, Quantile::AtLeast(3900)));
    assert!(matches!(abandoned.p999, Quantile::AtLeast(3900)));
    assert_eq!(with(4000, 0).p50, Quantile::AtLeast(0));
    assert_eq!(with(0, 4000).p50, Quantile::AtLeast(0));
}

#[test]
fn too_few_samples_say_that_they_are_the_maximum() {
    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation[0].rate = Rate::per_second(30);
    plan.thresholds.truncate(1);
    let judgement = Case::of(plan).judge();
    let response = judgement.summary.response.unwrap();
    assert_eq!(response.p90, Quantile::At(1000));
    assert_eq!(response.p99, Quantile::Maximum(1000));
    assert_eq!(response.p999, Quantile::Maximum(1000));
}

#[test]
fn steps_at_full_precision_are_shown() {
    let mut case = Case::held();
    case.plan.thresholds[0] = samples::threshold(
        "save",
        Limit::Latency(LatencyLimit {
            of: Latency::Service,
            step: Step::Save,
            percentile: Percentile::P99,
            max_microseconds: 5000,
        }),
    );
    for dyno in 0..2 {
        let steps = [300, 400, 500].map(|microseconds| {
            let mut histogram = Histogram::new(Digits::Three);
            for _ in 0..4000 {
                histogram.record(microseconds);
            }
            histogram.encode()
        });
        let report = case.report(dyno);
        report.histograms.steps = Some(steps.to_vec());
        report.steps[1].service.max_microseconds = 400;
    }
    let judgement = case.judge();
    assert_eq!(judgement.thresholds[0].observed, "0.4 ms");
    assert_eq!(judgement.thresholds[0].limit, "save service p99 5 ms");
}

#[test]
fn a_threshold_of_a_type_is_of_its_dynos_alone() {
    let mut plan = samples::plan();
    plan.duration_seconds = 1;
    plan.formation = vec![
        samples::dyno_type("web", 1),
        samples::dyno_type("worker", 1),
    ];
    plan.thresholds[0].dyno_type = Some("worker".to_owned());
    plan.thresholds[2].dyno_type = Some("web".to_owned());
    plan.thresholds[2].limit = Limit::Rate {
        min_tasks_per_second: 1000,
    };
    let mut case = Case::of(plan);
    assert_eq!(case.judge().verdict, Verdict::Passed);
    assert!(case.report(0).over.is_empty());
    case.report(1).over[0].over = 11;
    let judgement = case.judge();
    assert_eq!(judgement.reason, Reason::ThresholdsBreached);
    assert_eq!(
        judgement.thresholds[0].limit,
        "response p99 250 ms of worker"
    );
    assert_eq!(judgement.thresholds[0].allowed_count, Some(10));
    assert_eq!(judgement.thresholds[2].holding, Holding::Held);
    assert_eq!(judgement.thresholds[2].observed, "1000 /s");
}

#[test]
fn a_run_cut_short_knows_no_rate() {
    let mut case = Case::held();
    case.backlog(1);
    let judgement = case.judge();
    assert_eq!(judgement.thresholds[2].holding, Holding::Unknown);
    case.lose(0, lost());
    let judgement = case.judge();
    assert_eq!(judgement.thresholds[0].holding, Holding::Unknown);
    assert_eq!(judgement.thresholds[1].holding, Holding::Unknown);
    assert_eq!(judgement.start_skew_microseconds, Some(300));
}

#[test]
fn a_backlog_row_names_what_the_message_names() {
    let mut case = Case::held();
    case.report(0).busiest[0].peak_backlog = 100;
    case.report(0).busiest[0].worker = 1;
    case.backlog(1);
    let judgement = case.judge();
    assert!(
        judgement
            .message
            .starts_with("web.2 FAILED after 8.4 s: worker 17 had 100 waiting"),
        "{}",
        judgement.message
    );
    let [row] = judgement.backlogs.as_slice() else {
        panic!("one limit");
    };
    assert_eq!(row.peak, Some(100));
    assert_eq!(row.holding, Holding::Breached);
    let place = row.place.as_ref().unwrap();
    assert_eq!(
        (
            place.dyno.to_string().as_str(),
            place.worker,
            place.at_milliseconds
        ),
        ("web.2", 17, 8_400)
    );
    // As many as may wait waited, and none was refused.
    let mut case = Case::held();
    case.report(0).busiest[0].peak_backlog = 100;
    assert_eq!(case.judge().backlogs[0].holding, Holding::Held);
    case.lose(1, lost());
    assert_eq!(case.judge().backlogs[0].holding, Holding::Unknown);
}

#[test]
fn a_run_cut_short_is_measured_by_the_window_that_it_ran() {
    let mut case = Case::held();
    for dyno in 0..2 {
        case.end(dyno, Ending::Stopped);
        let end = case.report(dyno).end.as_mut().unwrap();
        end.after_milliseconds = 5_800;
        let books = &mut case.report(dyno).books;
        books.scheduled = 820;
        books.delivered = 820;
        books.completed = 815;
        books.in_time = 815;
        books.abandoned = 5;
    }
    let summary = case.judge().summary;
    assert_eq!(summary.measured_milliseconds, 800);
    assert!((summary.asked_tasks_per_second - 2.0 * 1025.0).abs() < 1e-6);
    assert!(summary.achieved_tasks_per_second < summary.asked_tasks_per_second);
}
