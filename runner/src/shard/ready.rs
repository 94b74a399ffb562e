//! Getting ready: every worker connected, greeted by the server, its building filled.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use redyno_contract::plan::{ObjectGraph, Prefill, Workload};
use redyno_target::ConnectOptions;
use tokio::sync::mpsc::UnboundedSender;

use super::{ShardEvent, ShardSettings, tell};
use crate::random::Seed;
use crate::workload::exchange::{Connector, TaskConnection};
use crate::workload::object_graph::{GraphWorker, Mails};

/// Connections that are made at the same time: enough to hide the round trips, few enough for
/// any server's accept queue.
const AT_ONCE: usize = 32;

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// For all of resolving, connecting, TLS and AUTH.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A worker that is ready.
pub(super) struct ReadyWorker {
    /// Its number, from 0.
    pub(super) number: u32,
    /// What it does.
    pub(super) graph: GraphWorker,
    /// Its connection.
    pub(super) connection: TaskConnection,
    /// How it gets another.
    pub(super) connector: Rc<Connector>,
}

/// How every worker connects. No response timeout: the task's own covers it.
fn connector(settings: &ShardSettings) -> Connector {
    let options = ConnectOptions {
        name: format!("redyno {}", settings.dyno),
        connect_timeout: CONNECT_TIMEOUT,
        response_timeout: None,
        counters: Some(Arc::clone(&settings.bytes)),
    };
    Connector::new(settings.target.clone(), options)
}

/// Gets all workers ready, however often that has to be tried.
pub(super) async fn all_workers(
    settings: &ShardSettings,
    events: &UnboundedSender<ShardEvent>,
) -> Vec<ReadyWorker> {
    let Workload::ObjectGraph(graph) = &settings.dynos.workload else {
        // No LoadTest can ask for it yet.
        return std::future::pending().await;
    };
    let seed = Seed::of(settings.plan.seed, &settings.dyno);
    let mails = Rc::new(Mails::new(seed, graph.item_payload_bytes));
    let connector = Rc::new(connector(settings));
    let own = settings.share.workers(settings.dynos.workers);
    let not_ready = RefCell::new(own.clone().map(|_| 1).sum::<u32>());
    let mut workers: Vec<ReadyWorker> = stream::iter(own)
        .map(|number| {
            let worker = GraphWorker::new(
                &settings.plan.run.uid,
                settings.plan.seed,
                &settings.dyno,
                graph,
                Rc::clone(&mails),
                connector.buffers().clone(),
                number,
            );
            let (not_ready, connector) = (&not_ready, &connector);
            async move {
                loop {
                    match attempt(settings, graph, &worker, connector).await {
                        Ok(connection) => {
                            *not_ready.borrow_mut() -= 1;
                            return ReadyWorker {
                                number,
                                graph: worker,
                                connection,
                                connector: Rc::clone(connector),
                            };
                        }
                        Err(detail) => tell(
                            events,
                            ShardEvent::NotReady {
                                workers: *not_ready.borrow(),
                                detail,
                            },
                        ),
                    }
                    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    workers.sort_by_key(|worker| worker.number);
    workers
}

async fn attempt(
    settings: &ShardSettings,
    graph: &ObjectGraph,
    worker: &GraphWorker,
    connector: &Connector,
) -> Result<TaskConnection, String> {
    let mut connection = connector
        .connect()
        .await
        .map_err(|failure| failure.to_string())?;
    let prepare = async {
        worker.greet(&mut connection).await?;
        match graph.prefill {
            Prefill::Full => worker.prefill(&mut connection).await,
            Prefill::Empty => Ok(()),
        }
    };
    let limit = Duration::from_millis(u64::from(settings.plan.task_timeout_milliseconds));
    match tokio::time::timeout(limit.max(CONNECT_TIMEOUT), prepare).await {
        Ok(Ok(())) => Ok(connection),
        Ok(Err(failure)) => Err(format!("cannot fill a building: {failure}")),
        Err(_) => Err("the target did not answer in time while buildings were filled".to_owned()),
    }
}
