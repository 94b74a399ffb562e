//! Whose turn it is. LoadTests of one namespace take turns among themselves and never with those of
//! another: a namespace in which everything is slow or refused delays nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of every namespace.
#[derive(Debug)]
pub struct Turns {
    at_once: usize,
    namespaces: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Turns {
    /// So many at once in each namespace.
    pub fn new(at_once: usize) -> Self {
        Self {
            at_once,
            namespaces: Mutex::default(),
        }
    }

    /// Waits for a turn in this namespace.
    pub async fn take(&self, namespace: &str) -> Turn {
        let semaphore = {
            let mut namespaces = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Nobody waits for, or holds, a turn of those that only this map knows.
            namespaces.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            let of_namespace = namespaces
                .entry(namespace.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(self.at_once)));
            Arc::clone(of_namespace)
        };
        let permit = semaphore.acquire_owned().await;
        Turn(permit.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_namespace_whose_turns_are_all_taken_holds_up_nobody_else() {
        let turns = Turns::new(2);
        let first = turns.take("slow").await;
        let _second = turns.take("slow").await;
        assert!(turns.take("slow").now_or_never().is_none());
        let _other = turns.take("quick").now_or_never().unwrap();
        drop(first);
        assert!(turns.take("slow").now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_nobody_uses_is_forgotten() {
        let turns = Turns::new(1);
        drop(turns.take("former").await);
        let _held = turns.take("held").await;
        let _now = turns.take("now").await;
        assert_eq!(turns.namespaces.lock().unwrap().len(), 2);
    }
}
