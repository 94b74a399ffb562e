//! Children of a run: created once, adopted after a crash, never created again.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use redyno_contract::Reason;
use redyno_crds::LoadTest;
use redyno_crds::children::Child;

use super::cause::of_refusal;
use super::decision::{Effect, Halt};
use super::draft::{Draft, Latch, later};
use super::waiting::name_cause;
use crate::build::labels::SEAL;
use crate::collected::Cause;
use crate::object_readers::{created, is_controlled_by};
use crate::observed::{Observed, RefusedKind};

/// How long an object of a former LoadTest of the same name may take to be collected.
const COLLECTION: SignedDuration = SignedDuration::from_secs(60);

/// How often a refused creation is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

/// What there is of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there and ours; it may be on its way out.
    Present,
    /// It is to be created: it was never there.
    ToCreate,
    /// It was there and somebody deleted it.
    Lost,
    /// The operator itself has it deleted, or had.
    Deleting,
    /// The name is taken by something that is being collected; until this time it may be.
    Taken(Timestamp),
    /// The name is taken for good.
    Conflict,
}

/// What there is of a child. Records the uid of an object that was created before a crash.
pub(super) fn standing(draft: &mut Draft<'_>, child: &Child) -> Standing {
    let latch = draft.latch(child);
    if latch == Latch::Deleting {
        return Standing::Deleting;
    }
    let Some(metadata) = draft.observed.metadata(child) else {
        return match latch {
            Latch::Created(_) => Standing::Lost,
            Latch::None | Latch::Intended | Latch::Deleting => Standing::ToCreate,
        };
    };
    let uid = metadata.uid.as_deref().unwrap_or_default();
    if !is_controlled_by(metadata, draft.load_test) {
        return match latch {
            // Ours was deleted, and somebody else took its name.
            Latch::Created(_) => Standing::Lost,
            Latch::None | Latch::Intended | Latch::Deleting => taken(draft, metadata),
        };
    }
    match latch {
        Latch::Created(recorded) if recorded != uid => Standing::Lost,
        Latch::Created(_) => Standing::Present,
        // Whoever may create objects can name the LoadTest as their controller; only the operator
        // can seal them.
        Latch::Intended if is_sealed(draft, child, metadata) => {
            draft.latch_created(child, uid);
            Standing::Present
        }
        Latch::None | Latch::Intended | Latch::Deleting => Standing::Conflict,
    }
}

/// Sees to it that a child is there. Ends the decision if it was lost or its name is taken.
pub(super) fn ensure(
    draft: &mut Draft<'_>,
    start_timeout: SignedDuration,
    child: &Child,
    create: impl FnOnce() -> Effect,
) -> ControlFlow<Halt> {
    match standing(draft, child) {
        Standing::Present => ControlFlow::Continue(()),
        Standing::ToCreate => {
            refused(draft, start_timeout, child)?;
            draft.latch_intended(child);
            draft.effect(create());
            ControlFlow::Continue(())
        }
        Standing::Lost | Standing::Deleting => ControlFlow::Break(Halt::GiveUp(Cause::ChildLost {
            child: child.title(draft.name()),
        })),
        Standing::Taken(until) if draft.now < until => {
            draft.wake_in(SignedDuration::from_secs(2));
            ControlFlow::Break(Halt::Wait)
        }
        Standing::Taken(_) | Standing::Conflict => {
            ControlFlow::Break(Halt::GiveUp(Cause::NotStarted {
                reason: Reason::NameConflict,
                message: format!(
                    "{} exists and belongs to somebody else",
                    child.title(draft.name())
                ),
            }))
        }
    }
}

/// When the last of the children that are there was created; the LoadTest itself if none is.
pub(super) fn last_created(load_test: &LoadTest, observed: &Observed) -> Option<Timestamp> {
    let Observed {
        plan,
        report,
        redis_pod,
        redis_service,
        preflight,
        dynos,
        finish,
        candidates: _,
        events: _,
        largest_node: _,
        refused: _,
    } = observed;
    [
        Some(&load_test.metadata),
        plan.as_ref().map(|object| &object.metadata),
        report.as_ref().map(|object| &object.metadata),
        redis_pod.as_ref().map(|object| &object.metadata),
        redis_service.as_ref().map(|object| &object.metadata),
        preflight.as_ref().map(|object| &object.metadata),
        finish.as_ref().map(|object| &object.metadata),
    ]
    .into_iter()
    .flatten()
    .chain(dynos.values().map(|object| &object.metadata))
    .filter(|metadata| {
        is_controlled_by(metadata, load_test) || metadata.uid == load_test.metadata.uid
    })
    .filter_map(created)
    .max()
}

/// Deals with a creation that the API server refused a moment ago.
fn refused(
    draft: &mut Draft<'_>,
    start_timeout: SignedDuration,
    child: &Child,
) -> ControlFlow<Halt> {
    let Some(refused) = draft
        .observed
        .refused
        .as_ref()
        .filter(|refused| refused.child == *child)
    else {
        return ControlFlow::Continue(());
    };
    if refused.kind == RefusedKind::NamespaceTerminating {
        draft.wake_in(RETRY);
        return ControlFlow::Break(Halt::Wait);
    }
    let (reason, hopeless) = of_refusal(&refused.message);
    let message = format!(
        "{} cannot be created: {}",
        child.title(draft.name()),
        refused.message
    );
    let until = last_created(draft.load_test, draft.observed)
        .map_or(draft.now, |since| later(since, start_timeout));
    if hopeless || draft.now >= until {
        return ControlFlow::Break(Halt::GiveUp(Cause::NotStarted { reason, message }));
    }
    name_cause(draft, reason, &message);
    draft.wake_at(until);
    draft.wake_in(RETRY);
    // The next look tries again.
    draft.latch_intended(child);
    ControlFlow::Break(Halt::Wait)
}

/// Whether the operator itself made an object, before it could record its uid.
fn is_sealed(draft: &Draft<'_>, child: &Child, metadata: &ObjectMeta) -> bool {
    let seal = metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(SEAL));
    seal.is_some_and(|seal| draft.is_seal_of(seal, child))
}

fn taken(draft: &Draft<'_>, metadata: &ObjectMeta) -> Standing {
    let is_former = metadata.owner_references.iter().flatten().any(|owner| {
        owner.controller == Some(true)
            && owner.kind == "LoadTest"
            && Some(&owner.name) == draft.load_test.metadata.name.as_ref()
    });
    if !is_former {
        return Standing::Conflict;
    }
    let since = last_created(draft.load_test, draft.observed).unwrap_or(draft.now);
    Standing::Taken(later(since, COLLECTION))
}
