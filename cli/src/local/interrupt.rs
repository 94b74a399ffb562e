//! Ctrl-C and SIGTERM: the first asks the run to end, the second kills it. Once the run is over they
//! end the command.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit;

/// How often the user has asked for the end of a run. It lives as long as there is something to end
/// or to clean up. After that a signal ends this process, although it may be writing to a pipe that
/// nobody reads: once a handler is installed, the signal's own default never comes back.
#[derive(Debug)]
pub(crate) struct Interrupts {
    count: watch::Receiver<u32>,
}

impl Interrupts {
    /// Listens from now on. Until this value is dropped, the signals no longer end this process by
    /// themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => SignalKind::interrupt(),
                    _ = terminate.recv() => SignalKind::terminate(),
                };
                if sender.is_closed() {
                    die(signal);
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count })
    }

    /// Whether the user has asked for the end.
    pub(crate) fn asked(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Waits until the user has asked for the end this many times.
    pub(crate) async fn asked_times(&self, times: u32) {
        let mut count = self.count.clone();
        if count.wait_for(|count| *count >= times).await.is_err() {
            // The listener never ends.
            std::future::pending::<()>().await;
        }
    }

    /// How often the user has asked until now.
    pub(crate) fn times(&self) -> u32 {
        *self.count.borrow()
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "main is in a write that may never end, and the run is over and cleaned up"
)]
fn die(signal: SignalKind) -> ! {
    std::process::exit(exit::of_signal(signal.as_raw_value()))
}
