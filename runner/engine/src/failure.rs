//! Why tasks fail.

/// The class of an error, by which failures are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The connection broke, or could not be used.
    Connection,
    /// The task ran out of its time.
    Timeout,
    /// The target is out of memory: OOM.
    OutOfMemory,
    /// The target is a read-only replica: READONLY.
    ReadOnly,
    /// The user may not run a command or touch a key: NOPERM.
    NoPermission,
    /// The target is loading its data set: LOADING.
    Loading,
    /// The key lives on another node: MOVED, ASK.
    Moved,
    /// The target has no connection left.
    MaxClients,
    /// The key holds another type: WRONGTYPE.
    WrongType,
    /// The script was not there even after it had been sent: NOSCRIPT.
    NoScript,
    /// Anything else.
    Other,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::Connection,
        Self::Timeout,
        Self::OutOfMemory,
        Self::ReadOnly,
        Self::NoPermission,
        Self::Loading,
        Self::Moved,
        Self::MaxClients,
        Self::WrongType,
        Self::NoScript,
        Self::Other,
    ];

    /// As it stands in metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::OutOfMemory => "oom",
            Self::ReadOnly => "readonly",
            Self::NoPermission => "noperm",
            Self::Loading => "loading",
            Self::Moved => "moved",
            Self::MaxClients => "maxclients",
            Self::WrongType => "wrongtype",
            Self::NoScript => "noscript",
            Self::Other => "other",
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

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The commonest class and its count, `oom 17`; the first of `ALL` if several are as common.
    pub fn commonest(&self) -> Option<(FailureClass, u64)> {
        FailureClass::ALL
            .into_iter()
            .map(|class| (class, self.of(class)))
            .filter(|(_, count)| *count > 0)
            .rev()
            .max_by_key(|(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_agree_with_the_list_of_all() {
        for (position, class) in FailureClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, position);
        }
    }

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
