//! What happens next: things at their times, and of those at the same time the one that came first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::time::Time;

/// Things at their times.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    number: u64,
    thing: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            count: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, at: Time, thing: T) {
        self.heap.push(Entry {
            at,
            number: self.count,
            thing,
        });
        self.count += 1;
    }

    /// When the first of them comes.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, T)> {
        self.heap.pop().map(|entry| (entry.at, entry.thing))
    }
}

impl<T> Entry<T> {
    const fn key(&self) -> (Time, u64) {
        (self.at, self.number)
    }
}

// A heap gives the greatest first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_of_those_the_first() {
        let mut queue = Queue::default();
        for (at, thing) in [(3, 'd'), (1, 'a'), (2, 'b'), (2, 'c')] {
            queue.push(at, thing);
        }
        assert_eq!(queue.next(), Some(1));
        let order: String = std::iter::from_fn(|| queue.pop())
            .map(|(_, it)| it)
            .collect();
        assert_eq!(order, "abcd");
    }
}
