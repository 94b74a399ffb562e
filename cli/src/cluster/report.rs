//! The report of a LoadTest of the cluster.

use redyno_contract::figures;
use redyno_contract::outcome::RunFacts;
use redyno_contract::{Plan, Verdict};
use redyno_crds::{LoadTest, LoadTestStatus};

use super::collected;
use super::connection::{Connection, explained};
use super::follow::Followed;
use super::{logs, note};
use crate::arguments::Output;
use crate::exit::Failure;
use crate::output;
use crate::precision::{self, FullReports};
use crate::report::{Enforcement, PlannedRun};

/// Prints a LoadTest that has ended, with all evidence that is still available. With `full`, the
/// reports are read at full precision from the dynos' logs.
pub(super) async fn print(
    connection: &Connection,
    followed: Followed,
    full: bool,
    output: Output,
) -> Result<Verdict, Failure> {
    let Followed {
        load_test,
        full: mut reports,
    } = followed;
    let name = load_test.metadata.name.clone().unwrap_or_default();
    let no_status = LoadTestStatus::default();
    let status = load_test.status.as_ref().unwrap_or(&no_status);
    if !output.shows_evidence() {
        return Ok(output::result(&load_test, None, output).map_err(anyhow::Error::from)?);
    }
    let plan = match collected::plan(connection, &name).await {
        Ok(plan) => plan,
        Err(error) => {
            // A run that was refused at once has no plan, and its verdict says everything.
            let verdict = output::result(&load_test, None, output).map_err(anyhow::Error::from)?;
            if verdict != Verdict::Errored {
                note(&format!("no tables: {error:#}"));
            }
            return Ok(verdict);
        }
    };
    let messages = match collected::messages(connection, &name).await {
        Ok(messages) => messages,
        Err(error) => {
            note(&format!("no reports: {error:#}"));
            std::collections::BTreeMap::new()
        }
    };
    if full {
        reports = full_reports(connection, &load_test).await?;
    }
    let outcomes = collected::outcomes(&plan, &messages, status);
    for (dyno, detail) in collected::unreadable(&outcomes, &messages) {
        note(&format!(
            "the report of {dyno} cannot be read, perhaps because it is of another release of redyno: {detail}"
        ));
    }
    let judgement =
        (!status.dynos.is_empty()).then(|| collected::judgement(&plan, &outcomes, status));
    let shown = judgement.as_ref().map(|judgement| {
        precision::shown(&plan, &RunFacts::default(), &outcomes, judgement, &reports)
    });
    let sizes = sizes(&load_test, &plan);
    let found = collected::found(&plan, &messages);
    let run = PlannedRun {
        plan: &plan,
        sizes: &sizes,
        enforcement: Enforcement::Enforced,
        found: found.as_ref(),
        // The dynos' rows are the operator's; their numbers come from the most precise reports.
        judgement: shown.as_ref().map(|shown| &shown.judgement),
        curves: shown.as_ref().map_or(&[], |shown| &shown.curves),
        cleanup: output::cleanup(&load_test),
    };
    Ok(output::result(&load_test, Some(run), output).map_err(anyhow::Error::from)?)
}

async fn full_reports(
    connection: &Connection,
    load_test: &LoadTest,
) -> Result<FullReports, Failure> {
    let uid = load_test.metadata.uid.as_deref().unwrap_or_default();
    let name = load_test.metadata.name.as_deref().unwrap_or_default();
    let fault = |error: &kube::Error| Failure::Other(explained(error, connection, name));
    let pods = logs::pods(connection, uid)
        .await
        .map_err(|error| fault(&error))?;
    if pods.is_empty() {
        note("the dynos' pods are gone (retention.podSeconds), and their logs with them");
    }
    let mut reports = FullReports::new();
    for (dyno, pod) in pods {
        match logs::full_report(connection, &pod)
            .await
            .map_err(|error| fault(&error))?
        {
            Some(report) => drop(reports.insert(dyno, report)),
            None => note(&format!("the log of {pod} ends without a report")),
        }
    }
    Ok(reports)
}

/// The size of each type, in the order of the plan. The spec has its name, the plan its CPU and
/// memory.
fn sizes(load_test: &LoadTest, plan: &Plan) -> Vec<String> {
    plan.formation
        .iter()
        .map(|dynos| {
            let named = load_test
                .spec
                .formation
                .iter()
                .find(|asked| asked.dyno_type == dynos.dyno_type)
                .and_then(|asked| asked.size.clone());
            match (named, dynos.cpu_millis, dynos.memory_bytes) {
                (Some(title), Some(cpu), Some(memory)) => output::size(&title, cpu, memory),
                (None, Some(cpu), Some(memory)) => {
                    format!("{}, {}", figures::cpu(cpu), figures::bytes(memory))
                }
                (Some(title), None, _) | (Some(title), _, None) => title,
                (None, None, _) | (None, _, None) => "unknown size".to_owned(),
            }
        })
        .collect()
}
