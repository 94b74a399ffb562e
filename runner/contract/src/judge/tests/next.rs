//! What a run that held says of the limit that comes next.

use super::Case;
use crate::verdict::{Bottleneck, Verdict};

fn next(name: &str, bottleneck: Bottleneck, says: &str, change: &dyn Fn(&mut Case)) {
    let mut case = Case::held();
    change(&mut case);
    let judgement = case.judge();
    assert_eq!(
        (judgement.verdict, judgement.bottleneck),
        (Verdict::Passed, Some(bottleneck)),
        "{name}: {}",
        judgement.message
    );
    assert!(
        judgement.message.ends_with(says),
        "{name}: {}",
        judgement.message
    );
}

#[test]
fn the_nearest_limit_is_named_and_none_where_none_is_near() {
    let target = |case: &mut Case, per_mille: u32| {
        case.report(0)
            .target
            .as_mut()
            .unwrap()
            .main_thread_per_mille = Some(per_mille);
    };
    next(
        "Redis",
        Bottleneck::RedisCpu,
        ". Next limit: Redis, at 41 % of its core.",
        &|_| {},
    );
    next(
        "memory that fills soon comes first",
        Bottleneck::RedisMemory,
        ". Next limit: Redis' memory, full after 8 s at this rate.",
        &|case| {
            target(case, 480);
            let target = case.report(0).target.as_mut().unwrap();
            target.maxmemory_bytes = Some(10 << 30);
        },
    );
    next(
        "memory that is full",
        Bottleneck::RedisMemory,
        ". Next limit: Redis' memory, which is full.",
        &|case| {
            let target = case.report(0).target.as_mut().unwrap();
            target.maxmemory_bytes = target.memory_at_end_bytes;
        },
    );
    next(
        "nothing is near",
        Bottleneck::Unknown,
        ". No limit is near; the nearest: Redis, at 12 % of its core.",
        &|case| target(case, 120),
    );
    next(
        "connections",
        Bottleneck::RedisConnections,
        ". Next limit: Redis' connections, 130 of 150.",
        &|case| case.report(0).target.as_mut().unwrap().maxclients = Some(150),
    );
    next(
        "a Redis whose main thread spins is not said to be busy",
        Bottleneck::Unknown,
        ". No limit is near; the nearest: the dynos' CPU, web.1 at 1 % of it.",
        &|case| {
            target(case, 990);
            let target = case.report(0).target.as_mut().unwrap();
            target.work.io_threads = Some(true);
        },
    );
    next(
        "its event loop is believed",
        Bottleneck::RedisCpu,
        ". Next limit: Redis, busy for 30 % of the time.",
        &|case| {
            target(case, 990);
            let target = case.report(0).target.as_mut().unwrap();
            target.work.io_threads = Some(true);
            target.work.event_loop_per_mille = Some(300);
        },
    );
    next(
        "the limit of a managed Redis is below a core",
        Bottleneck::RedisCpu,
        ". Next limit: Redis, with 0.17 CPU of the 0.2 CPU that it may use.",
        &|case| {
            target(case, 160);
            case.plan.target.cpu_millis = Some(200);
            let target = case.report(0).target.as_mut().unwrap();
            target.work.process_per_mille = Some(170);
        },
    );
}
