//! Memory for requests and replies, shared by all workers of a load thread.
//!
//! A worker holds a buffer only while it writes a request or reads a reply, and few do at the same
//! time: so that five hundred workers need hardly more memory than fifty, and what is used next
//! was used a moment ago and is still in the processor's cache.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// What a new buffer holds: a building of 200 flats. Pages that are never touched cost nothing.
const CAPACITY: usize = 64 * 1024;

/// A buffer that has grown beyond this is not kept.
const LARGEST_KEPT: usize = 1024 * 1024;

/// So many are kept.
const MOST_KEPT: usize = 64;

/// The buffers of one load thread. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    idle: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// An empty buffer: the one that was given back last.
    pub(crate) fn take(&self) -> Buffer {
        let idle = self.idle.borrow_mut().pop();
        Buffer {
            bytes: idle.unwrap_or_else(|| Vec::with_capacity(CAPACITY)),
            home: self.clone(),
        }
    }

    /// Bytes that the idle ones can hold.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.idle.borrow().iter().map(Vec::capacity).sum()
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST_KEPT && bytes.capacity() <= LARGEST_KEPT {
            bytes.clear();
            idle.push(bytes);
        }
    }
}

/// Bytes in memory that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_comes_empty() {
        let buffers = Buffers::default();
        let mut first = buffers.take();
        first.extend_from_slice(b"something");
        let place = first.as_ptr();
        drop(first);
        let second = buffers.take();
        assert_eq!(second.as_ptr(), place);
        assert!(second.is_empty());
        assert_ne!(buffers.take().as_ptr(), place);
    }

    #[test]
    fn what_grew_large_is_not_kept_nor_are_too_many() {
        let buffers = Buffers::default();
        buffers.take().reserve(LARGEST_KEPT + 1);
        assert_eq!(buffers.idle.borrow().len(), 0);
        let many: Vec<_> = (0..=MOST_KEPT).map(|_| buffers.take()).collect();
        drop(many);
        assert_eq!(buffers.idle.borrow().len(), MOST_KEPT);
    }
}
