//! One worker: one connection, one task at a time.

use std::rc::Rc;
use std::time::Duration;

use super::ShardSettings;
use super::application;
use super::pacer::Shared;
use super::ready::ReadyWorker;
use crate::engine::{FailureClass, Phase, Task};
use crate::random::{Purpose, Random, Seed};
use crate::workload::exchange::{Connector, Exchange, TaskConnection};
use crate::workload::failure::TaskFailure;
use crate::workload::work::{Steps, Work};

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// Serves tasks until it is dropped.
pub(super) async fn run(settings: ShardSettings, ready: ReadyWorker, shared: Rc<Shared>) {
    let ReadyWorker {
        number,
        work,
        mut connection,
        connector,
    } = ready;
    let seed = Seed::of(settings.plan.seed, &settings.dyno);
    let limit = Duration::from_millis(u64::from(settings.plan.task_timeout_milliseconds));
    let steps = WorkerSteps {
        shared: &shared,
        worker: number,
        application_cpu_microseconds: settings.dynos.application_cpu_microseconds,
    };
    let mut backoff = seed.stream(Purpose::Backoff, u64::from(number));
    loop {
        // A server may hang up on who is idle: that is no failure of the task that comes next. One
        // that is not there is.
        if connection.is_closed()
            && let Ok(fresh) = connector.connect().await
        {
            connection = fresh;
        }
        let begun = shared.engine.borrow_mut().begin(number, shared.clock.now());
        let Some(task) = begun else {
            shared.wakes[number as usize].notified().await;
            continue;
        };
        let random = payload(seed, &task);
        match serve(&steps, &work, &mut connection, random, limit).await {
            Ok(()) => {
                let now = shared.clock.now();
                shared.engine.borrow_mut().complete(number, now);
                after_task(&shared);
            }
            Err(failure) => {
                let now = shared.clock.now();
                shared.engine.borrow_mut().fail(number, failure.class, now);
                after_task(&shared);
                tracing::debug!(worker = number, %failure, "task failed");
                drop(connection);
                connection = reconnect(&connector, &mut backoff).await;
                shared.engine.borrow_mut().reconnected(number);
            }
        }
    }
}

async fn serve(
    steps: &WorkerSteps<'_>,
    work: &Work,
    connection: &mut TaskConnection,
    random: Random,
    limit: Duration,
) -> Result<(), TaskFailure> {
    tokio::time::timeout(limit, work.run(connection, random, steps))
        .await
        .unwrap_or_else(|_| {
            Err(TaskFailure {
                class: FailureClass::Timeout,
                detail: format!("not done after {} ms", limit.as_millis()),
            })
        })
}

/// Tells the engine of the steps of a worker's tasks.
struct WorkerSteps<'a> {
    shared: &'a Shared,
    worker: u32,
    application_cpu_microseconds: u32,
}

impl Steps for WorkerSteps<'_> {
    fn begin(&self, step: usize) {
        let now = self.shared.clock.now();
        let mut engine = self.shared.engine.borrow_mut();
        engine.begin_step(self.worker, step, now);
    }

    fn application(&self) {
        if self.application_cpu_microseconds == 0 {
            return;
        }
        let now = self.shared.clock.now();
        self.shared.engine.borrow_mut().end_step(self.worker, now);
        application::burn(self.application_cpu_microseconds);
    }
}

/// The pacer only needs to know if this may have been the last task, or broke a limit.
fn after_task(shared: &Shared) {
    if shared.engine.borrow().needs_attention() {
        shared.changed.notify_one();
    }
}

fn payload(seed: Seed, task: &Task) -> Random {
    let purpose = match task.phase {
        Phase::Warmup => Purpose::WarmupPayload,
        Phase::Measured => Purpose::MeasuredPayload,
    };
    seed.stream(purpose, task.number)
}

/// Connects anew, however long it takes: the worker's tasks wait meanwhile.
async fn reconnect(connector: &Connector, random: &mut Random) -> TaskConnection {
    let mut backoff = FIRST_BACKOFF;
    loop {
        match connector.connect().await {
            Ok(connection) => return connection,
            Err(failure) => tracing::debug!(%failure, "cannot reconnect"),
        }
        // Half of it fixed, half of it random: workers must not come back all at once.
        let half = u32::try_from(backoff.as_micros() / 2).unwrap_or(u32::MAX);
        let pause = u64::from(half) + u64::from(random.below(half));
        tokio::time::sleep(Duration::from_micros(pause)).await;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}
