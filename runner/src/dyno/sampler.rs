//! Asks the target for INFO once a second, on a connection of its own.

use std::time::Duration;

use redyno_target::{ConnectOptions, Connection, Info, Target};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior};

const PERIOD: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What INFO said, and when the answer came.
pub(super) type Answer = (Instant, Info);

/// The sampler, seen from the dyno. A dyno that does not ask the target has one that is silent.
#[derive(Debug)]
pub(super) struct Sampler {
    answers: Option<(UnboundedReceiver<Answer>, JoinHandle<()>)>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.answers {
            task.abort();
        }
    }
}

impl Sampler {
    /// Never says anything.
    pub(super) const fn silent() -> Self {
        Self { answers: None }
    }

    /// Asks every second from `start` on.
    pub(super) fn asking(target: Target, name: String, start: Instant) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        let task = tokio::spawn(ask(target, name, start, sender));
        Self {
            answers: Some((answers, task)),
        }
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Answer {
        let answer = match &mut self.answers {
            Some((answers, _)) => answers.recv().await,
            None => None,
        };
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

async fn ask(target: Target, name: String, start: Instant, answers: UnboundedSender<Answer>) {
    let options = ConnectOptions {
        name,
        connect_timeout: CONNECT_TIMEOUT,
        response_timeout: Some(RESPONSE_TIMEOUT),
        expects_key: None,
        counters: None,
    };
    let mut connection: Option<Connection> = None;
    let mut ticks = seconds_from(start);
    loop {
        ticks.tick().await;
        if connection.is_none() {
            match target.connect(&options).await {
                Ok(made) => connection = Some(made),
                Err(failure) => tracing::debug!(%failure, "no connection to ask the target on"),
            }
        }
        let Some(asked) = &mut connection else {
            continue;
        };
        match Info::read_with_commands(asked).await {
            Ok(info) => {
                if answers.send((Instant::now(), info)).is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the target does not say how it is");
                connection = None;
            }
        }
    }
}

/// Ticks at `start` and every full second after it; ticks that were missed are left out.
pub(super) fn seconds_from(start: Instant) -> Interval {
    let mut ticks = tokio::time::interval_at(start, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
