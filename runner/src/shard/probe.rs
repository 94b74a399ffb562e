//! How late the load thread's loop is: a timer every 10 ms.

use std::rc::Rc;

use super::ShardSettings;
use super::shared::Shared;
use redyno_engine::Moment;

use crate::machine::Timer;

const PERIOD_NANOSECONDS: u64 = 10_000_000;

/// Measures from S until it is dropped. Every tick of the measured window counts, with its own
/// lateness: a loop that stood still for a second missed a hundred of them. All others are there
/// for the thread to notice that it stood still.
pub(super) async fn run(settings: ShardSettings, shared: Rc<Shared>, timer: impl Timer) {
    let from = Moment::from_seconds(settings.plan.warmup_seconds);
    let until = Moment::from_seconds(
        settings
            .plan
            .warmup_seconds
            .saturating_add(settings.plan.duration_seconds),
    );
    let mut tick = Moment::default();
    loop {
        shared.probe_timer.set(Some(tick));
        if let Err(error) = timer.wait_until(shared.clock.instant(tick)).await {
            tracing::warn!(%error, "the loop probe's timer failed");
            return;
        }
        let now = shared.probes();
        let mut lag = shared.loop_lag.get();
        while tick <= now {
            if (from..until).contains(&tick) {
                lag.record(now.microseconds_since(tick));
            }
            tick = tick.plus(PERIOD_NANOSECONDS);
        }
        shared.loop_lag.set(lag);
    }
}
