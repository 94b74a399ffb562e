use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::samples;

/// The sample plan with a value put at a JSON pointer.
fn with(pointer: &str, value: Value) -> String {
    let mut plan = serde_json::to_value(samples::plan()).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match plan.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        Value::Object(fields) => {
            fields.insert(name.to_owned(), value);
        }
        other => panic!("{other} has no {name}"),
    }
    plan.to_string()
}

fn without(pointer: &str) -> String {
    let mut plan = serde_json::to_value(samples::plan()).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let fields = plan.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    assert!(fields.remove(name).is_some(), "{pointer}");
    plan.to_string()
}

#[test]
fn a_plan_survives_the_way() {
    let plan = samples::plan();
    let text = serde_json::to_string_pretty(&plan).unwrap();
    assert_eq!(Plan::from_json(&text).as_ref(), Ok(&plan));
    assert_eq!(Plan::to_carry_out(&text), Ok(plan));
}

#[test]
fn who_judges_passes_over_what_a_later_release_added_and_who_carries_out_does_not() {
    for later in [
        with("/colour", json!(1)),
        with("/formation/0/workload/objectGraph/depth", json!([3])),
    ] {
        assert_eq!(Plan::from_json(&later), Ok(samples::plan()));
        let refused = Plan::to_carry_out(&later).unwrap_err().to_string();
        assert!(refused.contains("is no field"), "{refused}");
    }
}

/// Whoever adds a field to the plan that this one has not, and that must be there, breaks every run
/// that is under way while the operator is upgraded.
#[test]
fn a_plan_of_the_first_release_is_still_carried_out() {
    let text = include_str!("first_release/plan.json");
    let plan = Plan::to_carry_out(text).unwrap();
    assert_eq!(plan.dynos().count(), 3);
}

#[test]
fn refusals_name_the_field_what_was_found_and_what_is_allowed() {
    let cases = [
        (String::new(), "EOF while parsing a value"),
        ("[]".to_owned(), "expected struct Plan"),
        (
            with("/colour", json!(1)),
            "colour is no field that this release knows",
        ),
        (
            with("/formation/0/poets", json!(1)),
            "formation[0].poets is no field that this release knows",
        ),
        (
            with("/thresholds/0/limit/latency/among", json!({})),
            "thresholds[0].limit.latency.among is no field",
        ),
        (without("/seed"), "missing field `seed`"),
        (
            without("/formation/0/rate"),
            "formation[0]: missing field `rate`",
        ),
        (
            with("/formation/0/workers", json!("many")),
            "formation[0].workers: invalid type: string \"many\", expected u32",
        ),
        (
            with("/formation/0/workers", json!(-1)),
            "formation[0].workers: invalid value: integer `-1`, expected u32",
        ),
        (
            with("/formation/0/rate/seconds", json!(0)),
            "formation[0].rate.seconds: invalid value: integer `0`, expected a nonzero u32",
        ),
        (
            with("/formation/0/arrivals", json!("Bursty")),
            "formation[0].arrivals: unknown variant `Bursty`, expected `Constant`",
        ),
        (
            with("/thresholds/0/limit/latency/percentile", json!(100_000)),
            "must be above 0 and below 100",
        ),
        (
            with("/version", json!(2)),
            "version is 2, must be 1 to 1: the plan is of a later release",
        ),
        (
            with("/run/uid", json!("ab")),
            "run.uid is \"ab\", must be 8 or more letters, digits and dashes",
        ),
        (
            with("/run/uid", json!("../../etc/passwd")),
            "run.uid is \"../../etc/passwd\"",
        ),
        (
            with("/durationSeconds", json!(0)),
            "durationSeconds is 0, must be 1 or more",
        ),
        (
            with("/warmupPercent", json!(0)),
            "warmupPercent is 0, must be 1 to 100",
        ),
        (
            with("/warmupPercent", json!(101)),
            "warmupPercent is 101, must be 1 to 100",
        ),
        (
            with("/formation", json!([])),
            "formation is empty, must be at least one dyno type",
        ),
        (
            with("/formation/0/quantity", json!(0)),
            "formation[0].quantity is 0, must be 1 or more",
        ),
        (
            with("/formation/0/quantity", json!(101)),
            "formation is of 101 dynos, must be of at most 100",
        ),
        (
            with("/formation/0/quantity", json!(u32::MAX)),
            "formation is of 4294967295 dynos",
        ),
        (
            with("/formation/0/workers", json!(0)),
            "formation[0].workers is 0, must be 1 or more",
        ),
        (
            with("/formation/0/maxWorkerBacklog", json!(0)),
            "formation[0].maxWorkerBacklog is 0, must be 1 or more",
        ),
        (
            with("/formation/0/workload/objectGraph/maxFlats", json!(0)),
            "formation[0].workload.objectGraph.maxFlats is 0, must be 1 or more",
        ),
        (
            with("/thresholds/1/name", json!("p99")),
            "thresholds[1].name is p99, must be unique",
        ),
        (
            with("/thresholds/1/type", json!("poets")),
            "thresholds[1].type is poets, must be a type of the formation",
        ),
        (
            with("/thresholds/0/limit/latency/step", json!("Fetch")),
            "thresholds[0].limit.latency.of is Response, must be Service: a step has service",
        ),
        (
            format!("{} {{}}", serde_json::to_string(&samples::plan()).unwrap()),
            "trailing characters",
        ),
    ];
    for (text, expected) in cases {
        let refused = Plan::to_carry_out(&text).unwrap_err().to_string();
        assert!(
            refused.starts_with("invalid plan: ") && refused.contains(expected),
            "{refused:?} lacks {expected:?}"
        );
    }
    let mut twice = samples::plan();
    twice.formation.push(samples::dyno_type("web", 1));
    let refused = Plan::from_json(&serde_json::to_string(&twice).unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "invalid plan: formation[1].type is web, must be unique"
    );
}

#[test]
fn a_plan_of_another_release_is_named_so_whatever_is_in_it() {
    let refused = Plan::from_json(r#"{"version": 7, "news": []}"#).unwrap_err();
    assert!(
        refused.to_string().contains("version is 7, must be 1 to 1"),
        "{refused}"
    );
}

#[test]
fn dynos_and_their_limits_are_in_the_order_of_the_plan() {
    let mut plan = samples::plan();
    plan.formation.push(samples::dyno_type("worker", 1));
    plan.thresholds[2] = samples::threshold(
        "save",
        Limit::Latency(LatencyLimit {
            of: Latency::Service,
            step: Step::Save,
            percentile: Percentile::P90,
            max_microseconds: 1,
        }),
    );
    plan.thresholds[0].dyno_type = Some("worker".to_owned());
    let names: Vec<_> = plan.dynos().map(|dyno| dyno.to_string()).collect();
    assert_eq!(names, ["web.1", "web.2", "worker.1"]);
    assert_eq!(plan.sampler().unwrap().to_string(), "web.1");
    let limits = |name: &str| {
        plan.latency_limits(name)
            .map(|(position, limit)| (position, limit.step.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(limits("web"), [(2, Step::Save)]);
    assert_eq!(limits("worker"), [(0, Step::Task), (2, Step::Save)]);
    assert_eq!(plan.scheduled(None), 3 * 240_000);
    assert_eq!(plan.scheduled(Some("worker")), 240_000);
    assert_eq!(plan.scheduled(Some("poets")), 0);
    let web = plan.dyno_type("web").unwrap();
    assert_eq!(plan.warmup_schedule(web, 1).count(), 500);
    assert_eq!(plan.dyno_type("poets"), None);
}

#[test]
fn percentiles_are_read_strictly() {
    for (text, thousandths, shown) in [
        ("99", 99_000, "99"),
        ("99.9", 99_900, "99.9"),
        ("99.999", 99_999, "99.999"),
        ("0.5", 500, "0.5"),
        ("0.001", 1, "0.001"),
        ("5", 5_000, "5"),
        ("05.010", 5_010, "5.01"),
    ] {
        let percentile = Percentile::parse(text).unwrap();
        assert_eq!(percentile.thousandths(), thousandths);
        assert_eq!(percentile.to_string(), shown);
    }
    for text in [
        "", "0", "00", "0.0", "100", "99.", ".9", "99.9999", "-1", "+9", "9e1", "p99", "99 ", "٩٩",
        "9.9.9", "0.000",
    ] {
        let refused = Percentile::parse(text).unwrap_err().to_string();
        assert!(
            refused.contains("must be above 0 and below 100"),
            "{refused}"
        );
    }
    assert!((Percentile::P999.fraction() - 0.999).abs() < 1e-12);
}

proptest! {
    #[test]
    fn every_percentile_is_read_as_it_is_shown(thousandths in 1_u32..100_000) {
        let percentile = Percentile::try_from(thousandths).unwrap();
        prop_assert_eq!(Percentile::parse(&percentile.to_string()), Ok(percentile));
        let json = serde_json::to_string(&percentile).unwrap();
        prop_assert_eq!(serde_json::from_str::<Percentile>(&json).unwrap(), percentile);
    }

    #[test]
    fn arbitrary_text_is_refused(text in ".{0,200}") {
        prop_assert!(Plan::from_json(&text).is_err());
        if let Ok(percentile) = Percentile::parse(&text) {
            prop_assert!((1..100_000).contains(&percentile.thousandths()));
        }
    }

    /// Any value anywhere: an error or a plan that can be computed with, never a panic.
    #[test]
    fn arbitrary_values_never_panic(
        pointer in prop::sample::select(vec![
            "/version", "/run", "/run/uid", "/durationSeconds", "/warmupSeconds", "/warmupPercent",
            "/seed", "/formation", "/formation/0", "/formation/0/type", "/formation/0/quantity",
            "/formation/0/workers", "/formation/0/rate", "/formation/0/rate/tasks",
            "/formation/0/rate/seconds", "/formation/0/workload", "/thresholds", "/thresholds/0",
            "/thresholds/0/limit", "/thresholds/0/limit/latency/percentile",
        ]),
        value in prop::sample::select(vec![
            json!(null), json!(0), json!(1), json!(-1), json!(u32::MAX), json!(u64::MAX), json!(1e300),
            json!(""), json!("x"), json!([]), json!({}), json!([[]]), json!({"latency": {}}), json!(true),
        ]),
    ) {
        if let Ok(plan) = Plan::from_json(&with(pointer, value)) {
            plan.scheduled(None);
            for dyno in plan.dynos() {
                let dynos = plan.dyno_type(&dyno.dyno_type).unwrap();
                let schedule = plan.schedule(dynos, dyno.index);
                schedule.due(schedule.count().saturating_sub(1));
                plan.warmup_schedule(dynos, dyno.index).count();
            }
        }
    }
}
