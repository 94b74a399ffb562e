//! Rows 4 and 5: a limit was broken because the dyno itself was too slow.

use super::{Case, expect};
use crate::outcome::Fate;
use crate::report::Ending;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_4_the_quota_throttled_it() {
    expect(
        "throttled",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::DynoCpu,
        "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; the dyno's CPU quota throttled it \
         in 10 % of all periods. Try a larger size, more dynos or a lower rate.",
        |case| {
            case.backlog(1);
            let last = &mut case.report(1).last;
            last.throttled_per_mille = 100;
            last.schedule_lag_p99_microseconds = 1_000_000;
        },
    );
}

#[test]
fn row_5_the_generator_was_late() {
    let late = |lag: u64, throttled: u32| {
        move |case: &mut Case| {
            case.backlog(1);
            case.end(0, Ending::Stopped);
            let last = &mut case.report(1).last;
            last.throttled_per_mille = throttled;
            last.schedule_lag_p99_microseconds = lag;
        }
    };
    expect(
        "late",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "worker 17 had 100 waiting; but the generator itself was late, schedule lag p99 5.001 ms \
         (limit 5 ms). Run it on quieter nodes, or give the dyno more CPU.",
        late(5_001, 99),
    );
    expect(
        "not late enough",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Network,
        "neither Redis (41 % of its core) nor the dyno (1 % of its CPU) was busy",
        |case| {
            late(5_000, 99)(case);
            case.distant(1);
        },
    );
    expect(
        "late, but Redis was busy",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::RedisCpu,
        "; Redis was at 90 % of its core. Try a lower rate, fewer flats or smaller items.",
        |case| {
            late(5_001, 99)(case);
            case.report(0).last.redis_main_thread_per_mille = Some(900);
        },
    );
    expect(
        "late, and nobody saw Redis",
        Verdict::Inconclusive,
        Reason::ScheduleLag,
        Bottleneck::Generator,
        "the generator itself was late",
        |case| {
            late(5_001, 99)(case);
            case.miss(0, Fate::Exited { code: 0 });
        },
    );
    expect(
        "late by a tenth of a slow response",
        Verdict::Failed,
        Reason::BacklogLimitReached,
        Bottleneck::Network,
        "FAILED",
        |case| {
            late(20_000, 0)(case);
            case.distant(1);
            case.report(1).last.response_p99_microseconds = 200_000;
        },
    );
}
