//! Being told to go: SIGTERM, SIGINT, or the end of standard input when a parent holds it.

use std::io::{self, Read};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the process was told to go.
#[derive(Clone, Debug)]
pub struct Termination {
    told: watch::Receiver<bool>,
}

impl Termination {
    /// Begins to listen. With `parent_guard` the end of standard input counts, too: no dyno may
    /// outlive the command that started it.
    pub(crate) fn listen(parent_guard: bool) -> io::Result<Self> {
        let (sender, told) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        // On a terminal Ctrl-C reaches the whole group: the dyno must drain, not die.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let from_signals = sender.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            from_signals.send_replace(true);
        });
        if parent_guard {
            std::thread::Builder::new()
                .name("parent".to_owned())
                .spawn(move || {
                    wait_for_end(io::stdin().lock());
                    sender.send_replace(true);
                })?;
        }
        Ok(Self { told })
    }

    /// Told by whoever holds the other end.
    pub const fn by(told: watch::Receiver<bool>) -> Self {
        Self { told }
    }

    /// Waits until told.
    pub(crate) async fn wait(&mut self) {
        if self.told.wait_for(|told| *told).await.is_err() {
            // Nobody is left who could tell.
            std::future::pending::<()>().await;
        }
    }
}

fn wait_for_end(mut input: impl Read) {
    let mut ignored = [0; 64];
    loop {
        match input.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
