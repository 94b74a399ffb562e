//! Row 6: limits that were broken, and what held the run back.

use super::{Case, expect};
use crate::outcome::Fate;
use crate::report::Ending;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_6_the_bottleneck_of_a_breach() {
    let failed = |name, bottleneck, says, spoil: &dyn Fn(&mut Case)| {
        expect(
            name,
            Verdict::Failed,
            Reason::BacklogLimitReached,
            bottleneck,
            says,
            |case| {
                case.backlog(1);
                case.end(0, Ending::Stopped);
                spoil(case);
            },
        );
    };
    failed(
        "Redis' thread, seen by the sampler",
        Bottleneck::RedisCpu,
        "web.2 FAILED after 8.4 s: worker 17 had 100 waiting; Redis was at 99 % of its core. \
         Try a lower rate, fewer flats or smaller items.",
        &|case| case.report(0).last.redis_main_thread_per_mille = Some(990),
    );
    failed(
        "Redis' thread in another time proves nothing",
        Bottleneck::Unknown,
        "waiting. Try a lower rate, more workers, or a smaller object graph.",
        &|case| {
            let report = case.report(0);
            report.last.redis_main_thread_per_mille = Some(990);
            report.end.as_mut().unwrap().after_milliseconds = 60_000;
        },
    );
    failed(
        "Redis' thread over the whole window",
        Bottleneck::RedisCpu,
        "Redis was at 95 % of its core",
        &|case| {
            let report = case.report(0);
            report.target.as_mut().unwrap().main_thread_per_mille = Some(950);
            report.end.as_mut().unwrap().after_milliseconds = 60_000;
        },
    );
    failed(
        "evictions",
        Bottleneck::RedisMemory,
        "Redis ran out of memory and evicted 3 keys. Try a target with more memory",
        &|case| case.report(0).last.redis_evicted_keys = Some(3),
    );
    failed(
        "full memory",
        Bottleneck::RedisMemory,
        "Redis was out of memory",
        &|case| case.report(0).last.redis_memory_bytes = Some(100 << 30),
    );
    failed(
        "refused connections",
        Bottleneck::RedisConnections,
        "Redis refused 7 connections. Try fewer workers",
        &|case| case.report(0).last.redis_rejected_connections = Some(7),
    );
    failed(
        "refused connections, seen by the dyno itself",
        Bottleneck::RedisConnections,
        "Redis refused 1 connection. Try fewer workers",
        &|case| case.report(1).last.redis_rejected_connections = Some(1),
    );
    failed(
        "what was before the last seconds proves nothing where they were sampled",
        Bottleneck::Network,
        "neither Redis",
        &|case| {
            let target = case.report(0).target.as_mut().unwrap();
            target.evicted_keys = Some(3);
            target.rejected_connections = Some(7);
            target.memory_at_end_bytes = Some(100 << 30);
        },
    );
    failed(
        "the whole run's where they were not",
        Bottleneck::RedisMemory,
        "Redis ran out of memory and evicted 3 keys",
        &|case| {
            case.report(0).target.as_mut().unwrap().evicted_keys = Some(3);
            case.report(0).last.redis_evicted_keys = None;
        },
    );
    failed(
        "the dyno's CPU",
        Bottleneck::DynoCpu,
        "the dyno used 90 % of its CPU",
        &|case| case.report(1).last.cpu_per_mille = 14_400,
    );
    failed(
        "the dyno's CPU, of which there is not more, explains that it was late",
        Bottleneck::DynoCpu,
        "the dyno used 90 % of its CPU",
        &|case| {
            let last = &mut case.report(1).last;
            last.cpu_per_mille = 14_400;
            last.schedule_lag_p99_microseconds = 1_000_000;
        },
    );
    failed(
        "the load thread",
        Bottleneck::Generator,
        "; the generator's own load thread was busy for 90 % of the time. Run it on quieter",
        &|case| case.report(1).last.load_thread_busy_per_mille = 900,
    );
    failed(
        "neither end",
        Bottleneck::Network,
        "neither Redis (41 % of its core) nor the dyno (1 % of its CPU) was busy, tasks waited in \
         between. Look at the network",
        &|_| {},
    );
    failed(
        "neither end, of a dyno of unknown CPU",
        Bottleneck::Network,
        "nor the dyno (its load thread 15 %) was busy",
        &|case| case.plan.formation[0].cpu_millis = None,
    );
    failed(
        "both ends at work for as long as tasks take",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core. Try a lower rate, more workers",
        // 5 of 63 workers, and 0.61 of a core.
        &|case| case.report(1).last.workers_busy_per_mille = 80,
    );
    failed(
        "a Redis that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 50 % of its core",
        &|case| case.report(0).last.redis_main_thread_per_mille = Some(500),
    );
    failed(
        "a dyno that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| {
            case.plan.formation[0].cpu_millis = None;
            case.report(1).last.load_thread_busy_per_mille = 500;
        },
    );
    failed(
        "a dyno that others kept from working",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| case.report(1).last.load_thread_busy_per_mille = 400,
    );
    failed(
        "nobody saw Redis",
        Bottleneck::Unknown,
        "worker 17 had 100 waiting. Try a lower rate",
        &|case| case.miss(0, Fate::Exited { code: 0 }),
    );
}
