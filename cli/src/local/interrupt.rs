//! Ctrl-C and SIGTERM: the first asks the run to end, the second kills it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How often the user has asked for the end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts {
    count: watch::Receiver<u32>,
    _listener: std::sync::Arc<AbortOnDropHandle<()>>,
}

impl Interrupts {
    /// Listens from now on. The signals then no longer end this process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, count) = watch::channel(0);
        let listener = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self {
            count,
            _listener: std::sync::Arc::new(AbortOnDropHandle::new(listener)),
        })
    }

    /// Whether the user has asked for the end.
    pub(crate) fn asked(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Waits until the user has asked for the end this many times.
    pub(crate) async fn asked_times(&self, times: u32) {
        let mut count = self.count.clone();
        if count.wait_for(|count| *count >= times).await.is_err() {
            // The listener never ends before this value does.
            std::future::pending::<()>().await;
        }
    }

    /// How often the user has asked until now.
    pub(crate) fn times(&self) -> u32 {
        *self.count.borrow()
    }
}
