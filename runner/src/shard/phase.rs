//! Whether the workers' connections lead to the Redis that the preflight saw.
//!
//! The data tells which Redis this is: a run_id may rightly differ behind a proxy. So every new
//! connection asks for the run's phase in the round trip of its greeting; what it means that the
//! phase is missing, the control thread finds out.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// The question, shared by all load threads and the control thread.
#[derive(Debug)]
pub(crate) struct PhaseQuestion {
    key: String,
    asked: AtomicBool,
    missing: Notify,
}

impl PhaseQuestion {
    /// For the run whose phase has this name.
    pub(crate) fn new(key: String) -> Self {
        Self {
            key,
            asked: AtomicBool::new(true),
            missing: Notify::new(),
        }
    }

    /// What a new connection has to find; None once the run has ended.
    pub(crate) fn key(&self) -> Option<&str> {
        self.asked
            .load(Ordering::Relaxed)
            .then_some(self.key.as_str())
    }

    /// The run has ended, or is about to: others may have removed the phase already.
    pub(crate) fn ask_no_more(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Whether new connections ask it.
    pub(crate) fn is_asked(&self) -> bool {
        self.key().is_some()
    }

    /// A new connection did not find the phase.
    pub(crate) fn tell_missing(&self) {
        self.missing.notify_one();
    }

    /// Waits until a new connection does not find the phase.
    pub(crate) async fn missing(&self) {
        self.missing.notified().await;
    }
}
