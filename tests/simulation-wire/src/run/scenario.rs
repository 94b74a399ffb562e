//! What a run is: its plan, its target, and what goes wrong. Drawn before anything turns.

use std::time::Duration;

use redyno_contract::Plan;
use redyno_contract::plan::{
    Arrivals, Assignment, Commands, Distribution, DynoTypePlan, Expectation, Fetch, Flush,
    Keyspace, Latency, LatencyLimit, Limit, MixedCommand, ObjectGraph, OnDynoFailure, PLAN_VERSION,
    Percentile, Prefill, QueueOrder, RunIdentity, Step, TargetKind, TargetPlan, ThresholdPlan,
    TlsVerification, Workload,
};
use redyno_contract::schedule::Rate;
use redyno_simulation::choices::Choices;

use super::fault::Fault;

/// The run's uid.
pub const UID: &str = "5eed0000-3c44-4f7e-9b39-2b8a2c0a7a51";

/// The host that the target's URL names.
pub const HOST: &str = "redis.example";

/// What a run is.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What is to be carried out.
    pub plan: Plan,
    /// The number of the database in the URL.
    pub database: u32,
    /// How long bytes are under way at least, and how much longer they can be.
    pub delay: (Duration, Duration),
    /// Load threads of each dyno.
    pub load_threads: u32,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// For all that is drawn while the world turns.
    pub seed: u64,
}

impl Scenario {
    /// Draws one.
    pub fn draw(choices: &mut Choices) -> Self {
        let quantity = u32_of(choices.between("dynos", 1, 3));
        let workers = u32_of(choices.between("workers", 1, 4));
        let rate = u32_of(choices.one_of("rate", &[20, 5, 60, 150]));
        let graph = !choices.percent("commands", 40);
        let flush = choices.one_of(
            "flush",
            &[
                Flush::RunKeys,
                Flush::None,
                Flush::Database,
                Flush::AllDatabases,
            ],
        );
        let managed = choices.percent("managed", 20);
        let warmup_seconds = u32_of(choices.between("warm-up", 0, 2));
        let duration_seconds = u32_of(choices.between("duration", 1, 6));
        let prefill = choices.one_of("prefill", &[Prefill::Empty, Prefill::Full]);
        let fetch = choices.one_of("fetch", &[Fetch::Lua, Fetch::Hgetall]);
        let size = u32_of(choices.one_of("size", &[100, 1, 3000]));
        let arrivals = choices.one_of("arrivals", &[Arrivals::Constant, Arrivals::Poisson]);
        let go_on = choices.percent("go on", 25);
        let max_p99 = choices.one_of("limit", &[1_000_000, 100_000, 20_000]);
        let errors = u32_of(choices.one_of("errors", &[10_000, 0, 200_000]));
        let backlog = u32_of(choices.one_of("backlog", &[50, 1, 5]));
        let timeout = u32_of(choices.one_of("timeout", &[1000, 200, 5000]));
        let start_timeout = u32_of(choices.one_of("start timeout", &[30, 10]));
        let database = u32_of(choices.one_of("database", &[0, 0, 3]));
        let load_threads = u32_of(choices.between("load threads", 1, 2));
        let delay = choices.below("delay", 4);
        let jitter = choices.below("jitter", 6);
        let plan_seed = choices.seed("plan seed");
        let seed = choices.seed("world seed");
        let faults = Fault::draw_some(choices);
        let workload = if graph {
            Workload::ObjectGraph(ObjectGraph {
                max_flats: 1 + size % 7,
                item_payload_bytes: size,
                fetch,
                prefill,
            })
        } else {
            mix(size, prefill)
        };
        let dynos = DynoTypePlan {
            dyno_type: "web".to_owned(),
            quantity,
            workers,
            rate: Rate::per_second(rate),
            arrivals,
            assignment: Assignment::Random,
            queue_order: QueueOrder::OldestFirst,
            max_worker_backlog: backlog,
            workload,
            application_cpu_microseconds: 0,
            cpu_millis: None,
            memory_bytes: None,
        };
        let kind = if managed {
            TargetKind::Managed
        } else {
            TargetKind::Existing { flush }
        };
        Self {
            plan: Plan {
                version: PLAN_VERSION,
                run: RunIdentity {
                    namespace: "team".to_owned(),
                    name: "run".to_owned(),
                    uid: UID.to_owned(),
                },
                target: TargetPlan {
                    title: "existing my-redis".to_owned(),
                    kind,
                    tls: TlsVerification::VerifyFull,
                    connections: quantity * (workers + 1) + 2,
                    flush_hosts: vec!["*".to_owned()],
                    cpu_millis: None,
                },
                duration_seconds,
                warmup_seconds,
                warmup_percent: 50,
                drain_seconds: 5,
                start_timeout_seconds: start_timeout,
                task_timeout_milliseconds: timeout,
                on_dyno_failure: if go_on {
                    OnDynoFailure::Continue
                } else {
                    OnDynoFailure::StopAll
                },
                seed: plan_seed,
                formation: vec![dynos],
                thresholds: thresholds(max_p99, errors),
                linger_seconds: 0,
            },
            database,
            delay: (Duration::from_millis(delay), Duration::from_millis(jitter)),
            load_threads,
            faults,
            seed,
        }
    }

    /// What may be flushed.
    pub const fn flush(&self) -> Flush {
        match self.plan.target.kind {
            TargetKind::Managed => Flush::None,
            TargetKind::Existing { flush } => flush,
        }
    }

    /// In a line.
    pub fn describe(&self) -> String {
        let Plan {
            duration_seconds,
            warmup_seconds,
            formation,
            target,
            ..
        } = &self.plan;
        let dynos = &formation[0];
        let what = match &dynos.workload {
            Workload::ObjectGraph(_) => "object graph",
            Workload::Commands(_) => "commands",
        };
        format!(
            "{} dynos of {} workers, {} threads, {:.0} tasks/s of {what}, {warmup_seconds} + {duration_seconds} s, {:?}, database {}, {} to {} ms a way",
            dynos.quantity,
            dynos.workers,
            self.load_threads,
            dynos.rate.tasks_per_second(),
            target.kind,
            self.database,
            self.delay.0.as_millis(),
            (self.delay.0 + self.delay.1).as_millis(),
        )
    }
}

fn u32_of(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn mix(value_bytes: u32, prefill: Prefill) -> Workload {
    let command = |name: &str, weight, words: &str| MixedCommand {
        name: name.to_owned(),
        weight,
        command: words.split(' ').map(str::to_owned).collect(),
        expect: Expectation::Any,
    };
    Workload::Commands(Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys: 50,
            distribution: Distribution::Uniform,
        },
        value_bytes,
        prefill,
        mix: vec![
            command("get", 5, "GET {key}"),
            command("set", 3, "SET {key} {value}"),
            command("expiring", 1, "SET {key} {value} EX 2"),
        ],
    })
}

fn thresholds(max_microseconds: u64, max_per_million: u32) -> Vec<ThresholdPlan> {
    let threshold = |name: &str, limit| ThresholdPlan {
        name: name.to_owned(),
        dyno_type: None,
        limit,
    };
    vec![
        threshold(
            "p99",
            Limit::Latency(LatencyLimit {
                of: Latency::Response,
                step: Step::Task,
                percentile: Percentile::P99,
                max_microseconds,
            }),
        ),
        threshold("errors", Limit::Errors { max_per_million }),
    ]
}
