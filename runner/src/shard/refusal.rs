//! A refusal that waiting cannot heal, before the start.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The first of them, shared by all load threads and the control thread.
#[derive(Debug, Default)]
pub(crate) struct FinalRefusal {
    words: Mutex<Option<String>>,
    told: Notify,
}

impl FinalRefusal {
    /// The target refused what it will refuse again, in these words.
    pub(crate) fn tell(&self, words: String) {
        self.words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(words);
        self.told.notify_one();
    }

    /// Waits for one, and gives its words.
    pub(crate) async fn heard(&self) -> String {
        loop {
            let words = self
                .words
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some(words) = words {
                return words;
            }
            self.told.notified().await;
        }
    }
}
