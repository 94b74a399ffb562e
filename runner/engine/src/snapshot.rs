//! One engine's numbers at one moment.

use redyno_contract::report::{BusyWorker, Latencies, OwnDelay, Queues, Replies, Times};

use super::delay::keep_longest;
use super::{
    Engine, FirstWords, IncompleteTasks, Interval, LimitCounters, Moment, Share, Stage, Tally, Task,
};

/// How many of the busiest workers a report names.
const BUSIEST: usize = 5;

/// One engine's numbers at one moment: of its share of the workers.
#[derive(Clone, Debug)]
pub struct ShareSnapshot {
    /// Whose.
    pub share: Share,
    /// When.
    pub at: Moment,
    /// How far it is.
    pub stage: Stage,
    /// The last task that was handed over, or rejected.
    pub last: Option<Task>,
    /// Of the warm-up.
    pub warmup: Tally,
    /// Of the measured window.
    pub measured: Tally,
    /// Everything that engines' numbers add up of.
    pub counted: Counted,
}

/// What engines count that adds up over all of them, whatever the plan says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Counts of the limits, and failures by class.
    pub limits: LimitCounters,
    /// Mean and maximum latencies.
    pub latencies: Latencies,
    /// Service times of the workload's steps.
    pub steps: Vec<Times>,
    /// What was in the replies to each step, where that is looked at.
    pub replies: Vec<Replies>,
    /// What was said of the first failure of each class.
    pub words: FirstWords,
    /// What is known of measured tasks that did not complete.
    pub incomplete: IncompleteTasks,
    /// Handed over - due.
    pub schedule_lag: Times,
    /// How many tasks wait at each worker; in no order once several engines' are added.
    pub backlogs: Vec<u32>,
    /// Workers that have a task in their hands.
    pub running: u64,
    /// Time that tasks were in workers' hands since S, over all workers.
    pub served_nanoseconds: u64,
    /// The busiest workers so far.
    pub busiest: Vec<BusyWorker>,
    /// The highest backlog of any other worker.
    pub other_workers_backlog: u32,
    /// Connections made anew.
    pub reconnects: u64,
    /// The longest own delays.
    pub delays: Vec<OwnDelay>,
    /// Tasks that waited, had the load threads been on time: final once the books are closed.
    pub queues: Queues,
}

impl Counted {
    /// Adds what another engine counted.
    pub(super) fn add(&mut self, other: Self) {
        let Self {
            limits,
            latencies:
                Latencies {
                    response,
                    wait,
                    service,
                },
            steps,
            replies,
            words,
            incomplete,
            schedule_lag,
            backlogs,
            running,
            served_nanoseconds,
            busiest,
            other_workers_backlog,
            reconnects,
            delays,
            queues,
        } = other;
        self.limits.add(&limits);
        self.latencies.response = self.latencies.response.plus(response);
        self.latencies.wait = self.latencies.wait.plus(wait);
        self.latencies.service = self.latencies.service.plus(service);
        self.steps.resize(steps.len(), Times::default());
        for (mine, others) in self.steps.iter_mut().zip(steps) {
            *mine = mine.plus(others);
        }
        self.replies.resize(replies.len(), Replies::default());
        for (mine, others) in self.replies.iter_mut().zip(replies) {
            *mine = mine.plus(others);
        }
        self.words.add(words);
        self.incomplete.add(incomplete);
        self.schedule_lag = self.schedule_lag.plus(schedule_lag);
        self.backlogs.extend(backlogs);
        self.running += running;
        self.served_nanoseconds += served_nanoseconds;
        self.busiest.extend(busiest);
        self.other_workers_backlog = self.other_workers_backlog.max(other_workers_backlog);
        self.reconnects += reconnects;
        self.delays.extend(delays);
        self.queues = self.queues.plus(queues);
    }

    /// Leaves the busiest workers and the longest delays of all, as many as a report names.
    pub(super) fn keep_most(&mut self) {
        keep_longest(&mut self.delays);
        self.busiest
            .sort_by_key(|worker| (std::cmp::Reverse(worker.peak_backlog), worker.worker));
        let others = self
            .busiest
            .get(BUSIEST)
            .map_or(0, |worker| worker.peak_backlog);
        self.other_workers_backlog = self.other_workers_backlog.max(others);
        self.busiest.truncate(BUSIEST);
    }
}

impl Engine {
    /// Takes what was recorded since the last time, and leaves `fresh` in its place.
    pub fn take_interval(&mut self, fresh: Box<Interval>) -> Box<Interval> {
        std::mem::replace(&mut self.interval, fresh)
    }

    /// The numbers at `now`. What is unfinished is not looked at.
    pub fn snapshot(&self, now: Moment) -> ShareSnapshot {
        let (busiest, other_workers_backlog) = self.busiest(now);
        let serving: u64 = self
            .workers
            .iter()
            .map(|worker| worker.serving_nanoseconds(now))
            .sum();
        ShareSnapshot {
            share: self.share,
            at: now,
            stage: self.stage.clone(),
            last: self.last,
            warmup: self.warmup,
            measured: self.measured,
            counted: Counted {
                limits: self.limits.counters().clone(),
                latencies: self.latencies,
                steps: self.steps.clone(),
                replies: self.replies.clone(),
                words: self.words.clone(),
                incomplete: self.incomplete.clone(),
                schedule_lag: self.schedule_lag,
                backlogs: self.workers.iter().map(super::Worker::waiting).collect(),
                running: self
                    .workers
                    .iter()
                    .map(|worker| u64::from(worker.is_running()))
                    .sum(),
                served_nanoseconds: self.served_nanoseconds + serving,
                busiest,
                other_workers_backlog,
                reconnects: self.reconnects,
                delays: self.on_time.delays.longest().to_vec(),
                queues: self.on_time.queues,
            },
        }
    }

    fn busiest(&self, now: Moment) -> (Vec<BusyWorker>, u32) {
        let all = u32::MAX;
        let mut order: Vec<(u32, &super::Worker)> =
            self.share.workers(all).zip(&self.workers).collect();
        order.sort_by_key(|(number, worker)| (std::cmp::Reverse(worker.peak_backlog()), *number));
        let window = self.window();
        let busiest = order
            .iter()
            .take(BUSIEST)
            .map(|(number, worker)| worker.summary(*number, now, window))
            .collect();
        let other = order.get(BUSIEST);
        (
            busiest,
            other.map_or(0, |(_, worker)| worker.peak_backlog()),
        )
    }
}
