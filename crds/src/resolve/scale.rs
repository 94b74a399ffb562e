//! Shrinking sizes, so that the same LoadTest fits a small cluster.

/// A dyno below this starts too slowly to be of use.
const LEAST_DYNO_MILLIS: u32 = 50;
const LEAST_DYNO_BYTES: u64 = 64 << 20;

/// Redis' main thread has a whole core, or its own CPU limit would be what is measured.
const LEAST_REDIS_MILLIS: u32 = 1000;
/// An empty Redis takes about 1 MiB by itself.
const LEAST_REDIS_BYTES: u64 = 16 << 20;

/// A dyno's CPU.
pub(super) fn dyno_millis(millis: u32, percent: u32) -> u32 {
    shrink(millis.into(), percent, LEAST_DYNO_MILLIS.into())
        .try_into()
        .unwrap_or(millis)
}

/// A dyno's memory, in whole MiB.
pub(super) fn dyno_bytes(bytes: u64, percent: u32) -> u64 {
    whole_mebibytes(bytes, shrink(bytes, percent, LEAST_DYNO_BYTES))
}

/// A managed Redis' CPU.
pub(super) fn redis_millis(millis: u32, percent: u32) -> u32 {
    shrink(millis.into(), percent, LEAST_REDIS_MILLIS.into())
        .try_into()
        .unwrap_or(millis)
}

/// A managed Redis' maxmemory.
pub(super) fn redis_bytes(bytes: u64, percent: u32) -> u64 {
    shrink(bytes, percent, LEAST_REDIS_BYTES)
}

/// Never below the floor, never above what there was.
fn shrink(whole: u64, percent: u32, floor: u64) -> u64 {
    let share = u128::from(whole) * u128::from(percent.min(100)) / 100;
    u64::try_from(share).unwrap_or(whole).max(floor).min(whole)
}

fn whole_mebibytes(unscaled: u64, scaled: u64) -> u64 {
    if scaled == unscaled {
        unscaled
    } else {
        scaled.div_ceil(1 << 20) << 20
    }
}

/// Memory of a managed Redis' container: maxmemory counts what Redis has asked for, the limit what
/// it has. A quarter on top is for fragmentation (a ratio of up to about 1.2 is common), 64 MiB for
/// the process itself, and 64 KiB a connection for buffers of commands that are in flight when
/// maxmemory is reached.
pub(super) fn redis_limit(maxmemory: u64, connections: u32) -> u64 {
    maxmemory
        .saturating_add(maxmemory / 4)
        .saturating_add(64 << 20)
        .saturating_add(u64::from(connections) << 16)
        .div_ceil(1 << 20)
        << 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dynos() {
        assert_eq!(dyno_millis(16_000, 100), 16_000);
        assert_eq!(dyno_millis(16_000, 5), 800);
        assert_eq!(dyno_millis(160, 10), 50);
        assert_eq!(dyno_millis(20, 10), 20);
        assert_eq!(dyno_bytes(126 << 30, 100), 126 << 30);
        assert_eq!(dyno_bytes(126 << 30, 1), 1291 << 20);
        assert_eq!(dyno_bytes(512 << 20, 1), 64 << 20);
    }

    #[test]
    fn redis_keeps_a_core() {
        assert_eq!(redis_millis(32_000, 10), 3200);
        assert_eq!(redis_millis(32_000, 1), 1000);
        assert_eq!(redis_millis(500, 50), 500);
        assert_eq!(redis_bytes(100 << 30, 1), 1 << 30);
        assert_eq!(redis_bytes(25 << 20, 1), 16 << 20);
    }

    proptest! {
        #[test]
        fn scaled_sizes_are_never_larger_and_never_nothing(
            millis in 1_u32..1_024_000, bytes in 1_u64..(1 << 44), percent in 1_u32..=100,
        ) {
            prop_assert!((1..=millis).contains(&dyno_millis(millis, percent)));
            prop_assert!((1..=millis).contains(&redis_millis(millis, percent)));
            let least = bytes.min(64 << 20);
            let most = bytes.div_ceil(1 << 20) << 20;
            prop_assert!((least..=most).contains(&dyno_bytes(bytes, percent)));
            let maxmemory = redis_bytes(bytes, percent);
            prop_assert!(redis_limit(maxmemory, 1) > maxmemory);
        }
    }
}
