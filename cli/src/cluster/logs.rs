//! Logs of dyno pods: progress while they run, and reports at full precision at their end. They are
//! read with the user's own rights; the operator has no right to read logs.

use futures::io::AsyncBufReadExt;
use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use redyno_contract::plan::DynoName;
use redyno_contract::{Event, Report};
use redyno_crds::children::RUNNER_CONTAINER;
use redyno_crds::labels::{COMPLETION_INDEX, DYNO_TYPE, RUN};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;

/// How many lines are read from a log's end: enough to hold the report and what a pod says after
/// it.
const LAST_LINES: i64 = 20;

/// The pods of a run's dynos.
pub(super) async fn pods(
    connection: &Connection,
    uid: &str,
) -> Result<Vec<(DynoName, String)>, kube::Error> {
    let selector = format!("{RUN}={uid},{DYNO_TYPE}");
    let pods = connection
        .pods()
        .list(&ListParams::default().labels(&selector))
        .await?;
    Ok(pods.items.iter().filter_map(named).collect())
}

fn named(pod: &Pod) -> Option<(DynoName, String)> {
    let labels = pod.metadata.labels.as_ref()?;
    let dyno = DynoName {
        dyno_type: labels.get(DYNO_TYPE)?.clone(),
        index: labels.get(COMPLETION_INDEX)?.parse().ok()?,
    };
    Some((dyno, pod.metadata.name.clone()?))
}

/// Follows a pod's log and sends its events as they come, then None when the log ends.
pub(super) fn follow(
    connection: &Connection,
    dyno: DynoName,
    pod: String,
    events: mpsc::Sender<(DynoName, Option<Event>)>,
) -> AbortOnDropHandle<()> {
    let pods = connection.pods();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let parameters = LogParams {
            container: Some(RUNNER_CONTAINER.to_owned()),
            follow: true,
            ..LogParams::default()
        };
        if let Ok(log) = pods.log_stream(&pod, &parameters).await {
            let mut lines = log.lines();
            while let Some(Ok(line)) = lines.next().await {
                let Ok(event) = serde_json::from_str::<Event>(&line) else {
                    continue;
                };
                if events.send((dyno.clone(), Some(event))).await.is_err() {
                    return;
                }
            }
        }
        drop(events.send((dyno, None)).await);
    }))
}

/// The full report at the end of a pod's log; None if there is none.
pub(super) async fn full_report(
    connection: &Connection,
    pod: &str,
) -> Result<Option<Report>, kube::Error> {
    let parameters = LogParams {
        container: Some(RUNNER_CONTAINER.to_owned()),
        tail_lines: Some(LAST_LINES),
        ..LogParams::default()
    };
    let log = connection.pods().log_stream(pod, &parameters).await?;
    let lines: Vec<String> = log.lines().try_collect().await.unwrap_or_default();
    Ok(lines
        .iter()
        .rev()
        .find_map(|line| match serde_json::from_str::<Event>(line) {
            Ok(Event::Report { report }) => Some(*report),
            Ok(_) | Err(_) => None,
        }))
}
