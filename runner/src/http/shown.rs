//! What a dyno shows to who asks, shared between the dyno and the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::dyno::Totals;

/// What the server shows, and what it tells of its visitors.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Claimed, all workers connected.
    ready: AtomicBool,
    /// S has passed.
    started: AtomicBool,
    /// The numbers.
    totals: Mutex<Totals>,
    /// Somebody read the metrics.
    pub(crate) scraped: Notify,
}

impl Shown {
    /// Nothing yet.
    pub(crate) fn new(totals: Totals) -> Self {
        Self {
            ready: AtomicBool::new(false),
            started: AtomicBool::new(false),
            totals: Mutex::new(totals),
            scraped: Notify::new(),
        }
    }

    /// Claimed, all workers connected.
    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// S has passed.
    pub(crate) fn set_started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// Whether it is claimed, and all workers are connected.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Whether S has passed.
    pub(super) fn has_started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }

    /// Reads or changes the numbers. Never held over an await: everything runs on one thread.
    pub(crate) fn totals<T>(&self, look: impl FnOnce(&mut Totals) -> T) -> T {
        look(&mut self.totals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
