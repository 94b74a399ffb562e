//! What held a run back, by the evidence of both ends; nothing is named without evidence.

use super::redis::Redis;
use super::run::{Dyno, Run};
use super::sums;
use super::trust;
use super::way::Way;
use crate::report::{LastSeconds, TargetVitals};
use crate::verdict::Bottleneck;

/// A dyno that uses this much of its CPU has none left for a burst.
const DYNO_BUSY_PER_MILLE: u32 = 900;

/// A load thread that is awake for so much of the time does nothing at the time it is due.
const THREAD_BUSY_PER_MILLE: u32 = 900;

/// A dyno that is at work for less than this has nothing to do with how long tasks take.
const IDLE_PER_MILLE: u32 = 500;

/// A load thread that is awake for less than this is never kept waiting for long.
const STARVED_PER_MILLE: u32 = 100;

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
    /// The busiest load thread.
    pub(super) thread_per_mille: u32,
    /// CPU that the dyno of this load thread used, in thousandths of one core.
    pub(super) cpu_per_mille: u32,
    /// What Redis said of its threads; nothing if nobody sampled it then.
    pub(super) redis: Redis,
    /// The way to Redis and back; None where it was not measured.
    pub(super) way: Option<Way>,
    /// Keys that Redis evicted; None where it does not say.
    pub(super) evicted_keys: Option<u64>,
    /// Redis' memory was full; None where it does not say how much it uses or may use.
    pub(super) memory_full: Option<bool>,
    /// Connections that Redis refused; None where it does not say.
    pub(super) rejected_connections: Option<u64>,
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
        load_thread_busy_per_mille,
        workers_busy_per_mille: _,
        redis_main_thread_per_mille: _,
        redis_evicted_keys,
        redis_rejected_connections,
        redis_memory_bytes,
        redis_work: _,
    } = last;
    let most_lag = trust::most_lag(Some(response_p99_microseconds));
    // What the sampler saw, if it ended at about the same time.
    let sampler = run
        .sampler()
        .filter(|sampler| {
            sampler.end().is_some_and(|end| {
                end.after_milliseconds.abs_diff(milliseconds) <= SAME_TIME_MILLISECONDS
            })
        })
        .and_then(Dyno::report)
        .map(|report| report.last)
        .unwrap_or_default();
    // Without a sample of that time, the whole window can still convict.
    let whole = target(run);
    let redis = [redis_of(run, &last), redis_of(run, &sampler)]
        .into_iter()
        .find(Redis::is_known)
        .or_else(|| whole.redis.busy().map(|_| whole.redis))
        .unwrap_or_default();
    let memory_bytes = redis_memory_bytes.or(sampler.redis_memory_bytes);
    Evidence {
        throttled_per_mille,
        late: (lag > most_lag).then_some((lag, most_lag)),
        dyno_per_mille: dyno
            .plan
            .cpu_millis
            .and_then(|limit| sums::per_mille(cpu_per_mille.into(), limit.into())),
        thread_per_mille: load_thread_busy_per_mille,
        cpu_per_mille,
        redis,
        way: Way::of(dyno),
        evicted_keys: redis_evicted_keys
            .or(sampler.redis_evicted_keys)
            .or(whole.evicted_keys),
        memory_full: memory_bytes
            .and_then(|bytes| is_full(Some(bytes), vitals(run)?.maxmemory_bytes))
            .or(whole.memory_full),
        rejected_connections: redis_rejected_connections
            .max(sampler.redis_rejected_connections)
            .or(whole.rejected_connections),
        error_class: None,
    }
}

/// The evidence of the whole window: the busiest of these dynos, and the target's mean.
pub(super) fn over_window<'b, 'a: 'b>(
    run: &Run<'_>,
    dynos: impl Iterator<Item = &'b Dyno<'a>>,
) -> Evidence {
    let mut evidence = target(run);
    for (dyno, report) in dynos.filter_map(|dyno| Some((dyno, dyno.report()?))) {
        evidence.throttled_per_mille = evidence
            .throttled_per_mille
            .max(report.own.throttled_per_mille);
        let (lag, limit) = trust::lag_over_window(run, dyno, report);
        if lag > limit {
            evidence.late = evidence.late.max(Some((lag, limit)));
        }
        evidence.dyno_per_mille = evidence.dyno_per_mille.max(cpu_over_window(run, dyno));
        let busiest = report.own.load_thread_busy_per_mille;
        if busiest >= evidence.thread_per_mille {
            let window = sums::window_seconds(run, dyno) * 1000.0;
            let cpu = part_of(report.own.cpu_microseconds, window);
            evidence.thread_per_mille = busiest;
            evidence.cpu_per_mille = u32::try_from(cpu).unwrap_or(u32::MAX);
        }
        evidence.way = evidence.way.max(Way::of(dyno));
    }
    evidence
}

/// A time in thousandths of a whole in milliseconds; 0 of nothing.
fn part_of(microseconds: u64, milliseconds: f64) -> u64 {
    if milliseconds > 0.0 {
        // Casts of floats saturate.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = (microseconds as f64 / milliseconds) as u64;
        part
    } else {
        0
    }
}

/// The CPU that a dyno used over its window, in thousandths of what it has.
pub(super) fn cpu_over_window(run: &Run<'_>, dyno: &Dyno<'_>) -> Option<u32> {
    let limit = f64::from(dyno.plan.cpu_millis?);
    let available = sums::window_seconds(run, dyno) * limit;
    let used = part_of(dyno.report()?.own.cpu_microseconds, available);
    (available > 0.0).then(|| u32::try_from(used).unwrap_or(u32::MAX))
}

pub(super) fn vitals<'a>(run: &Run<'a>) -> Option<&'a TargetVitals> {
    run.sampler()?.report()?.target.as_ref()
}

/// What Redis said of its threads in a dyno's last seconds.
fn redis_of(run: &Run<'_>, last: &LastSeconds) -> Redis {
    Redis {
        main_thread_per_mille: last.redis_main_thread_per_mille,
        work: last.redis_work,
        cpu_limit_millis: run.plan.target.cpu_millis,
    }
}

/// What Redis said of its threads over the window; nothing if nobody sampled it.
pub(super) fn redis_over_window(run: &Run<'_>) -> Redis {
    vitals(run).map_or_else(Redis::default, |vitals| Redis {
        main_thread_per_mille: vitals.main_thread_per_mille,
        work: vitals.work,
        cpu_limit_millis: run.plan.target.cpu_millis,
    })
}

/// None where either is not known; what has no limit is never full.
fn is_full(bytes: Option<u64>, maxmemory_bytes: Option<u64>) -> Option<bool> {
    let maxmemory = maxmemory_bytes?;
    if maxmemory == 0 {
        return Some(false);
    }
    let limit = u128::from(maxmemory) * u128::from(MEMORY_FULL_PER_MILLE);
    Some(u128::from(bytes?) * 1000 >= limit)
}

/// What the sampler saw over the whole window.
fn target(run: &Run<'_>) -> Evidence {
    let Some(vitals) = vitals(run) else {
        return Evidence::default();
    };
    Evidence {
        redis: redis_over_window(run),
        evicted_keys: vitals.evicted_keys,
        memory_full: is_full(vitals.memory_at_end_bytes, vitals.maxmemory_bytes),
        rejected_connections: vitals.rejected_connections,
        ..Evidence::default()
    }
}

impl Evidence {
    /// The dyno's own CPU quota throttled it.
    pub(super) const fn throttled(&self) -> bool {
        throttled(self.throttled_per_mille)
    }

    /// The dyno used what CPU it has: one that cannot use more is not even throttled. Where nobody
    /// said how much that is, it has one load thread, and that thread has a core.
    fn dyno_busy(&self) -> bool {
        self.dyno_per_mille.map_or_else(
            || {
                self.thread_per_mille >= THREAD_BUSY_PER_MILLE
                    && self.cpu_per_mille >= DYNO_BUSY_PER_MILLE
            },
            |busy| busy >= DYNO_BUSY_PER_MILLE,
        )
    }

    /// A load thread had something to do all the time, though the dyno has CPU left, or without
    /// getting half of a core for it. Where nobody said how much CPU the dyno has, one that got more
    /// than that was at the same time the dyno's own limit: it cannot be said which.
    fn thread_is_the_limit(&self) -> bool {
        self.thread_per_mille >= THREAD_BUSY_PER_MILLE
            && (self.dyno_per_mille.is_some() || self.starved())
    }

    /// Keys that Redis threw away for want of memory, so far as it says.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted_keys.unwrap_or(0)
    }

    /// Redis says that it is full, or that it threw away keys. Neither makes a task slow: it explains
    /// only what was refused or lost.
    pub(super) fn out_of_memory(&self) -> bool {
        self.memory_full == Some(true) || self.evicted() > 0
    }

    /// Redis refused connections: a worker without one serves nobody.
    fn refused_connections(&self) -> bool {
        self.rejected_connections.is_some_and(|count| count > 0)
    }

    /// A load thread was awake much longer than it was on a CPU: others used the machine, and maybe
    /// Redis' as well. Then an idle end may be one that was kept from working.
    const fn starved(&self) -> bool {
        self.thread_per_mille >= STARVED_PER_MILLE
            && self.thread_per_mille >= self.cpu_per_mille.saturating_mul(2)
    }

    /// The way takes most of the time for which a worker has a task. Then a dyno that is busy as well
    /// cannot be told from one that is the limit.
    fn way_takes_most(&self) -> bool {
        self.way.as_ref().is_some_and(Way::takes_most)
    }

    /// Tasks spent their time on the way: both ends are known to have been idle, and the way alone
    /// takes most of a task's time. That both were idle is not enough: a Redis that waits for its
    /// CPU before it begins to work is idle by its own account.
    pub(super) fn on_the_way(&self) -> Option<Way> {
        let dyno = self.dyno_per_mille.unwrap_or(self.thread_per_mille);
        self.way
            .filter(Way::takes_most)
            .filter(|_| self.redis.is_idle() && dyno < IDLE_PER_MILLE && !self.starved())
    }

    /// What held the run back.
    pub(super) fn bottleneck(&self) -> Bottleneck {
        match self.error_class.as_deref() {
            Some("oom") => return Bottleneck::RedisMemory,
            Some("maxclients") => return Bottleneck::RedisConnections,
            Some("lost") if self.evicted() > 0 => return Bottleneck::RedisMemory,
            Some("connection") if self.refused_connections() => {
                return Bottleneck::RedisConnections;
            }
            // An end or a way that is slow makes tasks time out; it brings about nothing that Redis
            // refuses.
            None | Some("timeout") => {}
            Some(_) => return Bottleneck::Unknown,
        }
        if self.throttled() && !self.way_takes_most() {
            Bottleneck::DynoCpu
        } else if self.redis.busy().is_some() {
            Bottleneck::RedisCpu
        } else if self.refused_connections() {
            Bottleneck::RedisConnections
        } else if self.dyno_busy() && !self.way_takes_most() {
            Bottleneck::DynoCpu
        } else if self.late.is_some() || self.thread_is_the_limit() {
            Bottleneck::Generator
        } else if self.on_the_way().is_some() {
            Bottleneck::Network
        } else if self.redis.busy_if_nothing_else().is_some() {
            Bottleneck::RedisCpu
        } else {
            Bottleneck::Unknown
        }
    }

    /// The same when the target itself went away, where the network between is no explanation.
    pub(super) fn bottleneck_of_a_lost_target(&self) -> Bottleneck {
        if self.out_of_memory() {
            Bottleneck::RedisMemory
        } else if self.redis.busy().is_some() {
            Bottleneck::RedisCpu
        } else {
            Bottleneck::Unknown
        }
    }
}
