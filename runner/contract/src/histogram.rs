//! Latency histograms that merge: HDR, in microseconds, from 1 us to 1 h.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Percentile;

/// The highest value that is told apart: 1 h. Higher ones are recorded as this and counted.
pub const HIGHEST_MICROSECONDS: u64 = 3_600_000_000;

/// Longest encoded histogram that is read, in characters. A three-digit one of the worst known
/// distribution takes about 16,000.
const LONGEST_ENCODED: usize = 200_000;

/// Significant decimal digits of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digits {
    /// Within 10 %.
    One,
    /// Within 1 %.
    Two,
    /// Within 0.1 %.
    Three,
}

impl Digits {
    /// As a number.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// A histogram of microseconds. Values of 0 count as 1, values over 1 h as 1 h.
#[derive(Clone, PartialEq)]
pub struct Histogram {
    inner: hdrhistogram::Histogram<u64>,
    saturated: u64,
}

impl fmt::Debug for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Histogram")
            .field("digits", &self.digits())
            .field("count", &self.count())
            .field("max", &self.max_microseconds())
            .finish_non_exhaustive()
    }
}

/// A histogram on its way: HdrHistogram V2, deflated, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EncodedHistogram {
    /// Significant decimal digits, 1 to 3.
    pub digits: u8,
    /// The histogram.
    pub data: String,
}

/// A histogram that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid histogram: {0}")]
pub struct InvalidHistogram(String);

impl Histogram {
    /// An empty one.
    pub fn new(digits: Digits) -> Self {
        let inner =
            hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_MICROSECONDS, digits.number())
                .expect("bounds and digits are constants that the library accepts");
        Self {
            inner,
            saturated: 0,
        }
    }

    /// Records one value in microseconds.
    pub fn record(&mut self, microseconds: u64) {
        if microseconds > HIGHEST_MICROSECONDS {
            self.saturated += 1;
        }
        self.inner
            .saturating_record(microseconds.clamp(1, HIGHEST_MICROSECONDS));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.inner.reset();
        self.saturated = 0;
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// How many of them were over 1 h. Not carried by the encoding.
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Significant digits.
    pub fn digits(&self) -> u8 {
        self.inner.sigfig()
    }

    /// The highest value, rounded up to what the precision can tell apart; 0 if empty.
    pub fn max_microseconds(&self) -> u64 {
        self.inner.max()
    }

    /// The value that `rank` values (from 1) are at or below, rounded up to what the precision can
    /// tell apart; the maximum if there are fewer.
    pub fn at_rank(&self, rank: u64) -> u64 {
        let mut seen: u64 = 0;
        for bucket in self.inner.iter_recorded() {
            seen = seen.saturating_add(bucket.count_at_value());
            if seen >= rank {
                return self.inner.highest_equivalent(bucket.value_iterated_to());
            }
        }
        self.max_microseconds()
    }

    /// The percentile of the values themselves; 0 if empty.
    pub fn percentile(&self, percentile: Percentile) -> u64 {
        let count = u128::from(self.count());
        let rank = (count * u128::from(percentile.thousandths())).div_ceil(100_000);
        if count == 0 {
            0
        } else {
            self.at_rank(u64::try_from(rank).unwrap_or(u64::MAX).max(1))
        }
    }

    /// Values in microseconds with their counts, rising; each value is the highest of its bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.inner.iter_recorded().map(|bucket| {
            (
                self.inner.highest_equivalent(bucket.value_iterated_to()),
                bucket.count_at_value(),
            )
        })
    }

    /// Adds another histogram of any precision; the result keeps this one's precision.
    pub fn add(&mut self, other: &Self) {
        self.saturated += other.saturated;
        if other.digits() == self.digits() {
            self.inner
                .add(&other.inner)
                .expect("all histograms have the same bounds");
            return;
        }
        for bucket in other.inner.iter_recorded() {
            let value = bucket.value_iterated_to().clamp(1, HIGHEST_MICROSECONDS);
            self.inner
                .saturating_record_n(value, bucket.count_at_value());
        }
    }

    /// The same at a lower precision.
    #[must_use]
    pub fn coarser(&self, digits: Digits) -> Self {
        let mut coarse = Self::new(digits);
        coarse.add(self);
        coarse
    }

    /// For the way.
    pub fn encode(&self) -> EncodedHistogram {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.inner, &mut bytes)
            .expect("writing to memory cannot fail and counts fit");
        EncodedHistogram {
            digits: self.digits(),
            data: BASE64.encode(bytes),
        }
    }
}

impl EncodedHistogram {
    /// Reads it. Treats it as hostile.
    ///
    /// # Errors
    /// [`InvalidHistogram`] says what is wrong.
    pub fn decode(&self) -> Result<Histogram, InvalidHistogram> {
        let digits = match self.digits {
            1 => Digits::One,
            2 => Digits::Two,
            3 => Digits::Three,
            other => {
                return Err(InvalidHistogram(format!(
                    "digits is {other}, must be 1 to 3"
                )));
            }
        };
        if self.data.len() > LONGEST_ENCODED {
            return Err(InvalidHistogram(format!(
                "{} characters, at most {LONGEST_ENCODED}",
                self.data.len()
            )));
        }
        let bytes = BASE64
            .decode(&self.data)
            .map_err(|error| InvalidHistogram(error.to_string()))?;
        let inner: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| InvalidHistogram(error.to_string()))?;
        if inner.sigfig() != digits.number()
            || inner.high() != HIGHEST_MICROSECONDS
            || inner.low() != 1
        {
            return Err(InvalidHistogram(format!(
                "bounds {} to {} at {} digits, must be 1 to {HIGHEST_MICROSECONDS} at {}",
                inner.low(),
                inner.high(),
                inner.sigfig(),
                digits.number()
            )));
        }
        Ok(Histogram {
            inner,
            saturated: 0,
        })
    }
}
