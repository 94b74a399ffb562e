//! How often tasks failed, by class.

pub use redyno_contract::failure::FailureClass;

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
