//! What the operator keeps of a run beside its status: the plan, and the reports as the dynos gave
//! them.

use std::collections::BTreeMap;

use anyhow::Context;
use redyno_contract::message::{PreflightReport, TargetFound};
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::{Judgement, Plan, judge};
use redyno_crds::LoadTestStatus;
use redyno_crds::status::DynoStatus;

use super::connection::Connection;
use crate::evidence;

/// Key of the plan in its ConfigMap.
const PLAN_KEY: &str = "plan.json";

/// The plan of a run.
pub(super) async fn plan(connection: &Connection, name: &str) -> anyhow::Result<Plan> {
    let data = data(connection, &format!("{name}-plan")).await?;
    let text = data
        .get(PLAN_KEY)
        .with_context(|| format!("ConfigMap {name}-plan has no key {PLAN_KEY}"))?;
    Ok(Plan::from_json(text)?)
}

/// The termination messages of a run's pods, by `web.1` and `preflight`.
pub(super) async fn messages(
    connection: &Connection,
    name: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    data(connection, &format!("{name}-report")).await
}

async fn data(connection: &Connection, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let config_map = connection
        .config_maps()
        .get(name)
        .await
        .map_err(|error| match error {
            kube::Error::Api(status) => anyhow::anyhow!("{}", status.message),
            other => anyhow::Error::from(other),
        })?;
    Ok(config_map.data.unwrap_or_default())
}

/// What became of the dynos, as far as it decides numbers: the fates were judged by the operator.
pub(super) fn outcomes(
    plan: &Plan,
    messages: &BTreeMap<String, String>,
    status: &LoadTestStatus,
) -> Vec<DynoOutcome> {
    plan.dynos()
        .map(|dyno| {
            let name = dyno.to_string();
            let row = row(status, &name);
            let report = match messages.get(&name) {
                Some(message) => evidence::of_dyno(message.as_bytes(), &plan.run.uid, &dyno, None),
                None => Evidence::Missing {
                    detail: "nothing was kept of it".to_owned(),
                },
            };
            DynoOutcome {
                pod_name: row.and_then(|row| row.pod_name.clone()),
                node_name: row.and_then(|row| row.node_name.clone()),
                fate: Fate::Exited { code: 0 },
                dyno,
                report,
            }
        })
        .collect()
}

/// The numbers judged once more from the reports; every verdict on them is the status'.
pub(super) fn judgement(
    plan: &Plan,
    outcomes: &[DynoOutcome],
    status: &LoadTestStatus,
) -> Judgement {
    let mut judgement = judge(plan, &RunFacts::default(), outcomes);
    for dyno in &mut judgement.dynos {
        if let Some(row) = row(status, &dyno.dyno.to_string()) {
            dyno.result = verdict(row);
            dyno.reason.clone_from(&row.reason);
        }
    }
    judgement
}

fn row<'a>(status: &'a LoadTestStatus, name: &str) -> Option<&'a DynoStatus> {
    status.dynos.iter().find(|row| row.name == name)
}

fn verdict(row: &DynoStatus) -> redyno_contract::judgement::DynoVerdict {
    use redyno_contract::judgement::DynoVerdict;
    match row.result.as_str() {
        "Passed" => DynoVerdict::Passed,
        "Failed" => DynoVerdict::Failed,
        "Stopped" => DynoVerdict::Stopped,
        "Missing" => DynoVerdict::Missing,
        _ => DynoVerdict::Errored,
    }
}

/// What the preflight found.
pub(super) fn found(plan: &Plan, messages: &BTreeMap<String, String>) -> Option<TargetFound> {
    let PreflightReport { target, .. } =
        evidence::of_preflight(messages.get("preflight")?.as_bytes(), &plan.run.uid).ok()?;
    target
}
