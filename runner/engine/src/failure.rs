//! How often tasks failed, by class.

use std::collections::BTreeMap;

pub use redyno_contract::failure::FailureClass;

/// What a failure leaves of the connection that it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionAfter {
    /// Every reply was read: the next task can use it. An error reply is an answer.
    Usable,
    /// Nobody knows what comes next on it, or whose it is: it is dropped.
    Dropped,
}

/// What was said of the first failure of each class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstWords(BTreeMap<FailureClass, String>);

impl FirstWords {
    /// Whether nothing was said of this class so far.
    pub fn lack(&self, class: FailureClass) -> bool {
        !self.0.contains_key(&class)
    }

    /// Keeps what was said, unless something was said before.
    pub fn keep(&mut self, class: FailureClass, words: String) {
        self.0.entry(class).or_insert(words);
    }

    /// What was said first of a class.
    pub fn of(&self, class: FailureClass) -> Option<&str> {
        self.0.get(&class).map(String::as_str)
    }

    /// Adds what another engine heard.
    pub fn add(&mut self, other: Self) {
        for (class, words) in other.0 {
            self.keep(class, words);
        }
    }
}

/// Failures by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureCounts([u64; FailureClass::ALL.len()]);

impl FailureCounts {
    /// Counts one.
    pub const fn count(&mut self, class: FailureClass) {
        self.0[class as usize] += 1;
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            *mine += others;
        }
    }

    /// How many of a class.
    pub const fn of(&self, class: FailureClass) -> u64 {
        self.0[class as usize]
    }

    /// How many of those classes that put the target itself in question.
    pub fn in_question(&self) -> u64 {
        FailureClass::ALL
            .iter()
            .filter(|class| class.puts_the_target_in_question())
            .map(|class| self.of(*class))
            .sum()
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The commonest class and its count, `oom 17`; the first of `ALL` if several are as common.
    pub fn commonest(&self) -> Option<(FailureClass, u64)> {
        FailureClass::ALL
            .iter()
            .map(|class| (*class, self.of(*class)))
            .filter(|(_, count)| *count > 0)
            .rev()
            .max_by_key(|(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_class_is_named() {
        let mut counts = FailureCounts::default();
        assert_eq!(counts.commonest(), None);
        counts.count(FailureClass::OutOfMemory);
        counts.count(FailureClass::Timeout);
        assert_eq!(counts.commonest(), Some((FailureClass::Timeout, 1)));
        counts.count(FailureClass::OutOfMemory);
        assert_eq!(counts.commonest(), Some((FailureClass::OutOfMemory, 2)));
        assert_eq!(counts.total(), 3);
    }
}
