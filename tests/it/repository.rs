//! Facts about the repository itself that must stay true.

use std::collections::BTreeSet;

use redyno_contract::Reason;
use redyno_tests::command::run;
use redyno_tests::repository::{files, read, root};

/// Whether a package is in the tree of another's ordinary dependencies.
fn depends_on(package: &str, on: &str) -> bool {
    let manifest = root().join("Cargo.toml");
    let outcome = run(
        env!("CARGO"),
        &[
            "tree",
            "--manifest-path",
            &manifest.to_string_lossy(),
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--locked",
            "--offline",
        ],
    );
    let tree = outcome.expect_success("cargo tree");
    tree.lines().any(|line| line.split(' ').next() == Some(on))
}

#[test]
fn dependencies_point_one_way() {
    for (package, forbidden) in [
        ("redyno-runner", "kube"),
        ("redyno-runner", "k8s-openapi"),
        ("redyno-runner", "redyno-crds"),
        ("redyno-target", "kube"),
        ("redyno-engine", "tokio"),
        ("redyno-engine", "redis"),
        ("redyno-engine", "redyno-target"),
        ("redyno-contract", "redyno-engine"),
        ("redyno-contract", "tokio"),
        ("redyno-contract", "redis"),
        ("redyno-contract", "kube"),
        ("redyno-crds", "tokio"),
        ("redyno-crds", "kube-client"),
        ("redyno-crds", "redis"),
        ("redyno-operator", "redis"),
        ("redyno-operator", "redyno-runner"),
    ] {
        assert!(
            !depends_on(package, forbidden),
            "{package} must not depend on {forbidden}"
        );
    }
    // The check itself can fail.
    assert!(depends_on("redyno-runner", "redis") && depends_on("redyno-operator", "kube"));
}

#[test]
fn main_files_are_short() {
    for file in files(".", "main.rs") {
        if file.ends_with("src/main.rs") {
            let lines = std::fs::read_to_string(&file)
                .expect("a readable file")
                .lines()
                .count();
            assert!(lines < 40, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn every_reason_has_its_entry_in_the_documentation() {
    let text = read("docs/reasons.md");
    for reason in Reason::ALL {
        assert!(
            text.contains(&format!("`{}`", reason.as_str())),
            "docs/reasons.md does not explain {}",
            reason.as_str()
        );
    }
}

#[test]
fn chart_and_workspace_have_one_version() {
    let version = format!("version = {:?}", env!("CARGO_PKG_VERSION"));
    assert!(read("Cargo.toml").contains(&version));
    let chart = read("charts/redyno/Chart.yaml");
    let versions: BTreeSet<&str> = chart
        .lines()
        .filter_map(|line| {
            line.strip_prefix("version:")
                .or_else(|| line.strip_prefix("appVersion:"))
        })
        .map(|value| value.trim().trim_matches('"'))
        .collect();
    assert_eq!(versions, BTreeSet::from([env!("CARGO_PKG_VERSION")]));
}

#[test]
fn the_chart_carries_the_generated_crd() {
    let generated = read("crds/loadtests.redyno.dev.yaml");
    let carried = files("charts/redyno", ".yaml")
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .any(|text| text == generated);
    assert!(
        carried,
        "no file of the chart is crds/loadtests.redyno.dev.yaml"
    );
}

/// The README's LoadTests are valid.
#[test]
fn examples_in_the_readme_are_valid() {
    let readme = read("README.md");
    let mut found = 0;
    for block in readme
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
    {
        if block.contains("kind: LoadTest") {
            let tests = redyno_crds::read::read_load_tests(block)
                .unwrap_or_else(|error| panic!("{error:?}\n{block}"));
            for test in tests {
                let problems = redyno_crds::validate::validate(&test);
                assert!(problems.is_empty(), "{problems:?}\n{block}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "the README shows a LoadTest");
}

/// The targets of make that the README tells people to type exist.
#[test]
fn commands_of_the_readme_exist() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    for target in readme.split("make ").skip(1).filter_map(|rest| {
        rest.split(|character: char| !(character.is_ascii_lowercase() || character == '-'))
            .next()
    }) {
        let known = makefile.contains(&format!("\n{target}:"));
        let prose = ["it", "sure", "a", "the", "them", "use", ""].contains(&target);
        assert!(known || prose, "the README speaks of `make {target}`");
    }
}

/// Files and folders that the documents for contributors name are there.
#[test]
fn paths_of_the_architecture_exist() {
    let mut found = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for path in read(document).split('`').skip(1).step_by(2) {
            let is_path = path.split_once('/').is_some_and(|(top, _)| {
                root().join(top).is_dir() && !path.contains([' ', '<', '*', '{'])
            });
            if is_path {
                let there = root().join(path).exists();
                assert!(there, "{document} speaks of {path}");
                found += 1;
            }
        }
    }
    assert!(found > 40, "{found} paths");
}

/// `make` is a door to the scripts, and no script goes back through it.
#[test]
fn no_script_calls_make() {
    let mut scripts = 0;
    for folder in [".ci", ".github", "docker", "tests"] {
        for file in files(folder, "") {
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            if !text.starts_with("#!/usr/bin/env bash") && !text.starts_with("# shellcheck shell") {
                continue;
            }
            scripts += 1;
            for line in text.lines().map(str::trim_start) {
                let calls = line.split(['"', ';', '&', '|', '(']).any(|command| {
                    let command = command.trim_start().trim_start_matches("exec ");
                    command.starts_with("make ")
                });
                assert!(!calls, "{}: {line}", file.display());
            }
        }
    }
    assert!(scripts > 20, "{scripts} scripts were found");
}
