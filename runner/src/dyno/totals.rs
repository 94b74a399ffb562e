//! Everything that is known of the run so far: for the record, for progress and for metrics.

use redyno_contract::Histogram;
use redyno_contract::event::Progress;
use redyno_contract::failure::{ClassFailures, FailureClass};
use redyno_contract::histogram::Digits;
use redyno_contract::plan::{DynoName, DynoTypePlan, Percentile, Plan, Step, TlsVerification};
use redyno_contract::report::{
    Ages, End, Histograms, Incomplete, LastSeconds, OwnVitals, REPORT_VERSION, Report, Start,
    StepCount, StepTimes, Times,
};
use redyno_target::Info;

use crate::observe::control_group::Allowances;
use crate::observe::course::Course;
use crate::observe::own::OwnSample;
use crate::observe::seconds::{Look, Seconds};
use crate::observe::target::{LastOfTarget, TargetSamples};
use redyno_engine::{Counted, Distributions, IncompleteTasks, Interval, Moment, Sample, Snapshot};

/// Everything that is known of the run so far.
#[derive(Clone, Debug)]
pub struct Totals {
    measured: Distributions,
    since_progress: [Histogram; 2],
    seconds: Seconds,
    course: Course,
    snapshot: Option<Snapshot>,
    loop_lag: Times,
    threads: u32,
    /// What the dyno may really use.
    allowances: Allowances,
    /// There is no warm-up.
    window_begins_at_once: bool,
    /// The first look of the measured window.
    at_start: Option<Look>,
    stage: Stage,
    /// Since then a breach is held.
    held: Option<Moment>,
    /// The seconds before the end, and when it was: the drain must not blur them, nor the time in
    /// which a breach was held.
    last: Option<(LastSeconds, Moment)>,
    /// What the target said, if this dyno asks it.
    target: Option<TargetSamples>,
    /// It had no connection left for somebody who asked whether it was there.
    target_full: bool,
    /// The common start, once it is known.
    pub(crate) start: Option<Start>,
    /// Coordination writes that failed after it.
    pub(crate) coordination_failures: u64,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Tasks are handed over, or will be.
    Underway,
    /// It has ended: what comes now is the drain.
    Ended,
    /// The drain is over, and the books are closed.
    Closed,
}

/// Whose report it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Which dyno.
    pub dyno: DynoName,
    /// Its pod's uid.
    pub pod: String,
    /// How the target's certificate is verified; None without TLS.
    pub tls: Option<TlsVerification>,
}

impl Totals {
    /// Nothing yet, of a dyno of this type with so many load threads.
    pub fn new(
        plan: &Plan,
        dynos: &DynoTypePlan,
        threads: u32,
        own: OwnSample,
        allowances: Allowances,
        asks_target: bool,
    ) -> Self {
        Self {
            measured: Distributions::new(dynos.workload.steps().len(), Digits::Three),
            since_progress: [Histogram::new(Digits::Three), Histogram::new(Digits::Three)],
            seconds: Seconds::new(dynos.workers, own),
            course: Course::new(plan.warmup_seconds, plan.duration_seconds),
            snapshot: None,
            loop_lag: Times::default(),
            threads,
            allowances,
            window_begins_at_once: plan.warmup_seconds == 0,
            at_start: None,
            stage: Stage::Underway,
            held: None,
            last: None,
            target: asks_target.then(TargetSamples::default),
            target_full: false,
            start: None,
            coordination_failures: 0,
        }
    }

    /// S has come: what was before it belongs to no second of the run.
    pub fn began(&mut self, own: OwnSample, start: Start) {
        self.seconds.begin(own);
        if self.window_begins_at_once {
            self.at_start = Some(self.seconds.latest().clone());
        }
        self.start = Some(start);
    }

    /// Adds what the load threads recorded, with the own counters of the same moment. Gives back
    /// the interval, empty.
    pub fn add(&mut self, sample: Sample, own: OwnSample) -> Box<Interval> {
        let Sample {
            snapshot,
            loop_lag,
            threads,
            mut interval,
        } = sample;
        self.measured.add(&interval.measured);
        let [response, service] = &mut self.since_progress;
        for phase in [&interval.warmup, &interval.measured] {
            response.add(&phase.response);
            service.add(&phase.service);
        }
        if self.stage == Stage::Underway {
            let look = Look {
                at: snapshot.at,
                own,
                threads,
                served_nanoseconds: snapshot.counted.served_nanoseconds,
            };
            if snapshot.in_window && self.at_start.is_none() {
                self.at_start = Some(look.clone());
            }
            self.seconds.add(look, &interval);
        }
        // What comes in the drain was due in the window.
        let reached = snapshot.end.as_ref().map_or(snapshot.at, |end| {
            Moment::from_nanoseconds(end.after_milliseconds.saturating_mul(1_000_000))
        });
        self.course.add(reached, &interval);
        if let Some(since) = self.held
            && self.last.is_none()
        {
            self.last = Some((self.seconds.summary(), since));
        }
        self.loop_lag = loop_lag;
        self.snapshot = Some(snapshot);
        interval.clear();
        interval
    }

    /// A breach is held since then: if it is one, the last seconds are those before it.
    pub const fn held(&mut self, since: Moment) {
        self.held = Some(since);
    }

    /// What was added last is the end of the run.
    pub fn ended(&mut self) {
        self.stage = Stage::Ended;
        if self.last.is_none() {
            let end = self
                .snapshot
                .as_ref()
                .and_then(|snapshot| snapshot.end.as_ref());
            let at = end.map_or(Moment::default(), |end| {
                Moment::from_nanoseconds(end.after_milliseconds.saturating_mul(1_000_000))
            });
            self.last = Some((self.seconds.summary(), at));
        }
    }

    /// What was added last is final: the books are closed.
    pub const fn close(&mut self) {
        self.stage = Stage::Closed;
    }

    /// Adds what INFO said of the target at `at`.
    pub fn asked(&mut self, at: Moment, in_window: bool, info: Info) {
        let Some(target) = &mut self.target else {
            return;
        };
        target.add(at, in_window, info);
        if let Some(per_mille) = target.latest_per_mille() {
            self.course.add_redis(at, per_mille);
        }
    }

    /// The target had no connection left.
    pub const fn saw_full_target(&mut self) {
        self.target_full = true;
    }

    /// What the target said last, if this dyno asks it and it answered.
    pub(crate) fn target(&self) -> Option<&Info> {
        self.target.as_ref()?.latest()
    }

    /// Load threads.
    pub(crate) const fn threads(&self) -> u32 {
        self.threads
    }

    /// How busy the busiest load thread was before the latest look, in thousandths.
    pub(crate) fn busiest_thread(&self) -> u32 {
        self.seconds.busiest_thread()
    }

    /// How late a 10 ms timer of the load threads was, in the measured window.
    pub(crate) const fn loop_lag(&self) -> Times {
        self.loop_lag
    }

    /// Whether the books are closed: nothing that is unfinished will end any more.
    pub(crate) fn closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// The latest numbers; None before the start.
    pub(crate) const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Distributions of the measured tasks.
    pub(crate) const fn measured(&self) -> &Distributions {
        &self.measured
    }

    /// How it goes, with the latencies since the last time that this was asked; None before the
    /// start.
    pub(crate) fn progress(&mut self) -> Option<Progress> {
        let snapshot = self.snapshot.as_ref()?;
        let [response, service] = self.since_progress.each_mut().map(|histogram| {
            let encoded = histogram.encode();
            histogram.clear();
            encoded
        });
        let both = snapshot.warmup.plus(snapshot.measured);
        Some(Progress {
            at_milliseconds: snapshot.at.milliseconds(),
            warming_up: !snapshot.in_window,
            scheduled: both.scheduled,
            completed: both.completed,
            failed: both.failed,
            waiting: snapshot.waiting(),
            max_backlog: snapshot.longest_queue(),
            response,
            service,
            redis_main_thread_per_mille: self
                .target
                .as_ref()
                .and_then(TargetSamples::latest_per_mille),
        })
    }

    /// The report at full precision. `end` is for a run that never started; one that did has its
    /// own.
    pub fn report(&self, plan: &Plan, identity: &Identity, end: Option<End>) -> Report {
        let snapshot = self.snapshot.as_ref();
        let no_counts = || {
            plan.latency_limits(&identity.dyno.dyno_type)
                .map(|_| redyno_contract::limit::LimitCount::default())
                .collect()
        };
        Report {
            version: REPORT_VERSION,
            run: plan.run.uid.clone(),
            dyno: identity.dyno.clone(),
            pod: identity.pod.clone(),
            end: snapshot.and_then(|snapshot| snapshot.end.clone()).or(end),
            start: self.start.clone(),
            books: snapshot
                .map(|snapshot| snapshot.measured)
                .unwrap_or_default(),
            warmup: snapshot.map(|snapshot| snapshot.warmup).unwrap_or_default(),
            over: snapshot.map_or_else(no_counts, |snapshot| snapshot.over.clone()),
            failures: Some(self.failures()),
            steps: self.steps(plan, identity),
            latencies: snapshot
                .map(|snapshot| snapshot.counted.latencies)
                .unwrap_or_default(),
            incomplete: snapshot.and_then(|snapshot| incomplete(&snapshot.counted)),
            busiest: snapshot
                .map(|snapshot| snapshot.counted.busiest.clone())
                .unwrap_or_default(),
            tls: identity.tls,
            other_workers_backlog: snapshot
                .map(|snapshot| snapshot.counted.other_workers_backlog)
                .unwrap_or_default(),
            own: self.own_vitals(),
            lateness: snapshot.map(Snapshot::lateness),
            queues: snapshot.and_then(|snapshot| snapshot.queues),
            last: self.last_seconds(),
            target: self.target.as_ref().and_then(TargetSamples::vitals),
            timeline: snapshot.map(|_| self.course.timeline()),
            histograms: self.histograms(),
        }
    }

    fn steps(&self, plan: &Plan, identity: &Identity) -> Vec<StepTimes> {
        let steps = plan
            .dyno_type(&identity.dyno.dyno_type)
            .map(|dynos| dynos.workload.steps())
            .unwrap_or_default();
        let taken = self
            .snapshot
            .as_ref()
            .map(|snapshot| &snapshot.counted.steps);
        (0..)
            .zip(steps)
            .map(|(position, step)| StepTimes {
                service: taken
                    .and_then(|taken| taken.get::<usize>(position).copied())
                    .unwrap_or_default(),
                replies: match step {
                    Step::Command(_) => self
                        .snapshot
                        .as_ref()
                        .map(|snapshot| &snapshot.counted.replies)
                        .map(|replies| replies.get::<usize>(position).copied())
                        .map(Option::unwrap_or_default),
                    Step::Task | Step::Fetch | Step::Save | Step::Ping => None,
                },
                step,
            })
            .collect()
    }

    fn failures(&self) -> Vec<ClassFailures> {
        let Some(snapshot) = &self.snapshot else {
            return Vec::new();
        };
        let limits = &snapshot.counted.limits;
        let rows: Vec<ClassFailures> = FailureClass::ALL
            .iter()
            .map(|class| ClassFailures {
                class: *class,
                measured: limits.failures().of(*class),
                warmup: limits.warmup_failures().of(*class),
                example: snapshot.counted.words.of(*class).map(str::to_owned),
            })
            .filter(|row| row.total() > 0)
            .collect();
        ClassFailures::merge(&rows)
    }

    fn last_seconds(&self) -> LastSeconds {
        let (mut last, until) = self.last.map_or_else(
            || (self.seconds.summary(), None),
            |(last, until)| (last, Some(until)),
        );
        let LastOfTarget {
            main_thread_per_mille,
            work,
            evicted_keys,
            rejected_connections,
            memory_bytes,
        } = self
            .target
            .as_ref()
            .map(|target| target.before(until))
            .unwrap_or_default();
        last.redis_main_thread_per_mille = main_thread_per_mille;
        last.redis_evicted_keys = evicted_keys;
        last.redis_rejected_connections = if self.target_full {
            rejected_connections.max(Some(1))
        } else {
            rejected_connections
        };
        last.redis_memory_bytes = memory_bytes;
        last.redis_work = work;
        last
    }

    fn own_vitals(&self) -> OwnVitals {
        let snapshot = self.snapshot.as_ref();
        let last = self.seconds.latest();
        let first = self.at_start.as_ref().unwrap_or(last);
        let (from, to) = (first.own, last.own);
        OwnVitals {
            schedule_lag_p99_microseconds: self.measured.schedule_lag.percentile(Percentile::P99),
            schedule_lag: snapshot
                .map(|snapshot| snapshot.counted.schedule_lag)
                .unwrap_or_default(),
            loop_lag: self.loop_lag,
            load_threads: self.threads,
            load_thread_busy_per_mille: last.busiest_thread_since(first),
            cpu_microseconds: to.cpu_microseconds.saturating_sub(from.cpu_microseconds),
            throttled_per_mille: to.throttling.per_mille_since(from.throttling),
            memory_bytes: to.memory_peak_bytes,
            bytes_out: to.bytes_out.saturating_sub(from.bytes_out),
            bytes_in: to.bytes_in.saturating_sub(from.bytes_in),
            reconnects: snapshot
                .map(|snapshot| snapshot.counted.reconnects)
                .unwrap_or_default(),
            coordination_failures: self.coordination_failures,
            load_threads_cpu_microseconds: last.load_threads_cpu_microseconds_since(first),
            cpu_allowance_millis: self.allowances.cpu_millis,
            memory_allowance_bytes: self.allowances.memory_bytes,
        }
    }

    fn histograms(&self) -> Histograms {
        let Distributions {
            response,
            wait,
            service,
            steps,
            schedule_lag,
        } = &self.measured;
        Histograms {
            response: Some(response.encode()),
            wait: Some(wait.encode()),
            service: Some(service.encode()),
            steps: Some(steps.iter().map(Histogram::encode).collect()),
            schedule_lag: Some(schedule_lag.encode()),
        }
    }
}

/// What is known of the measured tasks that did not complete; None where all did.
fn incomplete(counted: &Counted) -> Option<Incomplete> {
    let IncompleteTasks {
        failed,
        steps_failed,
        ages,
    } = &counted.incomplete;
    if failed.response.count == 0 && ages.is_none() {
        return None;
    }
    let steps_failed = steps_failed.iter().copied().chain(std::iter::repeat(0));
    let steps = counted.limits.steps_begun().iter().zip(steps_failed);
    Some(Incomplete {
        failed_response_max_microseconds: failed.response.max_microseconds,
        failed_wait_max_microseconds: failed.wait.max_microseconds,
        failed_service_max_microseconds: failed.service.max_microseconds,
        steps: Some(
            steps
                .map(|(begun, failed)| StepCount {
                    begun: *begun,
                    failed,
                })
                .collect(),
        ),
        ages: ages.as_ref().map(|ages| Ages {
            response: ages.response.encode(),
            wait: ages.wait.encode(),
            service: ages.service.encode(),
        }),
    })
}
