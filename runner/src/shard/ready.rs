//! Getting ready: every worker connected, greeted by the server, its data written.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use redyno_engine::ThreadEvent;
use redyno_target::ConnectOptions;
use tokio::sync::mpsc::UnboundedSender;

use super::{ShardSettings, tell};
use crate::workload::exchange::{Connector, TaskConnection};
use crate::workload::work::{Team, Work};

/// Connections that are made at the same time: enough to hide the round trips, few enough for
/// any server's accept queue.
const AT_ONCE: usize = 32;

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// For all of resolving, connecting, TLS and AUTH; and then for each part of what is to be written.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A worker that is ready.
pub(super) struct ReadyWorker {
    /// Its number, from 0.
    pub(super) number: u32,
    /// What it does.
    pub(super) work: Work,
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
        expects_key: None,
        counters: Some(Arc::clone(&settings.bytes)),
    };
    Connector::new(
        settings.target.clone(),
        options,
        Arc::clone(&settings.phase),
    )
}

/// Gets all workers ready, however often that has to be tried.
pub(super) async fn all_workers(
    settings: &ShardSettings,
    events: &UnboundedSender<ThreadEvent>,
) -> Vec<ReadyWorker> {
    let connector = Rc::new(connector(settings));
    let team = Team::new(
        &settings.plan,
        &settings.dyno,
        &settings.dynos,
        connector.buffers().clone(),
    );
    let own = settings.share.workers(settings.dynos.workers);
    let not_ready = Cell::new(u32::try_from(own.clone().count()).unwrap_or(u32::MAX));
    let mut workers: Vec<ReadyWorker> = stream::iter(own)
        .map(|number| {
            let work = team.worker(number);
            let (not_ready, connector) = (&not_ready, &connector);
            async move {
                loop {
                    match attempt(settings, &work, connector).await {
                        Ok(connection) => {
                            not_ready.set(not_ready.get() - 1);
                            return ReadyWorker {
                                number,
                                work,
                                connection,
                                connector: Rc::clone(connector),
                            };
                        }
                        Err(detail) => tell(
                            events,
                            ThreadEvent::NotReady {
                                workers: not_ready.get(),
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
    work: &Work,
    connector: &Connector,
) -> Result<TaskConnection, String> {
    let mut connection = connector.connect().await.map_err(|failure| {
        // Of a missing phase the control connection finds out what it means.
        if !failure.may_heal && !failure.key_missing {
            settings.refusal.tell(failure.to_string());
        }
        failure.to_string()
    })?;
    settings.filling.connected();
    let written = Cell::new(0);
    let prepared = prepare(settings, work, &mut connection, &written).await;
    if prepared.is_err() {
        settings.filling.failed(written.get());
    }
    prepared.map(|()| connection)
}

/// Writes what has to be there at the start, for as long as that goes on: how long all of it takes
/// depends on how much it is.
async fn prepare(
    settings: &ShardSettings,
    work: &Work,
    connection: &mut TaskConnection,
    written: &Cell<u64>,
) -> Result<(), String> {
    let limit = Duration::from_millis(u64::from(settings.plan.task_timeout_milliseconds));
    let mut preparing = pin!(work.prepare(connection, |count| {
        written.set(written.get() + count);
        settings.filling.wrote(count);
    }));
    let prepared = loop {
        let before = written.get();
        match tokio::time::timeout(limit.max(CONNECT_TIMEOUT), &mut preparing).await {
            Err(_) if written.get() > before => {}
            prepared => break prepared,
        }
    };
    match prepared {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => {
            let detail = format!(
                "the target refused what the run begins with ({}): {}",
                failure.class.as_str(),
                settings.target.presentable(&failure.words)
            );
            if !failure.class.may_heal() {
                settings.refusal.tell(detail.clone());
            }
            Err(detail)
        }
        Err(_) => Err("the target did not answer in time while data was written".to_owned()),
    }
}
