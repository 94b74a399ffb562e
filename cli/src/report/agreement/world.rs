//! Runs whose numbers come from the real engine. A seed says how long each task takes, and the
//! clock is simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use proptest::prelude::*;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate};
use redyno_contract::plan::{
    DynoName, Latency, LatencyLimit, Limit, Percentile, Step, ThresholdPlan,
};
use redyno_contract::record::{self, RecordKind};
use redyno_contract::report::{Ending, Start, Times};
use redyno_contract::schedule::Rate;
use redyno_contract::{Message, Plan, Report};
use redyno_engine::{
    Arrival, ConnectionAfter, Disturbances, Engine, EngineSettings, FailureClass, Interval, Moment,
    Sample, Share, ThreadTime, Whole, first_end,
};
use redyno_runner::{Allowances, Identity, OwnSample, Throttling, Totals};

use crate::report::fixtures;

const SECOND: u64 = 1_000_000_000;

/// A run as it is drawn.
#[derive(Clone, Debug)]
pub(super) struct World {
    quantity: u32,
    rate: u32,
    workers: u32,
    seconds: u32,
    warmup_seconds: u32,
    drain_seconds: u32,
    max_worker_backlog: u32,
    /// How long a task takes at least, and how much may be added, in microseconds.
    service: (u64, u64),
    /// When the target stands still and for how long, in milliseconds since S.
    stall: Option<(u64, u64)>,
    /// One task in this many fails, either quickly or after half a second.
    failing: Option<(u64, bool)>,
    limits: Vec<(Latency, u32, u64)>,
    errors: Option<u32>,
    least_rate: Option<u32>,
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let limit = (
        prop::sample::select(vec![Latency::Response, Latency::Wait, Latency::Service]),
        prop::sample::select(vec![50_000_u32, 90_000, 99_000, 99_900, 99_500]),
        prop_oneof![500_u64..5_000, 5_000_u64..2_000_000],
    );
    (
        (
            1_u32..4,
            20_u32..300,
            1_u32..9,
            1_u32..5,
            0_u32..2,
            0_u32..4,
        ),
        (2_u32..60, 100_u64..8_000, 1_u64..20_000),
        prop::option::of((0_u64..5_000, 50_u64..2_500)),
        prop::option::of((2_u64..200, any::<bool>())),
        prop::collection::vec(limit, 0..3),
        prop::option::of(prop::sample::select(vec![0_u32, 10_000, 100_000])),
        prop::option::of(10_u32..400),
    )
        .prop_map(
            |(
                shape,
                (max_worker_backlog, least, varies),
                stall,
                failing,
                limits,
                errors,
                least_rate,
            )| {
                let (quantity, rate, workers, seconds, warmup_seconds, drain_seconds) = shape;
                World {
                    quantity,
                    rate,
                    workers,
                    seconds,
                    warmup_seconds,
                    drain_seconds,
                    max_worker_backlog,
                    service: (least, varies),
                    stall,
                    failing,
                    limits,
                    errors,
                    least_rate,
                }
            },
        )
}

/// What came of a run.
pub(super) struct Ran {
    pub(super) plan: Plan,
    pub(super) outcomes: Vec<DynoOutcome>,
    pub(super) full: BTreeMap<DynoName, Report>,
}

impl World {
    fn plan(&self) -> Plan {
        let mut plan = fixtures::plan(self.quantity);
        plan.duration_seconds = self.seconds;
        plan.warmup_seconds = self.warmup_seconds;
        plan.drain_seconds = self.drain_seconds;
        let dynos = &mut plan.formation[0];
        dynos.rate = Rate::per_second(self.rate);
        dynos.workers = self.workers;
        dynos.max_worker_backlog = self.max_worker_backlog;
        let latencies = self
            .limits
            .iter()
            .map(|(of, percentile, max_microseconds)| {
                Limit::Latency(LatencyLimit {
                    of: *of,
                    step: Step::Task,
                    percentile: Percentile::try_from(*percentile).unwrap(),
                    max_microseconds: *max_microseconds,
                })
            });
        let errors = self
            .errors
            .map(|max_per_million| Limit::Errors { max_per_million });
        let rate = self.least_rate.map(|min_tasks_per_second| Limit::Rate {
            min_tasks_per_second,
        });
        plan.thresholds = latencies
            .chain(errors)
            .chain(rate)
            .enumerate()
            .map(|(position, limit)| ThresholdPlan {
                name: format!("limit-{position}"),
                dyno_type: None,
                limit,
            })
            .collect();
        plan
    }

    pub(super) fn run(&self) -> Ran {
        let plan = self.plan();
        // The dyno that breaks a limit first stops the others.
        let alone: Vec<(Ending, Moment)> = plan
            .dynos()
            .map(|dyno| self.dyno(&plan, &dyno, None))
            .map(|(_, ending, at)| (ending, at))
            .collect();
        let first = alone
            .iter()
            .filter(|(ending, _)| *ending != Ending::Completed)
            .map(|(_, at)| *at)
            .min();
        let mut full = BTreeMap::new();
        let mut outcomes = Vec::new();
        for (dyno, (_, at)) in plan.dynos().zip(alone) {
            let stop = first.filter(|first| *first < at);
            let (report, ..) = self.dyno(&plan, &dyno, stop);
            let record = record::write_report(1, RecordKind::Final, &report).unwrap();
            let Message::Dyno(read) = record::read(&record).unwrap().message else {
                panic!("not a dyno's");
            };
            outcomes.push(DynoOutcome {
                dyno: dyno.clone(),
                pod_name: None,
                node_name: None,
                fate: Fate::Exited { code: 0 },
                report: Evidence::Complete(read),
            });
            full.insert(dyno, report);
        }
        Ran {
            plan,
            outcomes,
            full,
        }
    }

    /// When a task that begins now ends, and whether it fails. Only the task itself decides that.
    fn served(&self, dyno: u32, number: u64, begun: Moment) -> (Moment, bool) {
        let mixed = (number + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(dyno + 17)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            >> 20;
        let (least, varies) = self.service;
        let mut microseconds = least + mixed % varies;
        let fails = self.failing.filter(|(of, _)| mixed.is_multiple_of(*of));
        if let Some((_, after_half_a_second)) = fails {
            microseconds = if after_half_a_second { 500_000 } else { 200 };
        }
        let mut end = begun.plus(microseconds * 1000);
        if let Some((from, length)) = self.stall {
            let from = Moment::from_nanoseconds(from * 1_000_000);
            let until = from.plus(length * 1_000_000);
            if begun < until && end > from {
                end = end.max(until).plus(microseconds * 1000);
            }
        }
        (end, fails.is_some())
    }

    fn dyno(&self, plan: &Plan, dyno: &DynoName, stop: Option<Moment>) -> (Report, Ending, Moment) {
        let dynos = plan.dyno_type(&dyno.dyno_type).unwrap();
        let settings = EngineSettings::of(plan, dynos, dyno);
        let whole = Whole::new(&settings);
        let disturbances = Disturbances::new(NonZeroU32::MIN);
        let mut engine = Engine::new(settings, Share::WHOLE, &disturbances);
        let own = OwnSample {
            cpu_microseconds: 0,
            throttling: Throttling::default(),
            bytes_out: 0,
            bytes_in: 0,
            memory_peak_bytes: 10 << 20,
        };
        let allowances = Allowances {
            cpu_millis: None,
            memory_bytes: None,
        };
        let mut totals = Totals::new(plan, dynos, 1, own, allowances, false);
        totals.began(
            own,
            Start {
                at_microseconds: 1_790_000_000_000_000,
                offset_microseconds: i64::from(dyno.index) * 130,
                error_microseconds: 10,
                round_trip_microseconds: None,
            },
        );
        let mut running: BTreeSet<(Moment, u32, bool)> = BTreeSet::new();
        let mut look = SECOND;
        let (mut end_told, mut now) = (false, Moment::default());
        let sample = |snapshot, interval| Sample {
            snapshot,
            loop_lag: Times::default(),
            threads: vec![ThreadTime::default()],
            interval,
        };
        loop {
            let next = [
                running.first().map(|(at, ..)| *at),
                engine.next_event(),
                stop.filter(|_| engine.takes_arrivals()),
                Some(Moment::from_nanoseconds(look)),
            ];
            now = next.into_iter().flatten().min().unwrap_or(now).max(now);
            if now.nanoseconds() >= look {
                look += SECOND;
                let interval = engine.take_interval(Box::new(Interval::new(3)));
                totals.add(sample(whole.so_far([engine.snapshot(now)]), interval), own);
            }
            if engine.takes_arrivals() && stop.is_some_and(|stop| stop <= now) {
                engine.end(Ending::Stopped, stop, now);
            }
            while let Some((at, worker, fails)) =
                running.first().copied().filter(|(at, ..)| *at <= now)
            {
                running.pop_first();
                engine.begin_step(worker, 1, at);
                if fails {
                    engine.fail(
                        worker,
                        FailureClass::OutOfMemory,
                        ConnectionAfter::Dropped,
                        at,
                    );
                    engine.reconnected(worker, at);
                } else {
                    engine.begin_step(worker, 2, at);
                    engine.complete(worker, at);
                }
                self.begin(&mut engine, &mut running, dyno.index, worker, at);
            }
            while let Some(arrival) = engine.arrive(now) {
                if let Arrival::Wake(worker) = arrival {
                    self.begin(&mut engine, &mut running, dyno.index, worker, now);
                }
            }
            let drained = engine.advance(now);
            let end = first_end(std::iter::once(engine.stage()));
            if end.is_some() && !end_told {
                end_told = true;
                let interval = engine.take_interval(Box::new(Interval::new(3)));
                totals.add(sample(whole.so_far([engine.snapshot(now)]), interval), own);
                totals.ended();
            }
            if let Some((ending, at)) = end.filter(|_| drained) {
                let closed = engine.close(ending.clone(), at, now);
                let interval = engine.take_interval(Box::new(Interval::new(3)));
                totals.add(sample(whole.closed([closed]), interval), own);
                totals.close();
                let identity = Identity {
                    dyno: dyno.clone(),
                    pod: format!("pod-of-{dyno}"),
                    tls: None,
                };
                return (totals.report(plan, &identity, None), ending, at);
            }
        }
    }

    fn begin(
        &self,
        engine: &mut Engine,
        running: &mut BTreeSet<(Moment, u32, bool)>,
        dyno: u32,
        worker: u32,
        now: Moment,
    ) {
        if let Some(task) = engine.begin(worker, now) {
            engine.begin_step(worker, 0, now);
            let (end, fails) = self.served(dyno, task.number, now);
            running.insert((end, worker, fails));
        }
    }
}
