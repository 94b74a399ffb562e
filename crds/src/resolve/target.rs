//! The target: a plan looked up, or a Secret named.

use redyno_contract::plan::{self, TargetKind, TargetPlan, TlsVerification};

use super::{Problems, ResolvedRedis, scale};
use crate::catalogue::Catalogue;
use crate::spec::{Engine, ExistingTarget, Flush, ManagedTarget, SecretReference, Target, Tls};

pub(super) fn resolve(
    target: &Target,
    connections: u32,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Option<(TargetPlan, Option<ResolvedRedis>)> {
    let Target { managed, existing } = target;
    match (managed, existing) {
        (Some(managed), None) => {
            let redis = self::managed(managed, connections, catalogue, problems)?;
            let plan = TargetPlan {
                title: managed_title(&redis),
                kind: TargetKind::Managed,
                // A managed Redis is spoken to in plain text, inside the pod network.
                tls: TlsVerification::VerifyFull,
                connections,
                flush_hosts: Vec::new(),
                cpu_millis: Some(redis.cpu_millis),
            };
            Some((plan, Some(redis)))
        }
        (None, Some(existing)) => Some((self::existing(existing, connections), None)),
        (Some(_), Some(_)) | (None, None) => {
            problems.add("spec.target", "exactly one of managed and existing");
            None
        }
    }
}

/// A plan is one of Redis unless somebody says otherwise.
fn managed_title(redis: &ResolvedRedis) -> String {
    let plan_name = &redis.plan_name;
    match redis.engine {
        Engine::Redis => format!("managed {plan_name}"),
        engine @ Engine::Valkey => format!("managed {plan_name} ({})", engine.name()),
    }
}

fn managed(
    managed: &ManagedTarget,
    connections: u32,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Option<ResolvedRedis> {
    const FIELD: &str = "spec.target.managed.plan";
    let ManagedTarget {
        plan: name,
        scale_percent,
        engine,
    } = managed;
    let scale_percent = problems.natural("spec.target.managed.scalePercent", *scale_percent);
    let Some(plan) = catalogue.plan(name) else {
        let known = catalogue.plan_names().join(", ");
        problems.add(
            FIELD,
            format!("{name:?} is not a plan; known plans: {known}"),
        );
        return None;
    };
    if connections > plan.connections {
        problems.add(
            FIELD,
            format!(
                "the run needs {connections} connections (quantity x (workers + 1) of every type, \
                 and 2), {name} has {}",
                plan.connections
            ),
        );
        return None;
    }
    let maxmemory_bytes = scale::redis_bytes(plan.memory_bytes, scale_percent);
    Some(ResolvedRedis {
        plan_name: plan.name.clone(),
        engine: *engine,
        cpu_millis: scale::redis_millis(plan.cpu_millis, scale_percent),
        memory_limit_bytes: scale::redis_limit(maxmemory_bytes, connections),
        maxmemory_bytes,
        maxclients: plan.connections,
        scale_percent,
    })
}

fn existing(existing: &ExistingTarget, connections: u32) -> TargetPlan {
    let ExistingTarget {
        secret_ref: SecretReference { name },
        tls,
        flush,
        // The API server has checked this by its rule, and the command line by the rule's twin.
        confirm_flush: _,
    } = existing;
    TargetPlan {
        title: format!("existing {name}"),
        kind: TargetKind::Existing {
            flush: match flush {
                Flush::None => plan::Flush::None,
                Flush::RunKeys => plan::Flush::RunKeys,
                Flush::Database => plan::Flush::Database,
                Flush::AllDatabases => plan::Flush::AllDatabases,
            },
        },
        tls: match tls {
            Tls::VerifyFull => TlsVerification::VerifyFull,
            Tls::VerifyCa => TlsVerification::VerifyCa,
            Tls::SkipVerification => TlsVerification::SkipVerification,
        },
        connections,
        // The spec cannot allow hosts. Whoever carries the plan out adds those that may be flushed.
        flush_hosts: Vec::new(),
        cpu_millis: None,
    }
}
