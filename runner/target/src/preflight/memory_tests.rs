use redyno_contract::plan::{
    Flush, OnDynoFailure, PLAN_VERSION, RunIdentity, TargetKind, TargetPlan, TlsVerification,
};

use super::*;

const GROWTH: Growth = Growth {
    prefill: 1_000,
    warmup: 500,
    window: 10_000,
    at_least: false,
};

const EMPTY: Memory = Memory {
    limit: Limit::Unknown,
    when_full: WhenFull::RefusesWrites,
    used: 0,
    startup: 0,
    evicted_keys: Some(0),
    keys: ForeignKeys::None,
};

/// 100 s of nobody.
fn plan() -> Plan {
    Plan {
        version: PLAN_VERSION,
        run: RunIdentity {
            namespace: "team".to_owned(),
            name: "nightly".to_owned(),
            uid: "0d3b9c1e-3c44".to_owned(),
        },
        target: TargetPlan {
            title: "existing".to_owned(),
            kind: TargetKind::Existing {
                flush: Flush::RunKeys,
            },
            tls: TlsVerification::VerifyFull,
            connections: 1,
            flush_hosts: Vec::new(),
            cpu_millis: None,
        },
        duration_seconds: 100,
        warmup_seconds: 0,
        warmup_percent: 1,
        drain_seconds: 0,
        start_timeout_seconds: 1,
        task_timeout_milliseconds: 1,
        on_dyno_failure: OnDynoFailure::StopAll,
        seed: 0,
        formation: Vec::new(),
        thresholds: Vec::new(),
        linger_seconds: 0,
    }
}

fn refusal(memory: Memory) -> Option<Refusal> {
    check(&GROWTH, &memory, &plan())
        .err()
        .map(|refused| refused.reason)
}

#[test]
fn where_writes_are_refused_only_a_run_that_cannot_begin_is() {
    for (limit, used, expected) in [
        (Limit::Unknown, 0, Some(None)),
        (Limit::Maxmemory(1_499), 0, None),
        (Limit::Maxmemory(1_500), 0, Some(Some(0))),
        (Limit::Maxmemory(6_500), 0, Some(Some(50))),
        (Limit::Maxmemory(6_500), 5_001, None),
        (Limit::Maxmemory(11_499), 0, Some(Some(99))),
        (Limit::Maxmemory(11_500), 0, Some(None)),
        (Limit::Maxmemory(u64::MAX), 0, Some(None)),
        (Limit::Maxmemory(100), 200, None),
    ] {
        let found = check(
            &GROWTH,
            &Memory {
                limit,
                used,
                ..EMPTY
            },
            &plan(),
        );
        assert_eq!(
            found
                .as_ref()
                .ok()
                .map(|forecast| forecast.full_after_seconds),
            expected,
            "{limit:?} {used}"
        );
        match found {
            Ok(forecast) => assert_eq!(forecast.growth, 11_500),
            Err(refused) => assert_eq!(refused.reason, Refusal::TooLittleMemory),
        }
    }
}

#[test]
fn keys_of_others_are_not_evicted_by_a_run_that_can_be_told_to() {
    const SOME: ForeignKeys = ForeignKeys::Some(Some(7));
    let evicts = WhenFull::EvictsAny;
    for (when_full, limit, used, evicted_keys, keys, expected) in [
        // It reaches the limit, or not; there are keys of others, or not.
        (
            evicts,
            11_500,
            0,
            Some(0),
            SOME,
            Some(Refusal::WouldEvictForeignKeys),
        ),
        (evicts, 11_501, 0, Some(0), SOME, None),
        (evicts, 11_500, 0, Some(0), ForeignKeys::None, None),
        (
            evicts,
            11_500,
            0,
            None,
            ForeignKeys::Some(None),
            Some(Refusal::WouldEvictForeignKeys),
        ),
        // A cache that is full and evicts, as it does, is let be, also with a prefill.
        (evicts, 10_000, 9_000, Some(1), SOME, None),
        (evicts, 10_000, 12_000, Some(1), SOME, None),
        (evicts, 10_000, 9_900, Some(0), SOME, None),
        (
            evicts,
            10_000,
            9_000,
            Some(0),
            SOME,
            Some(Refusal::WouldEvictForeignKeys),
        ),
        (
            evicts,
            10_000,
            8_999,
            Some(9),
            SOME,
            Some(Refusal::WouldEvictForeignKeys),
        ),
        (
            evicts,
            10_000,
            9_000,
            None,
            SOME,
            Some(Refusal::WouldEvictForeignKeys),
        ),
        // Even such a cache cannot hold more than all.
        (
            evicts,
            999,
            999,
            Some(1),
            SOME,
            Some(Refusal::TooLittleMemory),
        ),
        // The run's own coordination is all that would go.
        (
            WhenFull::EvictsExpiring,
            11_500,
            0,
            Some(0),
            ForeignKeys::None,
            Some(Refusal::TooLittleMemory),
        ),
        (WhenFull::EvictsExpiring, 11_501, 0, Some(0), SOME, None),
        (WhenFull::RefusesWrites, 11_500, 0, Some(0), SOME, None),
    ] {
        let memory = Memory {
            limit: Limit::Maxmemory(limit),
            when_full,
            used,
            startup: 0,
            evicted_keys,
            keys,
        };
        assert_eq!(refusal(memory), expected, "{memory:?}");
    }
}

#[test]
fn evictions_are_watched_where_somebody_would_miss_what_goes() {
    for (when_full, limit, evicted_keys, keys, spared) in [
        (
            WhenFull::EvictsAny,
            Limit::Maxmemory(20_000),
            Some(5),
            ForeignKeys::Some(None),
            Some(5),
        ),
        (
            WhenFull::EvictsExpiring,
            Limit::Maxmemory(20_000),
            Some(5),
            ForeignKeys::Some(None),
            Some(5),
        ),
        (
            WhenFull::Unknown,
            Limit::Maxmemory(20_000),
            Some(5),
            ForeignKeys::Some(None),
            Some(5),
        ),
        (
            WhenFull::Unknown,
            Limit::Unknown,
            Some(5),
            ForeignKeys::Some(None),
            Some(5),
        ),
        (
            WhenFull::EvictsAny,
            Limit::Maxmemory(20_000),
            None,
            ForeignKeys::Some(None),
            None,
        ),
        (
            WhenFull::EvictsAny,
            Limit::Maxmemory(20_000),
            Some(5),
            ForeignKeys::None,
            None,
        ),
        (
            WhenFull::RefusesWrites,
            Limit::Maxmemory(20_000),
            Some(5),
            ForeignKeys::Some(None),
            None,
        ),
        (
            WhenFull::EvictsAny,
            Limit::Machine(20_000),
            Some(5),
            ForeignKeys::Some(None),
            None,
        ),
    ] {
        let memory = Memory {
            limit,
            when_full,
            evicted_keys,
            keys,
            ..EMPTY
        };
        let forecast = check(&GROWTH, &memory, &plan()).unwrap();
        assert_eq!(forecast.spared, spared, "{memory:?}");
    }
    // Nor where it evicts anyway.
    let cache = Memory {
        limit: Limit::Maxmemory(20_000),
        when_full: WhenFull::EvictsAny,
        used: 20_000,
        evicted_keys: Some(5),
        keys: ForeignKeys::Some(Some(100)),
        ..EMPTY
    };
    let forecast = check(&GROWTH, &cache, &plan()).unwrap();
    assert_eq!((forecast.spared, forecast.is_full_cache), (None, true));
    assert_eq!(forecast.full_after_seconds, Some(0));
}

#[test]
fn without_a_maxmemory_the_machine_is_the_limit() {
    for (machine, used, keys, expected) in [
        (11_501, 0, ForeignKeys::Some(Some(1)), None),
        (
            11_500,
            0,
            ForeignKeys::Some(Some(1)),
            Some(Refusal::TooLittleMemory),
        ),
        (
            20_000,
            10_000,
            ForeignKeys::Some(None),
            Some(Refusal::TooLittleMemory),
        ),
        (11_500, 0, ForeignKeys::None, None),
        (1_499, 0, ForeignKeys::None, Some(Refusal::TooLittleMemory)),
    ] {
        let memory = Memory {
            limit: Limit::Machine(machine),
            used,
            keys,
            ..EMPTY
        };
        assert_eq!(refusal(memory), expected, "{memory:?}");
    }
    for (reply, limit) in [
        ("maxmemory:5\ntotal_system_memory:9", Limit::Maxmemory(5)),
        ("maxmemory:0\ntotal_system_memory:9", Limit::Machine(9)),
        ("maxmemory:0", Limit::Unknown),
        ("total_system_memory:9", Limit::Unknown),
    ] {
        assert_eq!(Limit::of(&Info::parse(reply.as_bytes())), limit, "{reply}");
    }
}

#[test]
fn policies_are_known_by_what_they_begin_with() {
    for (policy, when_full) in [
        (Some("noeviction"), WhenFull::RefusesWrites),
        (Some("allkeys-lfu"), WhenFull::EvictsAny),
        (Some("volatile-ttl"), WhenFull::EvictsExpiring),
        (Some("another"), WhenFull::Unknown),
        (None, WhenFull::Unknown),
    ] {
        assert_eq!(WhenFull::of(policy), when_full);
    }
}

#[test]
fn what_may_be_more_is_said_to_be() {
    assert_eq!(added(&GROWTH), "about 11.2 KiB");
    let more = Growth {
        at_least: true,
        ..GROWTH
    };
    assert_eq!(added(&more), "at least 11.2 KiB");
}

#[test]
fn a_flush_of_everything_leaves_what_an_empty_server_uses() {
    let info = Info::parse(b"used_memory:5000\nused_memory_startup:900");
    assert_eq!(used_at_start(&info, true), 900);
    assert_eq!(used_at_start(&info, false), 5_000);
    let info = Info::parse(b"used_memory:5000");
    assert_eq!(used_at_start(&info, true), 5_000);
}
