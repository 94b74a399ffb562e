//! Time as the engine knows it: passed in, never read.

/// Nanoseconds since the common start S.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// So many nanoseconds after S.
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// So many whole seconds after S.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds as u64 * 1_000_000_000)
    }

    /// Nanoseconds after S.
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// Whole milliseconds after S.
    pub const fn milliseconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// So many nanoseconds later.
    #[must_use]
    pub const fn plus(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }

    /// So many nanoseconds earlier; S itself if that would be before it.
    #[must_use]
    pub const fn minus(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_sub(nanoseconds))
    }

    /// Nanoseconds since an earlier moment; 0 if it is a later one.
    pub const fn nanoseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole microseconds since an earlier moment; 0 if it is a later one.
    pub const fn microseconds_since(self, earlier: Self) -> u64 {
        self.nanoseconds_since(earlier) / 1000
    }
}
