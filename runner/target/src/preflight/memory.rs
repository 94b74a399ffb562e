//! Whether the run fits into the target's memory, and if not, when it is full.

use redyno_contract::message::Refusal;

use crate::info::Info;
use crate::preflight::growth::Growth;
use crate::preflight::refused::Refused;

/// What is to be expected of the target's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forecast {
    /// Bytes that the whole run adds.
    pub(super) growth: u64,
    /// Seconds from t0 until it is full; None if not in this run.
    pub(super) full_after_seconds: Option<u64>,
}

/// Refuses only if not even prefill and warm-up fit: a test may well be about what happens when
/// Redis is full. `used` is what is in use when the run begins, after the flush if there is one.
pub(super) fn check(
    growth: &Growth,
    maxmemory: Option<u64>,
    used: u64,
    duration_seconds: u32,
) -> Result<Forecast, Refused> {
    let total = growth.total();
    let Some(maxmemory) = maxmemory.filter(|limit| *limit > 0) else {
        return Ok(Forecast {
            growth: total,
            full_after_seconds: None,
        });
    };
    let before = growth.prefill.saturating_add(growth.warmup);
    let free = maxmemory.saturating_sub(used);
    let Some(left) = free.checked_sub(before) else {
        return Err(Refused::new(
            Refusal::TooLittleMemory,
            format!(
                "prefill and warm-up take about {}, but of the target's {} (maxmemory) only {} are free: use fewer workers or flats, smaller payloads, a shorter warm-up or a larger target",
                bytes(before),
                bytes(maxmemory),
                bytes(free),
            ),
        ));
    };
    let seconds =
        u128::from(left) * u128::from(duration_seconds) / u128::from(growth.window.max(1));
    Ok(Forecast {
        growth: total,
        full_after_seconds: u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds < u64::from(duration_seconds)),
    })
}

/// What will be in use when the run begins.
pub(super) fn used_at_start(info: &Info, all_is_flushed: bool) -> u64 {
    let used = info.used_memory.unwrap_or(0);
    match info.used_memory_startup {
        Some(startup) if all_is_flushed => startup.min(used),
        _ => used,
    }
}

/// For people: `25 MB`, `1.5 GB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut size = 1_u64;
    while count / size >= 1000 && unit + 1 < UNITS.len() {
        size *= 1000;
        unit += 1;
    }
    let tenths = count / (size / 10).max(1);
    if unit == 0 || tenths >= 100 {
        format!("{} {}", count / size, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth {
        prefill: 1_000,
        warmup: 500,
        window: 10_000,
    };

    #[test]
    fn only_a_run_that_cannot_begin_is_refused() {
        for (maxmemory, used, expected) in [
            (None, 0, Some(None)),
            (Some(0), u64::MAX, Some(None)),
            (Some(1_499), 0, None),
            (Some(1_500), 0, Some(Some(0))),
            (Some(6_500), 0, Some(Some(50))),
            (Some(6_500), 5_001, None),
            (Some(11_499), 0, Some(Some(99))),
            (Some(11_500), 0, Some(None)),
            (Some(u64::MAX), 0, Some(None)),
            (Some(100), 200, None),
        ] {
            let found = check(&GROWTH, maxmemory, used, 100);
            assert_eq!(
                found
                    .as_ref()
                    .ok()
                    .map(|forecast| forecast.full_after_seconds),
                expected,
                "{maxmemory:?} {used}"
            );
            match found {
                Ok(forecast) => assert_eq!(forecast.growth, 11_500),
                Err(refused) => assert_eq!(refused.reason, Refusal::TooLittleMemory),
            }
        }
    }

    #[test]
    fn a_flush_of_everything_leaves_what_an_empty_server_uses() {
        let info = Info::parse(b"used_memory:5000\nused_memory_startup:900");
        assert_eq!(used_at_start(&info, true), 900);
        assert_eq!(used_at_start(&info, false), 5_000);
        let info = Info::parse(b"used_memory:5000");
        assert_eq!(used_at_start(&info, true), 5_000);
    }

    #[test]
    fn sizes_are_shown_for_people() {
        for (count, shown) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 KB"),
            (25_000_000, "25 MB"),
            (1_540_000_000, "1.5 GB"),
            (100_000_000_000, "100 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }
}
