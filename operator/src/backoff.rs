//! How long to wait after an error, for each LoadTest by itself: from a second to five minutes.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// Failures in a row, by LoadTest.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Another failure: how long to wait now.
    pub fn failed(&self, key: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        delay(*count, jitter(key, *count))
    }

    /// A success, or its object is gone: the next failure is the first one again.
    pub fn forget(&self, key: &str) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Doubles with every failure; `jitter` of 0 to 255 takes up to half of it away, so that many
/// objects that failed together do not come back together.
fn delay(failures: u32, jitter: u8) -> Duration {
    let exponent = failures.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << exponent).min(LONGEST);
    full.mul_f64(1.0 - f64::from(jitter) / 512.0)
}

/// Differs between objects and between failures; needs no random numbers.
fn jitter(key: &str, failures: u32) -> u8 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((key, failures));
    hash.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_never_reach_zero() {
        assert_eq!(delay(1, 0), Duration::from_secs(1));
        assert_eq!(delay(4, 0), Duration::from_secs(8));
        assert_eq!(delay(40, 0), LONGEST);
        assert!(delay(1, 255) >= Duration::from_millis(500));
    }

    #[test]
    fn objects_back_off_by_themselves_and_forget_after_success() {
        let backoff = Backoff::default();
        let first = backoff.failed("a");
        let second = backoff.failed("a");
        assert!(second > first / 2 && second >= Duration::from_secs(1));
        assert!(backoff.failed("b") <= Duration::from_secs(1));
        backoff.forget("a");
        assert_eq!(backoff.failed("a"), first);
    }
}
