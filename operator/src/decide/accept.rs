//! Is the spec one that can be carried out? What it comes to is fixed here, once: the plan and the
//! objects of the run, in the plan ConfigMap, and their digest in the status. Everything later goes
//! by that alone, whatever became of the catalogue, the images and the operator since.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use redyno_contract::Reason;
use redyno_contract::plan::{Plan, RunIdentity};
use redyno_crds::children::Child;
use redyno_crds::conditions::{ACCEPTED, ConditionStatus, reasons};
use redyno_crds::{Invalid, Resolved, resolve};

use super::children::{self, Standing};
use super::draft::{Draft, Latch};
use crate::build::objects::Objects;
use crate::build::{Run, plan_config_map};
use crate::collected::Cause;

/// What a LoadTest was accepted as.
#[derive(Debug)]
pub(super) struct Accepted {
    /// What the run's pods read, and what the run is judged by.
    pub(super) plan: Plan,
    /// What the run is made of.
    pub(super) objects: Objects,
    /// The ConfigMap that both are kept in, if it is still to be made.
    pub(super) config_map: Option<ConfigMap>,
    /// Why the run cannot go on by this.
    pub(super) broken: Option<Cause>,
}

impl Accepted {
    /// How long each wait before the start may take.
    pub(super) fn start_timeout(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.plan.start_timeout_seconds))
    }
}

/// What the LoadTest was accepted as, or is accepted as now; else what is wrong with its spec.
pub(super) fn step(draft: &mut Draft<'_>) -> Result<Accepted, String> {
    let kept = match children::standing(draft, &Child::Plan) {
        Standing::Present => draft.observed.plan.as_ref(),
        Standing::ToCreate
        | Standing::Lost
        | Standing::Deleting
        | Standing::Taken(_)
        | Standing::Conflict => None,
    };
    let accepted = match kept {
        Some(config_map) => by_what_is_kept(draft, config_map),
        None => Ok(anew(draft)?),
    };
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(cause) => Accepted {
            broken: Some(cause),
            ..anew(draft)?
        },
    };
    draft.condition(
        ACCEPTED,
        ConditionStatus::True,
        reasons::VALID,
        "the spec is valid",
    );
    Ok(accepted)
}

/// What was accepted, from the ConfigMap that keeps it.
fn by_what_is_kept(draft: &mut Draft<'_>, config_map: &ConfigMap) -> Result<Accepted, Cause> {
    let digest = plan_config_map::digest(config_map);
    // A run that the first release began has no digest yet.
    let accepted = draft
        .status
        .plan_digest
        .get_or_insert_with(|| digest.clone());
    if *accepted != digest {
        return Err(Cause::EvidenceChanged {
            message: format!(
                "{} is not the plan any more that the run began with",
                Child::Plan.title(draft.name())
            ),
        });
    }
    let plan = plan_config_map::read(config_map).ok_or_else(|| Cause::NotStarted {
        reason: Reason::InvalidSpec,
        message: format!(
            "{} was written by a later release, and this one cannot read it",
            Child::Plan.title(draft.name())
        ),
    })?;
    let Some(objects) = plan_config_map::read_objects(config_map) else {
        return Ok(begun_by_the_first_release(draft, plan));
    };
    Ok(Accepted {
        plan,
        objects,
        config_map: None,
        broken: None,
    })
}

/// The spec, resolved by the catalogue of now.
fn anew(draft: &mut Draft<'_>) -> Result<Accepted, String> {
    let mut resolved = resolved(draft).inspect_err(|problems| {
        draft.condition(
            ACCEPTED,
            ConditionStatus::False,
            Reason::InvalidSpec.as_str(),
            problems,
        );
    })?;
    let target = &mut resolved.plan.target;
    target.flush_hosts = draft.settings.flush_hosts(target.kind).to_vec();
    let run = run(draft, &resolved);
    let objects = Objects::build(&run);
    let config_map = plan_config_map::build(&run, &objects);
    // Once the ConfigMap is there its digest stands for good.
    if matches!(draft.latch(&Child::Plan), Latch::None | Latch::Intended) {
        draft.status.plan_digest = Some(plan_config_map::digest(&config_map));
    }
    Ok(Accepted {
        plan: resolved.plan,
        objects,
        config_map: Some(config_map),
        broken: None,
    })
}

fn resolved(draft: &Draft<'_>) -> Result<Resolved, String> {
    let metadata = &draft.load_test.metadata;
    let identity = RunIdentity {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: draft.name().to_owned(),
        uid: draft.uid().to_owned(),
    };
    resolve(
        &draft.load_test.spec,
        identity,
        &draft.settings.catalogue,
        draft.settings.linger_seconds,
    )
    .map_err(|problems| Invalid::list(&problems))
}

const fn run<'a>(draft: &Draft<'a>, resolved: &'a Resolved) -> Run<'a> {
    Run {
        load_test: draft.load_test,
        resolved,
        settings: draft.settings,
    }
}

/// A run of which the plan alone was kept: what is still to be made of it is built by the settings
/// and the catalogue of now.
fn begun_by_the_first_release(draft: &Draft<'_>, plan: Plan) -> Accepted {
    let (resolved, broken) = match resolved(draft) {
        Ok(resolved) => (Resolved { plan, ..resolved }, None),
        Err(problems) => {
            let message = format!(
                "the spec was valid when the run began, but the administrator's catalogue has changed since: {problems}"
            );
            let reason = Reason::InvalidSpec;
            let broken =
                (!is_under_way(draft, &plan)).then_some(Cause::NotStarted { reason, message });
            // Enough to end the run; nothing else is made of it.
            let resolved = Resolved {
                plan,
                formation: Vec::new(),
                managed: None,
                scaled: false,
            };
            (resolved, broken)
        }
    };
    let objects = Objects::build(&run(draft, &resolved));
    Accepted {
        plan: resolved.plan,
        objects,
        config_map: None,
        broken,
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
