//! Random choices, all of them functions of the plan's seed.
//!
//! Every purpose has a stream of its own, and within it every task: what is drawn for task n does
//! not depend on when it runs, on which worker, or on what was drawn for another purpose. The
//! generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
//! OOPSLA 2014), which is made for exactly such seeding by counters.

use crate::dyno_name::DynoName;

/// What a random number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Which worker takes a task of the warm-up.
    WarmupWorker = 1,
    /// Which worker takes a task of the measured window.
    MeasuredWorker = 2,
    /// What a task of the warm-up writes.
    WarmupPayload = 3,
    /// What a task of the measured window writes.
    MeasuredPayload = 4,
    /// The texts that payloads are made from.
    Texts = 5,
    /// How long a worker waits before it connects anew.
    Backoff = 6,
    /// The gaps between the tasks of the warm-up.
    WarmupArrivals = 7,
    /// The gaps between the tasks of the measured window.
    MeasuredArrivals = 8,
}

/// A dyno's seed: the plan's, told apart by the dyno's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(u64);

impl Seed {
    /// The seed of one dyno.
    pub fn of(plan_seed: u64, dyno: &DynoName) -> Self {
        // FNV-1a of the name: dynos differ in one digit, which the mixer then spreads.
        let name = dyno
            .to_string()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self(mix(plan_seed ^ mix(name)))
    }

    /// The generator for one thing, `number`, of a purpose.
    pub const fn stream(self, purpose: Purpose, number: u64) -> Random {
        Random {
            state: mix(self.0 ^ mix(purpose as u64)) ^ mix(number),
        }
    }
}

/// A stream of random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in 0..`bound`; 0 if the bound is 0. The bias of the multiplication is below
    /// bound / 2^64 and no test could find it.
    pub fn below(&mut self, bound: u32) -> u32 {
        // The product is below bound * 2^64, so its high half is below bound.
        let high = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        u32::try_from(high).unwrap_or_default()
    }

    /// Uniform in (0, 1], in steps of 2^-53: never 0, so that it has a logarithm.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub const fn fraction(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed with mean 1: the gaps of a Poisson process.
    pub fn exponential(&mut self) -> f64 {
        -self.fraction().ln()
    }
}

const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dyno(index: u32) -> DynoName {
        DynoName {
            dyno_type: "web".to_owned(),
            index,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed, index, purpose, number| {
            let mut random = Seed::of(seed, &dyno(index)).stream(purpose, number);
            [random.bits(), random.bits()]
        };
        let first = draw(1, 0, Purpose::MeasuredWorker, 7);
        assert_eq!(first, draw(1, 0, Purpose::MeasuredWorker, 7));
        assert_ne!(first, draw(2, 0, Purpose::MeasuredWorker, 7));
        assert_ne!(first, draw(1, 1, Purpose::MeasuredWorker, 7));
        assert_ne!(first, draw(1, 0, Purpose::WarmupWorker, 7));
        assert_ne!(first, draw(1, 0, Purpose::MeasuredWorker, 8));
    }

    #[test]
    fn workers_are_chosen_evenly() {
        let seed = Seed::of(1, &dyno(0));
        let mut chosen = [0_u32; 63];
        for number in 0..63_000 {
            chosen[seed.stream(Purpose::MeasuredWorker, number).below(63) as usize] += 1;
        }
        // 1,000 expected each; a standard deviation is 31.4, so 6 of them are 189.
        assert!(
            chosen.iter().all(|count| (811..=1189).contains(count)),
            "{chosen:?}"
        );
    }
}
