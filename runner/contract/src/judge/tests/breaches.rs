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
        "evictions make nothing slow, and are told of",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core; Redis ran out of memory and evicted 3 keys. Try a lower",
        &|case| case.report(0).last.redis_evicted_keys = Some(3),
    );
    failed(
        "nor does full memory",
        Bottleneck::Unknown,
        "; Redis was out of memory. Try a lower rate",
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
            case.distant(1);
            let target = case.report(0).target.as_mut().unwrap();
            target.evicted_keys = Some(3);
            target.rejected_connections = Some(7);
            target.memory_at_end_bytes = Some(100 << 30);
        },
    );
    failed(
        "the whole run's where they were not",
        Bottleneck::RedisConnections,
        "Redis refused 3 connections",
        &|case| {
            case.report(0).target.as_mut().unwrap().rejected_connections = Some(3);
            case.report(0).last.redis_rejected_connections = None;
        },
    );
    failed(
        "a busy dyno whose tasks spend most of their time on the way",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core. Try a lower rate",
        &|case| {
            case.distant(1);
            case.report(1).last.cpu_per_mille = 15_000;
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
        "a load thread that got most of a core, of a dyno of unknown CPU",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core. Try a lower rate",
        &|case| {
            case.plan.formation[0].cpu_millis = None;
            let last = &mut case.report(1).last;
            last.load_thread_busy_per_mille = 990;
            last.cpu_per_mille = 850;
        },
    );
    failed(
        "neither end",
        Bottleneck::Network,
        "neither Redis (41 % of its core) nor the dyno (1 % of its CPU) was busy, tasks waited in \
         between: 400 ms of the 405 ms that each took were on the way. Look at the network",
        &|case| case.distant(1),
    );
    failed(
        "neither end, and the way is not long: a Redis that waits for its CPU looks like this",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core. Try a lower rate, more workers",
        &|_| {},
    );
    failed(
        "a long way that takes less than half of the time",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| {
            case.distant(1);
            let service = &mut case.report(1).latencies.service;
            service.sum_microseconds = service.count * 801_000;
        },
    );
    failed(
        "a long way, but nobody knows whether Redis was idle",
        Bottleneck::Unknown,
        "worker 17 had 100 waiting. Try",
        &|case| {
            case.distant(1);
            case.report(0).last.redis_main_thread_per_mille = None;
            case.report(0)
                .target
                .as_mut()
                .unwrap()
                .main_thread_per_mille = None;
        },
    );
    failed(
        "Redis without CPU",
        Bottleneck::RedisCpu,
        "; Redis had work for 97 % of the time and got 20 % of a core for it. Try a lower rate",
        &|case| {
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(200);
            last.redis_work.event_loop_per_mille = Some(970);
        },
    );
    failed(
        "Redis without some CPU, beside a dyno that used all of its own",
        Bottleneck::DynoCpu,
        "; the dyno used 90 % of its CPU",
        &|case| {
            case.report(1).last.cpu_per_mille = 14_400;
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(200);
            last.redis_work.event_loop_per_mille = Some(700);
        },
    );
    failed(
        "a main thread that spins beside I/O threads convicts nobody",
        Bottleneck::Unknown,
        "; Redis was at 99 % of its core, which says little beside its I/O threads. Try",
        &|case| {
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(990);
            last.redis_work.io_threads = Some(true);
        },
    );
    failed(
        "nor does an event loop that waits for I/O threads, where a dyno was busy",
        Bottleneck::DynoCpu,
        "; the dyno used 90 % of its CPU",
        &|case| {
            case.report(1).last.cpu_per_mille = 14_400;
            let last = &mut case.report(0).last;
            last.redis_work.io_threads = Some(true);
            last.redis_work.event_loop_per_mille = Some(960);
        },
    );
    failed(
        "nor where nothing else was",
        Bottleneck::Unknown,
        "; Redis was busy for 96 % of the time",
        &|case| {
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(700);
            last.redis_work.io_threads = Some(true);
            last.redis_work.event_loop_per_mille = Some(960);
        },
    );
    failed(
        "a managed Redis that used the CPU that it was given",
        Bottleneck::RedisCpu,
        "; Redis used 0.2 CPU of the 0.2 CPU that it may use. Try a lower rate",
        &|case| {
            case.plan.target.cpu_millis = Some(200);
            let last = &mut case.report(0).last;
            last.redis_main_thread_per_mille = Some(190);
            last.redis_work.process_per_mille = Some(200);
        },
    );
    failed(
        "a load thread that had a core and used it, of a dyno of unknown CPU",
        Bottleneck::DynoCpu,
        "; the dyno's load thread used 95 % of a core. Try a larger size",
        &|case| {
            case.plan.formation[0].cpu_millis = None;
            let last = &mut case.report(1).last;
            last.load_thread_busy_per_mille = 980;
            last.cpu_per_mille = 950;
            last.schedule_lag_p99_microseconds = 1_000_000;
        },
    );
    failed(
        "neither end, of a dyno of unknown CPU",
        Bottleneck::Network,
        "nor the dyno (its load thread 15 %) was busy",
        &|case| {
            case.distant(1);
            case.plan.formation[0].cpu_millis = None;
        },
    );
    failed(
        "a Redis that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 50 % of its core",
        &|case| {
            case.distant(1);
            case.report(0).last.redis_main_thread_per_mille = Some(500);
        },
    );
    failed(
        "a dyno that is half busy",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| {
            case.distant(1);
            case.plan.formation[0].cpu_millis = None;
            case.report(1).last.load_thread_busy_per_mille = 500;
        },
    );
    failed(
        "a dyno that others kept from working",
        Bottleneck::Unknown,
        "; Redis was at 41 % of its core",
        &|case| {
            case.distant(1);
            case.report(1).last.load_thread_busy_per_mille = 400;
        },
    );
    failed(
        "nobody saw Redis",
        Bottleneck::Unknown,
        "worker 17 had 100 waiting. Try a lower rate",
        &|case| case.miss(0, Fate::Exited { code: 0 }),
    );
}

/// Errors tell by their class what can have brought them about: no throttled dyno and no full memory
/// explains what Redis refuses for another reason.
#[test]
fn row_6_the_bottleneck_of_errors() {
    for (cause, spoil, bottleneck) in [
        ("oom 3", (|_| {}) as fn(&mut Case), Bottleneck::RedisMemory),
        (
            "oom 3",
            |case| case.report(1).last.throttled_per_mille = 900,
            Bottleneck::RedisMemory,
        ),
        (
            "maxclients 3",
            |case| case.report(1).last.throttled_per_mille = 900,
            Bottleneck::RedisConnections,
        ),
        (
            "connection 3",
            |case| case.report(1).last.throttled_per_mille = 900,
            Bottleneck::Unknown,
        ),
        (
            "connection 3",
            |case| case.report(1).last.redis_rejected_connections = Some(7),
            Bottleneck::RedisConnections,
        ),
        (
            "timeout 3",
            |case| case.report(1).last.throttled_per_mille = 900,
            Bottleneck::DynoCpu,
        ),
        (
            "timeout 3",
            |case| case.report(0).last.redis_memory_bytes = Some(100 << 30),
            Bottleneck::Unknown,
        ),
        (
            "lost 3",
            |case| case.report(0).last.redis_evicted_keys = Some(7),
            Bottleneck::RedisMemory,
        ),
        ("lost 3", |_| {}, Bottleneck::Unknown),
        (
            "other 3",
            |case| case.report(0).last.redis_memory_bytes = Some(100 << 30),
            Bottleneck::Unknown,
        ),
    ] {
        let mut case = Case::held();
        case.end(
            1,
            Ending::ErrorLimit {
                threshold: "errors".to_owned(),
                cause: cause.to_owned(),
            },
        );
        case.end(0, Ending::Stopped);
        spoil(&mut case);
        let judgement = case.judge();
        assert_eq!(
            judgement.bottleneck,
            Some(bottleneck),
            "{cause}: {}",
            judgement.message
        );
    }
}
