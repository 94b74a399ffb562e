//! One worker: one connection, one task at a time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::ShardSettings;
use super::ready::ReadyWorker;
use super::shared::Shared;
use crate::machine::Machine;
use crate::random::{Purpose, Random, Seed};
use crate::workload::exchange::{Connector, Exchange, TaskConnection};
use crate::workload::failure::TaskFailure;
use crate::workload::work::{Steps, Work};
use redyno_engine::{ConnectionAfter, Content, Phase, Task};

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// Serves tasks until it is dropped.
pub(super) async fn run(
    settings: ShardSettings,
    ready: ReadyWorker,
    shared: Rc<Shared>,
    machine: impl Machine,
) {
    let ReadyWorker {
        number,
        work,
        mut connection,
        connector,
    } = ready;
    let seed = Seed::of(settings.plan.seed, &settings.dyno);
    let limit = Duration::from_millis(u64::from(settings.plan.task_timeout_milliseconds));
    let mut deadline = Deadline::new(limit);
    let steps = WorkerSteps {
        shared: &shared,
        worker: number,
        application_cpu_microseconds: settings.dynos.application_cpu_microseconds,
        machine,
    };
    let mut backoff = seed.stream(Purpose::Backoff, u64::from(number));
    loop {
        // A server may hang up on who is idle: that is no failure of the task that comes next. One
        // that is not there is.
        if connection.is_closed() {
            match connector.connect().await {
                Ok(fresh) => connection = fresh,
                // No task is given to another Redis: what becomes of the run is being found out.
                Err(failure) if failure.key_missing => {
                    connection = reconnect(&connector, &mut backoff).await;
                }
                Err(_) => {}
            }
        }
        let now = shared.now();
        let begun = shared.engine.borrow_mut().begin(number, now);
        let Some(task) = begun else {
            shared.task_for(number).await;
            continue;
        };
        let random = payload(seed, &task);
        match serve(&steps, &work, &mut connection, random, &mut deadline).await {
            Ok(()) => shared.end_task(|engine, now| engine.complete(number, now)),
            Err(failure) => {
                shared.end_task(|engine, now| {
                    if engine.lacks_words(failure.class) {
                        let words = settings.target.presentable(&failure.words);
                        engine.keep_words(failure.class, words);
                    }
                    engine.fail(number, failure.class, failure.connection, now);
                });
                tracing::debug!(
                    worker = number,
                    class = failure.class.as_str(),
                    "task failed"
                );
                match failure.connection {
                    ConnectionAfter::Usable => {}
                    ConnectionAfter::Dropped => {
                        drop(connection);
                        connection = reconnect(&connector, &mut backoff).await;
                        let now = shared.now();
                        shared.engine.borrow_mut().reconnected(number, now);
                    }
                }
            }
        }
    }
}

async fn serve(
    steps: &WorkerSteps<'_, impl Machine>,
    work: &Work,
    connection: &mut TaskConnection,
    random: Random,
    deadline: &mut Deadline,
) -> Result<(), TaskFailure> {
    deadline
        .limit(work.run(connection, random, steps))
        .await
        .unwrap_or_else(|| Err(TaskFailure::timeout(deadline.limit.as_millis())))
}

/// Ends what takes longer than the limit, which is always the same.
///
/// A timer of its own for every task, set and taken back, costs more than a look at one that is
/// left running: it fires for a task that has long ended, once in a limit, and is set anew for the
/// one that is there.
struct Deadline {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: Box::pin(tokio::time::sleep(limit)),
        }
    }

    /// None if the limit was reached before the end.
    async fn limit<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let end = Instant::now() + self.limit;
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            while self.timer.as_mut().poll(context).is_ready() {
                if self.timer.deadline() >= end {
                    return Poll::Ready(None);
                }
                self.timer.as_mut().reset(end);
            }
            Poll::Pending
        })
        .await
    }
}

/// Tells the engine of the steps of a worker's tasks.
struct WorkerSteps<'a, M> {
    shared: &'a Shared,
    worker: u32,
    application_cpu_microseconds: u32,
    machine: M,
}

impl<M: Machine> Steps for WorkerSteps<'_, M> {
    fn begin(&self, step: usize) {
        let now = self.shared.now();
        let mut engine = self.shared.engine.borrow_mut();
        engine.begin_step(self.worker, step, now);
    }

    fn application(&self) {
        if self.application_cpu_microseconds == 0 {
            return;
        }
        let now = self.shared.now();
        self.shared.engine.borrow_mut().end_step(self.worker, now);
        self.machine.work(self.application_cpu_microseconds);
    }

    fn replied(&self, step: usize, content: Content) {
        let mut engine = self.shared.engine.borrow_mut();
        engine.replied(self.worker, step, content);
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_deadline_ends_the_task_that_it_is_for_and_no_other() {
        let limit = Duration::from_millis(20);
        let mut deadline = Deadline::new(limit);
        assert_eq!(deadline.limit(ready(1)).await, Some(1));
        assert_eq!(deadline.limit(pending::<()>()).await, None);
        // Set for this one, and left running.
        assert_eq!(deadline.limit(tokio::task::yield_now()).await, Some(()));
        // Half of the limit each: the timer fires within the second of them.
        for _ in 0..4 {
            let task = tokio::time::sleep(limit / 2);
            assert_eq!(deadline.limit(task).await, Some(()));
        }
        // And between two tasks.
        tokio::time::sleep(limit * 2).await;
        assert_eq!(deadline.limit(tokio::task::yield_now()).await, Some(()));
        assert_eq!(deadline.limit(pending::<()>()).await, None);
    }
}
