//! Settings of the tests.

use std::num::NonZeroU32;

use redyno_contract::plan::{Assignment, DynoName, QueueOrder};
use redyno_contract::schedule::{Rate, Schedule};

use super::arrivals::{Choice, Windows};
use super::settings::PlannedLimits;
use super::{Disturbances, Engine, EngineSettings, Share};
use redyno_contract::random::Seed;

/// The seed of dyno web.1, web.2, ...
pub(crate) fn seed(index: u32) -> Seed {
    let dyno = DynoName {
        dyno_type: "web".to_owned(),
        index,
    };
    Seed::of(1, &dyno)
}

/// Constant arrivals after a warm-up of two seconds; no limit but a backlog of 100.
pub(crate) fn settings(rate: u32, seconds: u32, workers: u32) -> EngineSettings {
    EngineSettings {
        choice: Choice {
            seed: seed(0),
            assignment: Assignment::Random,
            workers,
        },
        windows: Windows {
            warmup: Schedule::new(Rate::per_second(rate).percent(10), 0, 1, 2),
            measured: Schedule::new(Rate::per_second(rate), 0, 1, seconds),
        },
        queue_order: QueueOrder::OldestFirst,
        steps: 3,
        max_worker_backlog: 100,
        drain_seconds: 30,
        limits: PlannedLimits::default(),
    }
}

/// The engine of the only load thread.
pub(crate) fn engine(settings: EngineSettings) -> Engine {
    Engine::new(settings, Share::WHOLE, &Disturbances::new(NonZeroU32::MIN))
}

/// The engines of so many load threads.
pub(crate) fn engines(settings: &EngineSettings, threads: NonZeroU32) -> Vec<Engine> {
    let disturbances = Disturbances::new(threads);
    Share::of(threads)
        .map(|share| Engine::new(settings.clone(), share, &disturbances))
        .collect()
}
