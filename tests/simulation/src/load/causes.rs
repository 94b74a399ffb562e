//! Law 3: what a run is said to have been held back by.
//!
//! A bottleneck named x: in the same world without an end to x, this breach is gone, whatever else is
//! broken there. If that is so of no single thing, only Unknown is right, or what took the largest share of the time of the
//! tasks over the limit; this law leaves such runs alone. Every run may say Unknown, which is
//! counted.

use redyno_contract::judgement::Judgement;
use redyno_contract::limit::Holding;
use redyno_contract::verdict::{Bottleneck, Reason, Verdict};

use super::laws::{broken, ends};
use super::oracle::{self, Slack};
use super::sim::{self, Run};
use super::world::{Changed, Resource, World};
use crate::report::Broken;

/// What a law says, and whether anything was named at all.
pub(super) struct Named {
    pub(super) broken: Option<Broken>,
    pub(super) counted: Option<(&'static str, bool)>,
}

/// Law 3, of a run that failed.
pub(super) fn named_rightly(world: &World, run: &Run, judgement: &Judgement) -> Named {
    let nothing = Named {
        broken: None,
        counted: None,
    };
    if judgement.verdict != Verdict::Failed || judgement.reason == Reason::TargetLost {
        return nothing;
    }
    let resource = match judgement.bottleneck {
        Some(Bottleneck::RedisCpu) => Resource::RedisCpu,
        Some(Bottleneck::RedisMemory) => Resource::RedisMemory,
        Some(Bottleneck::RedisConnections) => Resource::Connections,
        Some(Bottleneck::DynoCpu) => Resource::DynoCpu,
        Some(Bottleneck::Network) => Resource::Network,
        Some(Bottleneck::Generator | Bottleneck::Unknown) | None => {
            return Named {
                broken: None,
                counted: Some(("a bottleneck was named of a run that failed", false)),
            };
        }
    };
    let counted = Some(("a bottleneck was named of a run that failed", true));
    if is_gone(world, run, judgement, resource) {
        return Named {
            broken: None,
            counted,
        };
    }
    let another = Resource::ALL
        .into_iter()
        .find(|other| *other != resource && is_gone(world, run, judgement, *other));
    Named {
        broken: another.map(|another| {
            broken(
                3,
                "a bottleneck that is none",
                format!(
                    "{resource:?} is named, but without an end to it the run breaks the same \
                     limit; without an end to {another:?} it does not: {}",
                    judgement.message
                ),
            )
        }),
        counted,
    }
}

/// Whether what the run failed by is not broken without an end to this.
fn is_gone(world: &World, run: &Run, judgement: &Judgement, resource: Resource) -> bool {
    let without = world.with(Changed {
        generator_on_time: false,
        without: Some(resource),
        ends: Some(ends(world, run)),
    });
    let other = sim::run(&without);
    let broken = oracle::broken(&without, &other, Slack::Nearly, false);
    let failed_by = |name: &String| match judgement.reason {
        Reason::BacklogLimitReached => name == "backlog",
        Reason::RateNotSustained => name == "keeping up",
        _ => judgement
            .thresholds
            .iter()
            .any(|result| result.holding == Holding::Breached && result.name == *name),
    };
    !broken.iter().any(failed_by)
}
