//! Removes what runs left in a Redis that ended without their finish: killed, or deleted with
//! everything that could have cleaned up after them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use redyno_contract::figures::counted;
use redyno_contract::plan::TlsVerification;
use redyno_contract::{Verdict, files};
use redyno_target::leftovers::{self, Cleaned, CleanedRun, Holder};
use redyno_target::{Address, ConnectFailure, SystemNetwork, Target};

use super::folder::RunFolder;
use super::{identity, target};
use crate::arguments::TlsArguments;
use crate::exit::{self, Failure};
use crate::output;

/// The time that cleaning may take in all. Ten million keys take less.
const PATIENCE: Duration = Duration::from_mins(10);

/// Cleans the database of the Redis with this URL, which `name` gave. The run that holds it is ended
/// only if a person names it as `dead`.
///
/// # Errors
/// [`Failure::Usage`] where the URL cannot be used; else why the Redis cannot be asked.
pub(crate) async fn clean(
    name: &str,
    url: &str,
    tls: &TlsArguments,
    dead: Option<&str>,
) -> Result<ExitCode, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{name}: {error}"));
    let address = Address::parse(url).map_err(|error| usage(&error))?;
    let (files, verification) = target::certificates(tls, &address).map_err(Failure::Usage)?;
    let target = {
        // A pod has these files mounted; the command writes them into a folder for as long as they
        // are read.
        let folder = RunFolder::create(&identity::random_uid()).context("no private folder")?;
        folder
            .write_target(url.trim(), &files)
            .context("the URL cannot be written")?;
        Target::from_directory(
            &folder.path().join(files::TARGET),
            verification.unwrap_or(TlsVerification::VerifyFull),
            Arc::new(SystemNetwork),
        )
        .map_err(|error| usage(&error))?
    };
    let failed = |failure: ConnectFailure| anyhow::anyhow!("{failure}");
    let ended = match dead {
        None => None,
        Some(dead) => {
            let ended = leftovers::end(&target, dead, PATIENCE)
                .await
                .map_err(failed)?;
            Some(ended.ok_or_else(|| {
                Failure::Usage(format!(
                    "--end-dead-run {dead}: that run does not hold {address}; redyno clean without it says which one does"
                ))
            })?)
        }
    };
    let mut cleaned = leftovers::clean(&target, PATIENCE).await.map_err(failed)?;
    cleaned.runs.splice(0..0, ended);
    let holder = match cleaned.under_way {
        Some(_) => leftovers::holder(&target, PATIENCE).await.map_err(failed)?,
        None => None,
    };
    for line in lines(&address.to_string(), &cleaned, holder.as_ref()) {
        output::line(&line).map_err(anyhow::Error::from)?;
    }
    Ok(if is_complete(&cleaned) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::of(Verdict::Errored))
    })
}

/// Whether everything that was found is gone.
fn is_complete(cleaned: &Cleaned) -> bool {
    let Cleaned {
        runs,
        under_way: _,
        incomplete,
    } = cleaned;
    incomplete.is_none() && runs.iter().all(|run| run.problem.is_none())
}

/// The sentence to print about it.
fn lines(place: &str, cleaned: &Cleaned, holder: Option<&Holder>) -> Vec<String> {
    let Cleaned {
        runs,
        // Whoever holds the lock by now.
        under_way: _,
        incomplete,
    } = cleaned;
    let mut lines: Vec<String> = runs
        .iter()
        .map(|run| {
            let CleanedRun {
                name,
                uid,
                removed_keys,
                problem,
            } = run;
            let removed = format!("{place}: removed {removed_keys} data keys of {name} ({uid})");
            match problem {
                None => removed,
                Some(problem) => format!("{removed}; not complete: {problem}"),
            }
        })
        .collect();
    if runs.is_empty() {
        lines.push(format!("{place}: no run that has ended left anything"));
    }
    if let Some(holder) = holder {
        lines.push(format!("{place}: {}", let_be(holder)));
    }
    if let Some(why) = incomplete {
        lines.push(format!("{place}: {why}"));
    }
    lines
}

/// What is to be known before a run is called dead, and how that is done.
fn let_be(holder: &Holder) -> String {
    let Holder {
        name,
        data_keys,
        dyno_connections,
    } = holder;
    let connections = match dyno_connections {
        None => "whether dynos are connected, the server does not say".to_owned(),
        Some(0) => "no dyno is connected".to_owned(),
        Some(count) => {
            let are = if *count == 1 { "is" } else { "are" };
            format!(
                "{} of dynos {are} there",
                counted(*count, "connection", "connections")
            )
        }
    };
    let data = data_keys.map_or_else(
        || "its data".to_owned(),
        |count| format!("its {}", counted(count, "data key", "data keys")),
    );
    format!(
        "{name} is using it, and was let be; {connections}. If that run is dead, --end-dead-run {name} removes {data}, what its dynos agree by, and its lock"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_holder_is_not_guessed() {
        let line = |data_keys, dyno_connections| {
            let_be(&Holder {
                name: "team/now".to_owned(),
                data_keys,
                dyno_connections,
            })
        };
        for (line, words) in [
            (line(None, None), "the server does not say"),
            (line(None, None), "removes its data, what"),
            (line(Some(0), Some(0)), "no dyno is connected"),
            (line(Some(1), Some(1)), "1 connection of dynos is there"),
            (line(Some(1), Some(1)), "its 1 data key,"),
        ] {
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn everything_that_was_found_is_said() {
        let run = |problem: Option<&str>| CleanedRun {
            name: "team/nightly".to_owned(),
            uid: "0d3b9c1e-3c44".to_owned(),
            removed_keys: 7,
            problem: problem.map(str::to_owned),
        };
        let nothing = Cleaned::default();
        assert_eq!(
            lines("host:1/0", &nothing, None),
            ["host:1/0: no run that has ended left anything"]
        );
        assert!(is_complete(&nothing));
        let all = Cleaned {
            runs: vec![run(None), run(Some("NOPERM"))],
            under_way: Some("team/now".to_owned()),
            incomplete: Some("there was no time".to_owned()),
        };
        let holder = Holder {
            name: "team/now".to_owned(),
            data_keys: Some(95),
            dyno_connections: Some(6),
        };
        let lines = lines("host:1/0", &all, Some(&holder));
        for (line, words) in lines.iter().zip([
            "removed 7 data keys of team/nightly (0d3b9c1e-3c44)",
            "not complete: NOPERM",
            "team/now is using it, and was let be; 6 connections of dynos are there. If that run is dead, --end-dead-run team/now removes its 95 data keys, what its dynos agree by, and its lock",
            "there was no time",
        ]) {
            assert!(line.contains(words), "{line}");
        }
        assert_eq!(lines.len(), 4);
        assert!(!is_complete(&all));
        let under_way = Cleaned {
            under_way: all.under_way,
            ..Cleaned::default()
        };
        assert!(is_complete(&under_way), "there was nothing else to do");
    }
}
