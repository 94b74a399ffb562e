//! Plans of the runs that are measured.

use redyno_contract::plan::{
    Commands, Distribution, DynoTypePlan, Expectation, Fetch, Keyspace, Limit, MixedCommand,
    ObjectGraph, Plan, Prefill, RunIdentity, TargetPlan, Workload,
};
use redyno_contract::samples;
use redyno_contract::schedule::Rate;

/// The name of the only dyno type.
pub(crate) const TYPE: &str = "web";

/// The uid of every run.
pub(crate) const RUN_UID: &str = "be4c4000-0000-4000-8000-000000000001";

/// A backlog that no worker ever reaches: backlogs are measured here, not limited.
const ANY_BACKLOG: u32 = 1_000_000;

/// The load on the target.
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

/// The task of the automap benchmark with this many flats.
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
        let sample = samples::plan();
        Plan {
            run: RunIdentity {
                namespace: "local".to_owned(),
                name: "bench".to_owned(),
                uid: RUN_UID.to_owned(),
            },
            target: TargetPlan {
                title: "redis-server on loopback".to_owned(),
                connections: dynos * (workers + 1) + 2,
                ..sample.target
            },
            duration_seconds: *seconds,
            warmup_seconds: 1,
            warmup_percent: 50,
            drain_seconds: *drain_seconds,
            start_timeout_seconds: 60,
            task_timeout_milliseconds: 60_000,
            formation: vec![DynoTypePlan {
                workers: *workers,
                rate: Rate::per_second(*tasks_per_second),
                max_worker_backlog: ANY_BACKLOG,
                workload: workload.clone(),
                cpu_millis: None,
                memory_bytes: None,
                ..samples::dyno_type(TYPE, *dynos)
            }],
            thresholds: vec![samples::threshold(
                "errors",
                Limit::Errors { max_per_million: 0 },
            )],
            ..sample
        }
    }
}
