//! What becomes of the bytes of one connection.

use std::time::Duration;

use redyno_contract::random::Random;

/// What becomes of the bytes of one direction of a connection.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How long each byte is under way at least.
    pub delay: Duration,
    /// How much longer it can be, drawn for every piece.
    pub jitter: Duration,
    /// What is written arrives in pieces of so many bytes at most, cut anywhere; whole if None.
    pub pieces: Option<usize>,
    /// How it ends.
    pub fate: Fate,
    /// For what is drawn.
    pub random: Random,
}

/// How a direction ends, unless its owner closes it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lives as long as it is wanted.
    Lives,
    /// The connection breaks once so many bytes have gone in this direction; those after them are
    /// lost.
    Breaks {
        /// Bytes.
        after: u64,
    },
    /// Nothing arrives any more once so many bytes have gone in this direction, and nobody is told.
    FallsSilent {
        /// Bytes.
        after: u64,
    },
}

impl Weather {
    /// A good network.
    pub const fn fair(random: Random) -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            pieces: None,
            fate: Fate::Lives,
            random,
        }
    }

    /// How long the next piece is under way.
    pub(super) fn next_delay(&mut self) -> Duration {
        let most = u32::try_from(self.jitter.as_millis()).unwrap_or(u32::MAX);
        self.delay + Duration::from_millis(u64::from(self.random.below(most + 1)))
    }

    /// How many of so many bytes make the next piece.
    pub(super) fn next_piece(&mut self, bytes: usize) -> usize {
        match self.pieces {
            None => bytes,
            Some(most) => {
                let most = u32::try_from(most.min(bytes)).unwrap_or(u32::MAX).max(1);
                self.random.below(most) as usize + 1
            }
        }
    }
}
