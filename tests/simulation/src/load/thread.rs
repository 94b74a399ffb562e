//! The modelled load thread: one thing at a time, with the real engine and the real pace.
//!
//! It does what `runner/src/shard` does: the pacer's loop, the loop of each worker, the probe. What
//! is ready first is done first. Whatever it does takes CPU time, and time passes beside that
//! wherever the thread or its process does not run: also between two looks at the clock.

use std::ops::Range;

use redyno_contract::failure::FailureClass;
use redyno_contract::report::Times;
use redyno_engine::{
    ConnectionAfter, Disturbances, Engine, EngineSettings, Moment, Pace, Share, ThreadCommand,
    ThreadEvent, ThreadTime, ThreadVitals,
};

use super::attention::Attention;
use super::queue::Queue;
use super::quota::Quota;
use super::records::{Records, task_id};
use super::server::{FIRST_BACKOFF, LONGEST_BACKOFF};
use super::time::{DynoClock, Frozen, MILLISECOND, Time};
use super::world::World;

/// The probe's timer.
const PROBE: Time = 10 * MILLISECOND;

/// What is ready to be done.
#[derive(Debug)]
pub(super) enum Item {
    /// The pacer's timer fires.
    Timer,
    /// The engine needs the pacer's attention.
    Changed,
    /// The control thread says something.
    Command(ThreadCommand),
    /// The probe's timer fires.
    Probe,
    /// A worker has a task in its hands.
    Wake { worker: u32 },
    /// A worker's request is answered.
    Reply {
        worker: u32,
        request: u64,
        refused: Option<FailureClass>,
    },
    /// A worker's task has taken as long as it may.
    Timeout { worker: u32, task: usize },
    /// A worker's connection is broken.
    Lost { worker: u32, connection: u64 },
    /// A worker's attempt to connect has come to something.
    Connected { worker: u32, made: bool },
    /// A worker has waited long enough to try again.
    Again { worker: u32 },
}

/// What a thread does to the world.
#[derive(Debug)]
pub(super) enum Deed {
    /// A worker sends a request at this time.
    Send {
        at: Time,
        worker: u32,
        request: u64,
        connection: u64,
        task: u64,
        step: usize,
    },
    /// A worker tries to connect.
    Connect { at: Time, worker: u32 },
    /// The control thread is told something.
    Tell { at: Time, event: ThreadEvent },
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It waits for a task.
    Idle,
    /// It serves a task: its place among all, and how many of its steps it has begun.
    Serving { place: usize, step: usize },
    /// Its connection was closed while it was idle: it makes a new one before it looks for a task.
    Renewing,
    /// Its task failed with the connection, which it makes anew, however long that takes.
    Reconnecting { backoff: Time },
}

#[derive(Debug)]
struct Worker {
    doing: Doing,
    /// Which connection it has; none while it is broken or in the making.
    connection: Option<u64>,
    connections: u64,
    /// Its latest request, and when the answer is at the socket.
    request: u64,
    answered_at: Option<Time>,
}

/// One load thread.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) number: u32,
    pub(super) engine: Engine,
    pace: Pace,
    frozen: Frozen,
    inbox: Queue<Item>,
    /// Until then it is at work.
    busy_until: Time,
    /// For which the world was told to come back.
    pub(super) due: Option<Time>,
    timer: Option<Time>,
    changed: bool,
    idle: u32,
    relies_on_all_being_busy: bool,
    workers: Vec<Worker>,
    threads: u32,
    application: Time,
    timeout: Time,
    cost: Time,
    /// When others are on its CPU, though it could run.
    stolen: Frozen,
    attention: Attention,
    probed: Moment,
    /// The measured window, in which the probe's lateness counts.
    window: Range<Moment>,
    loop_lag: Times,
    spent: ThreadTime,
    pub(super) closed: bool,
    clock: DynoClock,
    deeds: Vec<Deed>,
}

impl Thread {
    pub(super) fn new(
        world: &World,
        dyno: usize,
        share: Share,
        number: u32,
        disturbances: &Disturbances,
    ) -> Self {
        let spec = &world.dynos[dyno];
        let dynos = world.type_of(dyno);
        let mut settings = EngineSettings::of(&world.plan, dynos, &spec.name);
        if world.changed.ends.is_some() {
            settings.max_worker_backlog = u32::MAX;
            settings.limits.errors.clear();
            for limit in &mut settings.limits.latencies {
                limit.allowed = u64::MAX;
            }
        }
        let t0 = Moment::from_seconds(world.plan.warmup_seconds);
        let mut thread = Self {
            number,
            engine: Engine::new(settings, share, disturbances),
            pace: Pace::new(dynos.rate.tasks_per_second() / share.threads()),
            frozen: world.frozen_thread(dyno, number),
            inbox: Queue::default(),
            busy_until: 0,
            due: None,
            timer: None,
            changed: false,
            idle: u32::try_from(share.workers(dynos.workers).count()).unwrap_or(0),
            relies_on_all_being_busy: false,
            workers: share
                .workers(dynos.workers)
                .map(|_| Worker {
                    doing: Doing::Idle,
                    connection: Some(0),
                    connections: 0,
                    request: 0,
                    answered_at: None,
                })
                .collect(),
            threads: spec.threads,
            application: Time::from(dynos.application_cpu_microseconds) * 1000,
            timeout: Time::from(world.plan.task_timeout_milliseconds) * MILLISECOND,
            cost: spec.cost,
            stolen: world.stolen_from(dyno, number),
            attention: Attention::default(),
            probed: Moment::default(),
            window: t0..world.window_end(),
            loop_lag: Times::default(),
            spent: ThreadTime::default(),
            closed: false,
            clock: spec.clock,
            deeds: Vec::new(),
        };
        thread.set_timer(world, dyno, spec.clock.time(Moment::default()));
        thread.set_probe(world, dyno);
        thread
    }

    pub(super) fn push(&mut self, at: Time, item: Item) {
        if !self.closed {
            self.inbox.push(at, item);
        }
    }

    /// When it has something to do next.
    pub(super) fn next(&self) -> Option<Time> {
        if self.closed {
            return None;
        }
        let next = self.inbox.next()?;
        Some(self.frozen.available(next.max(self.busy_until)))
    }

    /// The connection of a worker breaks: what is under way on it never comes.
    pub(super) fn reset(&mut self, at: Time, only_idle: bool) {
        let mut lost = Vec::new();
        for (position, worker) in self.workers.iter_mut().enumerate() {
            if only_idle && worker.doing != Doing::Idle {
                continue;
            }
            if let Some(connection) = worker.connection {
                lost.push((position, connection));
                worker.answered_at = None;
                // Replies on their way are not of the latest request any more.
                worker.request += 1;
            }
        }
        for (position, connection) in lost {
            let worker = u32::try_from(position).unwrap_or(0) * self.threads + self.number;
            self.push(at, Item::Lost { worker, connection });
        }
    }

    /// Whether an answer on this connection to this request would still be read.
    pub(super) fn expects(&self, worker: u32, request: u64, connection: u64) -> bool {
        let worker = &self.workers[(worker / self.threads) as usize];
        worker.request == request && worker.connection == Some(connection)
    }

    /// An answer is on its way to a worker.
    pub(super) fn answered(
        &mut self,
        at: Time,
        worker: u32,
        request: u64,
        refused: Option<FailureClass>,
    ) {
        self.worker(worker).answered_at = Some(at);
        self.push(
            at,
            Item::Reply {
                worker,
                request,
                refused,
            },
        );
    }

    /// Does the next thing that is ready at `now`, and gives what it did to the world.
    pub(super) fn turn(
        &mut self,
        world: &World,
        dyno: usize,
        now: Time,
        records: &mut Records,
        quota: &mut Quota,
    ) -> Vec<Deed> {
        let Some((ready, item)) = self.inbox.pop() else {
            return Vec::new();
        };
        self.notice(ready, now, quota);
        let mut hands = Hands {
            thread: self,
            world,
            dyno,
            records,
            quota,
            now,
        };
        hands.spend(0);
        hands.act(ready, item);
        let until = hands.now;
        self.spent.awake_nanoseconds += until.saturating_sub(now);
        self.busy_until = until;
        std::mem::take(&mut self.deeds)
    }

    /// Before anything else, the engine hears of what kept the thread.
    fn notice(&mut self, ready: Time, now: Time, quota: &Quota) {
        let could = ready.max(self.busy_until);
        let stolen = (now - could) - self.stolen.worked(could, now);
        self.attention.told.waited(stolen);
        self.attention.told.quota(quota);
        let Some(moment) = self.clock.moment(now) else {
            return;
        };
        let delay = if self.busy_until < now {
            let slept = self.clock.moment(self.busy_until).unwrap_or_default();
            let pacer = self.timer.and_then(|at| self.clock.moment(at));
            let timer = pacer.map_or(self.probed, |pacer| pacer.min(self.probed));
            self.attention.wakes(slept, moment, Some(timer))
        } else {
            self.attention.gets_on(moment)
        };
        if let Some(delay) = delay {
            self.engine.delayed(delay);
        }
    }

    fn worker(&mut self, worker: u32) -> &mut Worker {
        &mut self.workers[(worker / self.threads) as usize]
    }

    fn set_timer(&mut self, world: &World, dyno: usize, at: Time) {
        if self.timer.is_none_or(|set| set != at) {
            self.timer = Some(at);
            let late = world.late_timer(dyno, at);
            self.push(at + late, Item::Timer);
        }
    }

    fn set_probe(&mut self, world: &World, dyno: usize) {
        let at = self.clock.time(self.probed);
        self.push(at + world.late_timer(dyno, at + 1), Item::Probe);
    }

    pub(super) const fn spent(&self) -> ThreadTime {
        self.spent
    }
}

/// A thread at work, from one thing to the next.
struct Hands<'a> {
    thread: &'a mut Thread,
    world: &'a World,
    dyno: usize,
    records: &'a mut Records,
    quota: &'a mut Quota,
    now: Time,
}

impl Hands<'_> {
    /// Uses CPU time: others may run meanwhile.
    fn spend(&mut self, work: Time) {
        let before = self.now;
        self.now = self.quota.run(&self.thread.frozen, before, work);
        self.thread.spent.cpu_nanoseconds += work;
        let stolen = (self.now - before) - self.thread.stolen.worked(before, self.now);
        let told = &self.thread.attention.told;
        told.used(work);
        told.waited(stolen);
        told.quota(self.quota);
    }

    /// Now. If the thread did not get on although it should have, the engine hears of it first.
    fn look(&mut self) -> Moment {
        let Some(now) = self.thread.clock.moment(self.now) else {
            return Moment::default();
        };
        if let Some(delay) = self.thread.attention.gets_on(now) {
            self.thread.engine.delayed(delay);
        }
        now
    }

    fn act(&mut self, ready: Time, item: Item) {
        match item {
            // One that was set anew since fires for nobody.
            Item::Timer => {
                if self.thread.timer.is_some_and(|at| at <= ready) {
                    self.thread.timer = None;
                    self.pace(None);
                }
            }
            Item::Changed => {
                if std::mem::take(&mut self.thread.changed) {
                    self.pace(None);
                }
            }
            Item::Command(command) => self.pace(Some(command)),
            Item::Probe => self.probe(),
            Item::Wake { worker } => {
                if self.thread.worker(worker).doing == Doing::Idle {
                    self.thread.idle -= 1;
                    self.begin(worker);
                }
            }
            Item::Reply {
                worker,
                request,
                refused,
            } => {
                if self.thread.worker(worker).request == request
                    && self.thread.worker(worker).answered_at.take().is_some()
                {
                    self.read(worker, ready, refused);
                }
            }
            Item::Timeout { worker, task } => {
                let found = self.thread.worker(worker);
                if matches!(found.doing, Doing::Serving { place, .. } if place == task) {
                    match found.answered_at {
                        // What has come is looked at before the time.
                        Some(at) if at <= self.now => {
                            self.thread.push(self.now, Item::Timeout { worker, task });
                        }
                        _ => self.end(worker, Some(FailureClass::Timeout), false, Time::MAX),
                    }
                }
            }
            Item::Lost { worker, connection } => self.lost(worker, connection),
            Item::Connected { worker, made } => self.connected(worker, made),
            Item::Again { worker } => self.connect(worker),
        }
    }

    /// The pacer's loop, once around, or twice with a command.
    fn pace(&mut self, command: Option<ThreadCommand>) {
        self.turn();
        if let Some(command) = command {
            let now = self.look();
            let vitals = ThreadVitals {
                loop_lag: self.thread.loop_lag,
                spent: self.thread.spent,
            };
            let thread = &mut *self.thread;
            if let ThreadCommand::Close { at, .. } = &command {
                self.records.close(thread.number as usize, *at, now);
            }
            let answer = thread.pace.obey(&mut thread.engine, command, now, vitals);
            if matches!(answer, Some(ThreadEvent::Closed(_))) {
                self.thread.closed = true;
            }
            if let Some(event) = answer {
                self.thread.deeds.push(Deed::Tell {
                    at: self.now,
                    event,
                });
            }
            if !self.thread.closed {
                self.turn();
            }
        }
    }

    fn turn(&mut self) {
        let now = self.look();
        let now = self.thread.clock.moment(self.now).map(|_| now);
        let thread = &mut *self.thread;
        let all_are_busy = thread.pace.serves_on_a_grid() && thread.idle == 0;
        if thread.pace.serves_on_a_grid() {
            thread.relies_on_all_being_busy = all_are_busy;
        }
        let took = thread.engine.takes_arrivals();
        let mut woken = Vec::new();
        let turn = thread
            .pace
            .turn(&mut thread.engine, now, all_are_busy, |worker| {
                woken.push(worker);
            });
        if let Some(now) = now
            && took
        {
            let goes_on = thread.engine.takes_arrivals();
            self.records.hand_over(thread.number as usize, now, goes_on);
        }
        self.spend(self.thread.cost);
        for event in turn.events {
            self.thread.deeds.push(Deed::Tell {
                at: self.now,
                event,
            });
        }
        for worker in woken {
            self.thread.push(self.now, Item::Wake { worker });
        }
        match turn.next {
            Some(moment) => {
                let at = self.thread.clock.time(moment);
                self.thread.set_timer(self.world, self.dyno, at);
            }
            None => self.thread.timer = None,
        }
    }

    fn probe(&mut self) {
        let now = self.look();
        self.thread.attention.probe(now);
        while self.thread.probed <= now {
            if self.thread.window.contains(&self.thread.probed) {
                let lag = now.microseconds_since(self.thread.probed);
                self.thread.loop_lag.record(lag);
            }
            self.thread.probed = self.thread.probed.plus(PROBE);
        }
        self.spend(self.thread.cost / 4);
        self.thread.set_probe(self.world, self.dyno);
    }

    /// A worker looks for its next task.
    fn begin(&mut self, worker: u32) {
        if self.thread.worker(worker).connection.is_none() {
            self.thread.worker(worker).doing = Doing::Renewing;
            self.connect(worker);
            return;
        }
        let now = self.look();
        let task = self.thread.engine.begin(worker, now);
        let place = self.records.begin(worker, now);
        let known = place.map(|place| {
            let task = &self.records.tasks[place];
            (task.phase, task.number)
        });
        assert_eq!(
            task.map(|task| (task.phase, task.number)),
            known,
            "worker {worker} begins another task than the oldest or newest of its queue"
        );
        let Some(place) = place else {
            self.idle(worker);
            return;
        };
        self.thread.worker(worker).doing = Doing::Serving { place, step: 0 };
        let until = self.now + self.thread.timeout;
        self.thread.push(
            until,
            Item::Timeout {
                worker,
                task: place,
            },
        );
        // An application that only then knows what to ask for.
        let steps = self.steps(place);
        let later = steps.len() == 1 && self.thread.application > 0;
        if later {
            let now = self.look();
            self.thread.engine.end_step(worker, now);
            self.spend(self.thread.application);
        }
        self.begin_step(worker, place, steps[0], 0, later);
    }

    fn idle(&mut self, worker: u32) {
        self.thread.worker(worker).doing = Doing::Idle;
        self.thread.idle += 1;
        if std::mem::take(&mut self.thread.relies_on_all_being_busy) {
            self.change();
        }
    }

    fn change(&mut self) {
        if !std::mem::replace(&mut self.thread.changed, true) {
            self.thread.push(self.now, Item::Changed);
        }
    }

    fn steps(&self, place: usize) -> Vec<usize> {
        let task = &self.records.tasks[place];
        self.world
            .steps(self.dyno, task_id(task.phase, task.number))
    }

    fn begin_step(&mut self, worker: u32, place: usize, step: usize, number: usize, later: bool) {
        let now = self.look();
        self.thread.engine.begin_step(worker, step, now);
        self.records.begin_step(place, step, now, later);
        self.spend(self.thread.cost);
        let task = &self.records.tasks[place];
        let task = task_id(task.phase, task.number);
        let at = self.now;
        let found = self.thread.worker(worker);
        found.request += 1;
        found.doing = Doing::Serving {
            place,
            step: number,
        };
        let request = found.request;
        match found.connection {
            Some(connection) => self.thread.deeds.push(Deed::Send {
                at,
                worker,
                request,
                connection,
                task,
                step,
            }),
            // A connection that could not be renewed.
            None => self.end(worker, Some(FailureClass::Connection), false, Time::MAX),
        }
    }

    /// A worker reads an answer that was at the socket at `ready`.
    fn read(&mut self, worker: u32, ready: Time, refused: Option<FailureClass>) {
        let Doing::Serving { place, step } = self.thread.worker(worker).doing else {
            return;
        };
        self.spend(self.thread.cost);
        if refused.is_some() {
            self.end(worker, refused, true, ready);
            return;
        }
        let steps = self.steps(place);
        let Some(next) = steps.get(step + 1) else {
            self.end(worker, None, true, ready);
            return;
        };
        if step == 0 && self.thread.application > 0 {
            let now = self.look();
            self.thread.engine.end_step(worker, now);
            self.records.end_step(place, now);
            self.spend(self.thread.application);
        }
        self.begin_step(worker, place, *next, step + 1, true);
    }

    /// A worker's task ends, and it looks for the next.
    fn end(
        &mut self,
        worker: u32,
        failed: Option<FailureClass>,
        keeps_connection: bool,
        replied_at: Time,
    ) {
        let now = self.look();
        let thread = &mut *self.thread;
        let mut woken = Vec::new();
        let took = thread.engine.takes_arrivals();
        thread.engine.hand_over(now, |worker| woken.push(worker));
        if took {
            let goes_on = thread.engine.takes_arrivals();
            self.records.hand_over(thread.number as usize, now, goes_on);
        }
        match failed {
            None => thread.engine.complete(worker, now),
            Some(class) => thread.engine.fail(
                worker,
                class,
                if keeps_connection {
                    ConnectionAfter::Usable
                } else {
                    ConnectionAfter::Dropped
                },
                now,
            ),
        }
        self.records
            .end(worker, failed, keeps_connection, now, replied_at);
        for woken in woken {
            self.thread.push(self.now, Item::Wake { worker: woken });
        }
        if self.thread.engine.needs_attention() {
            self.change();
        }
        if keeps_connection {
            self.begin(worker);
        } else {
            let found = self.thread.worker(worker);
            (found.connection, found.answered_at) = (None, None);
            found.request += 1;
            found.doing = Doing::Reconnecting {
                backoff: FIRST_BACKOFF,
            };
            self.connect(worker);
        }
    }

    fn lost(&mut self, worker: u32, connection: u64) {
        let found = self.thread.worker(worker);
        if found.connection != Some(connection) {
            return;
        }
        found.connection = None;
        if matches!(found.doing, Doing::Serving { .. }) {
            self.spend(self.thread.cost);
            self.end(worker, Some(FailureClass::Connection), false, Time::MAX);
        }
    }

    fn connect(&mut self, worker: u32) {
        self.spend(self.thread.cost);
        self.thread.deeds.push(Deed::Connect {
            at: self.now,
            worker,
        });
    }

    fn connected(&mut self, worker: u32, made: bool) {
        let found = self.thread.worker(worker);
        if made {
            found.connections += 1;
            found.connection = Some(found.connections);
        }
        match (found.doing, made) {
            (Doing::Reconnecting { .. }, true) => {
                let now = self.look();
                self.thread.engine.reconnected(worker, now);
                self.records.reconnected(worker);
                self.begin(worker);
            }
            (Doing::Reconnecting { backoff }, false) => {
                found.doing = Doing::Reconnecting {
                    backoff: (backoff * 2).min(LONGEST_BACKOFF),
                };
                let again = self.now + backoff * 3 / 4;
                self.thread.push(again, Item::Again { worker });
            }
            (Doing::Renewing, true) => self.begin(worker),
            // Then the task that comes next fails by it.
            (Doing::Renewing, false) => {
                let broken = found.connections + 1;
                found.connections = broken;
                found.connection = Some(broken);
                self.begin(worker);
                self.lost(worker, broken);
            }
            (Doing::Idle | Doing::Serving { .. }, _) => {}
        }
    }
}
