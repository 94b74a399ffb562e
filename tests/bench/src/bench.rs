//! All cases, one after the other.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Arguments;
use crate::cases::{Case, Effort};
use crate::machine::Machine;
use crate::run::Cores;
use crate::{document, table};

/// Measures and shows. A signal ends it, and every process that it started with it.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        result = measure(arguments) => result,
        _ = terminate.recv() => bail!("ended by SIGTERM"),
        _ = interrupt.recv() => bail!("ended by SIGINT"),
    }
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let Arguments {
        runner,
        repeats,
        only,
        redis_core,
        runner_core,
        memory_seconds,
        json,
        document,
    } = arguments;
    let runner = match runner {
        Some(runner) => runner.clone(),
        None => beside_this().context("this program has no folder")?,
    };
    ensure!(
        runner.is_file(),
        "there is no {}: build it with `cargo build --release -p redyno-runner`, or name it with --runner",
        runner.display()
    );
    let cores = Cores {
        runner,
        redis: *redis_core,
        own: *runner_core,
    };
    let effort = Effort {
        repeats: *repeats,
        memory_seconds: *memory_seconds,
    };
    let machine = Machine::look();
    let mut rows = Vec::new();
    for case in Case::ALL {
        if only
            .as_ref()
            .is_some_and(|text| !case.name().contains(text.as_str()))
        {
            continue;
        }
        writeln!(
            io::stderr(),
            "measuring {}: {}",
            case.name(),
            case.question()
        )?;
        let measured = case
            .measure(&cores, effort)
            .await
            .with_context(|| format!("case {}", case.name()))?;
        table::print(&mut io::stderr(), &measured)?;
        rows.extend(measured);
    }
    if *json {
        let result = serde_json::json!({"machine": machine, "rows": rows});
        writeln!(io::stdout(), "{result:#}")?;
    } else {
        table::print(&mut io::stdout(), &rows)?;
    }
    if let Some(file) = document {
        // The first time there is none.
        let former = std::fs::read_to_string(file).unwrap_or_default();
        let text = document::text(&machine, &cores, effort, &rows, &former);
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn beside_this() -> Option<PathBuf> {
    Some(
        std::env::current_exe()
            .ok()?
            .parent()?
            .join("redyno-runner"),
    )
}
