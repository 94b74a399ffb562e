//! No line of a report contradicts another one. Of many runs, every number that stands in two
//! places is read in both: in the tables, the page, the JUnit document and the status.

mod world;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use redyno_contract::figures;
use redyno_contract::judge;
use redyno_contract::limit::Holding;
use redyno_contract::outcome::RunFacts;
use redyno_contract::plan::{Latency, Limit, Step};
use redyno_crds::LoadTestStatus;
use redyno_crds::conclude::{Notes, conclude_judged};
use redyno_crds::status::{LatencyStatus, SummaryStatus};

use super::*;
use crate::precision::{self, Shown};
use world::{Ran, worlds};

/// One run in every output.
struct Outputs {
    plan: Plan,
    judgement: Judgement,
    status: LoadTestStatus,
    table: String,
    /// The texts of the page, in order.
    page: Vec<String>,
    junit: String,
}

impl Outputs {
    fn of(ran: &Ran) -> Self {
        let facts = RunFacts::default();
        let judged = judge(&ran.plan, &facts, &ran.outcomes);
        let mut status = LoadTestStatus::default();
        let now = Time(Timestamp::UNIX_EPOCH);
        conclude_judged(
            &mut status,
            &judged,
            &ran.plan,
            &Notes::default(),
            Some(1),
            &now,
            false,
        );
        let Shown { judgement, curves } =
            precision::shown(&ran.plan, &facts, &ran.outcomes, &judged, &ran.full);
        let sizes = fixtures::sizes();
        let mut report = fixtures::report_of(&judgement, &ran.plan, &sizes);
        report.message = status.message.as_deref().unwrap();
        if let Some(run) = &mut report.run {
            run.curves = &curves;
        }
        let mut table = Vec::new();
        print(&report, Colours::Hidden, &mut table).unwrap();
        let page = html::page(&report);
        Self {
            table: String::from_utf8(table).unwrap(),
            page: texts(&page),
            junit: unescaped(&junit::document(&report).unwrap()),
            plan: ran.plan.clone(),
            status,
            judgement,
        }
    }

    fn summary(&self) -> &SummaryStatus {
        self.status.summary.as_ref().unwrap()
    }

    /// The words of the table's line that begins like this, within this section.
    fn line(&self, section: &str, name: &str) -> Option<Vec<String>> {
        let lines = self
            .table
            .lines()
            .skip_while(|line| !line.starts_with(section));
        let line = lines.take_while(|line| !line.is_empty()).find(|line| {
            line.trim_start()
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })?;
        let rest = line.trim_start().strip_prefix(name)?;
        Some(
            rest.split("  ")
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// This many texts of the page, counted from behind this one.
    fn after(&self, text: &str, count: usize) -> Option<&[String]> {
        let position = self.page.iter().position(|found| found == text)?;
        self.page.get(position + 1..position + 1 + count)
    }
}

/// Every text between the tags of a page.
fn texts(page: &str) -> Vec<String> {
    let body = page.split_once("<body>").unwrap().1;
    body.split('<')
        .filter_map(|part| part.split_once('>'))
        .map(|(_, text)| {
            unescaped(text)
                .replace('\u{2265}', ">=")
                .replace(">= ", ">=")
        })
        .filter(|text| !text.trim().is_empty())
        .collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// The cells of a latency as the status has them: each number of the status stands in its cell
/// digit for digit.
fn cells(latency: &LatencyStatus) -> Vec<(i64, bool)> {
    let LatencyStatus {
        p50_microseconds,
        p50_is_lower_bound,
        p90_microseconds,
        p90_is_lower_bound,
        p99_microseconds,
        p99_is_lower_bound,
        p999_microseconds,
        p999_is_lower_bound,
        max_microseconds,
        max_is_lower_bound,
        mean_microseconds: _,
        significant_digits: _,
    } = latency;
    vec![
        (*p50_microseconds, *p50_is_lower_bound),
        (*p90_microseconds, *p90_is_lower_bound),
        (*p99_microseconds, *p99_is_lower_bound),
        (*p999_microseconds, *p999_is_lower_bound),
        (*max_microseconds, *max_is_lower_bound),
    ]
}

/// Whether a cell shows this number: exactly, or a maximum as briefly as maxima are shown.
fn shows(cell: &str, microseconds: i64, is_lower_bound: bool) -> bool {
    let microseconds = u64::try_from(microseconds).unwrap();
    let number = cell.trim_start_matches(">=").trim_end_matches('*');
    cell.starts_with(">=") == is_lower_bound
        && (number == figures::bare_milliseconds(microseconds)
            || number == figures::bare_milliseconds(figures::brief(microseconds)))
}

fn latencies_agree(outputs: &Outputs) -> Result<(), TestCaseError> {
    let summary = outputs.summary();
    let mut seen: Vec<Vec<u64>> = Vec::new();
    for (name, latency) in [
        ("response", &summary.response),
        ("wait", &summary.wait),
        ("service", &summary.service),
    ] {
        let line = outputs.line("LATENCY", name);
        let Some(latency) = latency else {
            continue;
        };
        let line = line.unwrap_or_default();
        // On the page, the section above the table has the same words. The table's row is the last
        // one.
        let page = outputs.page.iter().rposition(|text| text == name).unwrap();
        for (position, (microseconds, is_lower_bound)) in cells(latency).into_iter().enumerate() {
            prop_assert!(
                shows(&line[position], microseconds, is_lower_bound),
                "{name}: {line:?} {latency:?}"
            );
            // A remark stands between the name and the numbers.
            prop_assert_eq!(
                &outputs.page[page + 2 + position],
                &line[position],
                "{} {:?}",
                name,
                &line
            );
        }
        let values: Vec<u64> = line[..5]
            .iter()
            .map(|cell| {
                let number: String = cell
                    .chars()
                    .filter(|c| c.is_ascii_digit() || *c == '.')
                    .collect();
                let milliseconds: f64 = number.parse().unwrap();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let microseconds = (milliseconds * 1000.0).round() as u64;
                microseconds
            })
            .collect();
        prop_assert!(values.is_sorted(), "{name}: {line:?}");
        if let Some(response) = seen.first() {
            let less = values
                .iter()
                .zip(response)
                .all(|(part, whole)| part <= whole);
            prop_assert!(
                less,
                "{name} is more than the response: {values:?} {response:?}"
            );
        }
        seen.push(values);
    }
    Ok(())
}

fn p99_agrees(outputs: &Outputs) -> Result<(), TestCaseError> {
    let (Some(response), Some(p99)) = (&outputs.summary().response, &outputs.summary().p99) else {
        return Ok(());
    };
    let cell = &outputs.line("LATENCY", "response").unwrap()[2];
    let number = p99
        .replace(" ms", "")
        .replace(">= ", ">=")
        .replace(" (maximum)", "*");
    prop_assert_eq!(&number, cell, "{:?}", response);
    // On the page: in its figures, in the words of its chart, and for each dyno.
    let strip = &outputs.after("Response p99", 1).unwrap()[0];
    prop_assert_eq!(strip.trim_end_matches('*'), cell.trim_end_matches('*'));
    if let Some(described) = outputs
        .page
        .iter()
        .find(|text| text.starts_with("Distribution of"))
    {
        let words = described.split("p99 ").nth(1).unwrap();
        let words = words.split(" ms").next().unwrap();
        prop_assert_eq!(words, cell.trim_end_matches('*'), "{}", described);
    }
    if outputs.plan.formation[0].quantity == 1 {
        let row = outputs.line("DYNO", "web.1").unwrap();
        prop_assert!(row.contains(p99), "{p99}: {row:?}");
    }
    Ok(())
}

fn limits_agree(outputs: &Outputs) -> Result<(), TestCaseError> {
    for ((planned, threshold), row) in outputs
        .plan
        .thresholds
        .iter()
        .zip(&outputs.status.thresholds)
        .zip(&outputs.judgement.thresholds)
    {
        let line = outputs.line("LIMIT", &threshold.name).unwrap();
        let after = outputs.after(&threshold.name, 3).unwrap();
        let observed = threshold.observed.replace(">= ", ">=");
        prop_assert_eq!(&line[1].replace(">= ", ">="), &observed);
        prop_assert_eq!(&after[1], &observed);
        prop_assert_eq!(&after[0], &line[0]);
        let word = match row.holding {
            Holding::Held => "held",
            Holding::Breached => "BREACHED",
            Holding::Unknown => "unknown",
        };
        prop_assert_eq!(line.last().unwrap(), word);
        prop_assert_eq!(threshold.result.to_lowercase(), word.to_lowercase());
        let counts = threshold.over_count.zip(threshold.allowed_count);
        if let Some((over, allowed)) = counts {
            let [over_text, allowed_text] =
                [over, allowed].map(|count| figures::count(u64::try_from(count).unwrap()));
            prop_assert_eq!(&line[2], &format!("{over_text} / {allowed_text}"));
            match row.holding {
                Holding::Held => prop_assert!(over <= allowed, "{threshold:?}"),
                // Errors of the warm-up do not count in the window.
                Holding::Breached if observed.ends_with("warm-up") => {}
                Holding::Breached => prop_assert!(over > allowed, "{threshold:?}"),
                Holding::Unknown => {}
            }
        }
        if row.holding == Holding::Breached {
            let message = format!("{}: observed {}", threshold.name, threshold.observed);
            prop_assert!(outputs.junit.contains(&message), "{message}");
        }
        if let Limit::Latency(limit) = &planned.limit
            && limit.of == Latency::Response
            && limit.step == Step::Task
            && !observed.ends_with("(counted)")
            && let Some(response) = outputs.line("LATENCY", "response")
            && let Some(position) = [50_000, 90_000, 99_000, 99_900]
                .iter()
                .position(|shown| *shown == limit.percentile.thousandths())
        {
            let shown = observed.replace(" ms", "").replace(" (maximum)", "*");
            prop_assert_eq!(&shown, &response[position]);
        }
        if let Limit::Rate { .. } = planned.limit {
            let rate = outputs.summary().rate.as_deref().unwrap_or("unknown");
            prop_assert_eq!(&threshold.observed, rate);
        }
    }
    Ok(())
}

fn counts_agree(outputs: &Outputs) -> Result<(), TestCaseError> {
    let tasks = &outputs.summary().tasks;
    for (name, count) in [
        ("scheduled", tasks.scheduled_tasks),
        ("delivered", tasks.delivered_tasks),
        ("completed", tasks.completed_tasks),
        ("in time", tasks.in_time_tasks),
    ] {
        let dynos = outputs.judgement.dynos.len();
        let line = outputs.line("TASKS", name).unwrap();
        prop_assert_eq!(&line[dynos], &figures::count(u64::try_from(count).unwrap()));
    }
    let failed = figures::count(u64::try_from(tasks.failed_tasks).unwrap());
    prop_assert_eq!(&outputs.after("Failed tasks", 1).unwrap()[0], &failed);
    let completed = outputs.line("TASKS", "completed").unwrap();
    let note = format!("+ {failed} failed");
    prop_assert!(
        completed.last().unwrap().starts_with(&note),
        "{completed:?}"
    );
    Ok(())
}

fn rates_agree(outputs: &Outputs) -> Result<(), TestCaseError> {
    let summary = outputs.summary();
    let strip = outputs.after("Achieved", 3).unwrap();
    let rate = summary.rate.clone().unwrap_or_else(|| "0 /s".to_owned());
    prop_assert_eq!(&format!("{} {}", strip[0], strip[1]), &rate);
    let whole = strip[0].split('.').next().unwrap();
    prop_assert_eq!(whole, summary.tasks.achieved_tasks_per_second.to_string());
    let asked = strip[2].split(' ').nth(1).unwrap();
    let (achieved, asked): (f64, f64) = (strip[0].parse().unwrap(), asked.parse().unwrap());
    prop_assert!(achieved <= asked, "{strip:?}");
    // The length of the measurement stands above both.
    let measured = u64::try_from(summary.measured_milliseconds.unwrap_or(0)).unwrap();
    let planned = u64::from(outputs.plan.duration_seconds) * 1000;
    let when = outputs
        .page
        .iter()
        .find(|text| text.ends_with(" measured"))
        .unwrap();
    let said = if measured == planned {
        format!("{} s measured", outputs.plan.duration_seconds)
    } else {
        format!(
            "{} s asked, {} measured",
            outputs.plan.duration_seconds,
            figures::span(measured)
        )
    };
    prop_assert!(outputs.table.contains(&said), "{said}");
    prop_assert!(when.contains(&figures::span(measured)), "{when}");
    Ok(())
}

fn the_message_agrees(outputs: &Outputs) -> Result<(), TestCaseError> {
    let message = outputs.status.message.as_deref().unwrap();
    prop_assert_eq!(outputs.table.lines().nth(1).unwrap(), message);
    let happened = outputs
        .page
        .iter()
        .any(|text| message.starts_with(text.as_str()) && text.len() > 20);
    let bounded = message.contains(">= ");
    prop_assert!(happened || bounded, "{message}");
    // The tables stand in the document as they are in the terminal.
    prop_assert!(outputs.junit.contains(&outputs.table));
    // A backlog stands in its own row and in its dyno's.
    if let Some((dyno, rest)) = message.split_once(" FAILED after ")
        && let Some((at, what)) = rest.split_once(": worker ")
    {
        let words: Vec<&str> = what.split(' ').collect();
        let at = at.trim_end_matches(", in the warm-up");
        let place = format!("{dyno} worker {} at {at}", words[0]);
        let row = outputs.line("LIMIT", "backlog").unwrap();
        prop_assert_eq!(&row[1], words[2]);
        prop_assert_eq!(&row[2], &place);
        prop_assert_eq!(row.last().unwrap(), "BREACHED");
        prop_assert!(outputs.page.contains(&place));
        let dyno = outputs
            .status
            .dynos
            .iter()
            .find(|row| row.name == dyno)
            .unwrap();
        prop_assert_eq!(dyno.failed_worker.unwrap().to_string(), words[0]);
        prop_assert_eq!(dyno.failed_worker_backlog.unwrap().to_string(), words[2]);
    }
    Ok(())
}

fn the_timeline_agrees(outputs: &Outputs) -> Result<(), TestCaseError> {
    let summary = &outputs.judgement.summary;
    let Some(timeline) = &outputs.judgement.timeline else {
        return Ok(());
    };
    prop_assert_eq!(
        timeline.completed.iter().sum::<u64>(),
        summary.books.in_time
    );
    let highest = timeline.response_p99_microseconds.iter().flatten().max();
    if let Some(response) = summary.response
        && !response.p99.is_lower_bound()
    {
        let p99 = response.p99.microseconds() as f64;
        let highest = highest.copied().unwrap_or(0) as f64;
        // With one dyno, some slot was as slow as the whole run. With several, the slowest dyno's
        // value is shown. The run's has two digits at least: its last may be half of it too high.
        let p99 = p99 * 0.95;
        prop_assert!(highest * 1.1 + 1.0 >= p99, "{highest} {response:?}");
    }
    let peak = timeline
        .peak_backlog
        .iter()
        .flatten()
        .max()
        .copied()
        .unwrap_or(0);
    let row = outputs.judgement.backlogs[0].peak.unwrap_or(0);
    // Tasks that waited before the window are no part of it.
    prop_assert!(peak <= row, "{peak} {row}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_stands_in_two_places_is_the_same(world in worlds()) {
        let outputs = Outputs::of(&world.run());
        latencies_agree(&outputs)?;
        p99_agrees(&outputs)?;
        limits_agree(&outputs)?;
        counts_agree(&outputs)?;
        rates_agree(&outputs)?;
        the_message_agrees(&outputs)?;
        the_timeline_agrees(&outputs)?;
    }
}
