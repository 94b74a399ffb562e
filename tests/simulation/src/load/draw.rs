//! Drawing a world: sizes with their edges, half of all worlds with one fault, an eighth without.

use redyno_contract::Plan;
use redyno_contract::plan::{
    Arrivals, Assignment, Commands, DynoName, DynoTypePlan, Expectation, Fetch, Flush, Keyspace,
    Latency, LatencyLimit, Limit, MixedCommand, ObjectGraph, OnDynoFailure, PLAN_VERSION,
    Percentile, Prefill, QueueOrder, RunIdentity, Step, TargetKind, TargetPlan, ThresholdPlan,
    TlsVerification, Workload,
};
use redyno_contract::schedule::Rate;

use super::fault::{Fault, KINDS, Kind};
use super::time::{DynoClock, MICROSECOND, MILLISECOND, SECOND, Time};
use super::world::{Changed, DynoSpec, NetworkSpec, RedisSpec, Shape, World};
use crate::choices::{Choices, Drawn};

/// Tasks of a run, so that many runs can be made in a second.
const MOST_TASKS: u64 = 3_000;

/// Draws a world.
pub(super) fn world(choices: &mut Choices) -> World {
    let drawn = Drawn::of(choices.seed("seed"));
    let types = choices.one_of("types", &[1, 1, 1, 2]);
    let mut formation: Vec<DynoTypePlan> = (0..types).map(|at| dyno_type(choices, at)).collect();
    let threads = choices.one_of("threads", &[1, 1, 2, 3]);
    let duration_seconds = duration(choices, &mut formation);
    for dynos in &mut formation {
        dynos.application_cpu_microseconds = application(choices, dynos, threads);
    }
    let mut plan = Plan {
        version: PLAN_VERSION,
        run: RunIdentity {
            namespace: "simulation".to_owned(),
            name: "run".to_owned(),
            uid: "0123456789abcdef".to_owned(),
        },
        target: TargetPlan {
            title: "existing simulated".to_owned(),
            kind: TargetKind::Existing { flush: Flush::None },
            tls: TlsVerification::VerifyFull,
            connections: 100,
            flush_hosts: Vec::new(),
            cpu_millis: None,
        },
        duration_seconds,
        warmup_seconds: choices.one_of("warm-up", &[0, 0, 1]),
        warmup_percent: choices.one_of("warm-up percent", &[100, 50, 10]),
        drain_seconds: choices.one_of("drain", &[10, 30, 2, 1, 0]),
        start_timeout_seconds: 60,
        task_timeout_milliseconds: choices.one_of("task timeout", &[30_000, 5_000, 1_000, 200, 50]),
        on_dyno_failure: choices.one_of(
            "on failure",
            &[OnDynoFailure::StopAll, OnDynoFailure::Continue],
        ),
        seed: choices.seed("plan's seed"),
        formation,
        thresholds: Vec::new(),
        linger_seconds: 0,
    };
    let network = NetworkSpec {
        delay: choices.one_of("network delay", &[100, 20, 500, 2_000, 20_000]) * MICROSECOND,
        jitter_percent: choices.one_of("jitter", &[0, 50]),
    };
    let cost = choices.one_of("cost of a turn", &[5, 20, 50]) * MICROSECOND;
    let redis = RedisSpec {
        demand: demand(choices, &plan),
        shape: choices.one_of(
            "demand",
            &[
                Shape::Fixed,
                Shape::Even,
                Shape::Exponential,
                Shape::HeavyTail,
            ],
        ),
        hidden_fields: if choices.percent("thin INFO", 30) {
            choices.below("hidden fields", 1 << 12)
        } else {
            0
        },
    };
    let nominal = 3 * (redis.demand + 2 * network.delay + 4 * cost);
    thresholds(choices, &mut plan, nominal);
    let dynos = dynos(choices, &plan, threads, cost);
    let through_the_record = choices.below("through the record", 8) == 7;
    let mut world = World {
        plan,
        dynos,
        drawn,
        redis,
        network,
        faults: Vec::new(),
        through_the_record,
        changed: Changed::default(),
    };
    for _ in 0..choices.one_of("faults", &[0, 1, 1, 1, 1, 2, 3, 4]) {
        let fault = fault(choices, &world);
        // What breaks while nobody looks is seen later than what happens meanwhile elsewhere.
        if fault.kind == Kind::Reset && choices.percent("while it stands still", 50) {
            world.faults.push(Fault {
                kind: Kind::Stall,
                at: fault.at.saturating_sub(fault.lasts / 2),
                ..fault.clone()
            });
        }
        world.faults.push(fault);
    }
    world
}

fn dyno_type(choices: &mut Choices, position: usize) -> DynoTypePlan {
    let workload = match choices.one_of("workload", &[0, 0, 1, 3]) {
        0 => Workload::ObjectGraph(ObjectGraph {
            max_flats: 10,
            item_payload_bytes: 100,
            fetch: Fetch::Lua,
            prefill: Prefill::Full,
        }),
        commands => Workload::Commands(Commands {
            keyspace: Keyspace {
                prefix: "test".to_owned(),
                keys: 100,
                distribution: redyno_contract::plan::Distribution::Uniform,
            },
            value_bytes: 100,
            prefill: Prefill::Full,
            mix: (0..commands)
                .map(|number| MixedCommand {
                    name: format!("set-{number}"),
                    weight: 1,
                    command: vec!["SET".to_owned(), "{key}".to_owned(), "{value}".to_owned()],
                    expect: Expectation::Any,
                })
                .collect(),
        }),
    };
    DynoTypePlan {
        dyno_type: ["web", "worker"][position.min(1)].to_owned(),
        quantity: choices.one_of("quantity", &[1, 1, 1, 2, 3]),
        workers: choices.one_of("workers", &[1, 2, 3, 4, 8, 20]),
        rate: Rate::per_second(
            choices.one_of("rate", &[100, 20, 50, 99, 101, 200, 333, 500, 1_000, 2_500]),
        ),
        arrivals: choices.one_of("arrivals", &[Arrivals::Constant, Arrivals::Poisson]),
        assignment: choices.one_of("assignment", &[Assignment::RoundRobin, Assignment::Random]),
        queue_order: choices.one_of(
            "queue order",
            &[
                QueueOrder::OldestFirst,
                QueueOrder::OldestFirst,
                QueueOrder::OldestFirst,
                QueueOrder::NewestFirst,
            ],
        ),
        max_worker_backlog: choices.one_of(
            "backlog limit",
            &[1_000, 1_000, 1_000, 1_000, 1_000, 100, 100, 20, 10, 5, 1],
        ),
        workload,
        application_cpu_microseconds: 0,
        cpu_millis: choices.one_of(
            "CPU",
            &[None, None, None, Some(1_000), Some(500), Some(100)],
        ),
        memory_bytes: None,
    }
}

/// The length of the window; where that makes too many tasks, fewer of them are due.
fn duration(choices: &mut Choices, formation: &mut [DynoTypePlan]) -> u32 {
    let seconds = choices.one_of("duration", &[1, 2, 3, 5]);
    let tasks = |formation: &[DynoTypePlan], seconds: u32| -> f64 {
        formation
            .iter()
            .map(|dynos| f64::from(dynos.quantity * seconds) * dynos.rate.tasks_per_second())
            .sum()
    };
    if tasks(formation, seconds) <= MOST_TASKS as f64 {
        return seconds;
    }
    while tasks(formation, 1) > MOST_TASKS as f64 {
        for dynos in &mut *formation {
            dynos.rate = dynos.rate.percent(50);
        }
    }
    1
}

/// What the application uses of each task, so that it takes a given part of the load threads.
fn application(choices: &mut Choices, dynos: &DynoTypePlan, threads: u32) -> u32 {
    let load = choices.one_of("application's load", &[0, 0, 0, 0, 0, 100, 500, 900, 1_200]);
    let threads = f64::from(threads.min(dynos.workers));
    let rate = dynos.rate.tasks_per_second().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a few seconds"
    )]
    let microseconds = (f64::from(load) * 1e3 * threads / rate) as u32;
    microseconds
}

/// What a step costs Redis, so that the load takes a given part of it.
fn demand(choices: &mut Choices, plan: &Plan) -> Time {
    let load = choices.one_of(
        "load of Redis",
        &[
            100, 50, 200, 300, 300, 500, 500, 600, 700, 800, 950, 1_050, 1_300,
        ],
    );
    let steps_per_second: f64 = plan
        .formation
        .iter()
        .map(|dynos| {
            let steps = match dynos.workload {
                Workload::ObjectGraph(_) => 3.0,
                Workload::Commands(_) => 1.0,
            };
            f64::from(dynos.quantity) * dynos.rate.tasks_per_second() * steps
        })
        .sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 50 ms"
    )]
    let demand = (f64::from(load) * 1e6 / steps_per_second.max(1.0)).min(5e7) as Time;
    demand
}

fn thresholds(choices: &mut Choices, plan: &mut Plan, nominal: Time) {
    let limit = Limit::Errors {
        max_per_million: choices.one_of("errors allowed", &[0, 0, 1_000, 10_000, 100_000]),
    };
    plan.thresholds.push(ThresholdPlan {
        name: "errors".to_owned(),
        dyno_type: None,
        limit,
    });
    let first = plan.formation[0].clone();
    for number in 0..choices.one_of("latency limits", &[1, 0, 2, 3]) {
        let steps = first.workload.steps();
        let of_step = choices.percent("of a step", 20);
        let step = choices.one_of("step", &steps);
        let of = choices.one_of(
            "latency",
            &[Latency::Response, Latency::Wait, Latency::Service],
        );
        let percentile = choices.one_of(
            "percentile",
            &[
                Percentile::P99,
                Percentile::P50,
                Percentile::P90,
                Percentile::P999,
                Percentile::P999,
            ],
        );
        let part = if of_step || of == Latency::Wait {
            nominal / 3
        } else {
            nominal
        };
        let times = choices.one_of(
            "limit",
            &[
                30, 100, 100, 300, 300, 1_000, 1_000, 1_000, 3_000, 15, 50, 5,
            ],
        );
        let only_first = choices.percent("of one type", 20);
        plan.thresholds.push(ThresholdPlan {
            name: format!("latency-{number}"),
            dyno_type: (only_first || of_step).then(|| first.dyno_type.clone()),
            limit: Limit::Latency(LatencyLimit {
                of: if of_step { Latency::Service } else { of },
                step: if of_step { step } else { Step::Task },
                percentile,
                max_microseconds: (part * times / 10 / MICROSECOND).max(1),
            }),
        });
    }
    if choices.percent("a rate", 10) {
        let rate: f64 = plan
            .formation
            .iter()
            .map(|dynos| f64::from(dynos.quantity) * dynos.rate.tasks_per_second())
            .sum();
        let percent = f64::from(choices.one_of("percent of the rate", &[90, 99, 100]));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        let min_tasks_per_second = (rate * percent / 100.0) as u32;
        plan.thresholds.push(ThresholdPlan {
            name: "rate".to_owned(),
            dyno_type: None,
            limit: Limit::Rate {
                min_tasks_per_second,
            },
        });
    }
}

fn dynos(choices: &mut Choices, plan: &Plan, threads: u32, cost: Time) -> Vec<DynoSpec> {
    let mut dynos = Vec::new();
    for of_type in &plan.formation {
        for index in 0..of_type.quantity {
            let error = choices.one_of("clock error", &[0, 0, 100, 5_000, 150_000]) * MICROSECOND;
            dynos.push(DynoSpec {
                name: DynoName {
                    dyno_type: of_type.dyno_type.clone(),
                    index,
                },
                clock: DynoClock {
                    start: error,
                    drift_ppm: choices.one_of("drift", &[0, 0, 20, -50, 200]),
                },
                clock_error: error,
                threads: threads.min(of_type.workers),
                cost,
            });
        }
    }
    dynos
}

fn fault(choices: &mut Choices, world: &World) -> Fault {
    let kind = choices.one_of("fault", &KINDS);
    let dyno = usize::try_from(choices.below("dyno", world.dynos.len() as u64)).unwrap_or(0);
    let thread = choices.one_of("thread", &[0, 1, 2, 3]);
    let (warmup, duration) = (
        Time::from(world.plan.warmup_seconds) * SECOND,
        Time::from(world.plan.duration_seconds) * SECOND,
    );
    let dynos = world.type_of(dyno);
    let due = world
        .plan
        .schedule(dynos, world.dynos[dyno].name.index)
        .due(3)
        .unwrap_or(0);
    let anchor = choices.one_of(
        "when",
        &[
            warmup + duration / 2,
            warmup + duration,
            warmup + duration,
            warmup,
            0,
            warmup + duration / 4,
            warmup + due,
        ],
    );
    let before = choices.percent("before", 50);
    let aside = if choices.percent("exactly", 10) {
        0
    } else {
        choices.magnitude("aside", 7)
    };
    let at = if before {
        anchor.saturating_sub(aside)
    } else {
        anchor + aside
    };
    let zeros = if choices.percent("long", 10) { 6 } else { 3 };
    let lasts = choices.magnitude("lasts", zeros);
    Fault {
        kind,
        at,
        lasts: lasts * MICROSECOND,
        dyno,
        thread,
        per_mille: choices.one_of("strength", &[500, 100, 900, 1_000]),
    }
    .bounded()
}

impl Fault {
    /// A thread that stands still for more than half a minute is given up, which is right, and says
    /// nothing more.
    fn bounded(self) -> Self {
        let longest = match self.kind {
            Kind::LateTimers | Kind::StolenCpu => 2 * SECOND,
            Kind::RedisShare => 5 * SECOND,
            _ => 99 * SECOND,
        };
        Self {
            lasts: self.lasts.clamp(10 * MICROSECOND, longest),
            at: self.at.min(600 * SECOND).max(MILLISECOND.min(self.at)),
            ..self
        }
    }
}
