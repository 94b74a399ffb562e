//! Our own scripts, as they lie beside the code that sends them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a script of ours is called: with how many keys and arguments, and whether it begins with
/// the part that they share.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) arguments: Vec<&'static [&'static str]>,
}

const RUN: &str = "redyno:{8a1f}:";
const PODS: &[&str] = &["pod-a", "pod-b"];
const DYNOS: &[&str] = &["web.1", "web.2"];
const LOCKS: &[&str] = &["team/run 8a1f", "team/other 77"];
const LIFETIMES: &[&str] = &["100", "3600"];
const DATABASES: &[&str] = &["0", "0", "3"];

fn keys(of: &str) -> Vec<&'static str> {
    of.split(' ')
        .map(|name| match name {
            "phase" => "redyno:{8a1f}:phase",
            "ready" => "redyno:{8a1f}:ready",
            "start" => "redyno:{8a1f}:start",
            "stop" => "redyno:{8a1f}:stop",
            "claim" => "redyno:{8a1f}:claim:web.1",
            "data" => "redyno:{8a1f}:data",
            "lock" => "redyno:lock",
            "spared" => "redyno:{8a1f}:spared",
            "runs" => "redyno:runs",
            "disposable" => "redyno:disposable",
            other => panic!("no key {other}"),
        })
        .collect()
}

type Calls = BTreeMap<&'static str, (&'static str, Vec<&'static [&'static str]>)>;

/// Of each script: its keys, and what each of its arguments may be.
fn calls() -> Calls {
    BTreeMap::from([
        (
            "coordination/barrier.lua",
            (
                "phase ready start stop claim lock",
                vec![
                    DYNOS,
                    PODS,
                    &["1", "2"],
                    &["3"],
                    LIFETIMES,
                    LOCKS,
                    DATABASES,
                ],
            ),
        ),
        (
            "coordination/claim.lua",
            ("phase claim", vec![PODS, LIFETIMES]),
        ),
        (
            "coordination/leave.lua",
            (
                "phase ready start stop claim lock",
                vec![DYNOS, PODS, LOCKS, DATABASES, &["0", "60"]],
            ),
        ),
        (
            "coordination/ready.lua",
            ("phase claim ready start", vec![DYNOS, PODS, LIFETIMES]),
        ),
        (
            "coordination/stop.lua",
            ("stop start phase", vec![&["web.1: full"], LIFETIMES]),
        ),
        (
            "preflight/enter.lua",
            (
                "phase lock disposable runs data spared",
                vec![
                    DATABASES,
                    LOCKS,
                    PODS,
                    LIFETIMES,
                    &["none", "database", "all"],
                    &["8a1f"],
                    &["team/run"],
                    &["", "{\"version\":1}"],
                    &["", "17"],
                    &["test:building:8a1f:"],
                    &["cache:test:building:8a1f:"],
                ],
            ),
        ),
        (
            "coordination/surroundings.lua",
            ("phase lock", vec![DATABASES, LOCKS, &["0", "1"]]),
        ),
        ("leftovers/find.lua", ("lock runs", vec![DATABASES])),
        (
            "leftovers/forget.lua",
            ("runs data phase ready", vec![&["8a1f", "77"]]),
        ),
        (
            "preflight/foreign.lua",
            ("disposable", vec![DATABASES, &["0"], &["3"]]),
        ),
        ("preflight/look.lua", ("phase lock", vec![DATABASES])),
        (
            "finish/hold.lua",
            ("lock", vec![DATABASES, LOCKS, LIFETIMES]),
        ),
        (
            "coordination/release.lua",
            ("lock phase ready start stop claim", vec![DATABASES, LOCKS]),
        ),
    ])
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runner/target/src")
}

/// All scripts that the run sends but that of the task.
pub(crate) fn ours() -> Vec<Script> {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let shared = read("coordination/at_lock.lua");
    calls()
        .into_iter()
        .map(|(name, (names, arguments))| Script {
            text: format!("{shared}{}", read(name)),
            keys: keys(names),
            arguments,
        })
        .collect()
}

/// Keys that the scripts look at, for others to be in their way.
pub(crate) fn their_keys() -> Vec<String> {
    [
        "phase",
        "ready",
        "start",
        "stop",
        "claim:web.1",
        "data",
        "spared",
    ]
    .iter()
    .map(|name| format!("{RUN}{name}"))
    .chain(["lock", "disposable", "runs"].map(|name| format!("redyno:{name}")))
    .collect()
}

/// A script without a call here would not be held against the real server.
#[test]
fn every_script_is_called() {
    let known = calls();
    let mut unknown = Vec::new();
    for part in std::fs::read_dir(folder()).unwrap() {
        let part = part.unwrap().path();
        for file in part
            .is_dir()
            .then(|| std::fs::read_dir(&part).unwrap())
            .into_iter()
            .flatten()
        {
            let file = file.unwrap().path();
            let name = file
                .strip_prefix(folder())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if file.extension().is_some_and(|extension| extension == "lua")
                && name != "coordination/at_lock.lua"
                && !known.contains_key(name.as_str())
            {
                unknown.push(name);
            }
        }
    }
    assert!(unknown.is_empty(), "scripts without a call: {unknown:?}");
}
