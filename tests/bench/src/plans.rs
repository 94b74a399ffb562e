//! Plans of the runs that are measured.

use redyno_contract::plan::{
    Arrivals, Assignment, Commands, Distribution, DynoTypePlan, Expectation, Fetch, Keyspace,
    Limit, MixedCommand, ObjectGraph, OnDynoFailure, PLAN_VERSION, Plan, Prefill, QueueOrder,
    RunIdentity, TargetKind, TargetPlan, ThresholdPlan, TlsVerification, Workload,
};
use redyno_contract::schedule::Rate;

/// The name of the only dyno type.
pub(crate) const TYPE: &str = "web";

/// The uid of every run.
pub(crate) const RUN_UID: &str = "be4c4000-0000-4000-8000-000000000001";

/// No worker ever has so many waiting: backlog is measured here, not limited.
const ANY_BACKLOG: u32 = 1_000_000;

/// What is put on the target.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Dynos, each a process of its own.
    pub(crate) dynos: u32,
    /// Workers in each.
    pub(crate) workers: u32,
    /// Tasks per second of each.
    pub(crate) tasks_per_second: u32,
    /// Length of the measured window.
    pub(crate) seconds: u32,
    /// How long unfinished tasks may go on.
    pub(crate) drain_seconds: u32,
    /// What a task does.
    pub(crate) workload: Workload,
}

/// The task of the automap benchmark with so many flats.
pub(crate) fn object_graph(flats: u32) -> Workload {
    Workload::ObjectGraph(ObjectGraph {
        max_flats: flats,
        item_payload_bytes: 5000,
        fetch: Fetch::Lua,
        prefill: Prefill::Full,
    })
}

/// GET of one of 100,000 values of 16 bytes.
pub(crate) fn get() -> Workload {
    Workload::Commands(Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys: 100_000,
            distribution: Distribution::Uniform,
        },
        value_bytes: 16,
        prefill: Prefill::Full,
        mix: vec![MixedCommand {
            name: "get".to_owned(),
            weight: 1,
            command: vec!["GET".to_owned(), MixedCommand::KEY.to_owned()],
            expect: Expectation::Any,
        }],
    })
}

impl Load {
    /// The plan of a run that nothing ends early.
    pub(crate) fn plan(&self) -> Plan {
        let Self {
            dynos,
            workers,
            tasks_per_second,
            seconds,
            drain_seconds,
            workload,
        } = self;
        Plan {
            version: PLAN_VERSION,
            run: RunIdentity {
                namespace: "local".to_owned(),
                name: "bench".to_owned(),
                uid: RUN_UID.to_owned(),
            },
            target: TargetPlan {
                title: "redis-server on loopback".to_owned(),
                kind: TargetKind::Managed,
                tls: TlsVerification::VerifyFull,
                connections: dynos * (workers + 1) + 2,
                flush_hosts: Vec::new(),
                cpu_millis: None,
            },
            duration_seconds: *seconds,
            warmup_seconds: 1,
            warmup_percent: 50,
            drain_seconds: *drain_seconds,
            start_timeout_seconds: 60,
            task_timeout_milliseconds: 60_000,
            on_dyno_failure: OnDynoFailure::StopAll,
            seed: 1,
            formation: vec![DynoTypePlan {
                dyno_type: TYPE.to_owned(),
                quantity: *dynos,
                workers: *workers,
                rate: Rate::per_second(*tasks_per_second),
                arrivals: Arrivals::Constant,
                assignment: Assignment::Random,
                queue_order: QueueOrder::OldestFirst,
                max_worker_backlog: ANY_BACKLOG,
                workload: workload.clone(),
                application_cpu_microseconds: 0,
                cpu_millis: None,
                memory_bytes: None,
            }],
            thresholds: vec![ThresholdPlan {
                name: "errors".to_owned(),
                dyno_type: None,
                limit: Limit::Errors { max_per_million: 0 },
            }],
            linger_seconds: 0,
        }
    }
}
