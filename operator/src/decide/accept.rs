//! Is the spec one that can be carried out?

use std::ops::ControlFlow;

use redyno_contract::Reason;
use redyno_contract::plan::{Plan, RunIdentity, TargetKind};
use redyno_crds::conditions::{ACCEPTED, ConditionStatus, reasons};
use redyno_crds::{Invalid, Resolved, ResolvedDynos, ResolvedRedis, resolve};

use super::draft::{Draft, Latch};
use crate::build::names::Child;
use crate::build::plan_config_map;

/// What a spec comes to.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The spec, resolved: by the plan that the run began with, once there is one.
    pub(super) resolved: Resolved,
    /// Set if the catalogue has lost something that is still needed to start the run: it cannot go
    /// on, and what it has done so far has to be undone by its plan.
    pub(super) lost: Option<String>,
}

/// The spec, resolved. A run that is under way keeps the plan that it began with, whatever became
/// of the catalogue since.
pub(super) fn step(draft: &mut Draft<'_>) -> ControlFlow<(), Accepted> {
    let identity = RunIdentity {
        namespace: draft
            .load_test
            .metadata
            .namespace
            .clone()
            .unwrap_or_default(),
        name: draft.name().to_owned(),
        uid: draft.uid().to_owned(),
    };
    let plan = draft
        .observed
        .plan
        .as_ref()
        .and_then(plan_config_map::read)
        .filter(|plan| plan.run == identity);
    let resolved = resolve(
        &draft.load_test.spec,
        identity,
        &draft.settings.catalogue,
        draft.settings.linger_seconds,
    );
    match (resolved, plan) {
        (Ok(mut resolved), plan) => {
            if let Some(plan) = plan {
                resolved.plan = plan;
            } else {
                let target = &mut resolved.plan.target;
                target.flush_hosts = draft.settings.flush_hosts(target.kind).to_vec();
            }
            draft.condition(
                ACCEPTED,
                ConditionStatus::True,
                reasons::VALID,
                "the spec is valid",
            );
            ControlFlow::Continue(Accepted {
                resolved,
                lost: None,
            })
        }
        (Err(problems), Some(plan)) => {
            let lost = (!is_under_way(draft, &plan)).then(|| {
                format!(
                    "the spec was valid when the run began, but the administrator's catalogue has changed since: {}",
                    Invalid::list(&problems)
                )
            });
            ControlFlow::Continue(Accepted {
                resolved: from_plan(plan),
                lost,
            })
        }
        (Err(problems), None) => {
            let message = Invalid::list(&problems);
            draft.condition(
                ACCEPTED,
                ConditionStatus::False,
                Reason::InvalidSpec.as_str(),
                &message,
            );
            draft.conclude(Reason::InvalidSpec, &message, None);
            ControlFlow::Break(())
        }
    }
}

/// Whether everything that depends on sizes was already created.
fn is_under_way(draft: &Draft<'_>, plan: &Plan) -> bool {
    plan.formation.iter().all(|dynos| {
        matches!(
            draft.latch(&Child::Dynos(dynos.dyno_type.clone())),
            Latch::Created(_) | Latch::Deleting
        )
    })
}

/// What can still be known of a run that was resolved by another catalogue: enough to end it, and
/// nothing is created from it any more.
fn from_plan(plan: Plan) -> Resolved {
    Resolved {
        formation: plan
            .formation
            .iter()
            .map(|dynos| ResolvedDynos {
                dyno_type: dynos.dyno_type.clone(),
                size_title: String::new(),
                cpu_request_millis: dynos.cpu_millis.unwrap_or_default(),
                cpu_limit_millis: dynos.cpu_millis.unwrap_or_default(),
                memory_bytes: dynos.memory_bytes.unwrap_or_default(),
                scale_percent: 100,
                quantity: dynos.quantity,
                workers: dynos.workers,
                placement: None,
            })
            .collect(),
        managed: (plan.target.kind == TargetKind::Managed).then(|| ResolvedRedis {
            plan_name: String::new(),
            cpu_millis: 0,
            memory_limit_bytes: 0,
            maxmemory_bytes: 0,
            maxclients: 0,
            scale_percent: 100,
        }),
        scaled: false,
        plan,
    }
}
