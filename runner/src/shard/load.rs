//! All load threads, seen from the control thread.
//!
//! What their events come to is decided by [`Gather`]; here it is only driven: with the threads'
//! channels and with the clock.

use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use redyno_contract::report::Ending;
use redyno_engine::{Disturbances, Gather, Interval, LoadEvent, Moment, Share, ThreadEvent};
use redyno_target::ByteCounters;
use tokio::time::Instant;

use super::clock::Clock;
use super::{Shard, ShardCommand, ShardSettings, engine_settings};
use crate::machine::Machine;

/// For the threads' last turn: whoever does not come to it is left to the end of the process.
const LAST_TURN: Duration = Duration::from_secs(5);

/// All load threads, seen from the control thread. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Load {
    shards: Vec<Shard>,
    gather: Gather,
    /// None until the common start is known.
    clock: Option<Clock>,
}

impl Load {
    /// Starts so many threads, one for each of the counters, which at once begin to get their
    /// workers ready.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn spawn(
        settings: &ShardSettings,
        counters: &[Arc<ByteCounters>],
        machine: &impl Machine,
    ) -> io::Result<Self> {
        let threads = u32::try_from(counters.len())
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN);
        let disturbances = Disturbances::new(threads);
        let shards = Share::of(threads)
            .zip(counters)
            .map(|(share, bytes)| {
                let own = ShardSettings {
                    share,
                    bytes: Arc::clone(bytes),
                    ..settings.clone()
                };
                Shard::spawn(own, disturbances.clone(), machine)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let application = u64::from(settings.dynos.application_cpu_microseconds) * 1000;
        let gather = Gather::new(
            &engine_settings(settings),
            threads,
            application.saturating_mul(settings.dynos.workers.into()),
        );
        Ok(Self {
            shards,
            gather,
            clock: None,
        })
    }

    /// The common start is known: S, which may lie ahead.
    pub(crate) fn start(&mut self, at: Instant) {
        self.clock = Some(Clock::from(at));
        self.gather.start();
        for shard in &self.shards {
            shard.tell(ShardCommand::Start { at });
        }
    }

    /// Asks for the numbers, unless they were asked for already.
    pub(crate) fn sample(&mut self) {
        self.gather.sample();
        self.pass_on();
    }

    /// The run is over for this reason, from now on.
    pub(crate) fn end(&mut self, ending: &Ending) {
        self.gather.end(ending, self.now());
        self.pass_on();
    }

    /// Answers [`LoadEvent::Held`]: what became of the target, if it is lost.
    pub(crate) fn resolve(&mut self, lost: Option<Ending>) {
        self.gather.resolve(lost, self.now());
        self.pass_on();
    }

    /// Takes back the interval of a sample, empty.
    pub(crate) fn give_back(&mut self, interval: Box<Interval>) {
        self.gather.give_back(interval, self.now());
        self.pass_on();
    }

    /// What they tell next. May be dropped and called again at any time.
    pub(crate) async fn event(&mut self) -> LoadEvent {
        loop {
            if let Some(event) = self.gather.next_event() {
                return event;
            }
            let deadline = self
                .clock
                .zip(self.gather.deadline())
                .map(|(clock, deadline)| clock.instant(deadline));
            // What was told comes before what was not told in time.
            tokio::select! {
                biased;
                (thread, event) = Self::told(&mut self.shards, &self.gather) => {
                    self.gather.take(thread, event, self.now());
                }
                () = passed(deadline) => self.gather.expire(self.now()),
            }
            self.pass_on();
        }
    }

    /// The next word of any thread that may have more to say.
    async fn told(shards: &mut [Shard], gather: &Gather) -> (usize, ThreadEvent) {
        poll_fn(|context| {
            for (thread, shard) in shards.iter_mut().enumerate() {
                if gather.listens_to(thread)
                    && let Poll::Ready(event) = shard.poll_event(context)
                {
                    return Poll::Ready((thread, event));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Ends the threads and waits for them, so that their connections are closed; but not for ever.
    pub(crate) async fn join(self) {
        let deadline = Instant::now() + LAST_TURN;
        // All of them are told before the first is waited for.
        let ending: Vec<_> = self.shards.into_iter().map(Shard::dismiss).collect();
        for shard in ending {
            if tokio::time::timeout_at(deadline, shard.join())
                .await
                .is_err()
            {
                tracing::error!("a load thread does not end");
            }
        }
    }

    /// S itself until it has come.
    fn now(&self) -> Moment {
        self.clock.map_or(Moment::default(), |clock| clock.now())
    }

    fn pass_on(&mut self) {
        while let Some((thread, command)) = self.gather.next_command() {
            if let Some(shard) = self.shards.get(thread) {
                shard.tell(ShardCommand::Load(command));
            }
        }
    }
}

/// Waits until an instant has passed; for ever, without one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
