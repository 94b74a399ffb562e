//! All dynos of a run, which are started together and followed until the last one has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use redyno_contract::evidence;
use redyno_contract::figures;
use redyno_contract::outcome::{DynoOutcome, Evidence, Fate, RunFacts};
use redyno_contract::plan::DynoName;
use redyno_contract::{Event, Plan};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::dyno::{self, FromDyno, Order};
use super::folder::{RunFolder, last_words};
use super::interrupt::Interrupts;
use super::process::exit_code;
use super::redis_server::{RedisServer, stall};
use crate::precision::FullReports;
use crate::progress::{Course, Display};

/// Longest text of a dyno that is shown, in bytes.
const LONGEST_DETAIL: usize = 300;

/// Seconds between a dyno's progress lines.
const PROGRESS_SECONDS: u32 = 1;

/// How long a dyno may take beyond its own deadlines before it is given up. It ends by itself well
/// before that.
const GRACE: Duration = Duration::from_mins(1);

/// How long a process may take to end when it is asked to. Kubernetes gives the same grace.
const END_WITHIN: Duration = Duration::from_secs(30);

/// What became of all dynos.
pub(super) struct Ended {
    pub(super) outcomes: Vec<DynoOutcome>,
    pub(super) full: FullReports,
    pub(super) facts: RunFacts,
    /// Dynos that were ready, and whether the common start was seen.
    pub(super) ready: usize,
    pub(super) started: bool,
}

/// What the formation needs from around it.
pub(super) struct Surroundings<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a RunFolder,
    pub(super) redis: Option<&'a mut RedisServer>,
    /// How long the managed Redis is stalled at the middle of the window.
    pub(super) stall: Option<Duration>,
    pub(super) interrupts: &'a Interrupts,
    pub(super) display: &'a mut Display,
}

/// Starts every dyno and follows them to their end.
pub(super) async fn run(surroundings: Surroundings<'_>) -> std::io::Result<Ended> {
    let Surroundings {
        plan,
        folder,
        mut redis,
        mut stall,
        interrupts,
        display,
    } = surroundings;
    let (orders, receiver) = watch::channel(Order::Run);
    let (sender, mut events) = mpsc::channel(1024);
    for dyno in plan.dynos() {
        dyno::start(folder, dyno, receiver.clone(), sender.clone())?;
    }
    drop((sender, receiver));

    let mut follower = Follower {
        plan,
        folder,
        display,
        course: Course::new(plan, PROGRESS_SECONDS),
        ready: BTreeSet::new(),
        started: BTreeSet::new(),
        skew_shown: false,
        exits: BTreeMap::new(),
        full: FullReports::new(),
    };
    let mut facts = RunFacts::default();
    let stall_after_milliseconds =
        u64::from(plan.warmup_seconds) * 1000 + u64::from(plan.duration_seconds) * 500;
    let mut deadline = Instant::now() + longest(plan);
    let mut past_deadline = false;
    let address = redis.as_ref().map(|redis| redis.address());
    let give = |order: Order| {
        orders.send_if_modified(|current| {
            let rises = order > *current;
            *current = (*current).max(order);
            rises
        })
    };
    loop {
        let redis_ended = async {
            match &mut redis {
                Some(redis) if facts.managed_redis_ended.is_none() => redis.ended().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            event = events.recv() => {
                // The last dyno is gone when all of them have dropped their senders.
                let Some((dyno, event)) = event else { break };
                let seen = follower.take(dyno, event);
                if let (Some(milliseconds), Some(length), Some(address)) =
                    (seen.at_milliseconds, stall, address)
                    && milliseconds >= stall_after_milliseconds
                {
                    stall = None;
                    stall_now(address, length, follower.display).await;
                }
                if seen.lost {
                    // Without every dyno there is no verdict, so the others are not waited for.
                    give(Order::End);
                }
            }
            () = interrupts.asked_times(1), if !facts.cancelled => {
                facts.cancelled = true;
                follower.display.say("Cancelled: the dynos drain and report. Once more kills them.");
                give(Order::End);
                deadline = deadline.min(Instant::now() + END_WITHIN);
            }
            () = interrupts.asked_times(2), if *orders.borrow() < Order::Die => {
                give(Order::Die);
            }
            what = redis_ended => {
                follower.display.say(&what);
                facts.managed_redis_ended = Some(what);
            }
            () = sleep_until(deadline), if *orders.borrow() < Order::Die => {
                past_deadline = !facts.cancelled;
                if *orders.borrow() < Order::End {
                    give(Order::End);
                    deadline = Instant::now() + END_WITHIN;
                } else {
                    give(Order::Die);
                }
            }
        }
    }
    follower.display.end();
    let outcomes = follower.outcomes(past_deadline);
    let Follower {
        ready,
        started,
        full,
        ..
    } = follower;
    Ok(Ended {
        outcomes,
        full,
        facts,
        ready: ready.len(),
        started: !started.is_empty(),
    })
}

/// From the dynos' start to the latest end that they allow themselves.
fn longest(plan: &Plan) -> Duration {
    let seconds = [
        plan.start_timeout_seconds,
        plan.warmup_seconds,
        plan.duration_seconds,
        plan.drain_seconds,
        plan.linger_seconds,
    ];
    seconds
        .into_iter()
        .map(|seconds| Duration::from_secs(u64::from(seconds)))
        .sum::<Duration>()
        + Duration::from_millis(u64::from(plan.task_timeout_milliseconds))
        + GRACE
}

async fn stall_now(address: std::net::SocketAddr, length: Duration, display: &mut Display) {
    display.emphasize(&format!(
        "Redis is stalled now for {} ms (CLIENT PAUSE): tasks go on falling due.",
        length.as_millis()
    ));
    if let Err(error) = stall(address, length).await {
        display.say(&format!("Redis could not be stalled: {error}"));
    }
}

struct Follower<'a> {
    plan: &'a Plan,
    folder: &'a RunFolder,
    display: &'a mut Display,
    course: Course,
    ready: BTreeSet<DynoName>,
    started: BTreeSet<DynoName>,
    skew_shown: bool,
    exits: BTreeMap<DynoName, i32>,
    full: FullReports,
}

/// What the events so far mean for all dynos together.
#[derive(Default)]
struct Seen {
    at_milliseconds: Option<u64>,
    lost: bool,
}

impl Follower<'_> {
    fn take(&mut self, dyno: DynoName, event: FromDyno) -> Seen {
        match event {
            FromDyno::Event(event) => {
                let at_milliseconds = self.event(&dyno, *event);
                Seen {
                    at_milliseconds,
                    lost: false,
                }
            }
            FromDyno::Ended(status) => {
                let code = status.ok().map(exit_code);
                let lines = self.course.ended(&dyno);
                self.show(&lines);
                if let Some(code) = code {
                    self.exits.insert(dyno, code);
                }
                Seen {
                    at_milliseconds: None,
                    lost: code != Some(0),
                }
            }
        }
    }

    fn event(&mut self, dyno: &DynoName, event: Event) -> Option<u64> {
        let all = self.plan.dynos().count();
        match event {
            Event::Listening { address: _ } => {}
            Event::Waiting { detail } => {
                let detail = redyno_contract::text::quoted(&detail, LONGEST_DETAIL);
                self.display.say(&format!("{dyno} waits for {detail}"));
            }
            Event::Ready => {
                self.ready.insert(dyno.clone());
                if self.ready.len() == all {
                    self.display.say(&format!(
                        "{all} of {all} dynos ready: all workers connected."
                    ));
                }
            }
            Event::Started { at_microseconds: _ } => {
                self.started.insert(dyno.clone());
            }
            Event::Progress(progress) => {
                self.show_skew(all);
                let lines = self.course.progress(dyno, &progress);
                self.show(&lines);
                return Some(progress.at_milliseconds);
            }
            Event::Report { report } => {
                let pod = dyno::pod(dyno);
                if evidence::is_of(&report, &self.plan.run.uid, dyno, Some(&pod)).is_ok() {
                    self.full.insert(dyno.clone(), *report);
                }
            }
        }
        None
    }

    fn show(&mut self, lines: &[crate::progress::Second]) {
        let length = self.course.length_seconds();
        for line in lines {
            self.display.second(line, length);
        }
    }

    /// Shows how far apart the dynos started, as soon as all of them have put it into a report.
    fn show_skew(&mut self, all: usize) {
        if self.skew_shown || self.started.len() < all || all < 2 {
            return;
        }
        let offsets: Option<Vec<i64>> = self
            .plan
            .dynos()
            .map(|dyno| {
                let start = self.evidence(&dyno).report()?.start.clone()?;
                Some(start.offset_microseconds)
            })
            .collect();
        let Some(offsets) = offsets else { return };
        self.skew_shown = true;
        let (earliest, latest) = offsets
            .iter()
            .fold((i64::MAX, i64::MIN), |(earliest, latest), offset| {
                (earliest.min(*offset), latest.max(*offset))
            });
        let skew = figures::bare_milliseconds(figures::brief(latest.abs_diff(earliest)));
        self.display.say(&format!(
            "{all} dynos started within {skew} ms of each other."
        ));
    }

    fn evidence(&self, dyno: &DynoName) -> Evidence {
        match fs::read(self.folder.dyno_report(dyno)) {
            Ok(bytes) => {
                evidence::of_dyno(&bytes, &self.plan.run.uid, dyno, Some(&dyno::pod(dyno)))
            }
            Err(error) => Evidence::Missing {
                detail: format!("its report cannot be read: {error}"),
            },
        }
    }

    fn outcomes(&self, past_deadline: bool) -> Vec<DynoOutcome> {
        self.plan
            .dynos()
            .map(|dyno| {
                let report = match self.evidence(&dyno) {
                    Evidence::Missing { detail } => Evidence::Missing {
                        detail: match last_words(&self.folder.log(&dyno.to_string())) {
                            Some(words) => format!("{detail}; its last words: {words}"),
                            None => detail,
                        },
                    },
                    complete_or_partial => complete_or_partial,
                };
                DynoOutcome {
                    fate: fate(self.exits.get(&dyno).copied(), past_deadline),
                    pod_name: None,
                    node_name: None,
                    dyno,
                    report,
                }
            })
            .collect()
    }
}

/// The fate of a process, from the exit code that a container would have.
fn fate(exit_code: Option<i32>, past_deadline: bool) -> Fate {
    match exit_code {
        Some(0) => Fate::Exited { code: 0 },
        Some(_) | None if past_deadline => Fate::DeadlineExceeded,
        Some(code) => Fate::Exited { code },
        None => Fate::Lost {
            detail: "its process was lost".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_the_fate_of_a_container() {
        for (exit_code, past_deadline, expected) in [
            (Some(0), false, Fate::Exited { code: 0 }),
            (Some(0), true, Fate::Exited { code: 0 }),
            (Some(137), false, Fate::Exited { code: 137 }),
            (Some(137), true, Fate::DeadlineExceeded),
            (None, true, Fate::DeadlineExceeded),
        ] {
            assert_eq!(fate(exit_code, past_deadline), expected);
        }
        assert!(matches!(fate(None, false), Fate::Lost { .. }));
    }
}
