//! No crate has a circle of modules: what two files need of each other has a file of its own.
//! [`redyno_tests::modules`] says what counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use redyno_tests::modules::{Circle, Modules};
use redyno_tests::repository::{read, root};

/// The circles that there are, and why they are left.
const LEFT: &[(&str, &[&str])] = &[
    (
        "a type of the LoadTest names its rules in its schema, and a rule speaks of its type",
        &[
            "crds/src/loadtest.rs",
            "crds/src/rules.rs",
            "crds/src/rules/commands.rs",
            "crds/src/spec/commands.rs",
            "crds/src/spec/formation.rs",
            "crds/src/spec/placement.rs",
            "crds/src/spec/target.rs",
            "crds/src/spec/threshold.rs",
            "crds/src/spec/workload.rs",
        ],
    ),
    (
        "a round of samples is of the kind that is gathered",
        &[
            "runner/engine/src/gather.rs",
            "runner/engine/src/gather/round.rs",
        ],
    ),
    (
        "the engine's second clock is a part of the engine, written in a file of its own",
        &["runner/engine/src/lib.rs", "runner/engine/src/on_time.rs"],
    ),
    (
        "the machine's traits stand beside the system's own machine",
        &[
            "runner/src/machine.rs",
            "runner/src/observe/own.rs",
            "runner/src/shard/timer.rs",
        ],
    ),
    (
        "the parts of a load thread work on the whole of it",
        &[
            "runner/src/shard/load.rs",
            "runner/src/shard/mod.rs",
            "runner/src/shard/pacer.rs",
            "runner/src/shard/probe.rs",
            "runner/src/shard/ready.rs",
            "runner/src/shard/worker.rs",
        ],
    ),
    (
        "work is a choice among kinds of tasks, and each kind tells its steps",
        &[
            "runner/src/workload/commands/task.rs",
            "runner/src/workload/work.rs",
        ],
    ),
    (
        "the sentence about a finish is of what it removed",
        &[
            "runner/target/src/finish/mod.rs",
            "runner/target/src/finish/sentence.rs",
        ],
    ),
    (
        "a mix is tried in the way of a permission",
        &[
            "runner/target/src/preflight/mix.rs",
            "runner/target/src/preflight/permissions.rs",
        ],
    ),
    (
        "a note to the user is a function of the parent",
        &["cli/src/cluster/mod.rs", "cli/src/cluster/report.rs"],
    ),
    (
        "what is enforced belongs into a file of its own",
        &[
            "cli/src/report/asked.rs",
            "cli/src/report/dynos.rs",
            "cli/src/report/mod.rs",
        ],
    ),
    (
        "how a moment is written belongs into a file of its own",
        &[
            "cli/src/report/html/mod.rs",
            "cli/src/report/html/verdict.rs",
        ],
    ),
    (
        "the cases of the benchmark share an effort",
        &[
            "tests/bench/src/cases/cost.rs",
            "tests/bench/src/cases/formation.rs",
            "tests/bench/src/cases/memory.rs",
            "tests/bench/src/cases/mod.rs",
            "tests/bench/src/cases/pacing.rs",
            "tests/bench/src/cases/peers.rs",
            "tests/bench/src/cases/stall.rs",
            "tests/bench/src/cases/throughput.rs",
        ],
    ),
    (
        "the benchmark's floor shares how it ends",
        &[
            "tests/bench/src/plain/mod.rs",
            "tests/bench/src/plain/requests.rs",
            "tests/bench/src/plain/talk.rs",
        ],
    ),
    (
        "a law speaks of a history, and the world is held against the laws",
        &[
            "tests/simulation-operator/src/laws.rs",
            "tests/simulation-operator/src/world.rs",
        ],
    ),
    (
        "the groups of laws share how a broken one is told",
        &[
            "tests/simulation-wire/src/laws.rs",
            "tests/simulation-wire/src/laws/ends.rs",
            "tests/simulation-wire/src/laws/keys.rs",
            "tests/simulation-wire/src/laws/work.rs",
        ],
    ),
    (
        "the modelled Redis runs commands, and a command may run others: a script, a transaction",
        &[
            "tests/simulation-wire/src/model/access.rs",
            "tests/simulation-wire/src/model/administration.rs",
            "tests/simulation-wire/src/model/call.rs",
            "tests/simulation-wire/src/model/eviction.rs",
            "tests/simulation-wire/src/model/hashes.rs",
            "tests/simulation-wire/src/model/info.rs",
            "tests/simulation-wire/src/model/keyspace.rs",
            "tests/simulation-wire/src/model/lists.rs",
            "tests/simulation-wire/src/model/script.rs",
            "tests/simulation-wire/src/model/server.rs",
            "tests/simulation-wire/src/model/sets.rs",
            "tests/simulation-wire/src/model/strings.rs",
            "tests/simulation-wire/src/model/table.rs",
            "tests/simulation-wire/src/model/transaction.rs",
        ],
    ),
    (
        "the stage of a run is shared by who acts on it",
        &[
            "tests/simulation-wire/src/run/dynos.rs",
            "tests/simulation-wire/src/run/happen.rs",
            "tests/simulation-wire/src/run/mod.rs",
        ],
    ),
];

/// The folders of the workspace's packages.
fn packages() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = ["))
        .expect("the workspace has members in one line");
    let members = members.trim_end_matches(']').split(',');
    members
        .map(|member| member.trim().trim_matches('"').to_owned())
        .collect()
}

fn circles() -> Vec<Circle> {
    let mut circles = Vec::new();
    for package in packages() {
        for crate_root in ["lib.rs", "main.rs"] {
            let file = PathBuf::from(format!("{package}/src/{crate_root}"));
            if root().join(&file).exists() {
                let source = |path: &std::path::Path| fs::read_to_string(root().join(path)).ok();
                circles.extend(Modules::read(&file, &source).circles());
            }
        }
    }
    circles
}

#[test]
fn no_crate_has_a_circle_of_modules() {
    let mut left: BTreeMap<BTreeSet<PathBuf>, &str> = LEFT
        .iter()
        .map(|(why, files)| (files.iter().map(PathBuf::from).collect(), *why))
        .collect();
    let mut wrong = Vec::new();
    for Circle { files, arrows } in circles() {
        if left.remove(&files).is_none() {
            wrong.push(format!(
                "{} files depend on each other; give what they share a file of its own:\n  {}",
                files.len(),
                arrows.join("\n  ")
            ));
        }
    }
    wrong.extend(left.iter().map(|(files, why)| {
        format!("not a circle any more, take it off the list: {files:?} ({why})")
    }));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
