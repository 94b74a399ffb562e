//! Everything that is known of the run so far: for the record, for progress and for metrics.

use redyno_contract::Histogram;
use redyno_contract::event::Progress;
use redyno_contract::histogram::Digits;
use redyno_contract::plan::{DynoName, DynoTypePlan, Percentile, Plan};
use redyno_contract::report::{
    End, Histograms, LastSeconds, OwnVitals, REPORT_VERSION, Report, Start, StepTimes, Times,
};
use redyno_target::Info;

use crate::engine::{Distributions, Interval, Moment, Snapshot};
use crate::observe::course::Course;
use crate::observe::own::{OwnSample, peak_memory_bytes};
use crate::observe::seconds::Seconds;
use crate::observe::target::TargetSamples;
use crate::shard::Sample;

/// Everything that is known of the run so far.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    measured: Distributions,
    since_progress: [Histogram; 2],
    seconds: Seconds,
    course: Course,
    snapshot: Option<Snapshot>,
    loop_lag: Times,
    own_at_start: Option<OwnSample>,
    own: OwnSample,
    /// Of the end, once it came: the drain must not blur it.
    at_end: Option<LastSeconds>,
    /// What the target said, if this dyno asks it.
    target: Option<TargetSamples>,
    /// The common start, once it is known.
    pub(crate) start: Option<Start>,
    /// Coordination writes that failed after it.
    pub(crate) coordination_failures: u64,
}

/// Whose report it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Which dyno.
    pub(crate) dyno: DynoName,
    /// Its pod's uid.
    pub(crate) pod: String,
}

impl Totals {
    /// Nothing yet, of a dyno of this type.
    pub(crate) fn new(
        plan: &Plan,
        dynos: &DynoTypePlan,
        own: OwnSample,
        asks_target: bool,
    ) -> Self {
        Self {
            measured: Distributions::new(dynos.workload.steps().len()),
            since_progress: [Histogram::new(Digits::Three), Histogram::new(Digits::Three)],
            seconds: Seconds::new(own),
            course: Course::new(plan.warmup_seconds, plan.duration_seconds),
            snapshot: None,
            loop_lag: Times::default(),
            own_at_start: None,
            own,
            at_end: None,
            target: asks_target.then(TargetSamples::default),
            start: None,
            coordination_failures: 0,
        }
    }

    /// S has come: what was before it belongs to no second of the run.
    pub(crate) fn began(&mut self, own: OwnSample, start: Start) {
        self.seconds = Seconds::new(own);
        self.own = own;
        self.start = Some(start);
    }

    /// Adds what the load thread recorded, with the own counters of the same moment. Gives back
    /// the interval, empty.
    pub(crate) fn add(&mut self, sample: Sample, own: OwnSample) -> Box<Interval> {
        let Sample {
            snapshot,
            loop_lag,
            mut interval,
        } = sample;
        self.measured.add(&interval.measured);
        let [response, service] = &mut self.since_progress;
        for phase in [&interval.warmup, &interval.measured] {
            response.add(&phase.response);
            service.add(&phase.service);
        }
        if self.at_end.is_none() {
            self.seconds.add(snapshot.at, own, &interval);
            self.course
                .add(snapshot.at, snapshot.measured.in_time, &interval);
            self.own = own;
            if snapshot.in_window && self.own_at_start.is_none() {
                self.own_at_start = Some(own);
            }
            if snapshot.end.is_some() {
                self.at_end = Some(self.seconds.summary());
            }
        }
        self.loop_lag = loop_lag;
        self.snapshot = Some(snapshot);
        interval.clear();
        interval
    }

    /// Adds what INFO said of the target at `at`.
    pub(crate) fn asked(&mut self, at: Moment, in_window: bool, info: Info) {
        let Some(target) = &mut self.target else {
            return;
        };
        target.add(at, in_window, info);
        if let Some(per_mille) = target.latest_per_mille()
            && in_window
            && self.at_end.is_none()
        {
            self.course.add_redis(at, per_mille);
        }
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
            waiting: snapshot.waiting,
            max_backlog: snapshot.longest_queue,
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
    pub(crate) fn report(&self, plan: &Plan, identity: &Identity, end: Option<End>) -> Report {
        let snapshot = self.snapshot.as_ref();
        let mut last = self.at_end.unwrap_or_else(|| self.seconds.summary());
        last.redis_main_thread_per_mille =
            self.target.as_ref().and_then(TargetSamples::last_per_mille);
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
            steps: self.steps(plan, identity),
            latencies: snapshot
                .map(|snapshot| snapshot.latencies)
                .unwrap_or_default(),
            busiest: snapshot
                .map(|snapshot| snapshot.busiest.clone())
                .unwrap_or_default(),
            other_workers_backlog: snapshot
                .map(|snapshot| snapshot.other_workers_backlog)
                .unwrap_or_default(),
            own: self.own_vitals(),
            last,
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
        let taken = self.snapshot.as_ref().map(|snapshot| &snapshot.steps);
        (0..)
            .zip(steps)
            .map(|(position, step)| StepTimes {
                step,
                service: taken
                    .and_then(|taken| taken.get::<usize>(position).copied())
                    .unwrap_or_default(),
            })
            .collect()
    }

    fn own_vitals(&self) -> OwnVitals {
        let snapshot = self.snapshot.as_ref();
        let (from, to) = (self.own_at_start.unwrap_or(self.own), self.own);
        OwnVitals {
            schedule_lag_p99_microseconds: self.measured.schedule_lag.percentile(Percentile::P99),
            schedule_lag: snapshot
                .map(|snapshot| snapshot.schedule_lag)
                .unwrap_or_default(),
            loop_lag: self.loop_lag,
            load_threads: 1,
            load_thread_busy_per_mille: 0,
            cpu_microseconds: to.cpu_microseconds.saturating_sub(from.cpu_microseconds),
            throttled_per_mille: to.throttling.per_mille_since(from.throttling),
            memory_bytes: peak_memory_bytes(),
            bytes_out: to.bytes_out.saturating_sub(from.bytes_out),
            bytes_in: to.bytes_in.saturating_sub(from.bytes_in),
            reconnects: snapshot
                .map(|snapshot| snapshot.reconnects)
                .unwrap_or_default(),
            coordination_failures: self.coordination_failures,
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
