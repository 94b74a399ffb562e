//! What the operator keeps of a run beside its status: the plan, and the reports as the dynos gave
//! them.

use std::collections::BTreeMap;

use anyhow::Context;
use redyno_contract::evidence;
use redyno_contract::judgement::{DynoVerdict, ThresholdResult};
use redyno_contract::kept::Kept;
use redyno_contract::limit::Holding;
use redyno_contract::message::{PreflightReport, TargetFound};
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::plan::DynoName;
use redyno_contract::{Bottleneck, Judgement, Plan, Reason, files, judge};
use redyno_crds::children::Child;
use redyno_crds::status::{DynoStatus, ThresholdStatus};
use redyno_crds::{LoadTestStatus, conditions};

use super::connection::Connection;

/// The plan of a run.
pub(super) async fn plan(connection: &Connection, name: &str) -> anyhow::Result<Plan> {
    let data = data(connection, &Child::Plan.name(name)).await?;
    let text = data
        .get(files::PLAN)
        .with_context(|| format!("{} has no key {}", Child::Plan.title(name), files::PLAN))?;
    Ok(Plan::from_json(text)?)
}

/// The termination messages of a run's pods, by `web.1` and `preflight`.
pub(super) async fn messages(
    connection: &Connection,
    name: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    let data = data(connection, &Child::Report.name(name)).await?;
    Ok(texts(data))
}

/// The kept texts without the operator's seals. Seals cannot be checked here, so these texts serve
/// for figures alone; every verdict comes from the status.
fn texts(data: BTreeMap<String, String>) -> BTreeMap<String, String> {
    data.into_iter()
        .map(|(key, value)| {
            let text = Kept::text_of(&value).to_owned();
            (key, text)
        })
        .collect()
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

/// What became of the dynos, as far as numbers depend on it. The operator has judged their fates.
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

/// The numbers, computed anew from those reports that are still there and can be read. Every
/// verdict on them comes from the status.
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
    if let Some((reason, during_warmup)) = reason(status) {
        judgement.reason = reason;
        judgement.during_warmup = during_warmup;
    }
    judgement.bottleneck = bottleneck(status);
    for threshold in &mut judgement.thresholds {
        let mut rows = status.thresholds.iter();
        if let Some(row) = rows.find(|row| row.name == threshold.name) {
            *threshold = threshold_result(row);
        }
    }
    judgement
}

/// The reason of the end, and whether the deciding event came before t0; None if a later version
/// wrote it and this one does not know it.
fn reason(status: &LoadTestStatus) -> Option<(Reason, bool)> {
    let succeeded = conditions::condition(&status.conditions, conditions::SUCCEEDED)?;
    Reason::of_word(&succeeded.reason)
}

fn bottleneck(status: &LoadTestStatus) -> Option<Bottleneck> {
    let word = status.bottleneck.as_deref()?;
    let known = [
        Bottleneck::RedisCpu,
        Bottleneck::RedisMemory,
        Bottleneck::RedisConnections,
        Bottleneck::DynoCpu,
        Bottleneck::Network,
        Bottleneck::Generator,
    ]
    .into_iter()
    .find(|bottleneck| bottleneck.as_str() == word);
    Some(known.unwrap_or(Bottleneck::Unknown))
}

fn threshold_result(row: &ThresholdStatus) -> ThresholdResult {
    let ThresholdStatus {
        name,
        result,
        observed,
        limit,
        over_count,
        allowed_count,
    } = row;
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    ThresholdResult {
        name: name.clone(),
        holding: match result.as_str() {
            "Held" => Holding::Held,
            "Breached" => Holding::Breached,
            _ => Holding::Unknown,
        },
        observed: observed.clone(),
        limit: limit.clone(),
        over_count: count(*over_count),
        allowed_count: count(*allowed_count),
    }
}

/// The reports that are kept but cannot be read: of which dyno, and why.
pub(super) fn unreadable<'a>(
    outcomes: &'a [DynoOutcome],
    messages: &BTreeMap<String, String>,
) -> Vec<(&'a DynoName, &'a str)> {
    outcomes
        .iter()
        .filter(|outcome| messages.contains_key(&outcome.dyno.to_string()))
        .filter_map(|outcome| match &outcome.report {
            Evidence::Missing { detail } => Some((&outcome.dyno, detail.as_str())),
            Evidence::Complete(_) | Evidence::Partial(_) => None,
        })
        .collect()
}

fn row<'a>(status: &'a LoadTestStatus, name: &str) -> Option<&'a DynoStatus> {
    status.dynos.iter().find(|row| row.name == name)
}

fn verdict(row: &DynoStatus) -> DynoVerdict {
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
    let PreflightReport { target, .. } = evidence::of_preflight(
        messages.get(Child::Preflight.token())?.as_bytes(),
        &plan.run.uid,
    )
    .ok()?;
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn what_is_kept_is_read_with_and_without_a_seal() {
        let sealed = Kept {
            pod: "uid-1",
            seal: "00",
            text: "a report",
        };
        let kept = BTreeMap::from([
            ("web.1".to_owned(), sealed.to_string()),
            ("web.2".to_owned(), "of the first release".to_owned()),
        ]);
        let texts = texts(kept);
        assert_eq!(texts["web.1"], "a report");
        assert_eq!(texts["web.2"], "of the first release");
    }

    #[test]
    fn what_the_operator_judged_stands_though_no_report_can_be_read() {
        let plan = fixtures::plan(2);
        let mut status: LoadTestStatus = serde_json::from_value(serde_json::json!({
            "bottleneck": "Generator",
            "conditions": [{
                "type": "Succeeded",
                "status": "Unknown",
                "reason": "ScheduleLagDuringWarmup",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "thresholds": [{
                "name": "p99",
                "result": "Held",
                "observed": "4.8 ms",
                "limit": "response p99 250 ms",
                "overCount": 3,
                "allowedCount": 4800,
            }],
        }))
        .unwrap();
        status.dynos.push(DynoStatus {
            name: "web.2".to_owned(),
            result: "Stopped".to_owned(),
            ..DynoStatus::default()
        });
        let messages = BTreeMap::from([("web.1".to_owned(), "of another release".to_owned())]);
        let outcomes = outcomes(&plan, &messages, &status);
        let judgement = judgement(&plan, &outcomes, &status);
        assert_eq!(judgement.reason_word(), "ScheduleLagDuringWarmup");
        assert_eq!(judgement.bottleneck, Some(Bottleneck::Generator));
        assert_eq!(judgement.thresholds[0].holding, Holding::Held);
        assert_eq!(judgement.thresholds[0].over_count, Some(3));
        assert_eq!(judgement.dynos[1].result, DynoVerdict::Stopped);
        let unreadable: Vec<String> = unreadable(&outcomes, &messages)
            .into_iter()
            .map(|(dyno, _)| dyno.to_string())
            .collect();
        assert_eq!(unreadable, ["web.1"]);
    }
}
