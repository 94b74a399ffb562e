//! The managed Redis: is it there, ready, still the same?

use std::ops::ControlFlow;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use redyno_contract::Reason;
use redyno_contract::outcome::Fate;
use redyno_crds::children::Child;
use redyno_crds::children::REDIS_CONTAINER;
use redyno_crds::conditions::{PREFLIGHT_PASSED, STARTED};

use super::accept::Accepted;
use super::cause::Waited;
use super::children::{self, Standing};
use super::decision::{Effect, Halt};
use super::draft::{Draft, later};
use super::pods::{NODE_LOST_AFTER, is_condition_true, lost_node_since};
use super::survey::{self, Dyno};
use super::waiting;
use crate::collected::{Cause, Collected};
use crate::fate::{Circumstances, PodFacts, fate};
use crate::object_readers::created;

/// What became of the managed Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redis {
    /// It is well, or there is none.
    Well,
    /// The cluster took it, or somebody did: what was seen.
    Taken(String),
    /// It ended by itself: what was seen.
    Ended(String),
}

/// Waits for the managed Redis. Once the run has started its end is the dynos' to notice: they
/// report it, and what they measured until then.
pub(super) fn step(
    draft: &mut Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> ControlFlow<Halt> {
    let Some(redis) = &run.objects.redis else {
        return ControlFlow::Continue(());
    };
    children::ensure(draft, run.start_timeout(), &Child::RedisService, || {
        Effect::CreateService(Child::RedisService, Box::new(redis.service.clone()))
    })?;
    match state(draft) {
        Redis::Taken(detail) | Redis::Ended(detail) if !has_started(draft, run, collected) => {
            return ControlFlow::Break(Halt::GiveUp(Cause::NotStarted {
                reason: Reason::TargetLost,
                message: format!("the managed Redis was lost before the start: {detail}"),
            }));
        }
        Redis::Taken(_) | Redis::Ended(_) => return ControlFlow::Continue(()),
        Redis::Well => {}
    }
    children::ensure(draft, run.start_timeout(), &Child::RedisPod, || {
        Effect::CreatePod(Child::RedisPod, Box::new(redis.pod.clone()))
    })?;
    let Some(pod) = &draft.observed.redis_pod else {
        return ControlFlow::Break(Halt::Wait);
    };
    if let Some(node) = PodFacts::of(pod, REDIS_CONTAINER).node {
        draft.target().node_name = Some(node);
    }
    if draft.is_true(PREFLIGHT_PASSED) || is_condition_true(pod, "Ready") {
        return ControlFlow::Continue(());
    }
    let since = created(&pod.metadata).unwrap_or(draft.now);
    let waited = Waited {
        what: "the managed Redis",
        since,
        until: later(since, run.start_timeout()),
        job: None,
        pods: vec![("the managed Redis".to_owned(), pod)],
        timeout_reason: Reason::ManagedRedisNotReady,
        is_partial: false,
    };
    ControlFlow::Break(waiting::step(draft, &waited))
}

/// Whether the common start has passed; a dyno that ended while nobody looked may tell.
fn has_started(draft: &Draft<'_>, run: &Accepted, collected: &Collected) -> bool {
    draft.is_true(STARTED)
        || survey::dynos(draft, run, collected)
            .iter()
            .any(Dyno::has_started)
}

/// What became of the managed Redis. It can be read off at any time: its pod is never made again.
pub(super) fn state(draft: &mut Draft<'_>) -> Redis {
    match children::standing(draft, &Child::RedisPod) {
        Standing::Lost => return Redis::Taken("its pod was deleted".to_owned()),
        Standing::ToCreate | Standing::Deleting | Standing::Taken(_) | Standing::Conflict => {
            return Redis::Well;
        }
        Standing::Present => {}
    }
    draft
        .observed
        .redis_pod
        .as_ref()
        .map_or(Redis::Well, |pod| of_pod(pod, draft.now))
}

fn of_pod(pod: &Pod, now: Timestamp) -> Redis {
    let facts = PodFacts::of(pod, REDIS_CONTAINER);
    let circumstances = Circumstances {
        present: true,
        ..Circumstances::default()
    };
    match fate(&facts, circumstances) {
        Fate::Evicted { detail } => Redis::Taken(format!("it was evicted: {detail}")),
        Fate::Lost { detail } => Redis::Taken(detail),
        Fate::OutOfMemory => Redis::Ended("it was killed for want of memory".to_owned()),
        Fate::Exited { code } => Redis::Ended(format!("it exited with code {code}")),
        Fate::DeadlineExceeded | Fate::NeverSeen => Redis::Well,
        Fate::Running => match lost_node_since(pod) {
            Some(since) if now >= later(since, NODE_LOST_AFTER) => {
                Redis::Taken(format!("its node has not been heard of since {since:.0}"))
            }
            Some(_) | None => Redis::Well,
        },
    }
}
