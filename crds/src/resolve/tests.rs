use redyno_contract::plan::{Limit, Percentile, TargetKind};
use redyno_contract::schedule::Rate;
use serde_json::{Value, json};

use super::*;
use crate::spec::Engine;

fn run() -> RunIdentity {
    RunIdentity {
        namespace: "default".to_owned(),
        name: "test".to_owned(),
        uid: "7f3c0000-0000".to_owned(),
    }
}

fn minimal() -> Value {
    json!({
        "target": {"managed": {"plan": "premium-5"}},
        "durationSeconds": 60,
        "formation": [{
            "type": "web", "size": "performance-2xl", "tasksPerSecond": 1000,
            "workload": {"objectGraph": {}}
        }]
    })
}

fn check(change: impl FnOnce(&mut Value)) -> Result<Resolved, Vec<Invalid>> {
    let mut spec = minimal();
    change(&mut spec);
    let spec = serde_json::from_value(spec).unwrap();
    resolve(&spec, run(), &Catalogue::built_in(), 7)
}

fn message(change: impl FnOnce(&mut Value)) -> String {
    Invalid::list(&check(change).map(|_| ()).unwrap_err())
}

#[test]
fn defaults_come_from_the_size() {
    let resolved = check(|_| ()).unwrap();
    let dynos = &resolved.formation[0];
    assert_eq!(
        (dynos.cpu_limit_millis, dynos.memory_bytes),
        (16_000, 126 << 30)
    );
    assert_eq!((dynos.quantity, dynos.workers), (1, 63));
    assert_eq!(dynos.size_title, "performance-2xl");
    assert!(!resolved.scaled);
    assert_eq!(resolved.scale_note(), None);
    let plan = &resolved.plan;
    assert_eq!(plan.target.title, "managed premium-5");
    assert_eq!(plan.target.kind, TargetKind::Managed);
    // 63 workers and one to coordinate, and 2.
    assert_eq!(plan.target.connections, 66);
    assert_eq!(plan.formation[0].rate, Rate::per_second(1000));
    assert_eq!(
        (
            plan.warmup_seconds,
            plan.warmup_percent,
            plan.linger_seconds
        ),
        (5, 10, 7)
    );
    let redis = resolved.managed.as_ref().unwrap();
    assert_eq!((redis.cpu_millis, redis.maxclients), (2000, 1000));
    assert_eq!(redis.maxmemory_bytes, 1 << 30);
    assert!(redis.memory_limit_bytes > redis.maxmemory_bytes);
    let json = serde_json::to_string(plan).unwrap();
    assert_eq!(Plan::from_json(&json).as_ref(), Ok(plan));
}

#[test]
fn the_errors_threshold_is_implied_unless_given() {
    let names = |spec: Result<Resolved, _>| -> Vec<(String, Limit)> {
        let plan = spec.unwrap().plan;
        plan.thresholds
            .into_iter()
            .map(|threshold| (threshold.name, threshold.limit))
            .collect()
    };
    let none = Limit::Errors { max_per_million: 0 };
    assert_eq!(names(check(|_| ())), [("errors".to_owned(), none.clone())]);
    let some = Limit::Errors { max_per_million: 9 };
    let given = check(|spec| {
        spec["thresholds"] = json!([{"name": "few", "errors": {"maxPerMillion": 9}}]);
    });
    assert_eq!(names(given), [("few".to_owned(), some)]);
    let named_so = names(check(|spec| {
        spec["thresholds"] = json!([{"name": "errors", "rate": {"minTasksPerSecond": 9}}]);
    }));
    assert_eq!(named_so[1], ("errors-2".to_owned(), none));
}

#[test]
fn thresholds() {
    let resolved = check(|spec| {
        spec["thresholds"] = json!([
            {"name": "p", "type": "web", "step": "Save",
             "latency": {"of": "Service", "percentile": "99.9", "maxMicroseconds": 5000}},
        ]);
    })
    .unwrap();
    let threshold = &resolved.plan.thresholds[0];
    assert_eq!(threshold.dyno_type.as_deref(), Some("web"));
    let Limit::Latency(limit) = threshold.limit.clone() else {
        panic!("{threshold:?}")
    };
    assert_eq!(limit.percentile, Percentile::P999);
    assert_eq!(
        (limit.step, limit.max_microseconds),
        (plan::Step::Save, 5000)
    );
}

#[test]
fn commands_with_their_defaults_and_in_full() {
    let resolved = check(|spec| {
        spec["formation"][0]["workload"] = json!({"commands": {
            "mix": [{"name": "get", "command": ["GET", "{key}"]}]
        }});
        spec["formation"][0]["arrivals"] = json!("Poisson");
        spec["formation"][0]["assignment"] = json!("RoundRobin");
        spec["formation"][0]["queueOrder"] = json!("NewestFirst");
    })
    .unwrap();
    let dynos = &resolved.plan.formation[0];
    let get = plan::MixedCommand {
        name: "get".to_owned(),
        weight: 1,
        command: vec!["GET".to_owned(), "{key}".to_owned()],
        expect: plan::Expectation::Any,
    };
    assert_eq!(
        dynos.workload,
        plan::Workload::Commands(plan::Commands {
            keyspace: plan::Keyspace {
                prefix: plan::Keyspace::default_prefix(),
                keys: 100_000,
                distribution: plan::Distribution::Uniform,
            },
            value_bytes: 512,
            prefill: plan::Prefill::Empty,
            mix: vec![get.clone()],
        })
    );
    assert_eq!(dynos.application_cpu_microseconds, 0);
    assert_eq!(
        (dynos.arrivals, dynos.assignment, dynos.queue_order),
        (
            plan::Arrivals::Poisson,
            plan::Assignment::RoundRobin,
            plan::QueueOrder::NewestFirst
        )
    );
    let resolved = check(|spec| {
        spec["formation"][0]["workload"] = json!({
            "applicationCpuMicroseconds": 250,
            "commands": {
                "keyspace": {"keys": 10, "distribution": "Zipf"},
                "valueBytes": 100,
                "prefill": "Full",
                "mix": [
                    {"name": "get", "command": ["GET", "{key}"]},
                    {"name": "set", "weight": 9, "command": ["SET", "{key}", "{value}"]}
                ]
            }
        });
        spec["thresholds"] = json!([{"name": "p", "step": "set",
            "latency": {"of": "Service", "percentile": "99", "maxMicroseconds": 5000}}]);
    })
    .unwrap();
    let dynos = &resolved.plan.formation[0];
    assert_eq!(dynos.application_cpu_microseconds, 250);
    let plan::Workload::Commands(commands) = &dynos.workload else {
        panic!("{dynos:?}")
    };
    assert_eq!(
        commands.keyspace,
        plan::Keyspace {
            prefix: plan::Keyspace::default_prefix(),
            keys: 10,
            // YCSB's constant.
            distribution: plan::Distribution::Zipf {
                exponent_percent: 99
            },
        }
    );
    assert_eq!(
        (commands.value_bytes, commands.prefill),
        (100, plan::Prefill::Full)
    );
    let filled = plan::MixedCommand {
        expect: plan::Expectation::HitUnlessEvicted,
        ..get
    };
    assert_eq!((&commands.mix[0], commands.mix[1].weight), (&filled, 9));
    let Limit::Latency(limit) = &resolved.plan.thresholds[0].limit else {
        panic!("{:?}", resolved.plan.thresholds)
    };
    assert_eq!(limit.step, plan::Step::Command("set".to_owned()));
    let resolved = check(|spec| {
        spec["formation"][0]["workload"]["objectGraph"]["fetch"] = json!("Hgetall");
    })
    .unwrap();
    let plan::Workload::ObjectGraph(graph) = &resolved.plan.formation[0].workload else {
        panic!("{:?}", resolved.plan)
    };
    assert_eq!(
        (graph.fetch, graph.prefill),
        (plan::Fetch::Hgetall, plan::Prefill::Full)
    );
}

#[test]
fn a_mix_whose_keys_cannot_be_is_named() {
    let resolved = |prefill: &str, commands: &[&str]| {
        let mix: Vec<_> = commands
            .iter()
            .enumerate()
            .map(|(position, line)| {
                json!({"name": format!("x{position}"), "command": line.split(' ').collect::<Vec<_>>()})
            })
            .collect();
        check(|spec| {
            spec["formation"][0]["workload"] =
                json!({"commands": {"prefill": prefill, "mix": mix}});
        })
    };
    for (prefill, commands, words) in [
        (
            "Full",
            &["GET {key}", "HSET {key} f {value}"][..],
            "{key} is a string for GET but not for HSET",
        ),
        (
            "Full",
            &["LPUSH {key} {value}"],
            "no command of the mix uses its keys as strings",
        ),
        (
            "Full",
            &["GET own", "HSET {key} f x"],
            "no command of the mix uses its keys as strings",
        ),
        (
            "Empty",
            &["SET {value} x"],
            "the key {value} is made of a value",
        ),
        (
            "Empty",
            &["GET {key}", "SET {key}:{value} x"],
            "the key {key}:{value} is made of",
        ),
    ] {
        let problems = resolved(prefill, commands).unwrap_err();
        assert!(problems[0].to_string().contains(words), "{problems:?}");
    }
    for (prefill, commands) in [
        ("Full", &["GET {key}", "HSET hash:{key} f {value}"][..]),
        ("Full", &["GET {key}", "EXPIRE {key} 60"]),
        ("Empty", &["GET {key}", "HSET {key} f {value}"]),
        (
            "Empty",
            &["PUBLISH channel {value}", "LPUSH {key} {key}{value}"],
        ),
    ] {
        assert!(resolved(prefill, commands).is_ok(), "{commands:?}");
    }
}

#[test]
fn the_load_is_scaled_exactly() {
    let resolved = check(|spec| spec["loadPercent"] = 33.into()).unwrap();
    assert_eq!(resolved.plan.formation[0].rate, Rate::per_second(330));
    let resolved = check(|spec| {
        spec["loadPercent"] = 33.into();
        spec["formation"][0]["tasksPerSecond"] = 10.into();
    })
    .unwrap();
    // 3.3 tasks a second: 33 in ten seconds, not 3.
    let dynos = &resolved.plan.formation[0];
    assert_eq!(dynos.rate, Rate::per_second(33).percent(10));
    assert_eq!(resolved.plan.schedule(dynos, 0).count(), 198);
}

#[test]
fn scaling_shrinks_sizes_but_neither_workers_nor_connections() {
    let resolved = check(|spec| {
        spec["target"]["managed"]["scalePercent"] = 10.into();
        spec["formation"][0]["scalePercent"] = 10.into();
    })
    .unwrap();
    let dynos = &resolved.formation[0];
    assert_eq!((dynos.cpu_limit_millis, dynos.workers), (1600, 63));
    let redis = resolved.managed.as_ref().unwrap();
    assert_eq!((redis.cpu_millis, redis.maxclients), (1000, 1000));
    assert_eq!(redis.maxmemory_bytes, (1 << 30) / 10);
    assert_eq!(resolved.scale_note().unwrap(), "Sizes were scaled to 10 %.");
    assert_eq!(resolved.plan.formation[0].cpu_millis, Some(1600));
    let resolved = check(|spec| spec["formation"][0]["scalePercent"] = 10.into()).unwrap();
    assert_eq!(
        resolved.scale_note().unwrap(),
        "Sizes were scaled: web to 10 %."
    );
}

#[test]
fn a_valkey_is_called_so_and_is_otherwise_what_the_plan_says() {
    let redis = check(|_| ()).unwrap();
    for (engine, expected, title) in [
        ("Redis", Engine::Redis, "managed premium-5"),
        ("Valkey", Engine::Valkey, "managed premium-5 (Valkey)"),
    ] {
        let resolved = check(|spec| spec["target"]["managed"]["engine"] = engine.into()).unwrap();
        let mut as_redis = resolved.clone();
        as_redis.plan.target.title = redis.plan.target.title.clone();
        as_redis.managed.as_mut().unwrap().engine = Engine::Redis;
        assert_eq!(as_redis, redis, "{engine}");
        assert_eq!(resolved.plan.target.title, title);
        assert_eq!(resolved.managed.unwrap().engine, expected);
        let scaled = check(|spec| {
            spec["target"]["managed"]["engine"] = engine.into();
            spec["target"]["managed"]["scalePercent"] = 10.into();
        });
        assert_eq!(
            scaled.unwrap().scale_note().unwrap(),
            format!("Sizes were scaled: {engine} to 10 %.")
        );
    }
}

#[test]
fn resources_instead_of_a_size() {
    let resolved = check(|spec| {
        let dynos = &mut spec["formation"][0];
        dynos["resources"] = json!({"cpu": "1500m", "memory": "512Mi"});
        dynos["workers"] = 4.into();
        dynos.as_object_mut().unwrap().remove("size");
    })
    .unwrap();
    let dynos = &resolved.formation[0];
    assert_eq!(dynos.size_title, "1.5 CPU, 512 MiB");
    assert_eq!(
        (dynos.cpu_request_millis, dynos.cpu_limit_millis),
        (1500, 1500)
    );
}

#[test]
fn an_existing_target() {
    let resolved = check(|spec| {
        spec["target"] = json!({"existing": {"secretRef": {"name": "my-redis"}, "flush": "None"}});
    })
    .unwrap();
    assert_eq!(resolved.managed, None);
    assert_eq!(resolved.plan.target.title, "existing my-redis");
    let flush = plan::Flush::None;
    assert_eq!(resolved.plan.target.kind, TargetKind::Existing { flush });
}

#[test]
fn what_cannot_be_is_named_with_what_could() {
    let message = |change: fn(&mut Value)| self::message(change);
    let size = message(|spec| spec["formation"][0]["size"] = "huge".into());
    assert!(
        size.starts_with(
            "spec.formation[0].size: \"huge\" is not a size; known sizes: eco, basic, "
        ),
        "{size}"
    );
    assert!(size.contains("dyno-16c-128gb"), "{size}");
    let plan = message(|spec| spec["target"]["managed"]["plan"] = "premium-6".into());
    assert!(
        plan.starts_with(
            "spec.target.managed.plan: \"premium-6\" is not a plan; known plans: mini, "
        ),
        "{plan}"
    );
    assert_eq!(
        message(|spec| {
            spec["formation"][0]["size"] = "basic".into();
            spec["formation"][0]["workers"] = 257.into();
        }),
        "spec.formation[0].workers: 257 workers are more than the process limit of basic, 256"
    );
    assert_eq!(
        message(|spec| {
            spec["formation"][0]["workers"] = 500.into();
            spec["formation"][0]["quantity"] = 2.into();
        }),
        "spec.target.managed.plan: the run needs 1004 connections (quantity x (workers + 1) of \
         every type, and 2), premium-5 has 1000"
    );
    // What validation refuses is refused here, too, and all of it at once.
    let all = message(|spec| {
        *spec = json!({
            "target": {}, "durationSeconds": -1,
            "formation": [{"type": "web", "workload": {}, "quantity": -1}],
            "thresholds": [{"name": "p", "latency":
                {"of": "Response", "percentile": "100", "maxMicroseconds": 1}}, {"name": "q"},
                {"name": "r", "step": "Some", "latency":
                {"of": "Service", "percentile": "99", "maxMicroseconds": 1}}]
        });
    });
    for field in [
        "spec.target: ",
        "spec.durationSeconds: -1 ",
        "spec.formation[0]: exactly one of size and resources",
        "spec.formation[0].tasksPerSecond: ",
        "spec.formation[0].workload: exactly one of",
        "spec.formation[0].quantity: -1 ",
        "spec.thresholds[0].latency.percentile: \"100\" is not a percentile",
        "spec.thresholds[1]: exactly one of",
        "spec.thresholds[2].step: \"Some\" is not a step",
    ] {
        assert!(all.contains(field), "{field} is not in {all}");
    }
}

#[test]
fn an_administrators_size_can_be_used() {
    let catalogue = Catalogue::with_additions(
        r#"{"sizes": [{"name": "small", "cpu": "500m", "memory": "512Mi", "workers": 2}]}"#,
    )
    .unwrap();
    let mut spec = minimal();
    spec["formation"][0]["size"] = "small".into();
    let spec = serde_json::from_value(spec).unwrap();
    let resolved = resolve(&spec, run(), &catalogue, 0).unwrap();
    assert_eq!(resolved.formation[0].workers, 2);
}

/// Whatever validation lets pass becomes a plan that a runner accepts, or is refused by name.
#[test]
fn what_validation_accepts_is_a_plan_or_a_named_problem() {
    let mut plans = 0;
    for case in crate::cases::all() {
        let Ok(load_test) = serde_json::from_value::<crate::LoadTest>(case.object) else {
            continue;
        };
        let valid = crate::validate::validate(&load_test).is_empty();
        match resolve(&load_test.spec, run(), &Catalogue::built_in(), 0) {
            Ok(resolved) if valid => {
                let json = serde_json::to_string(&resolved.plan).unwrap();
                assert_eq!(Plan::from_json(&json), Ok(resolved.plan), "{}", case.name);
                plans += 1;
            }
            Ok(_) => {}
            Err(problems) => {
                assert!(!problems.is_empty(), "{}", case.name);
                for problem in problems {
                    assert!(problem.field.starts_with("spec."), "{problem}");
                }
            }
        }
    }
    assert!(plans > 30, "{plans}");
}

#[test]
fn a_get_of_a_full_prefill_expects_a_hit_unless_keys_can_go() {
    use plan::Expectation::{Any, Hit, HitUnlessEvicted};
    let set_for_a_minute = json!(["SET", "{key}", "{value}", "ex", "60"]);
    for (prefill, get, other, stated, expected) in [
        (
            "Full",
            json!(["get", "{key}"]),
            json!(["SET", "{key}", "{value}"]),
            None,
            HitUnlessEvicted,
        ),
        (
            "Full",
            json!(["GET", "user:{key}"]),
            json!(["PING"]),
            None,
            HitUnlessEvicted,
        ),
        (
            "Full",
            json!(["GET", "{key}"]),
            json!(["PING"]),
            Some("Any"),
            Any,
        ),
        (
            "Full",
            json!(["GET", "{key}"]),
            json!(["unlink", "{key}"]),
            None,
            Any,
        ),
        (
            "Full",
            json!(["GET", "{key}"]),
            json!(["EVAL", "return 1", "0"]),
            None,
            Any,
        ),
        (
            "Full",
            json!(["GET", "{key}"]),
            set_for_a_minute.clone(),
            None,
            Any,
        ),
        (
            "Full",
            json!(["GET", "{key}"]),
            set_for_a_minute,
            Some("Hit"),
            Hit,
        ),
        (
            "Full",
            json!(["GET", "my-own-key"]),
            json!(["PING"]),
            None,
            Any,
        ),
        (
            "Full",
            json!(["STRLEN", "{key}"]),
            json!(["PING"]),
            None,
            Any,
        ),
        ("Empty", json!(["GET", "{key}"]), json!(["PING"]), None, Any),
        (
            "Empty",
            json!(["GET", "{key}"]),
            json!(["PING"]),
            Some("Hit"),
            Hit,
        ),
    ] {
        let mut entry = json!({"name": "get", "command": get});
        if let Some(stated) = stated {
            entry["expect"] = json!(stated);
        }
        let mix = json!([entry, {"name": "other", "command": other}]);
        let resolved = check(|spec| {
            spec["formation"][0]["workload"] =
                json!({"commands": {"prefill": prefill, "mix": mix}});
        })
        .unwrap();
        let plan::Workload::Commands(commands) = &resolved.plan.formation[0].workload else {
            panic!("{:?}", resolved.plan)
        };
        assert_eq!(commands.mix[0].expect, expected, "{prefill} {mix}");
        assert_eq!(commands.mix[1].expect, Any);
    }
}
