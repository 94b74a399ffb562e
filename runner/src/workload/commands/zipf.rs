//! Numbers by Zipf's law: the k-th of n in proportion to 1 / k^s.
//!
//! By rejection-inversion (Hörmann, Derflinger: "Rejection-inversion to generate variates from
//! monotone discrete distributions", ACM TOMACS 6 (3), 1996): no table, whatever n is, and hardly
//! more than one random number for each.

use redyno_contract::random::Random;

/// A Zipf distribution over 0..n.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zipf {
    exponent: f64,
    count: f64,
    /// H(3/2) - h(1) and H(n + 1/2): between them lies everything.
    from: f64,
    until: f64,
    /// Up to so far right of a number, it is taken without a further look.
    sure: f64,
}

impl Zipf {
    /// Over `count` numbers, with this exponent in hundredths; both 1 or more.
    pub(super) fn new(count: u32, exponent_percent: u32) -> Self {
        let exponent = f64::from(exponent_percent) / 100.0;
        let count = f64::from(count.max(1));
        Self {
            exponent,
            count,
            from: integral(1.5, exponent) - 1.0,
            until: integral(count + 0.5, exponent),
            sure: 2.0 - inverse(integral(2.5, exponent) - density(2.0, exponent), exponent),
        }
    }

    /// Draws a number; the smaller, the more likely.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        loop {
            let place = self.until + random.fraction() * (self.from - self.until);
            let exact = inverse(place, self.exponent);
            let number = exact.round().clamp(1.0, self.count);
            if number - exact <= self.sure
                || place >= integral(number + 0.5, self.exponent) - density(number, self.exponent)
            {
                // Whole and between 1 and a count of 32 bits.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                return number as u32 - 1;
            }
        }
    }
}

/// h(x) = x^-s.
fn density(at: f64, exponent: f64) -> f64 {
    at.powf(-exponent)
}

/// H(x), an integral of h: (x^(1-s) - 1) / (1 - s), and ln x for s = 1.
fn integral(at: f64, exponent: f64) -> f64 {
    let logarithm = at.ln();
    growth((1.0 - exponent) * logarithm) * logarithm
}

/// The inverse of H.
fn inverse(value: f64, exponent: f64) -> f64 {
    // Rounding may lead just below the only place where the logarithm ends.
    let scaled = (value * (1.0 - exponent)).max(-1.0);
    (decline(scaled) * value).exp()
}

/// (e^x - 1) / x, which is 1 at 0.
fn growth(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.exp_m1() / x
    } else {
        1.0 + x / 2.0
    }
}

/// ln(1 + x) / x, which is 1 at 0.
fn decline(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.ln_1p() / x
    } else {
        1.0 - x / 2.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redyno_contract::plan::DynoName;
    use redyno_contract::random::{Purpose, Seed};

    use super::*;

    fn stream(seed: u64) -> Random {
        let name = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        Seed::of(seed, &name).stream(Purpose::MeasuredPayload, 0)
    }

    #[test]
    fn frequencies_follow_the_law() {
        const DRAWS: usize = 200_000;
        for exponent_percent in [50, 99, 100, 101, 200] {
            let count = 1000;
            let zipf = Zipf::new(count, exponent_percent);
            let mut random = stream(1);
            let mut seen = vec![0_u32; count as usize];
            for _ in 0..DRAWS {
                seen[zipf.draw(&mut random) as usize] += 1;
            }
            let exponent = f64::from(exponent_percent) / 100.0;
            let weight = |rank: u32| f64::from(rank).powf(-exponent);
            let all: f64 = (1..=count).map(weight).sum();
            for rank in [1, 2, 3, 10, 100] {
                let expected = DRAWS as f64 * weight(rank) / all;
                let found = f64::from(seen[rank as usize - 1]);
                // Six standard deviations of a binomial count.
                let spread = 6.0 * expected.sqrt() + 1.0;
                assert!(
                    (found - expected).abs() < spread,
                    "exponent {exponent}, rank {rank}: {found} of {expected}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn every_number_is_one_of_them(seed: u64, count in 1_u32.., exponent_percent in 1_u32..500) {
            let zipf = Zipf::new(count, exponent_percent);
            let mut random = stream(seed);
            for _ in 0..50 {
                prop_assert!(zipf.draw(&mut random) < count);
            }
        }
    }
}
