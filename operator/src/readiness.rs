//! Whether the operator knows what is in the cluster: the one source of truth for `/readyz`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What is still missing before the operator can do its work.
#[derive(Debug, Default)]
pub struct Readiness {
    missing: Mutex<BTreeSet<String>>,
}

impl Readiness {
    /// Waits for something from now on.
    pub fn expect(&self, what: &str) {
        self.lock().insert(what.to_owned());
    }

    /// It is there.
    pub fn arrived(&self, what: &str) {
        self.lock().remove(what);
    }

    /// What is still missing.
    pub fn missing(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
