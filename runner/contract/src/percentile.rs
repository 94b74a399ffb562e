//! Percentiles, exact to a thousandth of a percent.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A percentile in thousandths of a percent, above 0 and below 100,000: 99.9 % is 99,900.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct Percentile(u32);

impl Percentile {
    /// The median.
    pub const P50: Self = Self(50_000);
    /// The 90th percentile.
    pub const P90: Self = Self(90_000);
    /// The 99th percentile.
    pub const P99: Self = Self(99_000);
    /// The 99.9th percentile.
    pub const P999: Self = Self(99_900);

    /// Thousandths of a percent.
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// As a fraction of 1, for histogram look-ups.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }

    /// Reads `99`, `99.9`, `0.5`: one or two digits, up to three decimals, above 0.
    ///
    /// # Errors
    /// [`InvalidPercentile`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidPercentile> {
        let invalid = || InvalidPercentile(text.chars().take(20).collect());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=2).contains(&whole.len())
            || !digits(whole)
            || (text.contains('.') && decimals.is_empty())
            || decimals.len() > 3
            || !digits(decimals)
        {
            return Err(invalid());
        }
        let number: u32 = format!("{whole}{decimals:0<3}")
            .parse()
            .map_err(|_| invalid())?;
        Self::try_from(number).map_err(|_| invalid())
    }
}

impl TryFrom<u32> for Percentile {
    type Error = InvalidPercentile;

    fn try_from(thousandths: u32) -> Result<Self, Self::Error> {
        if (1..100_000).contains(&thousandths) {
            Ok(Self(thousandths))
        } else {
            Err(InvalidPercentile(format!("{thousandths} thousandths")))
        }
    }
}

impl From<Percentile> for u32 {
    fn from(percentile: Percentile) -> Self {
        percentile.0
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            write!(formatter, "{whole}")
        } else {
            let decimals = format!("{rest:03}");
            write!(formatter, "{whole}.{}", decimals.trim_end_matches('0'))
        }
    }
}

/// Not a percentile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a percentile: it must be above 0 and below 100 with at most three decimals, such as \"99\" or \"99.9\""
)]
pub struct InvalidPercentile(String);
