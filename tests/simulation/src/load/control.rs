//! The modelled control thread of a dyno: the real gather and totals, and what `runner/src/dyno`
//! does around them.

use std::num::NonZeroU32;

use redyno_contract::Report;
use redyno_contract::plan::OnDynoFailure;
use redyno_contract::report::{Allowance, End, Ending, Start};
use redyno_engine::{
    EngineSettings, Gather, LoadEvent, Moment, Sample, ThreadCommand, ThreadEvent,
};
use redyno_runner::{Allowances, Identity, OwnSample, Totals};
use redyno_target::Info;

use super::queue::Queue;
use super::time::{DynoClock, Frozen, MICROSECOND, MILLISECOND, SECOND, Time};
use super::world::World;

/// What passes between two threads is there after this time.
pub(super) const HOP: Time = 20 * MICROSECOND;

/// How often it looks whether the run was stopped.
const POLL: Time = 250 * MILLISECOND;

/// For the target's numbers of the very end.
const LAST_ANSWER: Time = 1_500 * MILLISECOND;

/// How long the target has to come back, and how often it is looked for.
const PATIENCE: Time = 5 * SECOND;
const BETWEEN_ATTEMPTS: Time = 250 * MILLISECOND;

/// Between two checkpoints, in seconds.
const CHECKPOINT_SECONDS: u64 = 5;

/// What is ready to be done.
#[derive(Debug)]
pub(super) enum ControlItem {
    /// A load thread tells something.
    Told { thread: usize, event: ThreadEvent },
    /// A second is over.
    Second,
    /// A deadline of the gather may have passed.
    Deadline,
    /// It is time to look whether the run was stopped.
    Poll,
    /// The answer to that.
    Polled { stopped: bool },
    /// INFO was answered.
    Answered { text: String },
    /// It is time to look for the target again.
    Look,
    /// Somebody answers who is asked whether he is the target.
    Found { text: String },
    /// The target was looked for long enough.
    GiveUp,
    /// SIGTERM.
    Terminate,
    /// The run is to end now: of a world in which something was changed.
    End(Ending),
    /// The target's last numbers are not waited for any longer.
    Finish,
}

/// What it does to the world.
#[derive(Debug)]
pub(super) enum ControlDeed {
    /// A load thread is told something.
    Command {
        at: Time,
        thread: usize,
        command: ThreadCommand,
    },
    /// It asks for INFO.
    Ask { at: Time },
    /// It asks whether the run was stopped.
    Poll { at: Time },
    /// It stops the run for all.
    Stop { at: Time },
    /// It looks whether the target is there.
    Look { at: Time },
    /// Its final report is written.
    Report(Box<Report>),
}

/// A dyno's control thread.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the dyno's own control loop has as many flags, each its own one-way latch"
)]
#[derive(Debug)]
pub(super) struct Control {
    pub(super) gather: Gather,
    totals: Totals,
    identity: Identity,
    frozen: Frozen,
    clock: DynoClock,
    inbox: Queue<ControlItem>,
    busy_until: Time,
    pub(super) due: Option<Time>,
    deadline: Option<Moment>,
    asks_target: bool,
    asking: bool,
    target_at_end: bool,
    run_id: Option<String>,
    ended: bool,
    hold_until: Option<Time>,
    terminated: bool,
    stop_seen: bool,
    last_second: u64,
    first_sample: bool,
    keeps_checkpoints: bool,
    pub(super) checkpoint: Option<Box<Report>>,
    /// How the load ended, once its books are closed, or that it broke off.
    closed: Option<Result<Option<Ending>, String>>,
    pub(super) done: bool,
    deeds: Vec<ControlDeed>,
}

impl Control {
    pub(super) fn new(world: &World, dyno: usize) -> Self {
        let spec = &world.dynos[dyno];
        let dynos = world.type_of(dyno);
        let asks_target = dyno == 0;
        let settings = EngineSettings::of(&world.plan, dynos, &spec.name);
        let threads = NonZeroU32::new(spec.threads).unwrap_or(NonZeroU32::MIN);
        let application = u64::from(dynos.application_cpu_microseconds) * 1000;
        let mut gather = Gather::new(
            &settings,
            threads,
            application.saturating_mul(dynos.workers.into()),
        );
        gather.start();
        let own = OwnSample::default();
        let mut control = Self {
            gather,
            totals: Totals::new(
                &world.plan,
                dynos,
                spec.threads,
                own,
                Allowances {
                    cpu_millis: dynos
                        .cpu_millis
                        .map(|millis| Allowance::Limited(millis.into())),
                    memory_bytes: None,
                },
                asks_target,
            ),
            identity: Identity {
                dyno: spec.name.clone(),
                pod: format!("pod-{}", spec.name),
                tls: None,
            },
            frozen: world.frozen_control(dyno),
            clock: spec.clock,
            inbox: Queue::default(),
            busy_until: 0,
            due: None,
            deadline: None,
            asks_target,
            asking: false,
            target_at_end: !asks_target,
            run_id: None,
            ended: false,
            hold_until: None,
            terminated: false,
            stop_seen: false,
            last_second: 0,
            first_sample: true,
            keeps_checkpoints: world.needs_checkpoint(dyno),
            checkpoint: None,
            closed: None,
            done: false,
            deeds: Vec::new(),
        };
        control.push(spec.clock.start, ControlItem::Second);
        control.push(spec.clock.start + POLL, ControlItem::Poll);
        control.watch_deadline();
        control
    }

    pub(super) fn push(&mut self, at: Time, item: ControlItem) {
        if !self.done {
            self.inbox.push(at, item);
        }
    }

    /// When it has something to do next.
    pub(super) fn next(&self) -> Option<Time> {
        if self.done {
            return None;
        }
        let next = self.inbox.next()?;
        Some(self.frozen.available(next.max(self.busy_until)))
    }

    /// Does the next thing that is ready, and gives what it did to the world.
    pub(super) fn turn(&mut self, world: &World, now: Time, own: OwnSample) -> Vec<ControlDeed> {
        let Some((_, item)) = self.inbox.pop() else {
            return Vec::new();
        };
        self.busy_until = self.frozen.run(now, HOP / 10);
        let moment = self.clock.moment(now).unwrap_or_default();
        match item {
            ControlItem::Told { thread, event } => self.gather.take(thread, event, moment),
            ControlItem::Second => {
                self.gather.sample();
                let next = (moment.nanoseconds() / SECOND + 1) * SECOND;
                let at = self.clock.time(Moment::from_nanoseconds(next));
                self.push(at, ControlItem::Second);
                if self.asks_target && !self.asking {
                    self.asking = true;
                    self.deeds.push(ControlDeed::Ask { at: now });
                }
            }
            ControlItem::Deadline => self.gather.expire(moment),
            ControlItem::Poll => {
                if !self.stop_seen {
                    self.deeds.push(ControlDeed::Poll { at: now });
                }
            }
            ControlItem::Polled { stopped } => {
                if stopped {
                    self.stop_seen = true;
                    self.gather.end(&Ending::Stopped, moment);
                } else {
                    self.push(now + POLL, ControlItem::Poll);
                }
            }
            ControlItem::Answered { text } => self.answered(world, &text, moment),
            ControlItem::Look => {
                if self.hold_until.is_some() {
                    self.deeds.push(ControlDeed::Look { at: now });
                    self.push(now + BETWEEN_ATTEMPTS, ControlItem::Look);
                }
            }
            ControlItem::Found { text } => self.found(&text, moment),
            ControlItem::GiveUp => {
                if self.hold_until.is_some_and(|until| until <= now) {
                    self.hold_until = None;
                    let detail = "connections did not come back within 5 s".to_owned();
                    self.gather
                        .resolve(Some(Ending::TargetLost { detail }), moment);
                }
            }
            ControlItem::Terminate => {
                if !std::mem::replace(&mut self.terminated, true) {
                    self.gather.end(&Ending::Terminated, moment);
                }
            }
            ControlItem::End(ending) => self.gather.end(&ending, moment),
            ControlItem::Finish => self.finish(world, moment),
        }
        self.listen(world, now, moment, own);
        self.watch_deadline();
        std::mem::take(&mut self.deeds)
    }

    /// What the gather has to say, to whom it concerns.
    fn listen(&mut self, world: &World, now: Time, moment: Moment, own: OwnSample) {
        loop {
            while let Some((thread, command)) = self.gather.next_command() {
                self.deeds.push(ControlDeed::Command {
                    at: now + HOP,
                    thread,
                    command,
                });
            }
            let Some(event) = self.gather.next_event() else {
                return;
            };
            match event {
                LoadEvent::Started { at } => {
                    let offset = i64::try_from(at.nanoseconds() / 1000).unwrap_or(i64::MAX);
                    let start = Start {
                        at_microseconds: 1_000_000,
                        offset_microseconds: offset,
                        round_trip_microseconds: Some(2 * world.network.delay / 1000),
                        error_microseconds: world.dynos[self.place(world)].clock_error / 1000,
                    };
                    self.totals.began(own, start);
                }
                LoadEvent::Sample(sample) => {
                    self.sampled(*sample, own, moment);
                    let second = moment.nanoseconds() / SECOND;
                    let due = second / CHECKPOINT_SECONDS > self.last_second / CHECKPOINT_SECONDS
                        || self.first_sample;
                    (self.last_second, self.first_sample) = (second, false);
                    if due && !self.ended {
                        self.keep_checkpoint(world);
                    }
                }
                LoadEvent::Ending(ending) => {
                    if tells_others(&ending)
                        && world.plan.on_dyno_failure == OnDynoFailure::StopAll
                        && world.changed.ends.is_none()
                    {
                        self.deeds.push(ControlDeed::Stop { at: now });
                    }
                }
                LoadEvent::Ended(sample) => {
                    self.sampled(*sample, own, moment);
                    self.totals.ended();
                    self.ended = true;
                    self.keep_checkpoint(world);
                }
                LoadEvent::Held { since } => {
                    self.hold_until = Some(now + PATIENCE);
                    self.push(now, ControlItem::Look);
                    self.push(now + PATIENCE, ControlItem::GiveUp);
                    self.totals.held(since);
                    self.gather.sample();
                }
                LoadEvent::Closed(sample) => {
                    let end = sample.snapshot.end.clone().map(|end| end.ending);
                    self.totals.add(*sample, own);
                    self.totals.close();
                    self.close(world, Ok(end), now, moment);
                }
                LoadEvent::Broken(detail) => self.close(world, Err(detail), now, moment),
                LoadEvent::Ready | LoadEvent::NotReady { .. } => {}
            }
        }
    }

    fn close(
        &mut self,
        world: &World,
        closed: Result<Option<Ending>, String>,
        now: Time,
        moment: Moment,
    ) {
        self.closed = Some(closed);
        if self.target_at_end {
            self.finish(world, moment);
        } else {
            self.push(now + LAST_ANSWER, ControlItem::Finish);
        }
    }

    fn sampled(&mut self, sample: Sample, own: OwnSample, moment: Moment) {
        let empty = self.totals.add(sample, own);
        self.gather.give_back(empty, moment);
    }

    fn answered(&mut self, world: &World, text: &str, moment: Moment) {
        self.asking = false;
        let info = Info::parse(text.as_bytes());
        let restarted = self.restarted(&info);
        if self.run_id.is_none() {
            self.run_id.clone_from(&info.run_id);
        }
        if restarted {
            let detail = "its run_id changed".to_owned();
            self.gather.end(&Ending::TargetLost { detail }, moment);
            return;
        }
        if self.target_at_end {
            return;
        }
        self.target_at_end = self.ended;
        let in_window = moment >= Moment::from_seconds(world.plan.warmup_seconds);
        self.totals.asked(moment, in_window, info);
        if self.target_at_end && self.closed.is_some() {
            self.finish(world, moment);
        }
    }

    fn found(&mut self, text: &str, moment: Moment) {
        if self.hold_until.take().is_none() {
            return;
        }
        let info = Info::parse(text.as_bytes());
        let lost = self.restarted(&info).then(|| Ending::TargetLost {
            detail: "its run_id changed".to_owned(),
        });
        self.gather.resolve(lost, moment);
    }

    fn restarted(&self, info: &Info) -> bool {
        matches!((&self.run_id, &info.run_id), (Some(before), Some(now)) if before != now)
    }

    fn keep_checkpoint(&mut self, world: &World) {
        if self.keeps_checkpoints {
            let mut report = self.totals.report(&world.plan, &self.identity, None);
            report.end = None;
            self.checkpoint = Some(Box::new(report));
        }
    }

    fn finish(&mut self, world: &World, moment: Moment) {
        let Some(closed) = self.closed.take() else {
            return;
        };
        let no_reason = || "the load ended without a reason".to_owned();
        let ending = match closed {
            Ok(Some(ending)) => ending,
            Ok(None) => Ending::Internal {
                detail: no_reason(),
            },
            Err(detail) => Ending::Internal { detail },
        };
        let end = End {
            ending: ending.clone(),
            after_milliseconds: moment.milliseconds(),
            during_warmup: moment < Moment::from_seconds(world.plan.warmup_seconds),
        };
        let mut report = self.totals.report(&world.plan, &self.identity, Some(end));
        if let (Ending::Internal { .. }, Some(end)) = (&ending, &mut report.end) {
            end.ending = ending;
        }
        self.done = true;
        self.deeds.push(ControlDeed::Report(Box::new(report)));
    }

    fn watch_deadline(&mut self) {
        let deadline = self.gather.deadline();
        if deadline != self.deadline {
            self.deadline = deadline;
            if let Some(deadline) = deadline {
                self.push(self.clock.time(deadline), ControlItem::Deadline);
            }
        }
    }

    fn place(&self, world: &World) -> usize {
        world
            .dynos
            .iter()
            .position(|spec| spec.name == self.identity.dyno)
            .unwrap_or(0)
    }
}

/// As the dyno does: what is a breach of its own, or a lost target.
const fn tells_others(ending: &Ending) -> bool {
    matches!(
        ending,
        Ending::BacklogLimit { .. }
            | Ending::ErrorLimit { .. }
            | Ending::LatencyLimit { .. }
            | Ending::TargetLost { .. }
            | Ending::Internal { .. }
    )
}
