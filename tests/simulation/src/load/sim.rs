//! The world turning: what happens next, until every dyno has reported or is gone.

use std::num::NonZeroU32;

use redyno_contract::Report;
use redyno_contract::failure::FailureClass;
use redyno_engine::{Disturbances, Share};
use redyno_runner::OwnSample;

use super::control::{Control, ControlDeed, ControlItem, HOP};
use super::fault::Kind;
use super::queue::Queue;
use super::quota::Quota;
use super::records::Records;
use super::server::{self, Answer, Server};
use super::thread::{Deed, Item, Thread};
use super::time::{MICROSECOND, NEVER, SECOND, Time};
use super::world::World;

/// What INFO and other questions cost Redis.
const QUESTION: Time = 30 * MICROSECOND;

/// How soon the others are told to go when a dyno was killed.
const REACTION: Time = SECOND;

/// Bytes of a request, and of its reply.
const BYTES: u64 = 100;

/// What became of a dyno.
#[derive(Debug)]
pub(super) struct DynoRun {
    pub(super) records: Records,
    /// Its final report, and when it was written.
    pub(super) report: Option<(Time, Box<Report>)>,
    pub(super) checkpoint: Option<Box<Report>>,
    pub(super) killed: bool,
}

/// What became of a world.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) dynos: Vec<DynoRun>,
    /// Nothing would ever have happened again, though a dyno had not ended: what it waited for.
    pub(super) stuck: Option<String>,
    /// How busy Redis' thread was, in thousandths.
    pub(super) redis_busy: u64,
}

#[derive(Debug)]
enum Event {
    Thread { dyno: usize, thread: usize },
    Control { dyno: usize },
    Arrive { question: Question },
    Fault(usize),
    Kill { dyno: usize },
}

/// What arrives at Redis.
#[derive(Clone, Copy, Debug)]
enum Question {
    Step {
        dyno: usize,
        worker: u32,
        request: u64,
        connection: u64,
        task: u64,
        step: usize,
    },
    Info {
        dyno: usize,
    },
    Poll {
        dyno: usize,
    },
    Stop,
    Look {
        dyno: usize,
    },
}

struct DynoSim {
    threads: Vec<Thread>,
    control: Control,
    records: Records,
    quota: Quota,
    requests: u64,
    report: Option<(Time, Box<Report>)>,
    killed: bool,
}

struct Sim<'a> {
    world: &'a World,
    events: Queue<Event>,
    dynos: Vec<DynoSim>,
    server: Server,
    stopped_at: Option<Time>,
    messages: u64,
}

/// Lets a world turn to its end.
pub(super) fn run(world: &World) -> Run {
    let mut sim = Sim::new(world);
    let stuck = sim.turn();
    let until = sim
        .dynos
        .iter()
        .filter_map(|dyno| dyno.report.as_ref().map(|(at, _)| *at))
        .max()
        .unwrap_or(1);
    Run {
        redis_busy: sim.server.busy_share(until.max(1)),
        stuck,
        dynos: sim
            .dynos
            .into_iter()
            .map(|dyno| DynoRun {
                records: dyno.records,
                report: dyno.report,
                checkpoint: dyno.control.checkpoint,
                killed: dyno.killed,
            })
            .collect(),
    }
}

impl<'a> Sim<'a> {
    fn new(world: &'a World) -> Self {
        let dynos = (0..world.dynos.len())
            .map(|dyno| {
                let threads = NonZeroU32::new(world.dynos[dyno].threads).unwrap_or(NonZeroU32::MIN);
                let disturbances = Disturbances::new(threads);
                DynoSim {
                    threads: (0..)
                        .zip(Share::of(threads))
                        .map(|(number, share)| {
                            Thread::new(world, dyno, share, number, &disturbances)
                        })
                        .collect(),
                    control: Control::new(world, dyno),
                    records: Records::of(world, dyno),
                    quota: Quota::new(world.type_of(dyno).cpu_millis),
                    requests: 0,
                    report: None,
                    killed: false,
                }
            })
            .collect();
        let mut sim = Self {
            world,
            events: Queue::default(),
            dynos,
            server: Server::new(world),
            stopped_at: None,
            messages: 0,
        };
        for (position, fault) in world.faults.iter().enumerate() {
            match fault.kind {
                Kind::Reset | Kind::RedisRestart | Kind::RedisGone => {
                    sim.events.push(fault.at, Event::Fault(position));
                }
                Kind::Terminated => {
                    let control = &mut sim.dynos[fault.dyno].control;
                    control.push(fault.at, ControlItem::Terminate);
                }
                Kind::Killed => sim.events.push(fault.at, Event::Kill { dyno: fault.dyno }),
                _ => {}
            }
        }
        if let Some(ends) = &world.changed.ends {
            for (dyno, end) in ends.iter().enumerate() {
                if let Some((ending, at)) = end {
                    let at = world.dynos[dyno].clock.time(*at);
                    sim.dynos[dyno]
                        .control
                        .push(at, ControlItem::End(ending.clone()));
                }
            }
        }
        for dyno in 0..sim.dynos.len() {
            sim.schedule(dyno);
        }
        sim
    }

    /// Until all is told. What it waits for, if that never comes.
    fn turn(&mut self) -> Option<String> {
        let latest = self.world.latest_end();
        while self.dynos.iter().any(|dyno| !dyno.over()) {
            let Some((now, event)) = self.events.pop().filter(|(now, _)| *now < latest) else {
                return Some(self.what_is_missing());
            };
            match event {
                Event::Thread { dyno, thread } => self.thread(dyno, thread, now),
                Event::Control { dyno } => self.control(dyno, now),
                Event::Arrive { question } => self.arrive(question, now),
                Event::Fault(position) => self.fault(position, now),
                Event::Kill { dyno } => self.kill(dyno, now),
            }
        }
        None
    }

    fn what_is_missing(&self) -> String {
        let waiting = self.dynos.iter().position(|dyno| !dyno.over()).unwrap_or(0);
        format!("{} never reports", self.world.dynos[waiting].name)
    }

    /// Has each part of a dyno come back when it has something to do.
    fn schedule(&mut self, dyno: usize) {
        let of = &mut self.dynos[dyno];
        if of.over() {
            return;
        }
        for (thread, part) in of.threads.iter_mut().enumerate() {
            let next = part.next();
            if next != part.due {
                part.due = next;
                if let Some(at) = next {
                    self.events.push(at, Event::Thread { dyno, thread });
                }
            }
        }
        let next = of.control.next();
        if next != of.control.due {
            of.control.due = next;
            if let Some(at) = next {
                self.events.push(at, Event::Control { dyno });
            }
        }
    }

    fn thread(&mut self, dyno: usize, thread: usize, now: Time) {
        let of = &mut self.dynos[dyno];
        let part = &mut of.threads[thread];
        // It was put off, or brought forward.
        if part.due != Some(now) || of.killed {
            return;
        }
        part.due = None;
        let deeds = part.turn(self.world, dyno, now, &mut of.records, &mut of.quota);
        for deed in deeds {
            self.carry_out(dyno, thread, deed);
        }
        self.schedule(dyno);
    }

    fn carry_out(&mut self, dyno: usize, thread: usize, deed: Deed) {
        match deed {
            Deed::Send {
                at,
                worker,
                request,
                connection,
                task,
                step,
            } => {
                self.dynos[dyno].requests += 1;
                let delay = self.world.delay(at, [4, dyno as u64, task, step as u64]);
                self.events.push(
                    at + delay,
                    Event::Arrive {
                        question: Question::Step {
                            dyno,
                            worker,
                            request,
                            connection,
                            task,
                            step,
                        },
                    },
                );
            }
            Deed::Connect { at, worker } => {
                self.messages += 1;
                let delay = self.world.delay(at, [6, dyno as u64, self.messages, 0]);
                let arrives = at + delay;
                let (made, after) = if self.world.is_down(arrives) {
                    (false, 2 * delay)
                } else if server::hangs(self.world, arrives) {
                    (false, server::CONNECT_TIMEOUT)
                } else {
                    // A connection is greeted, and the greeting waits its turn.
                    let Answer { at: answered, .. } =
                        self.server.serve(self.world, arrives, QUESTION, false);
                    let wait = answered.saturating_sub(at).saturating_add(3 * delay);
                    if wait > server::CONNECT_TIMEOUT {
                        (false, server::CONNECT_TIMEOUT)
                    } else {
                        (true, wait + server::CONNECT)
                    }
                };
                self.dynos[dyno].threads[thread].push(at + after, Item::Connected { worker, made });
            }
            Deed::Tell { at, event } => {
                self.dynos[dyno]
                    .control
                    .push(at + HOP, ControlItem::Told { thread, event });
            }
        }
    }

    fn control(&mut self, dyno: usize, now: Time) {
        let of = &mut self.dynos[dyno];
        if of.control.due != Some(now) || of.killed {
            return;
        }
        of.control.due = None;
        let own = of.own(now);
        let deeds = of.control.turn(self.world, now, own);
        for deed in deeds {
            match deed {
                ControlDeed::Command {
                    at,
                    thread,
                    command,
                } => self.dynos[dyno].threads[thread].push(at, Item::Command(command)),
                ControlDeed::Ask { at } => self.ask(at, Question::Info { dyno }),
                ControlDeed::Poll { at } => self.ask(at, Question::Poll { dyno }),
                ControlDeed::Stop { at } => self.ask(at, Question::Stop),
                ControlDeed::Look { at } => self.ask(at, Question::Look { dyno }),
                ControlDeed::Report(report) => self.dynos[dyno].report = Some((now, report)),
            }
        }
        self.schedule(dyno);
    }

    fn ask(&mut self, at: Time, question: Question) {
        self.messages += 1;
        let delay = self.world.delay(at, [5, self.messages, 0, 0]);
        self.events.push(at + delay, Event::Arrive { question });
    }

    fn arrive(&mut self, question: Question, now: Time) {
        if self.world.is_down(now) {
            self.refuse(question, now);
            return;
        }
        match question {
            Question::Step {
                dyno,
                worker,
                request,
                connection,
                task,
                step,
            } => {
                let threads = self.world.dynos[dyno].threads;
                let thread = (worker % threads) as usize;
                let part = &self.dynos[dyno].threads[thread];
                if !part.expects(worker, request, connection) {
                    return;
                }
                let demand = self.world.demand(dyno, task, step);
                // Every command of the models writes, but for a ping.
                let write = step != 2;
                let Answer { at, refused } = self.server.serve(self.world, now, demand, write);
                if at < NEVER {
                    let delay = self.world.delay(at, [7, dyno as u64, task, step as u64]);
                    self.answer(dyno, thread, at + delay, worker, request, refused);
                }
            }
            Question::Info { dyno } => {
                let Answer { at, .. } = self.server.serve(self.world, now, QUESTION, false);
                if at < NEVER {
                    let text = self.server.info(self.world, at);
                    self.tell(dyno, at, ControlItem::Answered { text });
                }
            }
            Question::Poll { dyno } => {
                let Answer { at, .. } = self.server.serve(self.world, now, QUESTION, false);
                let stopped = self.stopped_at.is_some_and(|stopped| stopped <= at);
                if at < NEVER {
                    self.tell(dyno, at, ControlItem::Polled { stopped });
                }
            }
            Question::Stop => {
                let Answer { at, .. } = self.server.serve(self.world, now, QUESTION, false);
                self.stopped_at = Some(self.stopped_at.map_or(at, |stopped| stopped.min(at)));
            }
            Question::Look { dyno } => {
                let Answer { at, .. } = self.server.serve(self.world, now, QUESTION, false);
                if at < NEVER {
                    let text = self.server.info(self.world, at);
                    self.tell(dyno, at, ControlItem::Found { text });
                }
            }
        }
    }

    /// Nobody is there.
    fn refuse(&mut self, question: Question, now: Time) {
        match question {
            // The sampler and the control connection try again, each in its time.
            Question::Info { dyno } => {
                let at = now + SECOND;
                self.events.push(
                    at,
                    Event::Arrive {
                        question: Question::Info { dyno },
                    },
                );
            }
            Question::Poll { dyno } => {
                self.tell(dyno, now, ControlItem::Polled { stopped: false });
            }
            Question::Stop | Question::Look { .. } | Question::Step { .. } => {}
        }
    }

    fn answer(
        &mut self,
        dyno: usize,
        thread: usize,
        at: Time,
        worker: u32,
        request: u64,
        refused: Option<FailureClass>,
    ) {
        self.dynos[dyno].threads[thread].answered(at, worker, request, refused);
        self.schedule(dyno);
    }

    fn tell(&mut self, dyno: usize, at: Time, item: ControlItem) {
        self.messages += 1;
        let delay = self.world.delay(at, [8, self.messages, 0, 0]);
        self.dynos[dyno].control.push(at + delay, item);
        self.schedule(dyno);
    }

    fn fault(&mut self, position: usize, now: Time) {
        let fault = &self.world.faults[position];
        match fault.kind {
            Kind::Reset => {
                let threads = self.world.dynos[fault.dyno].threads;
                for thread in 0..threads {
                    if fault.thread == thread || fault.thread >= threads {
                        self.dynos[fault.dyno].threads[thread as usize]
                            .reset(now, fault.per_mille < 500);
                    }
                }
                self.schedule(fault.dyno);
            }
            Kind::RedisRestart | Kind::RedisGone => {
                self.server.restart(now);
                for dyno in 0..self.dynos.len() {
                    for thread in &mut self.dynos[dyno].threads {
                        thread.reset(now, false);
                    }
                    self.schedule(dyno);
                }
            }
            _ => {}
        }
    }

    /// A dyno is killed; the others are told to go soon after.
    fn kill(&mut self, dyno: usize, now: Time) {
        if self.dynos[dyno].over() {
            return;
        }
        self.dynos[dyno].killed = true;
        for other in 0..self.dynos.len() {
            if other != dyno {
                self.dynos[other]
                    .control
                    .push(now + REACTION, ControlItem::Terminate);
                self.schedule(other);
            }
        }
    }
}

impl DynoSim {
    fn over(&self) -> bool {
        self.killed || self.report.is_some()
    }

    /// What the process sees of itself.
    fn own(&self, now: Time) -> OwnSample {
        let cpu: Time = self
            .threads
            .iter()
            .map(|thread| thread.spent().cpu_nanoseconds)
            .sum();
        OwnSample {
            cpu_microseconds: cpu / 1000,
            throttling: self.quota.told(now),
            bytes_out: self.requests * BYTES,
            bytes_in: self.requests * BYTES,
            memory_peak_bytes: 10 << 20,
        }
    }
}
