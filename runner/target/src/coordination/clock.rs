//! The one clock that all dynos share: Redis' TIME, mapped to this process' monotonic clock.

use std::time::Duration;

use redis::RedisResult;
use tokio::time::Instant;

use crate::connect::Connection;

/// A moment known by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMapping {
    /// The moment by this process' monotonic clock.
    instant: Instant,
    /// The same moment by Redis, in microseconds since the epoch.
    redis_microseconds: u64,
    /// How far apart the two can really be: half of the round trip.
    error_microseconds: u64,
}

impl ClockMapping {
    /// From one question of the time: sent, answered, and what the answer was. The server read
    /// its clock at some moment between the two; the middle is wrong by half of them at most
    /// (Cristian, 1989).
    pub fn from_sample(sent: Instant, answered: Instant, redis_microseconds: u64) -> Self {
        let half = answered.saturating_duration_since(sent) / 2;
        Self {
            instant: sent + half,
            redis_microseconds,
            // The clock is read in whole microseconds, rounded down.
            error_microseconds: microseconds(half).saturating_add(1),
        }
    }

    /// The one that is known best.
    #[must_use]
    pub fn better(self, other: Self) -> Self {
        if other.error_microseconds < self.error_microseconds {
            other
        } else {
            self
        }
    }

    /// How wrong the mapping can be.
    pub const fn error_microseconds(&self) -> u64 {
        self.error_microseconds
    }

    /// The round trip that it was made with.
    pub const fn round_trip_microseconds(&self) -> u64 {
        (self.error_microseconds - 1).saturating_mul(2)
    }

    /// The local instant at which Redis' clock shows this; None if that lies outside of what
    /// this machine's clock can express.
    pub fn instant_of(&self, redis_microseconds: u64) -> Option<Instant> {
        if redis_microseconds >= self.redis_microseconds {
            self.instant.checked_add(Duration::from_micros(
                redis_microseconds - self.redis_microseconds,
            ))
        } else {
            self.instant.checked_sub(Duration::from_micros(
                self.redis_microseconds - redis_microseconds,
            ))
        }
    }

    /// What Redis' clock shows at a local instant.
    pub fn redis_microseconds_at(&self, instant: Instant) -> u64 {
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.redis_microseconds.saturating_add(microseconds(after)),
            None => self
                .redis_microseconds
                .saturating_sub(microseconds(self.instant.duration_since(instant))),
        }
    }

    /// How far two mappings of the same clock are apart: what it drifted or was set in between.
    pub fn drift_microseconds(&self, other: &Self) -> u64 {
        self.redis_microseconds_at(other.instant)
            .abs_diff(other.redis_microseconds)
    }
}

/// Asks Redis for the time so many times, one after the other, and keeps the answer that came
/// back fastest. At least one question is asked.
///
/// # Errors
/// What the server answered, or how the connection failed.
pub async fn map_clock(connection: &mut Connection, samples: u32) -> RedisResult<ClockMapping> {
    let mut best = sample(connection).await?;
    for _ in 1..samples {
        best = best.better(sample(connection).await?);
    }
    Ok(best)
}

async fn sample(connection: &mut Connection) -> RedisResult<ClockMapping> {
    let sent = Instant::now();
    let (seconds, rest): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
    let answered = Instant::now();
    Ok(ClockMapping::from_sample(
        sent,
        answered,
        seconds.saturating_mul(1_000_000).saturating_add(rest),
    ))
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_true_offset_lies_within_the_error(
            there in 0_u64..500_000, back in 0_u64..500_000, now in 2_000_000_u64..1 << 52,
        ) {
            let sent = Instant::now();
            let answered = sent + Duration::from_micros(there + back);
            let mapping = ClockMapping::from_sample(sent, answered, now);
            let truth = sent + Duration::from_micros(there);
            let mapped = mapping.redis_microseconds_at(truth);
            prop_assert!(mapped.abs_diff(now) <= mapping.error_microseconds());
        }

        #[test]
        fn mapping_there_and_back_changes_nothing(
            away in -1_000_000_i64..1_000_000_000, now in 2_000_000_u64..1 << 52,
        ) {
            let sent = Instant::now() + Duration::from_secs(10);
            let mapping = ClockMapping::from_sample(sent, sent, now);
            let asked = now.saturating_add_signed(away);
            let instant = mapping.instant_of(asked).unwrap();
            prop_assert_eq!(mapping.redis_microseconds_at(instant), asked);
        }
    }

    #[test]
    fn the_shortest_round_trip_wins_and_drift_is_seen() {
        let sent = Instant::now();
        let long = ClockMapping::from_sample(sent, sent + Duration::from_millis(8), 1_000_000);
        let short = ClockMapping::from_sample(
            sent + Duration::from_millis(10),
            sent + Duration::from_millis(12),
            1_007_100,
        );
        assert_eq!(long.better(short), short);
        assert_eq!(short.better(long), short);
        // 7,000 us lie between the two middles, Redis counted 7,100.
        assert_eq!(long.drift_microseconds(&short), 100);
        assert_eq!(short.drift_microseconds(&long), 100);
    }
}
