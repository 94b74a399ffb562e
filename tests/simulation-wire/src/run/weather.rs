//! The weather of a run: what becomes of each connection that is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redyno_simulation::choices::Drawn;

use crate::world::{Fate, Forecast, Weather};

/// The weather as it is now. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Climate(Arc<Mutex<Now>>);

#[derive(Clone, Copy, Debug, Default)]
struct Now {
    delay: Duration,
    jitter: Duration,
    pieces: Option<usize>,
    /// Every other direction breaks after so many bytes at most.
    cut: Option<u32>,
}

impl Climate {
    /// Bytes take so long, and up to so much longer.
    pub(super) fn new((delay, jitter): (Duration, Duration)) -> Self {
        Self(Arc::new(Mutex::new(Now {
            delay,
            jitter,
            ..Now::default()
        })))
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on bytes come in pieces and late.
    pub(super) fn turn_bad(&self, pieces: usize, jitter: Duration) {
        self.change(|now| {
            now.pieces = Some(pieces.max(1));
            now.jitter += jitter;
        });
    }

    /// From now on, every other direction of a connection breaks after so many bytes at most.
    pub(super) fn cut(&self, bytes: u32) {
        self.change(|now| now.cut = Some(bytes));
    }

    /// What the network asks, for a world with this seed.
    pub(super) fn forecast(&self, seed: u64) -> Forecast {
        const WEATHER: u64 = 1;
        let climate = self.clone();
        let drawn = Drawn::of(seed);
        Box::new(move |connection| {
            let now = *climate.0.lock().unwrap_or_else(PoisonError::into_inner);
            let direction = |number| {
                let mut random = drawn.stream([WEATHER, connection, number, 0]);
                let cut = random.below(2) == 1;
                let after = now.cut.map(|bytes| random.below(bytes.saturating_add(1)));
                Weather {
                    delay: now.delay,
                    jitter: now.jitter,
                    pieces: now.pieces,
                    fate: match after {
                        Some(after) if cut => Fate::Breaks {
                            after: after.into(),
                        },
                        _ => Fate::Lives,
                    },
                    random,
                }
            };
            (direction(0), direction(1))
        })
    }
}
