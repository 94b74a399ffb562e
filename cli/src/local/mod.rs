//! A run without a cluster: the same plan, preflight, barrier, records, judge and finish, with
//! processes of this machine in the place of pods.
//!
//! [`prepare`] decides, before anything exists, what would be run; [`run`] runs it.

mod clean;
mod dyno;
mod folder;
mod formation;
mod guard;
mod identity;
mod interrupt;
mod memory;
mod process;
mod redis_server;
mod status;
mod target;

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::evidence;
use redyno_contract::message::{FinishReport, PreflightReport, TargetFound};
use redyno_contract::plan::TargetKind;
use redyno_contract::{Judgement, Reason, judge};
use redyno_crds::conclude::Cleanup;
use redyno_crds::{Catalogue, Invalid, LoadTest, LoadTestStatus, Resolved, resolve};
use tokio::time::{Instant, sleep, timeout_at};

use self::folder::{RunFolder, last_words};
use self::formation::{Ended, Surroundings};
use self::process::{Role, RunProcess, exit_code, runner};
use self::redis_server::RedisServer;
use self::status::Draft;
use self::target::LocalTarget;
use crate::precision::{self, Shown};
use crate::progress::Display;
use crate::report::Curve;

pub(crate) use self::clean::clean;
pub(crate) use self::guard::{GuardArguments, guard};
pub(crate) use self::interrupt::Interrupts;
pub(crate) use self::target::Wishes;

/// The sentence that is added to every verdict.
const NOT_ENFORCED: &str = "Sizes were not enforced: this run had no cluster.";

/// How long the finish may take by its contract, after which it is killed.
const FINISH_WITHIN: Duration = Duration::from_mins(1);

/// Whoever waits longer than this says what for.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// What a process of the run may be waiting for.
fn waits_for(role: Role, longest: Duration) -> String {
    let (name, what) = match role {
        Role::Preflight => (
            "preflight",
            "the target to answer, what earlier runs have left to be removed, or a flush to end",
        ),
        Role::Finish => (
            "finish",
            "the dynos to leave the target, and the run's keys to be removed",
        ),
        Role::Dyno => ("dyno", "its end"),
    };
    format!(
        "The {name} waits for {what}; it ends within {} s.",
        longest.as_secs()
    )
}

/// A run that could begin.
pub(crate) struct Prepared {
    load_test: LoadTest,
    resolved: Resolved,
    target: LocalTarget,
    maxmemory_bytes: Option<u64>,
}

/// A run that has ended.
pub(crate) struct Finished {
    /// The LoadTest with its status.
    pub(crate) load_test: LoadTest,
    /// What was run: plan and sizes.
    pub(crate) resolved: Resolved,
    /// What the preflight found.
    pub(crate) found: Option<TargetFound>,
    /// The evidence at full precision, if dynos were ever asked for.
    pub(crate) judgement: Option<Judgement>,
    /// Whole distributions of the latencies.
    pub(crate) curves: Vec<Curve>,
}

/// Resolves a valid LoadTest and decides on its target. Starts nothing.
///
/// # Errors
/// Everything that is wrong, in a sentence.
pub(crate) fn prepare(mut load_test: LoadTest, wishes: &Wishes) -> Result<Prepared, String> {
    let identity = identity::identify(&mut load_test, Time(Timestamp::now()));
    let mut resolved = resolve(&load_test.spec, identity, &Catalogue::built_in(), 0)
        .map_err(|problems| Invalid::list(&problems))?;
    // The verdict says that sizes were not enforced, so it need not say how far they were shrunk.
    resolved.scaled = false;
    for dynos in &mut resolved.plan.formation {
        dynos.cpu_millis = None;
        dynos.memory_bytes = None;
    }
    resolved.plan.target.cpu_millis = None;
    let target = target::choose(&mut resolved.plan, resolved.managed.clone(), wishes)?;
    let maxmemory_bytes = match &target {
        LocalTarget::Managed(redis) => Some(memory::maxmemory(redis.maxmemory_bytes)),
        LocalTarget::Existing { .. } => None,
    };
    Ok(Prepared {
        load_test,
        resolved,
        target,
        maxmemory_bytes,
    })
}

impl Prepared {
    /// Whether the Redis is started for this run alone.
    pub(crate) const fn is_managed(&self) -> bool {
        matches!(self.target, LocalTarget::Managed(_))
    }

    /// What would be run.
    pub(crate) const fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// The managed Redis' maxmemory on this machine; None for a Redis that is there.
    pub(crate) const fn maxmemory_bytes(&self) -> Option<u64> {
        self.maxmemory_bytes
    }
}

/// Runs it. If `stall` is given, the managed Redis is stalled for that long at the middle of the
/// window.
///
/// # Errors
/// Only when this machine fails us before there is anything to judge: whatever becomes of the run
/// itself is a verdict.
pub(crate) async fn run(
    prepared: Prepared,
    stall: Option<Duration>,
    display: &mut Display,
) -> anyhow::Result<Finished> {
    let interrupts = Interrupts::listen().context("signals cannot be listened to")?;
    let Prepared {
        load_test,
        resolved,
        target,
        maxmemory_bytes,
    } = prepared;
    let folder =
        RunFolder::create(&resolved.plan.run.uid).context("no private folder for the run")?;
    let mut run = Run {
        resolved,
        folder,
        interrupts,
        display,
        draft: Draft::accepted(Timestamp::now()),
        found: None,
    };
    let ending = match target {
        LocalTarget::Managed(redis) => {
            let maxmemory_bytes = maxmemory_bytes.unwrap_or(redis.maxmemory_bytes);
            match RedisServer::start(&run.folder, &redis, maxmemory_bytes).await {
                Ok(mut server) => {
                    let url = server.url();
                    let ending = run.on(&url, &[], Some(&mut server), stall).await;
                    server.end().await;
                    ending?
                }
                Err(error) => {
                    let message = error.to_string();
                    run.draft.no_managed_redis(&message, Timestamp::now());
                    Ending::Errored(Reason::ManagedRedisNotReady, message)
                }
            }
        }
        LocalTarget::Existing { url, files } => {
            let mut guard = redis_server::folder_guard(&run.folder)
                .context("this executable cannot be started again")?;
            let ending = run.on(&url, &files, None, None).await;
            drop(guard.end(Duration::from_secs(5)).await);
            ending?
        }
    };
    Ok(run.finished(load_test, ending))
}

/// A run under way.
struct Run<'a> {
    resolved: Resolved,
    folder: RunFolder,
    interrupts: Interrupts,
    display: &'a mut Display,
    draft: Draft,
    found: Option<TargetFound>,
}

/// Why no dyno was started.
struct NotBegun {
    reason: Reason,
    message: String,
    /// Whether the preflight may have locked the target: it passed, or nobody knows what it did.
    may_have_entered: bool,
}

/// How it ended.
enum Ending {
    /// The run ended before any dyno was started.
    Errored(Reason, String),
    /// The run ended with evidence from its dynos.
    Judged(Box<Ended>),
}

impl Run<'_> {
    async fn on(
        &mut self,
        url: &str,
        files: &[(&'static str, Vec<u8>)],
        redis: Option<&mut RedisServer>,
        stall: Option<Duration>,
    ) -> anyhow::Result<Ending> {
        self.folder
            .write_plan(&self.resolved.plan, url, files)
            .context("the plan cannot be written")?;
        let refusal = self.preflight().await?;
        let was_refused = matches!(&refusal, Some(refusal) if !refusal.may_have_entered);
        let ending = if let Some(NotBegun {
            reason, message, ..
        }) = refusal
        {
            Ending::Errored(reason, message)
        } else {
            let ended = formation::run(Surroundings {
                plan: &self.resolved.plan,
                folder: &self.folder,
                redis,
                stall,
                interrupts: &self.interrupts,
                display: self.display,
            })
            .await
            .context("this executable cannot be started again")?;
            Ending::Judged(Box::new(ended))
        };
        // A refused run has written nothing. Looking for its keys would only burden somebody's
        // Redis, or wait for one that is not there.
        if matches!(self.resolved.plan.target.kind, TargetKind::Existing { .. }) && !was_refused {
            self.finish().await;
        }
        Ok(ending)
    }

    /// Runs the preflight. Returns the end of the run if it must not begin.
    async fn preflight(&mut self) -> anyhow::Result<Option<NotBegun>> {
        self.display.say(&format!(
            "Preflight of {} ...",
            self.resolved.plan.target.title
        ));
        let longest = Duration::from_secs(u64::from(self.resolved.plan.start_timeout_seconds));
        let bytes = self.process(Role::Preflight, longest).await?;
        let now = Timestamp::now();
        let report =
            bytes.and_then(|bytes| evidence::of_preflight(&bytes, &self.resolved.plan.run.uid));
        let refusal = match report {
            Ok(report) => {
                let PreflightReport {
                    message, target, ..
                } = &report;
                self.found.clone_from(target);
                self.display.say(message);
                self.draft.preflight(&report, now).map(|reason| NotBegun {
                    reason,
                    message: message.clone(),
                    may_have_entered: false,
                })
            }
            Err(detail) => {
                let message = format!("the preflight failed: {detail}");
                Some(NotBegun {
                    reason: self.draft.no_preflight(&message, now),
                    message,
                    may_have_entered: true,
                })
            }
        };
        if self.interrupts.asked() {
            return Ok(Some(NotBegun {
                reason: Reason::Cancelled,
                message: "The run was cancelled before its dynos were asked for.".to_owned(),
                may_have_entered: refusal.is_none_or(|refusal| refusal.may_have_entered),
            }));
        }
        Ok(refusal)
    }

    async fn finish(&mut self) {
        let report = match self.process(Role::Finish, FINISH_WITHIN).await {
            Ok(bytes) => {
                bytes.and_then(|bytes| evidence::of_finish(&bytes, &self.resolved.plan.run.uid))
            }
            Err(error) => Err(error.to_string()),
        };
        let cleanup = match report {
            Ok(FinishReport {
                run: _,
                complete: true,
                removed_keys: _,
                left_keys: _,
                message,
            }) => Cleanup::Done(message),
            // This changes no verdict, but somebody may want to look at it.
            Ok(report) => Cleanup::Failed(report.message),
            Err(detail) => Cleanup::Failed(format!("The cleanup of the target failed: {detail}")),
        };
        self.display.say(cleanup.text());
        self.draft.cleanup(cleanup);
    }

    /// Runs one process to its end. Returns what it reported, or why there is no report.
    async fn process(
        &mut self,
        role: Role,
        longest: Duration,
    ) -> anyhow::Result<Result<Vec<u8>, String>> {
        let name = role.name();
        let report = self.folder.report(name);
        let mut command =
            runner(role, &self.folder, &report).context("this executable cannot be found again")?;
        command
            .env("REDYNO_POD_UID", format!("local-{name}"))
            .stdout(std::process::Stdio::null());
        let mut process = RunProcess::start(command, &self.folder.log(name))
            .context("this executable cannot be started again")?;
        // Earlier signals are no reason to leave keys behind. Only a further signal ends the
        // finish.
        let patience = match role {
            Role::Finish => self.interrupts.times() + 1,
            Role::Preflight | Role::Dyno => 1,
        };
        let mut untold = true;
        let deadline = Instant::now() + longest;
        let status = loop {
            tokio::select! {
                status = timeout_at(deadline, process.ended()) => break status.ok(),
                () = self.interrupts.asked_times(patience) => break None,
                () = sleep(TOLD_AFTER), if untold => {
                    untold = false;
                    self.display.say(&waits_for(role, longest));
                }
            }
        };
        let status = match status {
            Some(status) => status,
            None => process.end(Duration::from_secs(10)).await,
        };
        Ok(match (std::fs::read(&report), status) {
            (Ok(bytes), _) if !bytes.is_empty() => Ok(bytes),
            (_, Ok(status)) => {
                let words = last_words(&self.folder.log(name))
                    .map(|words| format!(": {words}"))
                    .unwrap_or_default();
                Err(format!(
                    "it exited with code {} and left no report{words}",
                    exit_code(status)
                ))
            }
            (_, Err(error)) => Err(error.to_string()),
        })
    }

    fn finished(self, mut load_test: LoadTest, ending: Ending) -> Finished {
        let Self {
            resolved,
            folder: _folder,
            mut draft,
            found,
            ..
        } = self;
        let plan = &resolved.plan;
        let now = Timestamp::now();
        let (status, shown) = match ending {
            Ending::Errored(reason, message) => (draft.errored(reason, &message, now), None),
            Ending::Judged(ended) => {
                let Ended {
                    outcomes,
                    full,
                    facts,
                    ready,
                    started,
                } = *ended;
                let mut judgement = judge(plan, &facts, &outcomes);
                judgement.message = format!("{} {NOT_ENFORCED}", judgement.message);
                let all = plan.dynos().count();
                draft.dynos(ready, all, started, now);
                let status: LoadTestStatus = draft.judged(&judgement, &resolved, now);
                let shown = precision::shown(plan, &facts, &outcomes, &judgement, &full);
                (status, Some(shown))
            }
        };
        let (judgement, curves) = match shown {
            Some(Shown { judgement, curves }) => (Some(judgement), curves),
            None => (None, Vec::new()),
        };
        load_test.status = Some(status);
        Finished {
            load_test,
            resolved,
            found,
            judgement,
            curves,
        }
    }
}
