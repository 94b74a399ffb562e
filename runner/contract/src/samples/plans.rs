//! Plans to test with. Whoever needs another one changes a field of these.

use crate::plan::{
    Arrivals, Assignment, Commands, Distribution, DynoTypePlan, Expectation, Fetch, Keyspace,
    Latency, LatencyLimit, Limit, MixedCommand, ObjectGraph, OnDynoFailure, PLAN_VERSION,
    Percentile, Plan, Prefill, QueueOrder, RunIdentity, Step, TargetKind, TargetPlan,
    ThresholdPlan, TlsVerification, Workload,
};
use crate::schedule::Rate;

/// The run of every sample.
pub const RUN: &str = "7f3c2b1a-0000-4000-8000-000000000001";

/// A managed target, two dynos `web` of 63 workers and 1000 tasks/s each, for 240 s after 5 s of warm-up at 10 %;
/// response p99 at most 250 ms, no errors, 1990 tasks/s.
pub fn plan() -> Plan {
    Plan {
        version: PLAN_VERSION,
        run: RunIdentity {
            namespace: "default".to_owned(),
            name: "vertical-up-6".to_owned(),
            uid: RUN.to_owned(),
        },
        target: TargetPlan {
            title: "managed premium-14".to_owned(),
            kind: TargetKind::Managed,
            tls: TlsVerification::VerifyFull,
            connections: 130,
            flush_hosts: Vec::new(),
            cpu_millis: None,
        },
        duration_seconds: 240,
        warmup_seconds: 5,
        warmup_percent: 10,
        drain_seconds: 30,
        start_timeout_seconds: 300,
        task_timeout_milliseconds: 30_000,
        on_dyno_failure: OnDynoFailure::StopAll,
        seed: 1,
        formation: vec![dyno_type("web", 2)],
        thresholds: vec![
            threshold(
                "p99",
                Limit::Latency(LatencyLimit {
                    of: Latency::Response,
                    step: Step::Task,
                    percentile: Percentile::P99,
                    max_microseconds: 250_000,
                }),
            ),
            threshold("errors", Limit::Errors { max_per_million: 0 }),
            threshold(
                "rate",
                Limit::Rate {
                    min_tasks_per_second: 1990,
                },
            ),
        ],
        linger_seconds: 0,
    }
}

/// A dyno type of this many dynos, each of which carries out 1000 tasks/s of an object graph with
/// 63 workers.
pub fn dyno_type(name: &str, quantity: u32) -> DynoTypePlan {
    DynoTypePlan {
        dyno_type: name.to_owned(),
        quantity,
        workers: 63,
        rate: Rate::per_second(1000),
        arrivals: Arrivals::Constant,
        assignment: Assignment::Random,
        queue_order: QueueOrder::OldestFirst,
        max_worker_backlog: 100,
        workload: Workload::ObjectGraph(ObjectGraph {
            max_flats: 100,
            item_payload_bytes: 5000,
            fetch: Fetch::Lua,
            prefill: Prefill::Full,
        }),
        application_cpu_microseconds: 0,
        cpu_millis: Some(16_000),
        memory_bytes: Some(126 << 30),
    }
}

/// A threshold of all dynos together.
pub fn threshold(name: &str, limit: Limit) -> ThresholdPlan {
    ThresholdPlan {
        name: name.to_owned(),
        dyno_type: None,
        limit,
    }
}

/// A mix on so many keys of the default prefix, each of them as likely as the others.
pub fn commands(keys: u32, value_bytes: u32, prefill: Prefill, mix: Vec<MixedCommand>) -> Commands {
    Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys,
            distribution: Distribution::Uniform,
        },
        value_bytes,
        prefill,
        mix,
    }
}

/// A command of a mix that may find nothing.
pub fn entry(name: &str, weight: u32, command: &[&str]) -> MixedCommand {
    MixedCommand {
        name: name.to_owned(),
        weight,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        expect: Expectation::Any,
    }
}
