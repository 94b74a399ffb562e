//! A world: a plan, several dynos, a network and a Redis, and what goes wrong. Plain data.

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan, Workload};
use redyno_contract::report::Ending;
use redyno_engine::Moment;

use super::fault::{Fault, Kind};
use super::time::{DynoClock, Frozen, NEVER, SECOND, Time};
use crate::choices::Drawn;

/// A world, from which a run follows.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    /// In the order of the plan.
    pub(super) dynos: Vec<DynoSpec>,
    /// Of everything that is drawn for a task.
    pub(super) drawn: Drawn,
    pub(super) redis: RedisSpec,
    pub(super) network: NetworkSpec,
    pub(super) faults: Vec<Fault>,
    /// Whether reports pass through the record, as in real runs, or are handed over.
    pub(super) through_the_record: bool,
    pub(super) changed: Changed,
}

/// One dyno.
#[derive(Clone, Debug)]
pub(super) struct DynoSpec {
    pub(super) name: DynoName,
    pub(super) clock: DynoClock,
    /// How wrong it knows that its clock can be.
    pub(super) clock_error: Time,
    pub(super) threads: u32,
    /// CPU time of a turn of its load threads for anything that they do.
    pub(super) cost: Time,
}

/// Redis.
#[derive(Clone, Copy, Debug)]
pub(super) struct RedisSpec {
    /// What a step costs it on average.
    pub(super) demand: Time,
    pub(super) shape: Shape,
    /// Fields that its INFO does not have, as bits.
    pub(super) hidden_fields: u64,
}

/// How the demand of a step is spread around its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is always the same.
    Fixed,
    /// Evenly, from none to twice the mean.
    Even,
    /// Exponentially.
    Exponential,
    /// One in a hundred takes twenty times as long.
    HeavyTail,
}

/// The network between each dyno and Redis.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkSpec {
    /// One way.
    pub(super) delay: Time,
    /// Up to so much more, in percent of it.
    pub(super) jitter_percent: u64,
}

/// One thing changed in a world that else stays the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    /// The generator is never late.
    pub(super) generator_on_time: bool,
    /// There is no end to this.
    pub(super) without: Option<Resource>,
    /// No limit ends it; these do, dyno by dyno: how, and when by its clock. None: its window.
    pub(super) ends: Option<Vec<Option<(Ending, Moment)>>>,
}

/// What can be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    RedisCpu,
    RedisMemory,
    DynoCpu,
    Network,
    Connections,
}

impl Resource {
    pub(super) const ALL: [Self; 5] = [
        Self::RedisCpu,
        Self::RedisMemory,
        Self::DynoCpu,
        Self::Network,
        Self::Connections,
    ];

    /// Whether this fault is a shortage of it.
    const fn has(self, kind: Kind) -> bool {
        match self {
            Self::RedisCpu => matches!(
                kind,
                Kind::RedisStall | Kind::RedisShare | Kind::RedisSlow | Kind::RedisHangs
            ),
            Self::RedisMemory => matches!(kind, Kind::MemoryFull),
            Self::DynoCpu => matches!(kind, Kind::StolenCpu),
            Self::Network => matches!(kind, Kind::NetworkDelay),
            Self::Connections => matches!(kind, Kind::Reset | Kind::RedisRestart | Kind::RedisGone),
        }
    }
}

impl World {
    /// The same world with one thing changed.
    pub(super) fn with(&self, changed: Changed) -> Self {
        let mut world = Self {
            changed,
            ..self.clone()
        };
        let Changed {
            generator_on_time,
            without,
            ends: _,
        } = world.changed;
        world.faults.retain(|fault| {
            !(generator_on_time && fault.kind.is_the_generators())
                && without.is_none_or(|resource| !resource.has(fault.kind))
        });
        match without {
            Some(Resource::RedisCpu) => world.redis.demand = 0,
            Some(Resource::Network) => world.network.delay = 0,
            Some(Resource::DynoCpu) => {
                for dyno in &mut world.dynos {
                    dyno.cost = 0;
                }
                for dynos in &mut world.plan.formation {
                    (dynos.cpu_millis, dynos.application_cpu_microseconds) = (None, 0);
                }
            }
            Some(Resource::RedisMemory | Resource::Connections) | None => {}
        }
        world
    }

    /// The plan of a dyno's type.
    pub(super) fn type_of(&self, dyno: usize) -> &DynoTypePlan {
        let name = &self.dynos[dyno].name.dyno_type;
        self.plan
            .dyno_type(name)
            .expect("every dyno is of a type of the plan")
    }

    /// The end of the measured window by a dyno's clock.
    pub(super) fn window_end(&self) -> Moment {
        Moment::from_seconds(self.plan.warmup_seconds + self.plan.duration_seconds)
    }

    /// When the last fault is over.
    pub(super) fn last_fault_end(&self) -> Time {
        self.faults.iter().map(Fault::end).max().unwrap_or(0)
    }

    /// By when every dyno must have reported, whatever happens: the sum of the stages' own limits
    /// after the last fault, and a minute.
    pub(super) fn latest_end(&self) -> Time {
        let seconds = u64::from(
            self.plan.warmup_seconds + self.plan.duration_seconds + self.plan.drain_seconds,
        );
        // A thread that is away for longer than it may is given up; one that plans to be, is not.
        let longest_turn: Time = self.plan.formation.iter().map(application_cpu).sum();
        let end = (seconds + 60) * SECOND + longest_turn;
        self.last_fault_end().max(end - 60 * SECOND) + end
    }

    /// For how long a load thread may have no turn because of what the workers' application uses: all
    /// of them at once, with the CPU that the dyno has.
    pub(super) fn longest_silence(&self) -> Time {
        self.plan
            .formation
            .iter()
            .map(|dynos| match dynos.cpu_millis {
                Some(millis) => application_cpu(dynos) * 1000 / Time::from(millis.max(1)),
                None => application_cpu(dynos),
            })
            .max()
            .unwrap_or(0)
    }

    /// Whether anybody will look at what a dyno wrote before its end.
    pub(super) fn needs_checkpoint(&self, dyno: usize) -> bool {
        self.of_dyno(dyno).any(|fault| {
            matches!(
                fault.kind,
                Kind::Killed | Kind::Forged(super::fault::Forgery::Checkpoint)
            )
        })
    }

    /// When a load thread does not run.
    pub(super) fn frozen_thread(&self, dyno: usize, thread: u32) -> Frozen {
        let threads = self.dynos[dyno].threads;
        Frozen::of(
            self.of_dyno(dyno)
                .filter(|fault| matches!(fault.kind, Kind::Stall | Kind::StolenCpu))
                .filter(|fault| fault.thread == thread || fault.thread >= threads)
                .flat_map(Fault::intervals)
                .collect(),
        )
    }

    /// When others are on the CPU that a load thread is on.
    pub(super) fn stolen_from(&self, dyno: usize, thread: u32) -> Frozen {
        let threads = self.dynos[dyno].threads;
        Frozen::of(
            self.of_dyno(dyno)
                .filter(|fault| fault.kind == Kind::StolenCpu)
                .filter(|fault| fault.thread == thread || fault.thread >= threads)
                .flat_map(Fault::intervals)
                .collect(),
        )
    }

    /// When a dyno's control thread does not run.
    pub(super) fn frozen_control(&self, dyno: usize) -> Frozen {
        let threads = self.dynos[dyno].threads;
        Frozen::of(
            self.of_dyno(dyno)
                .filter(|fault| fault.kind == Kind::Stall && fault.thread >= threads)
                .flat_map(Fault::intervals)
                .collect(),
        )
    }

    /// When Redis' main thread does not run.
    pub(super) fn frozen_redis(&self) -> Frozen {
        Frozen::of(
            self.faults
                .iter()
                .filter(|fault| {
                    matches!(
                        fault.kind,
                        Kind::RedisStall | Kind::RedisShare | Kind::RedisHangs
                    )
                })
                .flat_map(Fault::intervals)
                .collect(),
        )
    }

    /// The faults that befall a dyno.
    pub(super) fn of_dyno(&self, dyno: usize) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.dyno == dyno)
    }

    /// How late a timer fires that should fire at a time.
    pub(super) fn late_timer(&self, dyno: usize, at: Time) -> Time {
        let late = self
            .of_dyno(dyno)
            .filter(|fault| fault.kind == Kind::LateTimers && fault.holds(at))
            .map(|fault| fault.per_mille * 20_000)
            .max()
            .unwrap_or(0);
        if late == 0 {
            return 0;
        }
        let mut random = self.drawn.stream([3, dyno as u64, at, 0]);
        below(random.bits(), late)
    }

    /// How long a message is on its way that leaves at a time; `thing` tells it from others.
    pub(super) fn delay(&self, at: Time, thing: [u64; 4]) -> Time {
        if self.changed.without == Some(Resource::Network) {
            return 0;
        }
        let NetworkSpec {
            delay,
            jitter_percent,
        } = self.network;
        let jitter = if jitter_percent == 0 {
            0
        } else {
            below(
                self.drawn.stream(thing).bits(),
                delay * jitter_percent / 100 + 1,
            )
        };
        let fault: Time = self
            .faults
            .iter()
            .filter(|fault| fault.kind == Kind::NetworkDelay && fault.holds(at))
            .map(|fault| delay.max(20_000) * fault.per_mille / 20)
            .sum();
        delay + jitter + fault
    }

    /// What a step costs Redis: a function of the task and the step alone.
    pub(super) fn demand(&self, dyno: usize, task: u64, step: usize) -> Time {
        let RedisSpec { demand, shape, .. } = self.redis;
        let mut random = self.drawn.stream([1, dyno as u64, task, step as u64]);
        match shape {
            Shape::Fixed => demand,
            Shape::Even => below(random.bits(), 2 * demand + 1),
            Shape::Exponential => part(demand, random.exponential().min(20.0)),
            Shape::HeavyTail => {
                if random.below(100) == 0 {
                    demand * 17
                } else {
                    demand * 84 / 100
                }
            }
        }
    }

    /// How many times longer than usual Redis takes for what it begins at a time, in thousandths.
    pub(super) fn slowness(&self, at: Time) -> u64 {
        self.faults
            .iter()
            .filter(|fault| fault.kind == Kind::RedisSlow && fault.holds(at))
            .fold(1000, |slowness, fault| slowness + fault.per_mille * 10)
    }

    /// The steps that a task takes, by their positions in the workload.
    pub(super) fn steps(&self, dyno: usize, task: u64) -> Vec<usize> {
        match &self.type_of(dyno).workload {
            Workload::ObjectGraph(_) => vec![0, 1, 2],
            Workload::Commands(commands) => {
                let mut random = self.drawn.stream([2, dyno as u64, task, 0]);
                let position = random.below(u32::try_from(commands.mix.len()).unwrap_or(1));
                vec![position as usize]
            }
        }
    }

    /// Whether the server is down at a time.
    pub(super) fn is_down(&self, at: Time) -> bool {
        self.faults.iter().any(|fault| match fault.kind {
            Kind::RedisRestart => fault.holds(at),
            Kind::RedisGone => at >= fault.at && fault.at < NEVER,
            _ => false,
        })
    }

    /// Which server answers at a time: it is another one after every restart.
    pub(super) fn run_id(&self, at: Time) -> usize {
        self.faults
            .iter()
            .filter(|fault| fault.kind == Kind::RedisRestart && fault.end() <= at)
            .count()
    }
}

/// A number below a bound.
fn below(bits: u64, bound: Time) -> Time {
    u64::try_from((u128::from(bits) * u128::from(bound)) >> 64).unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "demands are far below 2^53 nanoseconds"
)]
fn part(demand: Time, factor: f64) -> Time {
    (demand as f64 * factor) as Time
}

/// CPU that the application uses if all workers of a dyno have a task.
fn application_cpu(dynos: &DynoTypePlan) -> Time {
    Time::from(dynos.application_cpu_microseconds) * 1000 * Time::from(dynos.workers)
}
