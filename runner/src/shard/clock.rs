//! The load thread's clock: monotonic, counted from the common start.

use std::time::Duration;

use redyno_engine::Moment;
use tokio::time::Instant;

/// The load thread's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Counts from `start`, which may lie ahead.
    pub(crate) const fn from(start: Instant) -> Self {
        Self { start }
    }

    /// Now; S itself while it lies ahead.
    pub(crate) fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    /// An instant as a moment; S itself for earlier ones.
    pub(crate) fn moment(&self, instant: Instant) -> Moment {
        let since = instant.saturating_duration_since(self.start);
        Moment::from_nanoseconds(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// A moment as an instant.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_nanos(moment.nanoseconds())
    }
}
