//! One database: keys with their values and the times at which they expire.

use std::collections::BTreeMap;

use super::value::{Value, allocated};

/// A moment, in microseconds since the epoch.
pub type Microseconds = u64;

/// A key's value and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub value: Value,
    /// When it expires, in milliseconds since the epoch.
    pub expires: Option<u64>,
    /// When it was used last: the number of the command.
    pub used: u64,
}

/// One database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    keys: BTreeMap<Vec<u8>, Entry>,
    /// The keys that expire, and when.
    expiring: BTreeMap<Vec<u8>, u64>,
    bytes: usize,
}

impl Database {
    /// All keys, in the order of their names.
    pub fn keys(&self) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.keys.iter()
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Bytes that its keys take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A key's entry.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key)
    }

    /// Notes that a key was used.
    pub fn touch(&mut self, key: &[u8], clock: u64) {
        if let Some(entry) = self.keys.get_mut(key) {
            entry.used = clock;
        }
    }

    /// Changes when a key expires.
    pub fn expire(&mut self, key: &[u8], expires: Option<u64>) {
        if let Some(entry) = self.remove(key) {
            self.put(key, Entry { expires, ..entry });
        }
    }

    /// Sets a key, or removes it if nothing is left in the value.
    pub fn put(&mut self, key: &[u8], entry: Entry) {
        self.remove(key);
        if !entry.value.is_empty() {
            self.bytes += bytes(key, &entry);
            if let Some(at) = entry.expires {
                self.expiring.insert(key.to_vec(), at);
            }
            self.keys.insert(key.to_vec(), entry);
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.keys.remove(key)?;
        self.expiring.remove(key);
        self.bytes -= bytes(key, &entry);
        Some(entry)
    }

    /// Removes all keys; how many there were.
    pub fn clear(&mut self) -> usize {
        let count = self.keys.len();
        *self = Self::default();
        count
    }

    /// How many keys expire some time.
    pub fn expiring(&self) -> usize {
        self.expiring.len()
    }

    /// The keys that have expired by now.
    pub fn expired(&self, now: Microseconds) -> Vec<Vec<u8>> {
        self.expiring
            .iter()
            .filter(|(_, at)| **at <= now / 1000)
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn bytes(key: &[u8], entry: &Entry) -> usize {
    // The place in the table, the key, and the place in the table of what expires.
    let place = 40 + if entry.expires.is_some() { 40 } else { 0 };
    place + allocated(key.len() + 4) + entry.value.bytes()
}
