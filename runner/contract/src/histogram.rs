//! Latency histograms that merge: HDR, in microseconds, from 1 us to 1 h.

use std::fmt;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Percentile;

/// The highest value that is told apart: 1 h. Higher ones are recorded as this and counted.
pub const HIGHEST_MICROSECONDS: u64 = 3_600_000_000;

/// Longest encoded histogram that is read, in characters. A three-digit one of the worst known
/// distribution takes about 16,000.
const LONGEST_ENCODED: usize = 200_000;

/// Most values that a histogram is read with: ten thousand of them still add up without any sum
/// coming near the 63 bits that the encoding has for a count.
const MOST_VALUES: u64 = 1 << 48;

/// First four bytes of the deflated and of the plain encoding, version 2 with counts of up to
/// 64 bits (`V2CompressedEncodingCookieBase`, `V2EncodingCookieBase` and the word size of
/// HdrHistogram's reference implementation).
const DEFLATED_COOKIE: u32 = 0x1c84_9314;
const PLAIN_COOKIE: u32 = 0x1c84_9313;

/// Length of the plain encoding's header: cookie, payload length, normalising offset, digits (four
/// bytes each), lowest value, highest value, conversion ratio (eight bytes each).
const PLAIN_HEADER_BYTES: usize = 40;

/// Longest number in the encoding: a variable-length integer of 64 bits.
const LONGEST_NUMBER_BYTES: usize = 9;

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

/// Values that a histogram does not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The lowest of them, in microseconds.
    pub lowest: u64,
    /// The highest of them, in microseconds.
    pub highest: u64,
    /// How many there are.
    pub count: u64,
}

/// A histogram on its way: HdrHistogram V2, deflated, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
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
        Self { inner }
    }

    /// Records one value in microseconds.
    pub fn record(&mut self, microseconds: u64) {
        self.inner
            .saturating_record(microseconds.clamp(1, HIGHEST_MICROSECONDS));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.inner.reset();
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.inner.len()
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

    /// Values that are not told apart, with their counts, rising.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.inner.iter_recorded().map(|bucket| {
            let value = bucket.value_iterated_to();
            Bucket {
                lowest: self.inner.lowest_equivalent(value),
                highest: self.inner.highest_equivalent(value),
                count: bucket.count_at_value(),
            }
        })
    }

    /// Adds another histogram of any precision; the result keeps this one's precision.
    pub fn add(&mut self, other: &Self) {
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
        let plain = inflate(&bytes, Histogram::new(digits).inner.distinct_values())?;
        check_header(&plain, digits)?;
        check_counts(
            &plain[PLAIN_HEADER_BYTES..],
            Histogram::new(digits).inner.distinct_values(),
        )?;
        let inner = Deserializer::new()
            .deserialize(&mut plain.as_slice())
            .map_err(|error| InvalidHistogram(error.to_string()))?;
        Ok(Histogram { inner })
    }
}

// The library's reader trusts lengths and bounds in the header: it allocates what they ask for
// (gigabytes) and overflows on some counts. So everything is checked before it sees a byte.

/// Unpacks the deflated encoding to the plain one, no longer than `buckets` counts can be.
fn inflate(bytes: &[u8], buckets: usize) -> Result<Vec<u8>, InvalidHistogram> {
    let (header, deflated) = bytes
        .split_at_checked(8)
        .ok_or_else(|| InvalidHistogram(format!("{} bytes, at least 8", bytes.len())))?;
    let cookie = big_endian(&header[..4]);
    if cookie != u64::from(DEFLATED_COOKIE) {
        return Err(InvalidHistogram(format!(
            "begins with {cookie:08x}, must be {DEFLATED_COOKIE:08x}"
        )));
    }
    let length = big_endian(&header[4..]);
    if usize::try_from(length).ok() != Some(deflated.len()) {
        return Err(InvalidHistogram(format!(
            "{} deflated bytes, its header says {length}",
            deflated.len()
        )));
    }
    let longest = PLAIN_HEADER_BYTES + buckets * LONGEST_NUMBER_BYTES;
    let mut plain = Vec::new();
    ZlibDecoder::new(deflated)
        .take(longest as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| InvalidHistogram(error.to_string()))?;
    if plain.len() > longest {
        return Err(InvalidHistogram(format!(
            "inflates to more than {longest} bytes"
        )));
    }
    Ok(plain)
}

fn check_header(plain: &[u8], digits: Digits) -> Result<(), InvalidHistogram> {
    if plain.len() < PLAIN_HEADER_BYTES {
        return Err(InvalidHistogram(format!(
            "inflates to {} bytes, at least {PLAIN_HEADER_BYTES}",
            plain.len()
        )));
    }
    let payload = plain.len() - PLAIN_HEADER_BYTES;
    for (name, range, expected) in [
        ("cookie", 0..4, u64::from(PLAIN_COOKIE)),
        ("payload length", 4..8, payload as u64),
        ("normalising offset", 8..12, 0),
        ("digits", 12..16, u64::from(digits.number())),
        ("lowest value", 16..24, 1),
        ("highest value", 24..32, HIGHEST_MICROSECONDS),
        ("conversion ratio", 32..40, 1.0_f64.to_bits()),
    ] {
        let found = big_endian(&plain[range]);
        if found != expected {
            return Err(InvalidHistogram(format!(
                "its {name} is {found}, must be {expected}"
            )));
        }
    }
    Ok(())
}

/// Walks the counts: zig-zag variable-length integers, a negative one being a run of empty buckets.
fn check_counts(payload: &[u8], buckets: usize) -> Result<(), InvalidHistogram> {
    let too_many = || InvalidHistogram(format!("counts beyond its {buckets} buckets"));
    let mut rest = payload.iter();
    let mut bucket: u64 = 0;
    let mut values: u64 = 0;
    while !rest.as_slice().is_empty() {
        let mut number: u64 = 0;
        for position in 0..LONGEST_NUMBER_BYTES {
            let byte = rest
                .next()
                .copied()
                .ok_or_else(|| InvalidHistogram("ends within a count".to_owned()))?;
            if position == LONGEST_NUMBER_BYTES - 1 {
                number |= u64::from(byte) << 56;
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let magnitude = number >> 1;
        let width = if number & 1 == 0 {
            values = values.saturating_add(magnitude);
            1
        } else {
            // Zig-zag: odd numbers are negative, -1 first.
            magnitude + 1
        };
        bucket = bucket.saturating_add(width);
        if bucket > buckets as u64 {
            return Err(too_many());
        }
    }
    if values > MOST_VALUES {
        return Err(InvalidHistogram(format!(
            "{values} values, at most {MOST_VALUES} are read"
        )));
    }
    Ok(())
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
#[path = "histogram_tests.rs"]
mod tests;
