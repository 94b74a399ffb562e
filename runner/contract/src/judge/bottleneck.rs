//! What held a run back, by the evidence of both ends; nothing is named without evidence.

use super::merge;
use super::run::{Dyno, Run};
use super::trust;
use crate::report::{LastSeconds, TargetVitals};
use crate::verdict::Bottleneck;

/// Redis executes commands on one thread: from here on that thread is the limit.
const REDIS_BUSY_PER_MILLE: u32 = 900;

/// A dyno that uses this much of its CPU has none left for a burst.
const DYNO_BUSY_PER_MILLE: u32 = 900;

/// Throttled in this share of all periods, the quota shows in every latency.
const THROTTLED_PER_MILLE: u32 = 100;

/// Redis' memory counts as full from this share of maxmemory on: it is sampled once a second.
const MEMORY_FULL_PER_MILLE: u32 = 990;

/// Two dynos' last seconds are of the same time if they ended no further apart than this: half of
/// the 5 s that they cover.
const SAME_TIME_MILLISECONDS: u64 = 2_500;

/// What is known of both ends at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The dyno's throttled periods.
    pub(super) throttled_per_mille: u32,
    /// The schedule lag p99 and its limit, if it is over.
    pub(super) late: Option<(u64, u64)>,
    /// The dyno's CPU, of what it has; None where that is not known.
    pub(super) dyno_per_mille: Option<u32>,
    /// Redis' main thread, of its core; None if nobody sampled it then.
    pub(super) redis_per_mille: Option<u32>,
    /// Keys that Redis evicted.
    pub(super) evicted_keys: u64,
    /// Redis' memory was full.
    pub(super) memory_full: bool,
    /// Connections that Redis refused.
    pub(super) rejected_connections: u64,
    /// The class of the errors, if it was errors that broke a limit: `oom`.
    pub(super) error_class: Option<String>,
}

/// Whether a dyno's CPU quota throttled it so often that it shows.
pub(super) const fn throttled(per_mille: u32) -> bool {
    per_mille >= THROTTLED_PER_MILLE
}

/// The evidence of the 5 s before this dyno ended at `milliseconds`.
pub(super) fn before_end(run: &Run<'_>, dyno: &Dyno<'_>, milliseconds: u64) -> Evidence {
    let last = dyno.report().map(|report| report.last).unwrap_or_default();
    let LastSeconds {
        throttled_per_mille,
        schedule_lag_p99_microseconds: lag,
        response_p99_microseconds,
        cpu_per_mille,
        load_thread_busy_per_mille: _,
        redis_main_thread_per_mille: own_sample,
    } = last;
    let most_lag = trust::most_lag(Some(response_p99_microseconds));
    let sample = own_sample.or_else(|| {
        let sampler = run.sampler()?;
        let apart = sampler.end()?.after_milliseconds.abs_diff(milliseconds);
        (apart <= SAME_TIME_MILLISECONDS)
            .then(|| sampler.report()?.last.redis_main_thread_per_mille)
            .flatten()
    });
    // Without a sample of that time, the mean of the whole window can still convict.
    let sample = sample.or_else(|| mean_of_redis(run).filter(|mean| *mean >= REDIS_BUSY_PER_MILLE));
    Evidence {
        throttled_per_mille,
        late: (lag > most_lag).then_some((lag, most_lag)),
        dyno_per_mille: dyno
            .plan
            .cpu_millis
            .and_then(|limit| merge::per_mille(cpu_per_mille.into(), limit.into())),
        redis_per_mille: sample,
        ..target(run)
    }
}

/// The evidence of the whole window: the busiest of these dynos, and the target's mean.
pub(super) fn over_window<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
) -> Evidence {
    let mut evidence = Evidence {
        redis_per_mille: mean_of_redis(run),
        ..target(run)
    };
    for (dyno, report) in dynos.filter_map(|dyno| Some((dyno, dyno.report()?))) {
        evidence.throttled_per_mille = evidence
            .throttled_per_mille
            .max(report.own.throttled_per_mille);
        let (lag, limit) = trust::lag_over_window(dyno, report);
        if lag > limit {
            evidence.late = evidence.late.max(Some((lag, limit)));
        }
        evidence.dyno_per_mille = evidence.dyno_per_mille.max(cpu_over_window(run, dyno));
    }
    evidence
}

/// The CPU that a dyno used over its window, in thousandths of what it has.
pub(super) fn cpu_over_window(run: &Run<'_>, dyno: &Dyno<'_>) -> Option<u32> {
    let limit = f64::from(dyno.plan.cpu_millis?);
    let available = merge::window_seconds(run, dyno) * limit * 1000.0;
    let used = dyno.report()?.own.cpu_microseconds as f64;
    (available > 0.0).then(|| {
        // Casts of floats saturate.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let per_mille = (used * 1000.0 / available) as u32;
        per_mille
    })
}

fn vitals<'a>(run: &Run<'a>) -> Option<&'a TargetVitals> {
    run.sampler()?.report()?.target.as_ref()
}

/// Redis' main thread over the window, if anybody sampled it.
fn mean_of_redis(run: &Run<'_>) -> Option<u32> {
    vitals(run)
        .filter(|vitals| vitals.samples > 0)
        .map(|vitals| vitals.main_thread_per_mille)
}

fn target(run: &Run<'_>) -> Evidence {
    let Some(vitals) = vitals(run) else {
        return Evidence::default();
    };
    let full = u128::from(vitals.memory_at_end_bytes) * 1000
        >= u128::from(vitals.maxmemory_bytes) * u128::from(MEMORY_FULL_PER_MILLE);
    Evidence {
        evicted_keys: vitals.evicted_keys,
        memory_full: vitals.maxmemory_bytes > 0 && full,
        rejected_connections: vitals.rejected_connections,
        ..Evidence::default()
    }
}

impl Evidence {
    /// The dyno's own CPU quota throttled it.
    pub(super) const fn throttled(&self) -> bool {
        throttled(self.throttled_per_mille)
    }

    /// The generator was late, and neither the dyno's quota nor a busy Redis explains it.
    pub(super) fn generator(&self) -> bool {
        self.late.is_some() && !self.throttled() && !self.redis_busy()
    }

    fn redis_busy(&self) -> bool {
        self.redis_per_mille
            .is_some_and(|busy| busy >= REDIS_BUSY_PER_MILLE)
    }

    /// What held the run back.
    pub(super) fn bottleneck(&self) -> Bottleneck {
        if self.throttled() {
            return Bottleneck::DynoCpu;
        }
        match self.error_class.as_deref() {
            Some("oom") => return Bottleneck::RedisMemory,
            Some("maxclients") => return Bottleneck::RedisConnections,
            None | Some("timeout" | "connection") => {}
            // Refusals of another kind come from neither a busy nor a full Redis.
            Some(_) => return Bottleneck::Unknown,
        }
        if self.redis_busy() {
            Bottleneck::RedisCpu
        } else if self.memory_full || self.evicted_keys > 0 {
            Bottleneck::RedisMemory
        } else if self.rejected_connections > 0 {
            Bottleneck::RedisConnections
        } else if self
            .dyno_per_mille
            .is_some_and(|busy| busy >= DYNO_BUSY_PER_MILLE)
        {
            Bottleneck::DynoCpu
        } else if self.redis_per_mille.is_some() && self.dyno_per_mille.is_some() {
            Bottleneck::Network
        } else {
            Bottleneck::Unknown
        }
    }

    /// The same when the target itself went away, where the network between is no explanation.
    pub(super) fn bottleneck_of_a_lost_target(&self) -> Bottleneck {
        if self.memory_full || self.evicted_keys > 0 {
            Bottleneck::RedisMemory
        } else if self.redis_busy() {
            Bottleneck::RedisCpu
        } else {
            Bottleneck::Unknown
        }
    }
}

/// What would be the limit next, of a run that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Redis' main thread, in thousandths of its core.
    Redis(u32),
    /// A dyno's CPU, in thousandths of what it has.
    Dyno(String, u32),
    /// Neither is known.
    Unknown,
}

impl Next {
    pub(super) fn of(run: &Run<'_>) -> Self {
        let redis = mean_of_redis(run);
        let mut busiest: Option<(&Dyno<'_>, u32)> = None;
        for dyno in &run.dynos {
            if let Some(busy) = cpu_over_window(run, dyno)
                && busiest.is_none_or(|(_, most)| busy > most)
            {
                busiest = Some((dyno, busy));
            }
        }
        match (redis, busiest) {
            (Some(redis), Some((dyno, busy))) if busy > redis => {
                Self::Dyno(dyno.name.to_string(), busy)
            }
            (Some(redis), _) => Self::Redis(redis),
            (None, Some((dyno, busy))) => Self::Dyno(dyno.name.to_string(), busy),
            (None, None) => Self::Unknown,
        }
    }

    pub(super) const fn bottleneck(&self) -> Bottleneck {
        match self {
            Self::Redis(_) => Bottleneck::RedisCpu,
            Self::Dyno(..) => Bottleneck::DynoCpu,
            Self::Unknown => Bottleneck::Unknown,
        }
    }
}
