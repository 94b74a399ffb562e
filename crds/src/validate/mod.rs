//! The API server's validation without an API server: the same rules, for the command line.
//!
//! What the schema says of single fields is read off the generated schema itself; rules across
//! fields are the plain halves of [`crate::rules`]. [`crate::cases`] holds both against the same
//! table as a real API server.

pub(crate) mod structure;

use serde_json::{Map, Value};

use crate::invalid::Invalid;
use crate::loadtest::{LoadTest, LoadTestSpec};
use crate::rules::{self, CANCELLED_FOR_GOOD, MUTABLE, Rule, immutable_message};
use crate::spec::{
    Commands, DynoResources, DynoType, ExistingTarget, Keyspace, LatencyThreshold, MixedCommand,
    ObjectGraph, PodPlacement, Target, Threshold, Workload,
};

/// Everything that the API server would refuse on creation.
pub fn validate(load_test: &LoadTest) -> Vec<Invalid> {
    let mut problems = Vec::new();
    if !(rules::NAME.holds)(load_test) {
        problems.push(Invalid::new("metadata.name", rules::NAME.message));
    }
    let spec = spec_value(&load_test.spec);
    problems.extend(
        structure::check("spec", &Value::Object(spec), structure::spec_schema())
            .into_iter()
            .map(|problem| problem.invalid),
    );
    spec_rules(&load_test.spec, &mut problems);
    problems
}

/// Everything that the API server would refuse on an update of `old` to `new`.
pub fn validate_update(old: &LoadTest, new: &LoadTest) -> Vec<Invalid> {
    let mut problems = validate(new);
    if !(CANCELLED_FOR_GOOD.holds)(&old.spec, &new.spec) {
        problems.push(Invalid::new(
            format!("spec{}", CANCELLED_FOR_GOOD.field),
            CANCELLED_FOR_GOOD.message,
        ));
    }
    let (old, new) = (spec_value(&old.spec), spec_value(&new.spec));
    let mut fields: Vec<&String> = old.keys().chain(new.keys()).collect();
    fields.sort();
    fields.dedup();
    for field in fields {
        if !MUTABLE.contains(&field.as_str()) && old.get(field) != new.get(field) {
            problems.push(Invalid::new(
                format!("spec.{field}"),
                immutable_message(field),
            ));
        }
    }
    problems
}

/// A spec as the API server sees it.
fn spec_value(spec: &LoadTestSpec) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(fields)) => fields,
        // A struct of string keys and plain values has no other form.
        _ => Map::new(),
    }
}

fn apply<T>(field: &str, value: &T, rules: &[Rule<T>], problems: &mut Vec<Invalid>) {
    for rule in rules {
        if !(rule.holds)(value) {
            problems.push(Invalid::new(format!("{field}{}", rule.field), rule.message));
        }
    }
}

fn spec_rules(spec: &LoadTestSpec, problems: &mut Vec<Invalid>) {
    let LoadTestSpec {
        target,
        duration_seconds: _,
        warmup_seconds: _,
        warmup_percent: _,
        formation,
        load_percent: _,
        thresholds,
        on_dyno_failure: _,
        task_timeout_milliseconds: _,
        drain_seconds: _,
        start_timeout_seconds: _,
        seed: _,
        desired_state: _,
        retention: _,
    } = spec;
    apply("spec", spec, rules::SPEC, problems);
    target_rules(target, problems);
    for (position, dynos) in formation.iter().enumerate() {
        dyno_type_rules(&format!("spec.formation[{position}]"), dynos, problems);
    }
    for (position, threshold) in thresholds.iter().enumerate() {
        threshold_rules(&format!("spec.thresholds[{position}]"), threshold, problems);
    }
}

fn target_rules(target: &Target, problems: &mut Vec<Invalid>) {
    let Target {
        managed: _,
        existing,
    } = target;
    apply("spec.target", target, rules::TARGET, problems);
    if let Some(existing) = existing {
        let ExistingTarget {
            secret_ref: _,
            tls: _,
            flush: _,
            confirm_flush: _,
        } = existing;
        apply("spec.target.existing", existing, rules::EXISTING, problems);
    }
}

fn dyno_type_rules(field: &str, dynos: &DynoType, problems: &mut Vec<Invalid>) {
    let DynoType {
        dyno_type: _,
        quantity: _,
        size: _,
        resources,
        scale_percent: _,
        workers: _,
        tasks_per_second: _,
        arrivals: _,
        assignment: _,
        queue_order: _,
        max_worker_backlog: _,
        workload,
        pod,
    } = dynos;
    apply(field, dynos, rules::DYNO_TYPE, problems);
    if let Some(resources) = resources {
        let DynoResources { cpu: _, memory: _ } = resources;
        apply(
            &format!("{field}.resources"),
            resources,
            rules::RESOURCES,
            problems,
        );
    }
    workload_rules(&format!("{field}.workload"), workload, problems);
    if let Some(pod) = pod {
        let PodPlacement {
            node_selector: _,
            tolerations: _,
            affinity: _,
            topology_spread_constraints: _,
            priority_class_name: _,
            runtime_class_name: _,
            image_pull_secrets: _,
            labels: _,
            annotations: _,
        } = pod;
        apply(&format!("{field}.pod"), pod, rules::PLACEMENT, problems);
    }
}

fn workload_rules(field: &str, workload: &Workload, problems: &mut Vec<Invalid>) {
    let Workload {
        object_graph,
        commands,
        application_cpu_microseconds: _,
    } = workload;
    apply(field, workload, rules::WORKLOAD, problems);
    if let Some(object_graph) = object_graph {
        let ObjectGraph {
            max_flats: _,
            item_payload_bytes: _,
            fetch: _,
            prefill: _,
        } = object_graph;
    }
    if let Some(commands) = commands {
        let Commands {
            keyspace,
            value_bytes: _,
            prefill: _,
            mix,
        } = commands;
        let Keyspace {
            prefix: _,
            keys: _,
            distribution: _,
            zipf_exponent_percent: _,
        } = keyspace;
        let field = format!("{field}.commands");
        apply(
            &format!("{field}.keyspace"),
            keyspace,
            rules::KEYSPACE,
            problems,
        );
        for (position, entry) in mix.iter().enumerate() {
            let MixedCommand {
                name: _,
                weight: _,
                command: _,
                expect: _,
            } = entry;
            apply(
                &format!("{field}.mix[{position}]"),
                entry,
                rules::COMMAND,
                problems,
            );
        }
    }
}

fn threshold_rules(field: &str, threshold: &Threshold, problems: &mut Vec<Invalid>) {
    let Threshold {
        name: _,
        dyno_type: _,
        step: _,
        latency,
        errors: _,
        rate: _,
    } = threshold;
    apply(field, threshold, rules::THRESHOLD, problems);
    if let Some(latency) = latency {
        let LatencyThreshold {
            of: _,
            percentile: _,
            max_microseconds: _,
        } = latency;
        apply(
            &format!("{field}.latency"),
            latency,
            rules::LATENCY,
            problems,
        );
    }
}

#[cfg(test)]
mod tests;
