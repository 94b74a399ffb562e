//! Which key a task uses.

use redyno_contract::plan::{Distribution, Keyspace};
use redyno_contract::random::Random;

use super::zipf::Zipf;

/// Draws keys of a keyspace.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    /// All alike.
    Uniform(u32),
    /// Some far more often than others.
    Zipf(Zipf),
}

impl Keys {
    /// Of this keyspace.
    pub(super) fn new(keyspace: &Keyspace) -> Self {
        let Keyspace {
            prefix: _,
            keys,
            distribution,
        } = keyspace;
        match distribution {
            Distribution::Uniform => Self::Uniform(*keys),
            Distribution::Zipf { exponent_percent } => {
                Self::Zipf(Zipf::new(*keys, *exponent_percent))
            }
        }
    }

    /// The number of a key.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        match self {
            Self::Uniform(keys) => random.below(*keys),
            Self::Zipf(zipf) => zipf.draw(random),
        }
    }
}
