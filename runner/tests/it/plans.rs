//! Plans of tests: small, quick, each with a uid of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use redyno_contract::plan::*;
use redyno_contract::schedule::Rate;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// One dyno with 4 workers, 50 tasks/s for 1 s, 10 flats, on somebody's Redis, no warm-up.
pub(crate) fn small() -> Plan {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Plan {
        version: PLAN_VERSION,
        run: RunIdentity {
            namespace: "local".to_owned(),
            name: "test".to_owned(),
            uid: format!("{number:08x}-test-{}", std::process::id()),
        },
        target: TargetPlan {
            title: "existing test".to_owned(),
            kind: TargetKind::Existing {
                flush: Flush::RunKeys,
            },
            tls: TlsVerification::VerifyFull,
            connections: 20,
            flush_hosts: Vec::new(),
            cpu_millis: None,
        },
        duration_seconds: 1,
        warmup_seconds: 0,
        warmup_percent: 10,
        drain_seconds: 10,
        start_timeout_seconds: 60,
        task_timeout_milliseconds: 30_000,
        on_dyno_failure: OnDynoFailure::StopAll,
        seed: 1,
        formation: vec![web()],
        thresholds: vec![errors(0)],
        linger_seconds: 0,
    }
}

/// The type of the small plan.
pub(crate) fn web() -> DynoTypePlan {
    DynoTypePlan {
        dyno_type: "web".to_owned(),
        quantity: 1,
        workers: 4,
        rate: Rate::per_second(50),
        arrivals: Arrivals::Constant,
        assignment: Assignment::Random,
        queue_order: QueueOrder::OldestFirst,
        max_worker_backlog: 1000,
        workload: Workload::ObjectGraph(ObjectGraph {
            max_flats: 10,
            item_payload_bytes: 1000,
            fetch: Fetch::Lua,
            prefill: Prefill::Full,
        }),
        application_cpu_microseconds: 0,
        cpu_millis: None,
        memory_bytes: None,
    }
}

/// The errors threshold.
pub(crate) fn errors(max_per_million: u32) -> ThresholdPlan {
    ThresholdPlan {
        name: "errors".to_owned(),
        dyno_type: None,
        limit: Limit::Errors { max_per_million },
    }
}

/// A threshold on the p99 of the response.
pub(crate) fn response(name: &str, max_microseconds: u64) -> ThresholdPlan {
    ThresholdPlan {
        name: name.to_owned(),
        dyno_type: None,
        limit: Limit::Latency(LatencyLimit {
            of: Latency::Response,
            step: Step::Task,
            percentile: Percentile::P99,
            max_microseconds,
        }),
    }
}

/// The workload of the small plan's type, to be changed.
pub(crate) fn graph(plan: &mut Plan) -> &mut ObjectGraph {
    let Workload::ObjectGraph(graph) = &mut plan.formation[0].workload else {
        unreachable!("these plans are of object graphs")
    };
    graph
}
