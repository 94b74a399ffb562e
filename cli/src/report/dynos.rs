//! The busiest workers, every dyno, and the Redis under test.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::{DynoNumbers, DynoResult, DynoVerdict, Judgement};
use redyno_contract::plan::{Plan, Step};
use redyno_contract::report::{BusyWorker, OwnVitals, Times};

use super::table::{Align, Cell, Colours, Table, Tone};
use super::{Enforcement, PlannedRun};

/// Rows of the table of workers.
const WORKERS: usize = 5;

pub(super) fn print(
    run: &PlannedRun<'_>,
    judgement: &Judgement,
    colours: Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    if let Some(Busiest { table, rest }) = busiest(judgement, run.plan) {
        writeln!(out)?;
        match table {
            Some(table) => table.print(out, colours)?,
            None => write!(
                out,
                "{}  ",
                colours.paint(Some(Tone::Heading), "BUSIEST WORKERS")
            )?,
        }
        if let Some(rest) = rest {
            writeln!(out, "{rest}")?;
        }
    }
    writeln!(out)?;
    dynos(run, judgement).print(out, colours)?;
    if let Some(redis) = redis(judgement, run.plan) {
        writeln!(
            out,
            "{}  {redis}",
            colours.paint(Some(Tone::Heading), "REDIS"),
        )?;
    }
    Ok(())
}

/// The workers that had the most waiting.
pub(super) struct Busiest {
    /// A row for each; None if none of them ever had a task waiting.
    pub(super) table: Option<Table>,
    /// A sentence about the other workers.
    pub(super) rest: Option<String>,
}

/// None if nothing is known of any worker.
pub(super) fn busiest(judgement: &Judgement, plan: &Plan) -> Option<Busiest> {
    let mut workers: Vec<(&DynoResult, &BusyWorker)> = judgement
        .dynos
        .iter()
        .flat_map(|row| {
            row.numbers
                .iter()
                .flat_map(|numbers| &numbers.busiest)
                .map(move |worker| (row, worker))
        })
        .collect();
    if workers.is_empty() {
        return None;
    }
    // A worker that never had a task waiting is not busier than any other.
    workers.retain(|(_, worker)| worker.peak_backlog > 0);
    if workers.is_empty() {
        return Some(Busiest {
            table: None,
            rest: Some("no worker ever had a task waiting".to_owned()),
        });
    }
    workers.sort_by_key(|(_, worker)| std::cmp::Reverse(worker.peak_backlog));
    let (shown, hidden) = workers.split_at(workers.len().min(WORKERS));
    let steps = common_steps(plan);
    let columns = [
        ("BUSIEST WORKERS".to_owned(), Align::Left),
        ("tasks".to_owned(), Align::Right),
        ("peak backlog (at)".to_owned(), Align::Left),
        ("busy".to_owned(), Align::Right),
        ("response mean/max".to_owned(), Align::Left),
    ]
    .into_iter()
    .chain(
        steps
            .iter()
            .map(|step| (step.as_str().to_lowercase(), Align::Point)),
    )
    .chain([("ms".to_owned(), Align::Left)]);
    let mut table = Table::new(columns);
    for (row, worker) in shown {
        let mut cells: Vec<Cell> = vec![
            format!("{}/{}", row.dyno, worker.worker).into(),
            figures::count(worker.tasks).into(),
            format!(
                "{} ({} s)",
                figures::count(worker.peak_backlog),
                figures::bare_seconds(worker.peak_at_milliseconds)
            )
            .into(),
            figures::percent(worker.busy_per_mille).into(),
            mean_and_maximum(worker.response).into(),
        ];
        for position in 0..steps.len() {
            let mean = worker.step_means_microseconds.get(position);
            cells.push(
                mean.map_or_else(String::new, |mean| {
                    figures::bare_milliseconds(figures::brief(*mean))
                })
                .into(),
            );
        }
        table.row(cells);
    }
    let all: u64 = judgement
        .dynos
        .iter()
        .filter(|row| row.numbers.is_some())
        .filter_map(|row| plan.dyno_type(&row.dyno.dyno_type))
        .map(|dynos| u64::from(dynos.workers))
        .sum();
    let rest = all.saturating_sub(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    let rest = (rest > 0).then(|| {
        let peak = hidden
            .iter()
            .map(|(_, worker)| worker.peak_backlog)
            .chain(
                judgement
                    .dynos
                    .iter()
                    .filter_map(|row| row.numbers.as_ref())
                    .map(|numbers| numbers.other_workers_backlog),
            )
            .max()
            .unwrap_or(0);
        let rest = figures::count(rest);
        match peak {
            0 => format!("{rest} more workers never had a task waiting"),
            peak => format!(
                "{rest} more workers peaked at {} or less",
                figures::count(peak)
            ),
        }
    });
    Some(Busiest {
        table: Some(table),
        rest,
    })
}

/// The steps, if all types have the same: workers of different workloads have no columns in common.
fn common_steps(plan: &Plan) -> Vec<Step> {
    let mut all = plan.formation.iter().map(|dynos| dynos.workload.steps());
    let first = all.next().unwrap_or_default();
    if all.all(|steps| steps == first) && first.len() <= 4 {
        first
    } else {
        Vec::new()
    }
}

fn mean_and_maximum(times: Times) -> String {
    match times.mean_microseconds() {
        Some(mean) => format!(
            "{} / {}",
            figures::bare_milliseconds(figures::brief(mean)),
            figures::bare_milliseconds(figures::brief(times.max_microseconds))
        ),
        None => "-".to_owned(),
    }
}

/// A row for each dyno.
pub(super) fn dynos(run: &PlannedRun<'_>, judgement: &Judgement) -> Table {
    let mut table = Table::new([
        ("DYNO", Align::Left),
        ("result", Align::Left),
        ("achieved", Align::Right),
        ("response p99", Align::Left),
        ("cpu", Align::Left),
        ("load threads", Align::Left),
        ("memory", Align::Right),
        ("loop lag mean/max", Align::Left),
        ("throttled", Align::Right),
        ("start", Align::Right),
        ("node", Align::Left),
    ]);
    for row in &judgement.dynos {
        let mut cells: Vec<Cell> = vec![row.dyno.to_string().into(), result(row)];
        match &row.numbers {
            Some(numbers) => cells.extend(vitals(run, row, numbers)),
            None => cells.extend(std::iter::repeat_n(Cell::from("-"), 8)),
        }
        cells.push(row.node_name.as_deref().unwrap_or("").into());
        table.row(cells);
    }
    table
}

fn result(row: &DynoResult) -> Cell {
    let (word, tone) = match row.result {
        DynoVerdict::Passed => ("Passed", Tone::Good),
        DynoVerdict::Failed => ("Failed", Tone::Bad),
        DynoVerdict::Stopped => ("Stopped", Tone::Doubtful),
        DynoVerdict::Errored => ("Errored", Tone::Bad),
        DynoVerdict::Missing => ("Missing", Tone::Bad),
    };
    let mut text = word.to_owned();
    if let Some(reason) = &row.reason
        && reason != word
    {
        text = format!("{text}, {reason}");
    }
    if row.result != DynoVerdict::Passed
        && let Some(end) = &row.end
    {
        text = format!(
            "{text} at {} s",
            figures::bare_seconds(end.after_milliseconds)
        );
    }
    Cell::toned(text, tone)
}

fn vitals(run: &PlannedRun<'_>, row: &DynoResult, numbers: &DynoNumbers) -> [Cell; 8] {
    let own = numbers.own;
    let dynos = run.plan.dyno_type(&row.dyno.dyno_type);
    // The window that this dyno ran, which ends with the dyno and no later than the plan's.
    let measured_milliseconds = row.end.as_ref().map_or(0, |end| {
        end.after_milliseconds
            .saturating_sub(u64::from(run.plan.warmup_seconds) * 1000)
            .min(u64::from(run.plan.duration_seconds) * 1000)
    });
    let cpu = if measured_milliseconds == 0 {
        "-".to_owned()
    } else {
        let cores = own.cpu_microseconds as f64 / (measured_milliseconds as f64 * 1000.0);
        match (run.enforcement, dynos.and_then(|dynos| dynos.cpu_millis)) {
            (Enforcement::Enforced, Some(millis)) => {
                let all = figures::cpu(millis);
                format!("{cores:.2} of {}", all.trim_end_matches(" CPU"))
            }
            (Enforcement::Enforced | Enforcement::NotEnforced, _) => format!("{cores:.2}"),
        }
    };
    [
        format!("{} /s", figures::rate(numbers.achieved_tasks_per_second)).into(),
        numbers
            .response_p99
            .map_or_else(|| "-".to_owned(), |p99| p99.to_string())
            .into(),
        cpu.into(),
        load_threads(&own).into(),
        figures::bytes(own.memory_bytes).into(),
        format!("{} ms", mean_and_maximum(own.loop_lag)).into(),
        figures::percent(own.throttled_per_mille).into(),
        numbers
            .start_offset_microseconds
            .map_or_else(|| "-".to_owned(), start_offset)
            .into(),
    ]
}

/// How many load threads there are, and how busy the busiest was, where that was measured. A load
/// thread that never waits is the dyno's limit, whatever CPU is left.
fn load_threads(own: &OwnVitals) -> String {
    match (own.load_threads, own.load_thread_busy_per_mille) {
        (0, _) => "-".to_owned(),
        (threads, 0) => threads.to_string(),
        (threads, busy) => format!("{threads}, {} busy", figures::percent(busy)),
    }
}

/// How much later than the first dyno this one started.
fn start_offset(microseconds: i64) -> String {
    let size = figures::bare_milliseconds(figures::brief(microseconds.unsigned_abs()));
    let sign = if microseconds < 0 { '-' } else { '+' };
    format!("{sign}{size} ms")
}

/// What the target said of itself; None if it was never asked.
pub(super) fn redis(judgement: &Judgement, plan: &Plan) -> Option<String> {
    let vitals = judgement
        .target
        .as_ref()
        .filter(|vitals| vitals.samples > 0)?;
    let memory = vitals
        .memory_at_start_bytes
        .zip(vitals.memory_at_end_bytes)
        .map_or_else(unknown, |(start, end)| {
            let sign = if end < start { '-' } else { '+' };
            format!(
                "{sign}{}{}",
                figures::bytes(end.abs_diff(start)),
                full_after(start, end, vitals.maxmemory_bytes, plan)
            )
        });
    Some(format!(
        "core {}, memory {memory}, evicted {}, rejected {}",
        vitals
            .main_thread_per_mille
            .map_or_else(unknown, figures::percent),
        vitals.evicted_keys.map_or_else(unknown, figures::count),
        vitals
            .rejected_connections
            .map_or_else(unknown, figures::count),
    ))
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// When the memory would be full if it went on growing like this.
fn full_after(start: u64, end: u64, maxmemory_bytes: Option<u64>, plan: &Plan) -> String {
    let growth = end.saturating_sub(start);
    let Some(maxmemory) = maxmemory_bytes.filter(|limit| *limit > 0 && growth > 0) else {
        return String::new();
    };
    let free = maxmemory.saturating_sub(end);
    if free == 0 {
        return " (full)".to_owned();
    }
    let seconds = u128::from(free) * u128::from(plan.duration_seconds) / u128::from(growth);
    match u64::try_from(seconds) {
        // A memory that would take more than a month to fill is not called growing.
        Ok(seconds) if seconds < 30 * 86_400 => {
            format!(
                " (full after {} at this rate)",
                figures::span(seconds * 1000)
            )
        }
        _ => String::new(),
    }
}
