use proptest::prelude::*;
use redyno_contract::plan::{
    Arrivals, Assignment, Distribution, Expectation, Keyspace, QueueOrder,
};
use redyno_contract::schedule::Rate;

use super::*;

#[test]
fn five_kilobytes_take_six() {
    assert!(
        (6_100..6_300).contains(&per_task(5_000)),
        "{}",
        per_task(5_000)
    );
    assert_eq!(allocated(5_400), 6_144);
    assert_eq!(allocated(128), 128);
    assert_eq!(allocated(129), 160);
    assert_eq!(allocated(8_193), 10_240);
}

fn mix(prefill: Prefill, keys: u32, value_bytes: u32, lines: &[&str]) -> Growth {
    let commands = Commands {
        keyspace: Keyspace {
            prefix: Keyspace::default_prefix(),
            keys,
            distribution: Distribution::Uniform,
        },
        value_bytes,
        prefill,
        mix: lines
            .iter()
            .map(|line| MixedCommand {
                name: "x".to_owned(),
                weight: 1,
                command: line.split(' ').map(str::to_owned).collect(),
                expect: Expectation::Any,
            })
            .collect(),
    };
    let dynos = DynoTypePlan {
        dyno_type: "web".to_owned(),
        quantity: 1,
        workers: 1,
        rate: Rate::per_second(100),
        arrivals: Arrivals::Constant,
        assignment: Assignment::Random,
        queue_order: QueueOrder::OldestFirst,
        max_worker_backlog: 1,
        workload: Workload::Commands(commands.clone()),
        application_cpu_microseconds: 0,
        cpu_millis: None,
        memory_bytes: None,
    };
    let tasks = Tasks {
        warmup: 100,
        window: 1000,
    };
    of_mix(&dynos, &commands, tasks)
}

#[test]
fn what_commands_write_is_counted_by_what_they_do() {
    const VALUE: u64 = 20_000;
    let value = |count: u64| count * VALUE..count * VALUE * 5 / 4;
    for (lines, keys, window, at_least) in [
        // Reads add nothing; what is replaced is there once, and no more often than it is written.
        (&["GET {key}"][..], 1_000_000, 0..1, false),
        (&["SET {key} {value}"], 10, 0..1, false),
        (&["SET {key} {value}"], 1_000_000, value(1000), false),
        (
            &["SET {key} {value}", "GET {key}"],
            1_000_000,
            value(500),
            false,
        ),
        (
            &["SET a:{key} {value}", "SET b:{key} {value}"],
            1_000_000,
            value(1000),
            false,
        ),
        // A list, a stream and an appended string grow by every task, however few keys there are.
        (&["LPUSH {key} {value}"], 10, value(1000), false),
        (&["XADD {key} * field {value}"], 10, value(1000), false),
        (&["APPEND {key} {value}"], 10, value(1000), false),
        // Members are added, the same field is not.
        (&["SADD {key} {value}"], 1, value(1000), false),
        (&["HSET {key} field {value}"], 1, 0..1, false),
        // What others take away again, and what nobody knows, is not told of.
        (&["LPUSH {key} {value}", "LTRIM {key} 0 9"], 10, 0..1, true),
        (&["JSON.SET {key} $ {value}"], 1_000_000, value(1000), true),
        (&["EVAL script 1 {key} {value}"], 10, 0..1, true),
        (&["PUBLISH channel {value}"], 10, 0..1, false),
    ] {
        let growth = mix(Prefill::Empty, keys, 20_000, lines);
        assert!(window.contains(&growth.window), "{lines:?}: {growth:?}");
        assert_eq!(growth.at_least, at_least, "{lines:?}");
        assert_eq!(growth.prefill, 0);
    }
}

#[test]
fn every_pattern_is_filled_and_then_replaced() {
    let growth = mix(
        Prefill::Full,
        1000,
        500,
        &["SET a:{key} {value}", "GET {key}", "HSET h:{key} f {value}"],
    );
    // Two strings each; the hashes come with the tasks.
    assert!(
        (2 * 1000 * 600..2 * 1000 * 800).contains(&growth.prefill),
        "{growth:?}"
    );
    assert!(
        growth.window > 0 && growth.window < 400 * 1000,
        "{growth:?}"
    );
}

proptest! {
    #[test]
    fn a_mail_takes_its_own_size_and_not_twice_that(payload in 0_u64..1_000_000) {
        let size = per_task(payload);
        prop_assert!(size >= payload);
        prop_assert!(size <= 2 * (payload + 400));
    }

    #[test]
    fn nothing_overflows(payload: u64) {
        per_task(payload);
    }
}
