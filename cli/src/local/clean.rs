//! Removes what runs left in a Redis that ended without their finish: killed, or deleted with
//! everything that could have cleaned up after them.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use redyno_contract::plan::TlsVerification;
use redyno_contract::{Verdict, files};
use redyno_target::leftovers::{self, Cleaned, CleanedRun};
use redyno_target::{Address, SystemNetwork, Target};

use super::folder::RunFolder;
use super::{identity, target};
use crate::arguments::TlsArguments;
use crate::exit::{self, Failure};

/// For all of it: ten million keys take less.
const PATIENCE: Duration = Duration::from_mins(10);

/// Cleans the database of the Redis with this URL, which `name` gave.
///
/// # Errors
/// [`Failure::Usage`] where the URL cannot be used; else why the Redis cannot be asked.
pub(crate) async fn clean(name: &str, url: &str, tls: &TlsArguments) -> Result<ExitCode, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{name}: {error}"));
    let address = Address::parse(url).map_err(|error| usage(&error))?;
    let (files, verification) = target::certificates(tls, &address).map_err(Failure::Usage)?;
    let target = {
        // What a pod has mounted, a command has in a folder for as long as it is read.
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
    let cleaned = leftovers::clean(&target, PATIENCE)
        .await
        .map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let mut out = std::io::stdout();
    for line in lines(&address.to_string(), &cleaned) {
        writeln!(out, "{line}").map_err(anyhow::Error::from)?;
    }
    Ok(if is_complete(&cleaned) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::of(Verdict::Errored))
    })
}

/// Whether all is gone that could be found.
fn is_complete(cleaned: &Cleaned) -> bool {
    let Cleaned {
        runs,
        under_way: _,
        incomplete,
    } = cleaned;
    incomplete.is_none() && runs.iter().all(|run| run.problem.is_none())
}

/// What to say of it.
fn lines(place: &str, cleaned: &Cleaned) -> Vec<String> {
    let Cleaned {
        runs,
        under_way,
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
    if let Some(name) = under_way {
        lines.push(format!(
            "{place}: {name} is using it, and its data was let be; if that run is dead, remove the key redyno:lock from database 0 and clean again"
        ));
    }
    if let Some(why) = incomplete {
        lines.push(format!("{place}: {why}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

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
            lines("host:1/0", &nothing),
            ["host:1/0: no run that has ended left anything"]
        );
        assert!(is_complete(&nothing));
        let all = Cleaned {
            runs: vec![run(None), run(Some("NOPERM"))],
            under_way: Some("team/now".to_owned()),
            incomplete: Some("there was no time".to_owned()),
        };
        let lines = lines("host:1/0", &all);
        for (line, words) in lines.iter().zip([
            "removed 7 data keys of team/nightly (0d3b9c1e-3c44)",
            "not complete: NOPERM",
            "team/now is using it",
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
