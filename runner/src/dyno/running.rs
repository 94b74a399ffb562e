//! From the common start to the final report.

use std::time::Duration;

use redyno_contract::Event;
use redyno_contract::plan::OnDynoFailure;
use redyno_contract::record::RecordKind;
use redyno_contract::report::{End, Ending, Start};
use redyno_target::coordination::ClockMapping;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::control::{Control, ControlEvent, Identity};
use super::hold::Found;
use super::sampler::{Answer, Sampler, seconds_from};
use super::startup::Begun;
use super::{Dyno, Totals, hold, leaving};
use crate::command_error::CommandError;
use crate::shard::Load;
use redyno_engine::{LoadEvent, Moment, Sample};

/// Seconds between two checkpoints. Each takes some 10 ms of CPU: every second, that would be a
/// tenth of what the smallest dynos have.
const CHECKPOINT_SECONDS: u64 = 5;

/// Dynos start 3 s after the last one was ready; a start that is further away is a clock that was
/// set.
const FURTHEST_START: Duration = Duration::from_secs(6);

/// For what the target says of the very end: its numbers, which judging wants to have, and whether it
/// has evicted anybody's keys.
const LAST_ANSWER: Duration = Duration::from_millis(1500);

/// What is known of a run that has begun.
struct Underway {
    load: Load,
    control: Control,
    sampler: Sampler,
    /// S by the monotonic clock.
    start: Instant,
    at_microseconds: u64,
    clock: ClockMapping,
    error_microseconds: u64,
    run_id: Option<String>,
    /// Whether the target's numbers of after the end are in.
    target_at_end: bool,
    ended: bool,
    terminated: bool,
}

impl Dyno {
    /// Carries the load from S to its end, and reports.
    pub(super) async fn carry_load(&mut self, begun: Begun) -> Result<Ending, CommandError> {
        let mut run = match self.begin(begun) {
            Ok(run) => run,
            Err(ending) => {
                self.never_started(&ending)?;
                self.leave_without_start(&ending).await;
                return Ok(ending);
            }
        };
        let closed = self.watch(&mut run).await;
        let ending = match closed {
            Ok(sample) => {
                let own = self.own.sample();
                let end = sample.snapshot.end.clone();
                self.shown.totals(|totals| {
                    totals.add(*sample, own);
                    totals.close();
                });
                // What ended since the last whole second would else be in no line.
                self.print_progress();
                end.map(|end| end.ending)
            }
            Err(detail) => {
                let ending = Ending::Internal { detail };
                self.tell_others(&run, &ending);
                Some(ending)
            }
        }
        .unwrap_or_else(|| Ending::Internal {
            detail: "the load ended without a reason".to_owned(),
        });
        self.last_answer(&mut run).await;
        let ending = self.last_look(&run, ending).await;
        let Underway {
            load,
            control,
            sampler,
            start,
            ..
        } = run;
        // Ends the load threads, and with them all workers' connections.
        load.join().await;
        drop(sampler);
        let end = End {
            ending: ending.clone(),
            after_milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            during_warmup: start.elapsed()
                < Duration::from_secs(u64::from(self.plan.warmup_seconds)),
        };
        let mut report = self.report(Some(end));
        if !(report.books.balanced() && report.warmup.balanced()) {
            tracing::error!(?report.books, ?report.warmup, "the books do not balance");
        }
        // A mistake of ours, and what the last look has shown, outrank what the load threads had come
        // to.
        if let Some(end) = &mut report.end {
            end.ending = ending.clone();
        }
        // First the report: what comes now may take its time, or the process.
        let written = self.finish(report);
        let left = control.leave(leaving::LEAVE).await;
        if left.is_none() {
            self.shown
                .totals(|totals| totals.coordination_failures += 1);
        }
        if ending == Ending::Terminated {
            self.remove_data(left).await;
        }
        // Others wait for this dyno to leave, whatever became of its words.
        written?;
        Ok(ending)
    }

    fn begin(&self, begun: Begun) -> Result<Underway, Ending> {
        let Begun {
            control,
            mut load,
            at_microseconds,
            clock,
            drift_microseconds,
            run_id,
            evictions,
        } = begun;
        let start = clock
            .instant_of(at_microseconds)
            .ok_or_else(|| Ending::Internal {
                detail: "the common start is out of this machine's time".to_owned(),
            })?;
        if start > Instant::now() + FURTHEST_START {
            return Err(Ending::Internal {
                detail:
                    "the common start is further away than it can be: the target's clock was set"
                        .to_owned(),
            });
        }
        load.start(start);
        let name = |what| format!("redyno {} {what}", self.identity.dyno);
        let asks_target = self.plan.sampler().as_ref() == Some(&self.identity.dyno);
        Ok(Underway {
            load,
            control: Control::new(
                control,
                self.target.clone(),
                self.seat.clone(),
                name("control"),
                evictions,
            ),
            sampler: if asks_target {
                Sampler::asking(self.target.clone(), name("sampler"), start)
            } else {
                Sampler::silent()
            },
            start,
            at_microseconds,
            clock,
            error_microseconds: clock
                .error_microseconds()
                .saturating_add(drift_microseconds),
            run_id,
            target_at_end: !asks_target,
            ended: false,
            terminated: false,
        })
    }

    /// Until the load threads have closed the books. The error is a mistake of ours.
    async fn watch(&mut self, run: &mut Underway) -> Result<Box<Sample>, String> {
        let mut seconds = seconds_from(run.start);
        let (mut second, mut first) = (0_u64, true);
        // What becomes of the target since a breach by connection errors alone.
        let mut held: Option<oneshot::Receiver<Found>> = None;
        // What it means that the run's phase is missing.
        let mut missing: Option<oneshot::Receiver<Identity>> = None;
        loop {
            // In this order: what ends the run, what it waits for, the load, what only tells of it.
            // None of them is always ready: who asks for a sample waits for its answer.
            tokio::select! {
                biased;
                () = self.termination.wait(), if !run.terminated => {
                    run.terminated = true;
                    tracing::info!("told to go");
                    self.phase.ask_no_more();
                    run.load.end(&Ending::Terminated);
                }
                found = resolved(&mut held) => {
                    held = None;
                    self.resolve(run, found);
                }
                identity = identified(&mut missing) => {
                    missing = None;
                    self.take_identity(run, identity);
                }
                () = self.phase.missing(), if missing.is_none() => {
                    missing = self.ask_for_identity(run);
                }
                event = run.control.event() => match event {
                    ControlEvent::Stopped(reason) => self.stopped(run, &reason),
                    ControlEvent::PhaseGone => {
                        missing = missing.or_else(|| self.ask_for_identity(run));
                    }
                    ControlEvent::Endangered(ending) => {
                        tracing::error!(?ending, "the run ends for what is around it");
                        self.tell_others(run, &ending);
                        run.load.end(&ending);
                    }
                    ControlEvent::WriteFailed => {
                        self.shown.totals(|totals| totals.coordination_failures += 1);
                    }
                },
                event = run.load.event() => match event {
                    LoadEvent::Started { at } => self.started(run, at),
                    LoadEvent::Sample(sample) => {
                        self.sampled(run, *sample);
                        // Ticks may have been left out: the clock tells which second this is.
                        let now = run.start.elapsed().as_secs();
                        let passed = |every: u64| now / every > second / every;
                        let progress = passed(u64::from(self.progress_seconds));
                        let checkpoint = passed(CHECKPOINT_SECONDS) || first;
                        (second, first) = (now, false);
                        // The one of the end is the last: a checkpoint does not tell of an end,
                        // and what comes after it is no breach.
                        if checkpoint && !run.ended {
                            self.checkpoint();
                        }
                        if progress {
                            self.print_progress();
                        }
                    }
                    LoadEvent::Ending(ending) => {
                        tracing::info!(?ending, "no more tasks, draining");
                        self.phase.ask_no_more();
                        self.tell_others(run, &ending);
                    }
                    LoadEvent::Ended(sample) => {
                        self.sampled(run, *sample);
                        self.shown.totals(Totals::ended);
                        run.ended = true;
                        self.checkpoint();
                    }
                    LoadEvent::Held { since } => {
                        held = Some(self.ask_for_target(run));
                        self.shown.totals(|totals| totals.held(since));
                        run.load.sample();
                    }
                    LoadEvent::Closed(sample) => return Ok(sample),
                    LoadEvent::Broken(detail) => return Err(detail),
                    LoadEvent::Ready | LoadEvent::NotReady { .. } => {}
                },
                answer = run.sampler.answer() => self.answered(run, answer),
                _ = seconds.tick() => run.load.sample(),
            }
        }
    }

    fn stopped(&self, run: &mut Underway, reason: &str) {
        tracing::info!(%reason, "told to stop");
        self.phase.ask_no_more();
        run.load.end(&Ending::Stopped);
    }

    /// The run's phase was missed: what that means, unless the run has ended.
    fn ask_for_identity(&self, run: &Underway) -> Option<oneshot::Receiver<Identity>> {
        if !self.phase.is_asked() {
            return None;
        }
        tracing::warn!("the run's phase is missing: is this the target that was prepared?");
        Some(run.control.identify(run.run_id.clone()))
    }

    fn take_identity(&self, run: &mut Underway, identity: Identity) {
        // The end that came meanwhile removes the phase.
        if !self.phase.is_asked() {
            return;
        }
        match identity {
            Identity::Stopped(reason) => self.stopped(run, &reason),
            Identity::Lost(detail) => run.load.end(&Ending::TargetLost { detail }),
            Identity::Changed(detail) => run.load.end(&Ending::TargetChanged { detail }),
        }
    }

    /// It is known what became of the target since a breach is held.
    fn resolve(&self, run: &mut Underway, found: Found) {
        let lost = match found {
            Found::There => None,
            Found::Full => {
                self.shown.totals(Totals::saw_full_target);
                None
            }
            Found::Lost(detail) => Some(Ending::TargetLost { detail }),
            Found::Changed(detail) => Some(Ending::TargetChanged { detail }),
        };
        run.load.resolve(lost);
    }

    fn started(&mut self, run: &Underway, at: Moment) {
        let at = run.start + Duration::from_nanos(at.nanoseconds());
        let there = run.clock.redis_microseconds_at(at);
        let offset = i64::try_from(there.abs_diff(run.at_microseconds)).unwrap_or(i64::MAX);
        let start = Start {
            at_microseconds: run.at_microseconds,
            offset_microseconds: if there < run.at_microseconds {
                -offset
            } else {
                offset
            },
            error_microseconds: run.error_microseconds,
            round_trip_microseconds: Some(run.clock.round_trip_microseconds()),
        };
        let own = self.own.sample();
        self.shown.totals(|totals| totals.began(own, start));
        self.shown.set_started();
        self.events.print(&Event::Started {
            at_microseconds: run.at_microseconds,
        });
    }

    fn sampled(&self, run: &mut Underway, sample: Sample) {
        let own = self.own.sample();
        let empty = self.shown.totals(|totals| totals.add(sample, own));
        run.load.give_back(empty);
    }

    fn answered(&self, run: &mut Underway, (at, info): Answer) {
        if let Some(detail) = hold::restarted(run.run_id.as_deref(), info.run_id.as_deref()) {
            run.load.end(&Ending::TargetLost { detail });
            return;
        }
        if run.target_at_end {
            return;
        }
        run.target_at_end = run.ended;
        let since = at.saturating_duration_since(run.start);
        let moment = Moment::from_nanoseconds(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let in_window = since >= Duration::from_secs(u64::from(self.plan.warmup_seconds));
        self.shown
            .totals(|totals| totals.asked(moment, in_window, info));
    }

    /// Waits a little for what the target says of the end.
    async fn last_answer(&self, run: &mut Underway) {
        let deadline = Instant::now() + LAST_ANSWER;
        while !run.target_at_end {
            match tokio::time::timeout_at(deadline, run.sampler.answer()).await {
                Ok(answer) => self.answered(run, answer),
                Err(_) => return,
            }
        }
    }

    /// What is around the run, and whether the target is still the one that was prepared, is looked at
    /// a few times a second: what came after the last of these looks is seen by one more, when the
    /// dyno has done its last task. A limit that was broken by another target, or an emptied one, is
    /// no evidence, either.
    async fn last_look(&self, run: &Underway, ending: Ending) -> Ending {
        let completed = match ending {
            Ending::Completed => true,
            Ending::BacklogLimit { .. }
            | Ending::LatencyLimit { .. }
            | Ending::ErrorLimit { .. } => false,
            _ => return ending,
        };
        match run.control.last_look(run.run_id.clone(), LAST_ANSWER).await {
            Ok(None) => ending,
            Ok(Some(danger)) => {
                tracing::error!(?danger, "seen at the end of the run");
                self.tell_others(run, &danger);
                danger
            }
            Err(detail) => {
                tracing::warn!(%detail, "nobody knows what was around the run at its end");
                if completed {
                    self.shown
                        .totals(|totals| totals.coordination_failures += 1);
                }
                ending
            }
        }
    }

    fn ask_for_target(&self, run: &Underway) -> oneshot::Receiver<Found> {
        tracing::warn!(
            "a limit was broken by lost connections or lost data alone: is the target there?"
        );
        let (sender, receiver) = oneshot::channel();
        let asking = hold::look(
            self.target.clone(),
            format!("redyno {} hold", self.identity.dyno),
            run.run_id.clone(),
            self.phase.key().map(str::to_owned),
        );
        tokio::spawn(async move {
            if sender.send(asking.await).is_err() {
                tracing::debug!("the run ended before the target was found or lost");
            }
        });
        receiver
    }

    /// A dyno that fails its own limit ends the run for all, unless the plan says otherwise.
    fn tell_others(&self, run: &Underway, ending: &Ending) {
        // No dyno may go on where that harms others.
        let harms = matches!(ending, Ending::ForeignKeysEvicted { .. });
        if self.plan.on_dyno_failure == OnDynoFailure::Continue && !harms {
            return;
        }
        let reason = match ending {
            Ending::BacklogLimit {
                worker, backlog, ..
            } => {
                format!("worker {worker} had {backlog} waiting")
            }
            Ending::ErrorLimit { threshold, cause } => format!("{threshold}: {cause}"),
            Ending::LatencyLimit { threshold } => threshold.clone(),
            Ending::TargetLost { detail }
            | Ending::TargetChanged { detail }
            | Ending::Internal { detail } => detail.clone(),
            Ending::ForeignKeysEvicted { keys } => {
                format!("the target began to evict keys, {keys} so far")
            }
            Ending::Completed
            | Ending::Stopped
            | Ending::Terminated
            | Ending::TargetRefused { .. }
            | Ending::StartTimeout { .. }
            | Ending::DuplicateDyno { .. } => return,
        };
        run.control.stop(reason);
    }

    /// For the case that the dyno dies. That one cannot be written ends nothing: the last one
    /// counts.
    fn checkpoint(&mut self) {
        let mut report = self.report(None);
        // An end that is not reported yet is none: the drain goes on.
        report.end = None;
        if let Err(error) = self.record.write_report(RecordKind::Checkpoint, &report) {
            tracing::warn!(%error, "no checkpoint");
        }
    }

    fn print_progress(&mut self) {
        if let Some(progress) = self.shown.totals(Totals::progress) {
            self.events.print(&Event::Progress(progress));
        }
    }
}

/// What it means that the phase was missed; for ever, while it was not.
async fn identified(missing: &mut Option<oneshot::Receiver<Identity>>) -> Identity {
    match missing {
        Some(answer) => answer
            .await
            .unwrap_or_else(|_| Identity::Lost("nobody could tell".to_owned())),
        None => std::future::pending().await,
    }
}

/// What a held breach waits for; for ever, without one.
async fn resolved(held: &mut Option<oneshot::Receiver<Found>>) -> Found {
    match held {
        Some(answer) => answer
            .await
            .unwrap_or_else(|_| Found::Lost("nobody could tell".to_owned())),
        None => std::future::pending().await,
    }
}
