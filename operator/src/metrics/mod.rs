//! What `/metrics` says: the operator's own work (`work`), and the results of LoadTests
//! (`results`), made anew from the LoadTests of the cluster at every scrape: they are there as
//! long as their LoadTest is, also after a restart.

mod families;
mod results;
mod work;

use std::sync::{Arc, Mutex, PoisonError};

use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use prometheus::TextEncoder;
use redyno_crds::LoadTest;

pub use self::work::Reconciling;
use self::work::Work;

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    work: Work,
    stores: Arc<Mutex<Vec<Store<DeserializeGuard<LoadTest>>>>>,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// If a name is not one that Prometheus takes.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            work: Work::new()?,
            stores: Arc::default(),
        })
    }

    /// Adds the LoadTests of a controller that looks at this many at the same time.
    pub fn watch(&self, store: Store<DeserializeGuard<LoadTest>>, concurrency: u16) {
        self.work.add_controller(concurrency);
        self.stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(store);
    }

    /// Counts and times a reconciliation until it is dropped.
    pub fn reconciling(&self) -> Reconciling {
        self.work.reconciling()
    }

    /// Counts an error, after which the LoadTest is looked at again.
    pub fn failed(&self, category: &str) {
        self.work.failed(category);
    }

    /// Counts a verdict.
    pub fn verdict(&self, verdict: &str) {
        self.work.verdict(verdict);
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    /// If something in it cannot be written so.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let stores: Vec<_> = self
            .stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let load_tests: Vec<LoadTest> = stores
            .iter()
            .flat_map(Store::state)
            .filter_map(|guard| guard.0.clone().ok())
            .collect();
        let mut families = self.work.gather();
        families.extend(results::of(&load_tests));
        TextEncoder::new().encode_to_string(&families)
    }
}

#[cfg(test)]
mod tests;
