//! What was asked for, of which target, and what the run leaves out.

use std::io::{self, Write};

use redyno_contract::figures;
use redyno_contract::judgement::{Encryption, Judgement};
use redyno_contract::plan::{
    Arrivals, Assignment, Commands, Distribution, DynoTypePlan, Fetch, Keyspace, ObjectGraph,
    Prefill, QueueOrder, TargetKind, Workload,
};
use redyno_contract::report::{TargetVitals, software};

use super::table::{Colours, Tone};
use super::{Enforcement, PlannedRun};

pub(super) fn print(run: &PlannedRun<'_>, colours: Colours, out: &mut dyn Write) -> io::Result<()> {
    for (name, text) in facts(run) {
        line(name, &text, colours, out)?;
    }
    Ok(())
}

/// Lines of a name and a text. A line without a name continues the one above it.
pub(super) fn facts(run: &PlannedRun<'_>) -> Vec<(&'static str, String)> {
    let plan = run.plan;
    let mut facts = Vec::new();
    for (position, dynos) in plan.formation.iter().enumerate() {
        let size = run.sizes.get(position).map_or("", String::as_str);
        let enforced = match run.enforcement {
            Enforcement::Enforced => "enforced",
            Enforcement::NotEnforced => "not enforced",
        };
        let name = if position == 0 { "ASKED" } else { "" };
        facts.push((
            name,
            format!(
                "{} x {}, {size}, {enforced}; each {} workers, {} tasks/s, {}",
                dynos.quantity,
                dynos.dyno_type,
                figures::count(dynos.workers),
                figures::rate(dynos.rate.tasks_per_second()),
                pattern(dynos),
            ),
        ));
        facts.push(("", workload(run.judgement, dynos)));
    }
    let warmup = match plan.warmup_seconds {
        0 => "no warm-up".to_owned(),
        seconds => format!(
            "{seconds} s warm-up at {} % (not counted)",
            plan.warmup_percent
        ),
    };
    facts.push((
        "",
        format!(
            "{warmup}, {}{}; times below count from the start",
            measured(run),
            backlog_limit(&plan.formation),
        ),
    ));
    facts.push(("TARGET", target(run)));
    if let Some(cleanup) = run.cleanup {
        facts.push(("", cleanup.to_owned()));
    }
    facts.push(("NOT SIMULATED", not_simulated(run)));
    facts
}

fn line(name: &str, text: &str, colours: Colours, out: &mut dyn Write) -> io::Result<()> {
    let padding = " ".repeat(8_usize.saturating_sub(name.len()).max(2));
    let name = if name.is_empty() {
        String::new()
    } else {
        colours.paint(Some(Tone::Heading), name)
    };
    writeln!(out, "{name}{padding}{text}")
}

fn pattern(dynos: &DynoTypePlan) -> String {
    let arrivals = match dynos.arrivals {
        Arrivals::Constant => "constant",
        Arrivals::Poisson => "Poisson",
    };
    let assignment = match dynos.assignment {
        Assignment::Random => "random",
        Assignment::RoundRobin => "round robin",
    };
    // The usual order is not mentioned.
    let order = match dynos.queue_order {
        QueueOrder::OldestFirst => "",
        QueueOrder::NewestFirst => ", newest first",
    };
    format!("{arrivals}, {assignment}{order}")
}

fn workload(judgement: Option<&Judgement>, dynos: &DynoTypePlan) -> String {
    let traffic = judgement
        .and_then(|judgement| traffic(judgement, &dynos.dyno_type))
        .unwrap_or_default();
    let application = match dynos.application_cpu_microseconds {
        0 => String::new(),
        microseconds => format!(", {} us of the app's CPU", figures::count(microseconds)),
    };
    let what = match &dynos.workload {
        Workload::ObjectGraph(graph) => object_graph(graph),
        Workload::Commands(commands) => self::commands(commands),
    };
    format!("{what}{application}{traffic} per task")
}

const fn prefill(prefill: Prefill) -> &'static str {
    match prefill {
        Prefill::Full => "prefilled",
        Prefill::Empty => "empty at first",
    }
}

fn object_graph(graph: &ObjectGraph) -> String {
    let fetch = match graph.fetch {
        Fetch::Lua => "Lua",
        Fetch::Hgetall => "HGETALL",
    };
    format!(
        "objectGraph {} flats ({}), {} B, {fetch}: 4 round trips",
        figures::count(graph.max_flats),
        prefill(graph.prefill),
        figures::count(graph.item_payload_bytes),
    )
}

/// If a mix has more commands than this, they are counted instead of named. Each has its own row of
/// latencies.
const MOST_NAMED: usize = 5;

fn commands(commands: &Commands) -> String {
    let Commands {
        keyspace:
            Keyspace {
                prefix: _,
                keys,
                distribution,
            },
        value_bytes,
        prefill,
        mix,
    } = commands;
    let all: u64 = mix.iter().map(|entry| u64::from(entry.weight)).sum();
    let mut named: Vec<String> = mix
        .iter()
        .take(MOST_NAMED)
        .map(|entry| {
            let per_mille = u64::from(entry.weight) * 1000 / all.max(1);
            let per_mille = u32::try_from(per_mille).unwrap_or(1000);
            format!("{} {}", figures::percent(per_mille), entry.name)
        })
        .collect();
    if mix.len() > MOST_NAMED {
        named.push(format!("{} more", mix.len() - MOST_NAMED));
    }
    let distribution = match distribution {
        Distribution::Uniform => "uniform".to_owned(),
        Distribution::Zipf { exponent_percent } => format!(
            "Zipf {}.{:02}",
            exponent_percent / 100,
            exponent_percent % 100
        ),
    };
    format!(
        "commands {} on {} keys ({distribution}, {}), values of {} B: 1 round trip",
        named.join(", "),
        figures::count(*keys),
        self::prefill(*prefill),
        figures::count(*value_bytes),
    )
}

/// What a task of this type moved, on average of all that ended.
fn traffic(judgement: &Judgement, dyno_type: &str) -> Option<String> {
    let numbers = || {
        judgement
            .dynos
            .iter()
            .filter(|row| row.dyno.dyno_type == dyno_type)
            .filter_map(|row| row.numbers.as_ref())
    };
    let tasks: u64 = numbers()
        .map(|row| row.books.completed + row.books.failed)
        .sum();
    let bytes_out: u64 = numbers().map(|row| row.own.bytes_out).sum();
    let bytes_in: u64 = numbers().map(|row| row.own.bytes_in).sum();
    if tasks == 0 || (bytes_out == 0 && bytes_in == 0) {
        return None;
    }
    Some(format!(
        ", {} out, {} in",
        figures::bytes(bytes_out / tasks),
        figures::bytes(bytes_in / tasks),
    ))
}

/// How much of the window was run.
fn measured(run: &PlannedRun<'_>) -> String {
    let planned = u64::from(run.plan.duration_seconds);
    let measured = run
        .judgement
        .map(|judgement| judgement.summary.measured_milliseconds);
    match measured {
        Some(measured) if measured == planned * 1000 => format!("{planned} s measured"),
        Some(measured) => format!("{planned} s asked, {} measured", figures::span(measured)),
        None => format!("{planned} s asked"),
    }
}

fn backlog_limit(formation: &[DynoTypePlan]) -> String {
    let first = formation.first().map(|dynos| dynos.max_worker_backlog);
    if let Some(limit) = first
        && formation
            .iter()
            .all(|dynos| dynos.max_worker_backlog == limit)
    {
        return format!(", backlog limit {}", figures::count(limit));
    }
    let limits: Vec<String> = formation
        .iter()
        .map(|dynos| {
            let limit = figures::count(dynos.max_worker_backlog);
            format!("{limit} ({})", dynos.dyno_type)
        })
        .collect();
    format!(", backlog limits {}", limits.join(" and "))
}

/// How the connections were encrypted, as a clause.
const fn encryption(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Plain => ", no TLS",
        Encryption::TlsVerifyFull => ", TLS (certificate and host name verified)",
        Encryption::TlsVerifyCa => ", TLS (certificate verified, host name NOT)",
        Encryption::TlsSkipVerification => ", TLS (certificate NOT verified: SkipVerification)",
    }
}

fn target(run: &PlannedRun<'_>) -> String {
    let encryption = run
        .judgement
        .and_then(|judgement| judgement.encryption)
        .map(encryption)
        .unwrap_or_default();
    let title = &run.plan.target.title;
    if let Some(vitals) = vitals(run) {
        return format!(
            "{title}: {}, {}, {}, at most {} of {} connections in use{encryption}",
            vitals.software(),
            memory(vitals.maxmemory_bytes),
            vitals
                .maxmemory_policy
                .as_deref()
                .unwrap_or("policy unknown"),
            known_count(vitals.connections_max),
            known_count(vitals.maxclients),
        );
    }
    match run.found {
        Some(found) => format!(
            "{title}: {}, {}, {} of {} connections needed{encryption}",
            software(found.server.as_deref(), found.version.as_deref()),
            memory(found.maxmemory_bytes),
            figures::count(run.plan.target.connections),
            known_count(found.maxclients),
        ),
        None => format!("{title}{encryption}"),
    }
}

fn memory(maxmemory_bytes: Option<u64>) -> String {
    match maxmemory_bytes {
        None => "maxmemory unknown".to_owned(),
        Some(0) => "no maxmemory".to_owned(),
        Some(bytes) => figures::bytes(bytes),
    }
}

fn known_count(count: Option<u64>) -> String {
    count.map_or_else(|| "an unknown number".to_owned(), figures::count)
}

/// What the target said of itself in the run, if it was ever asked.
fn vitals<'a>(run: &PlannedRun<'a>) -> Option<&'a TargetVitals> {
    run.judgement
        .and_then(|judgement| judgement.target.as_ref())
        .filter(|vitals| vitals.samples > 0)
}

fn not_simulated(run: &PlannedRun<'_>) -> String {
    let mut missing = Vec::new();
    let formation = &run.plan.formation;
    if formation
        .iter()
        .all(|dynos| dynos.application_cpu_microseconds == 0)
    {
        missing.push("the app's own CPU (0 us/task)");
    }
    if run.enforcement == Enforcement::NotEnforced {
        missing.push("the dynos' sizes");
    }
    if run.plan.target.kind == TargetKind::Managed {
        missing.push("TLS");
        if vitals(run).is_none_or(|vitals| vitals.append_only_file != Some(true)) {
            missing.push("AOF");
        }
        if vitals(run).is_none_or(|vitals| vitals.replicas.unwrap_or(0) == 0) {
            missing.push("replica");
        }
    }
    missing.join(", ")
}
