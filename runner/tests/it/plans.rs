//! Plans of tests: small, quick, each with a uid of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use redyno_contract::plan::*;
use redyno_contract::samples;
use redyno_contract::schedule::Rate;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// One dyno with 4 workers, 50 tasks/s for 1 s, 10 flats, on somebody's Redis, no warm-up.
pub(crate) fn small() -> Plan {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let sample = samples::plan();
    Plan {
        run: RunIdentity {
            uid: format!("{number:08x}-test-{}", std::process::id()),
            ..sample.run
        },
        target: TargetPlan {
            title: "existing test".to_owned(),
            kind: TargetKind::Existing {
                flush: Flush::RunKeys,
            },
            connections: 20,
            ..sample.target
        },
        duration_seconds: 1,
        warmup_seconds: 0,
        drain_seconds: 10,
        start_timeout_seconds: 60,
        formation: vec![web()],
        thresholds: vec![errors(0)],
        ..sample
    }
}

/// The type of the small plan.
pub(crate) fn web() -> DynoTypePlan {
    DynoTypePlan {
        workers: 4,
        rate: Rate::per_second(50),
        max_worker_backlog: 1000,
        workload: Workload::ObjectGraph(ObjectGraph {
            max_flats: 10,
            item_payload_bytes: 1000,
            fetch: Fetch::Lua,
            prefill: Prefill::Full,
        }),
        cpu_millis: None,
        memory_bytes: None,
        ..samples::dyno_type("web", 1)
    }
}

/// The errors threshold.
pub(crate) fn errors(max_per_million: u32) -> ThresholdPlan {
    samples::threshold("errors", Limit::Errors { max_per_million })
}

/// A threshold on the p99 of the response.
pub(crate) fn response(name: &str, max_microseconds: u64) -> ThresholdPlan {
    let limit = LatencyLimit {
        of: Latency::Response,
        step: Step::Task,
        percentile: Percentile::P99,
        max_microseconds,
    };
    samples::threshold(name, Limit::Latency(limit))
}

/// The workload of the small plan's type, to be changed.
pub(crate) fn graph(plan: &mut Plan) -> &mut ObjectGraph {
    let Workload::ObjectGraph(graph) = &mut plan.formation[0].workload else {
        unreachable!("these plans are of object graphs")
    };
    graph
}
