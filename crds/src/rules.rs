//! The rules across fields: each once, as the CEL that the API server runs and as the plain
//! function that the command line runs. [`crate::cases`] holds both against the same table.

mod commands;

use redyno_contract::plan::Percentile;
use serde_json::{Value, json};

use crate::children::TOKENS;
use crate::loadtest::{LoadTest, LoadTestSpec};
use crate::quantity;
use crate::spec::{
    DYNOS_AT_MOST, DesiredState, Distribution, DynoResources, DynoType, ExistingTarget, Flush,
    Keyspace, LatencyOf, LatencyThreshold, PodPlacement, Target, Threshold, Workload,
};

pub(crate) use self::commands::COMMAND;

/// One rule of a `T`.
pub(crate) struct Rule<T> {
    /// The rule as the API server runs it.
    pub(crate) cel: &'static str,
    /// What is right.
    pub(crate) message: &'static str,
    /// The field that it speaks of, from the `T`: `.workers`, or nothing.
    pub(crate) field: &'static str,
    /// The rule as the command line runs it.
    pub(crate) holds: fn(&T) -> bool,
}

/// Rules as they stand in the schema.
pub(crate) fn cel<T>(rules: &[Rule<T>]) -> Value {
    rules
        .iter()
        .map(|rule| {
            let mut entry = json!({"rule": rule.cel, "message": rule.message});
            if !rule.field.is_empty() {
                entry["fieldPath"] = rule.field.into();
            }
            entry
        })
        .collect()
}

/// Longest name of a LoadTest: `<name>-<type>-<index>` has to stay below 64 characters, which is
/// what a host name may have.
const NAME_LENGTH: usize = 40;

/// A LoadTest's name: Services, Jobs and host names are made of it.
pub(crate) const NAME: Rule<LoadTest> = Rule {
    cel: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: "the name must be a letter, then letters, digits and dashes, no dash at the end, at most 40 characters, all lower case",
    field: ".metadata.name",
    holds: |load_test| {
        let metadata = &load_test.metadata;
        // The API server appends five characters to generateName before it validates.
        let name = match (&metadata.name, &metadata.generate_name) {
            (Some(name), _) if !name.is_empty() => name.clone(),
            (_, Some(prefix)) if !prefix.is_empty() => format!("{prefix}xxxxx"),
            _ => return false,
        };
        name.len() <= NAME_LENGTH
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && !name.ends_with('-')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    },
};

pub(crate) const SPEC: &[Rule<LoadTestSpec>] = &[
    Rule {
        cel: "self.formation.map(dynos, dynos.quantity).sum() <= 100",
        message: "at most 100 dynos in all types together",
        field: ".formation",
        holds: |spec| {
            let all: i64 = spec
                .formation
                .iter()
                .map(|dynos| i64::from(dynos.quantity))
                .sum();
            all <= DYNOS_AT_MOST
        },
    },
    Rule {
        cel: "self.thresholds.all(threshold, !has(threshold.type) || self.formation.exists(dynos, dynos.type == threshold.type))",
        message: "a threshold's type must be a type of the formation",
        field: ".thresholds",
        holds: |spec| {
            spec.thresholds.iter().all(|threshold| {
                threshold
                    .dyno_type
                    .as_ref()
                    .is_none_or(|name| spec.formation.iter().any(|dynos| dynos.dyno_type == *name))
            })
        },
    },
    Rule {
        cel: "self.thresholds.all(threshold, !has(threshold.step) || threshold.step == 'Task' || self.formation.exists(dynos, (!has(threshold.type) || dynos.type == threshold.type) && ((has(dynos.workload.objectGraph) && threshold.step in ['Fetch', 'Save', 'Ping']) || (has(dynos.workload.commands) && dynos.workload.commands.mix.exists(entry, entry.name == threshold.step)))))",
        message: "a threshold's step must be one that a type it applies to has: Fetch, Save or Ping of an objectGraph, or the name of a command of a mix",
        field: ".thresholds",
        holds: |spec| {
            spec.thresholds.iter().all(|threshold| {
                let Some(step) = threshold.step.as_deref() else {
                    return true;
                };
                let applies = |dynos: &&DynoType| {
                    threshold
                        .dyno_type
                        .as_ref()
                        .is_none_or(|name| dynos.dyno_type == *name)
                };
                step == TASK
                    || spec
                        .formation
                        .iter()
                        .filter(applies)
                        .any(|dynos| has_step(&dynos.workload, step))
            })
        },
    },
];

/// The step that every task has: itself.
const TASK: &str = "Task";

fn has_step(workload: &Workload, step: &str) -> bool {
    let Workload {
        object_graph,
        commands,
        application_cpu_microseconds: _,
    } = workload;
    (object_graph.is_some() && ["Fetch", "Save", "Ping"].contains(&step))
        || commands
            .as_ref()
            .is_some_and(|commands| commands.mix.iter().any(|entry| entry.name == step))
}

pub(crate) const TARGET: &[Rule<Target>] = &[Rule {
    cel: "has(self.managed) != has(self.existing)",
    message: "exactly one of managed and existing",
    field: "",
    holds: |target| target.managed.is_some() != target.existing.is_some(),
}];

pub(crate) const EXISTING: &[Rule<ExistingTarget>] = &[Rule {
    cel: "!(self.flush in ['Database', 'AllDatabases']) || (has(self.confirmFlush) && self.confirmFlush == self.secretRef.name)",
    message: "flush Database and AllDatabases need confirmFlush with the Secret's name",
    field: ".confirmFlush",
    holds: |existing| match existing.flush {
        Flush::None | Flush::RunKeys => true,
        Flush::Database | Flush::AllDatabases => {
            existing.confirm_flush.as_ref() == Some(&existing.secret_ref.name)
        }
    },
}];

pub(crate) const DYNO_TYPE: &[Rule<DynoType>] = &[
    Rule {
        cel: "!(self.type in ['preflight', 'finish', 'redis', 'report', 'plan'])",
        message: "preflight, finish, redis, report and plan are taken: Jobs and ConfigMaps of the run are called so",
        field: ".type",
        holds: |dynos| !TOKENS.contains(&dynos.dyno_type.as_str()),
    },
    Rule {
        cel: "has(self.size) != has(self.resources)",
        message: "exactly one of size and resources",
        field: "",
        holds: |dynos| dynos.size.is_some() != dynos.resources.is_some(),
    },
    Rule {
        cel: "!has(self.resources) || has(self.workers)",
        message: "resources have no default of workers: state how many",
        field: ".workers",
        holds: |dynos| dynos.resources.is_none() || dynos.workers.is_some(),
    },
    Rule {
        cel: "has(self.tasksPerSecond)",
        message: "the load must be stated: tasksPerSecond is the way to do so in this version",
        field: ".tasksPerSecond",
        holds: |dynos| dynos.tasks_per_second.is_some(),
    },
];

pub(crate) const RESOURCES: &[Rule<DynoResources>] = &[
    Rule {
        cel: "isQuantity(string(self.cpu)) && quantity(string(self.cpu)).compareTo(quantity('50m')) >= 0 && quantity(string(self.cpu)).compareTo(quantity('1024')) <= 0",
        message: "cpu must be 50m to 1024",
        field: ".cpu",
        holds: |resources| {
            quantity::cpu_millis(&resources.cpu)
                .is_some_and(|millis| (50..=1_024_000).contains(&millis))
        },
    },
    Rule {
        cel: "isQuantity(string(self.memory)) && quantity(string(self.memory)).compareTo(quantity('64Mi')) >= 0 && quantity(string(self.memory)).compareTo(quantity('16Ti')) <= 0",
        message: "memory must be 64Mi to 16Ti",
        field: ".memory",
        holds: |resources| {
            quantity::memory_bytes(&resources.memory)
                .is_some_and(|bytes| (64 << 20..=16 << 40).contains(&bytes))
        },
    },
];

pub(crate) const WORKLOAD: &[Rule<Workload>] = &[Rule {
    cel: "has(self.objectGraph) != has(self.commands)",
    message: "exactly one of objectGraph and commands",
    field: "",
    holds: |workload| workload.object_graph.is_some() != workload.commands.is_some(),
}];

pub(crate) const KEYSPACE: &[Rule<Keyspace>] = &[
    Rule {
        cel: "!has(self.zipfExponentPercent) || self.distribution == 'Zipf'",
        message: "zipfExponentPercent is for the distribution Zipf: the others have no exponent",
        field: ".zipfExponentPercent",
        holds: |keyspace| {
            keyspace.zipf_exponent_percent.is_none() || keyspace.distribution == Distribution::Zipf
        },
    },
    Rule {
        cel: "!has(self.prefix) || !self.prefix.startsWith('redyno:')",
        message: "the prefix must not begin with redyno:, where the coordination of all runs is",
        field: ".prefix",
        holds: |keyspace| {
            keyspace
                .prefix
                .as_ref()
                .is_none_or(|prefix| !prefix.starts_with("redyno:"))
        },
    },
];

pub(crate) const PLACEMENT: &[Rule<PodPlacement>] = &[
    Rule {
        cel: "!has(self.labels) || self.labels.all(key, !key.startsWith('redyno.dev/') && !key.startsWith('app.kubernetes.io/') && !key.startsWith('batch.kubernetes.io/'))",
        message: "labels under redyno.dev/, app.kubernetes.io/ and batch.kubernetes.io/ are not the user's",
        field: ".labels",
        holds: |placement| {
            placement.labels.iter().flatten().all(|(key, _)| {
                !key.starts_with("redyno.dev/")
                    && !key.starts_with("app.kubernetes.io/")
                    && !key.starts_with("batch.kubernetes.io/")
            })
        },
    },
    Rule {
        cel: "!has(self.annotations) || self.annotations.all(key, !key.startsWith('redyno.dev/') && !key.startsWith('batch.kubernetes.io/'))",
        message: "annotations under redyno.dev/ and batch.kubernetes.io/ are not the user's",
        field: ".annotations",
        holds: |placement| {
            placement.annotations.iter().flatten().all(|(key, _)| {
                !key.starts_with("redyno.dev/") && !key.starts_with("batch.kubernetes.io/")
            })
        },
    },
];

pub(crate) const THRESHOLD: &[Rule<Threshold>] = &[
    Rule {
        cel: "[has(self.latency), has(self.errors), has(self.rate)].exists_one(given, given)",
        message: "exactly one of latency, errors and rate",
        field: "",
        holds: |threshold| {
            let Threshold {
                name: _,
                dyno_type: _,
                step: _,
                latency,
                errors,
                rate,
            } = threshold;
            let given = [latency.is_some(), errors.is_some(), rate.is_some()];
            given.iter().filter(|given| **given).count() == 1
        },
    },
    Rule {
        cel: "!has(self.step) || (has(self.latency) && (self.step == 'Task' || self.latency.of == 'Service'))",
        message: "a step is for a latency, and a step other than Task has Service time only",
        field: ".step",
        holds: |threshold| match (threshold.step.as_deref(), &threshold.latency) {
            (None, _) | (Some(TASK), Some(_)) => true,
            (Some(_), None) => false,
            (Some(_), Some(latency)) => latency.of == LatencyOf::Service,
        },
    },
];

pub(crate) const LATENCY: &[Rule<LatencyThreshold>] = &[Rule {
    cel: "self.percentile.matches('[1-9]')",
    message: "the percentile must be above 0",
    field: ".percentile",
    holds: |latency| Percentile::parse(&latency.percentile).is_ok(),
}];

/// What of a spec may be changed after creation; desiredState in one direction only.
pub(crate) const MUTABLE: [&str; 2] = ["desiredState", "retention"];

/// A rule of an update, of the old spec and the new one.
pub(crate) struct Transition {
    cel: &'static str,
    pub(crate) message: &'static str,
    pub(crate) field: &'static str,
    pub(crate) holds: fn(&LoadTestSpec, &LoadTestSpec) -> bool,
}

pub(crate) const CANCELLED_FOR_GOOD: Transition = Transition {
    cel: "oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'",
    message: "a cancelled LoadTest cannot be resumed: create a new one",
    field: ".desiredState",
    holds: |old, new| {
        old.desired_state != DesiredState::Cancelled || new.desired_state == DesiredState::Cancelled
    },
};

/// The message for a field that cannot be changed.
pub(crate) fn immutable_message(field: &str) -> String {
    format!("{field} cannot be changed after creation: create a new LoadTest")
}

/// Adds the rules of updates to the spec's schema: one for every field that is there, so that a new
/// field cannot be changed either unless [`MUTABLE`] says so.
pub(crate) fn immutable(schema: &mut schemars::Schema) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let fields: Vec<String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|properties| properties.keys().cloned())
        .filter(|field| !MUTABLE.contains(&field.as_str()))
        .collect();
    let Some(rules) = schema
        .get_mut("x-kubernetes-validations")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    let Transition {
        cel,
        message,
        field,
        holds: _,
    } = CANCELLED_FOR_GOOD;
    rules.push(json!({"rule": cel, "message": message, "fieldPath": field}));
    for field in fields {
        let same = format!("self.{field} == oldSelf.{field}");
        let rule = if required.contains(&field) {
            same
        } else {
            format!("has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})")
        };
        rules.push(json!({
            "rule": rule,
            "message": immutable_message(&field),
            "fieldPath": format!(".{field}"),
        }));
    }
}
