//! Snapshots of whole reports.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::Reason;
use redyno_contract::failure::{ClassFailures, FailureClass};
use redyno_contract::judgement::{DynoVerdict, Encryption, TimeSpent, TypeResult};
use redyno_contract::limit::Holding;
use redyno_contract::plan::{DynoName, Workload};
use redyno_contract::timeline::Timeline;
use redyno_crds::LoadTestStatus;
use redyno_crds::conclude::{Notes, conclude_judged};
use redyno_crds::conditions::{SUCCEEDED, condition};

use super::fixtures::{
    UID, failed_by_backlog, passed, passed_with_commands, plan, plan_of_commands, report_of, sizes,
    step_distributions, with_a_lost_dyno,
};
use super::*;

fn printed(report: &TerminalReport<'_>) -> String {
    let mut out = Vec::new();
    print(report, Colours::Hidden, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn passed_with_full_precision_and_a_timeline() {
    let (mut judgement, plan, sizes) = (passed(2), plan(2), sizes());
    judgement.summary.step_distributions = step_distributions();
    let report = report_of(&judgement, &plan, &sizes);
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn failed_by_backlog_names_the_worker_and_the_time() {
    let (judgement, plan, sizes) = (failed_by_backlog(), plan(2), sizes());
    let report = report_of(&judgement, &plan, &sizes);
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn errored_before_any_plan() {
    let report = TerminalReport {
        namespace: "default",
        name: "vertical-up-6",
        version: "0.1.0",
        uid: UID,
        verdict: Verdict::Errored,
        message: "spec.formation[0].size is \"huge\", must be one of eco, basic.",
        run: None,
    };
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn errored_with_a_lost_dyno() {
    let judgement = with_a_lost_dyno();
    let (plan, sizes) = (plan(2), sizes());
    let mut report = report_of(&judgement, &plan, &sizes);
    if let Some(run) = &mut report.run {
        run.enforcement = Enforcement::NotEnforced;
    }
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn errored_before_a_common_start_shows_the_dynos_alone() {
    let mut judgement = passed(2);
    judgement.verdict = Verdict::Errored;
    judgement.reason = Reason::StartTimeout;
    judgement.bottleneck = None;
    judgement.start_microseconds = None;
    judgement.message = "web.1 was not ready in time.".to_owned();
    for row in &mut judgement.dynos {
        row.result = DynoVerdict::Errored;
        row.reason = Some("StartTimeout".to_owned());
        row.numbers = None;
        row.end = None;
    }
    judgement.target = None;
    let (plan, sizes) = (plan(2), sizes());
    insta::assert_snapshot!(printed(&report_of(&judgement, &plan, &sizes)));
}

#[test]
fn inconclusive_by_lag() {
    let mut judgement = passed(2);
    judgement.verdict = Verdict::Inconclusive;
    judgement.reason = Reason::ScheduleLag;
    judgement.message =
        "The generator was up to 12 ms late. Give the dyno more CPU, or run it on a quieter node."
            .to_owned();
    judgement.thresholds[0].holding = Holding::Unknown;
    if let Some(numbers) = &mut judgement.dynos[1].numbers {
        numbers.own.schedule_lag_p99_microseconds = 12_300;
        numbers.own.throttled_per_mille = 4;
    }
    let (plan, sizes) = (plan(2), sizes());
    insta::assert_snapshot!(printed(&report_of(&judgement, &plan, &sizes)));
}

#[test]
fn ten_dynos_have_a_row_each() {
    let (judgement, plan, sizes) = (passed(10), plan(10), sizes());
    insta::assert_snapshot!(printed(&report_of(&judgement, &plan, &sizes)));
}

#[test]
fn two_types_with_different_limits_have_a_latency_table_each() {
    let mut plan = plan(1);
    let mut second = plan.formation[0].clone();
    second.dyno_type = "worker".to_owned();
    second.max_worker_backlog = 150;
    second.workload = plan_of_commands().formation[0].workload.clone();
    plan.formation.push(second);
    let mut judgement = passed(2);
    let mut backlog = judgement.backlogs[0].clone();
    backlog.max_worker_backlog = 150;
    backlog.dyno_types = vec!["worker".to_owned()];
    judgement.backlogs.push(backlog);
    judgement.dynos[1].dyno = DynoName {
        dyno_type: "worker".to_owned(),
        index: 0,
    };
    judgement.formation.push(TypeResult {
        dyno_type: "worker".to_owned(),
        totals: passed_with_commands().summary,
        timeline: Some(Timeline {
            // The other type's first dyno samples Redis.
            redis_main_thread_per_mille: Vec::new(),
            ..fixtures::timeline()
        }),
        time_spent: Some(TimeSpent {
            waiting_microseconds: 8,
            dyno_microseconds: 21,
            executing_microseconds: None,
            elsewhere_microseconds: 1_000,
        }),
    });
    for latency in [
        &mut judgement.summary.response,
        &mut judgement.summary.wait,
        &mut judgement.summary.service,
    ] {
        *latency = None;
    }
    let sizes = [sizes(), sizes()].concat();
    insta::assert_snapshot!(printed(&report_of(&judgement, &plan, &sizes)));
}

#[test]
fn commands_have_a_row_each_and_say_how_they_arrive() {
    let (plan, judgement, sizes) = (plan_of_commands(), passed_with_commands(), sizes());
    let text = printed(&report_of(&judgement, &plan, &sizes));
    insta::assert_snapshot!(text);
}

#[test]
fn a_long_mix_is_counted() {
    let mut plan = plan_of_commands();
    let Workload::Commands(commands) = &mut plan.formation[0].workload else {
        panic!("{plan:?}")
    };
    for number in 3..=16 {
        let mut entry = commands.mix[1].clone();
        entry.name = format!("set-{number}");
        commands.mix.push(entry);
    }
    let (judgement, sizes) = (passed_with_commands(), sizes());
    let text = printed(&report_of(&judgement, &plan, &sizes));
    assert!(
        text.contains("commands 37 % get, 4 % set, 4 % set-3, 4 % set-4, 4 % set-5, 11 more on"),
        "{text}"
    );
}

#[test]
fn workers_without_a_backlog_are_not_called_busy() {
    let (mut judgement, plan, sizes) = (passed(1), plan(1), sizes());
    let numbers = judgement.dynos[0].numbers.as_mut().unwrap();
    numbers.other_workers_backlog = 0;
    for worker in &mut numbers.busiest[1..] {
        worker.peak_backlog = 0;
    }
    let text = printed(&report_of(&judgement, &plan, &sizes));
    assert!(
        text.contains("\n62 more workers never had a task waiting\n"),
        "{text}"
    );
    judgement.dynos[0].numbers.as_mut().unwrap().busiest[0].peak_backlog = 0;
    let text = printed(&report_of(&judgement, &plan, &sizes));
    assert!(
        text.contains("\nBUSIEST WORKERS  no worker ever had a task waiting\n"),
        "{text}"
    );
}

/// Every heading of a number starts or ends where its numbers do, whatever the numbers are.
#[test]
fn columns_are_aligned() {
    for quantity in [1, 2, 4, 5, 10] {
        let (judgement, plan, sizes) = (passed(quantity), plan(quantity), sizes());
        let text = printed(&report_of(&judgement, &plan, &sizes));
        let lines: Vec<&str> = text.lines().collect();
        let heading = lines
            .iter()
            .position(|line| line.starts_with("TASKS"))
            .unwrap();
        let body = if quantity > 4 {
            quantity as usize + 1
        } else {
            4
        };
        let ends = |line: &str| -> Vec<usize> {
            let cells: Vec<char> = line.chars().collect();
            (1..=cells.len())
                .filter(|end| {
                    cells[end - 1] != ' ' && cells.get(*end).is_none_or(|next| *next == ' ')
                })
                .collect()
        };
        let columns = ends(&lines[heading].replace("in time", "in-time"));
        for line in &lines[heading + 1..=heading + body] {
            let line = line.replace("in time", "in-time");
            let numbers: Vec<usize> = ends(&line)
                .into_iter()
                .filter(|end| line.as_bytes()[end - 1].is_ascii_digit())
                .take(quantity.min(4) as usize)
                .skip(usize::from(quantity > 4))
                .collect();
            for end in numbers {
                assert!(columns.contains(&end), "{end} in {line:?} of\n{text}");
            }
        }
        assert!(
            lines.iter().all(|line| !line.ends_with(' ')),
            "blanks at a line's end:\n{text}"
        );
    }
}

#[test]
fn colours_add_nothing_but_colours() {
    let (judgement, plan, sizes) = (failed_by_backlog(), plan(2), sizes());
    let report = report_of(&judgement, &plan, &sizes);
    let mut out = Vec::new();
    print(&report, Colours::Shown, &mut out).unwrap();
    let mut stripped = String::from_utf8(out).unwrap();
    assert!(stripped.contains("\x1b[31mFAILED\x1b[0m"));
    for code in ["0", "1", "31", "32", "33"] {
        stripped = stripped.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(stripped, printed(&report));
}

/// In every format, the report has the target's own words and says how connections were encrypted.
#[test]
fn every_form_shows_the_targets_words_and_that_nobody_was_verified() {
    const WORDS: &str = "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.";
    let mut judgement = failed_by_backlog();
    judgement.encryption = Some(Encryption::TlsSkipVerification);
    judgement.summary.failures = vec![
        ClassFailures {
            class: FailureClass::Quota,
            measured: 1_884,
            warmup: 12,
            example: Some(WORDS.to_owned()),
        },
        ClassFailures {
            class: FailureClass::Timeout,
            measured: 1,
            warmup: 0,
            example: None,
        },
    ];
    let (plan, sizes) = (plan(2), sizes());
    let report = report_of(&judgement, &plan, &sizes);
    let table = printed(&report);
    let page = html::page(&report);
    for text in [&table, &page] {
        assert!(text.contains(WORDS), "{text}");
        assert!(text.contains("1,884"), "{text}");
        assert!(
            text.contains("TLS (certificate NOT verified: SkipVerification)"),
            "{text}"
        );
    }
    let suite = junit::document(&report).unwrap();
    assert!(
        suite.contains(r#"<property name="encryption" value="TlsSkipVerification"/>"#),
        "{suite}"
    );
}

#[test]
fn every_form_says_the_reason_as_the_status_does() {
    let mut judgement = failed_by_backlog();
    judgement.during_warmup = true;
    let (plan, sizes) = (plan(2), sizes());
    let report = report_of(&judgement, &plan, &sizes);
    let mut status = LoadTestStatus::default();
    conclude_judged(
        &mut status,
        &judgement,
        &plan,
        &Notes::default(),
        None,
        &Time(Timestamp::UNIX_EPOCH),
        false,
    );
    let word = &condition(&status.conditions, SUCCEEDED).unwrap().reason;
    assert_eq!(word, "BacklogLimitReachedDuringWarmup");
    for (form, text, expected) in [
        ("table", printed(&report), format!("Reason {word}")),
        ("page", html::page(&report), format!("<b>{word}</b>")),
        (
            "property",
            junit::document(&report).unwrap(),
            format!("<property name=\"reason\" value=\"{word}\"/>"),
        ),
        (
            "failure",
            junit::document(&report).unwrap(),
            format!("type=\"{word}\""),
        ),
    ] {
        assert!(
            text.contains(&expected),
            "{form}: {expected} is not in\n{text}"
        );
    }
}
