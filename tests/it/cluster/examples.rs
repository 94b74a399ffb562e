//! The examples. The API server accepts them as they are, and they run from start to end when they
//! are made small.

use redyno_crds::LoadTest;
use redyno_tests::command::run;
use redyno_tests::installation::{measuring, shared};
use redyno_tests::namespace::Namespace;
use redyno_tests::repository;

#[test]
fn every_example_is_accepted() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("examples");
    let files = repository::files("examples", ".yaml");
    assert!(
        files.len() >= 10,
        "quickstart, existing-redis and eight of the automap benchmark: {files:?}"
    );
    for file in files {
        namespace
            .kubectl(&["apply", "--dry-run=server", "-f", &file.to_string_lossy()])
            .expect_success(&file.to_string_lossy());
    }
}

/// The eight tests of the automap benchmark's result document, from the example files themselves,
/// made small on the command line. They run one after the other, because each has a Redis with a
/// whole core.
#[test]
fn the_automap_tests_run_end_to_end() {
    let Some(_cluster) = measuring() else { return };
    for number in ["1", "2", "3", "4", "4b", "5", "6", "7"] {
        println!("{}", automap_test_runs_end_to_end(number));
    }
}

/// Asserts on the outcome, and prints it.
fn automap_test_runs_end_to_end(number: &str) -> String {
    let namespace = Namespace::new(&format!("automap-{number}"));
    let file = repository::root().join(format!("examples/vertical-up/{number}.yaml"));
    let outcome = run(
        &redyno(),
        &[
            "run",
            "--in-cluster",
            "--namespace",
            namespace.name(),
            "--duration-seconds",
            "3",
            "--load-percent",
            "2",
            "--scale-percent",
            "1",
            "--output",
            "json",
            &file.to_string_lossy(),
        ],
    );
    let load_test: Result<LoadTest, _> = serde_json::from_str(&outcome.output);
    assert!(load_test.is_ok(), "{number}: {load_test:?}\n{outcome:?}");
    let load_test = load_test.expect("the command prints a LoadTest");
    let percent = i64::from(load_test.spec.load_percent);
    let expected: i64 = load_test
        .spec
        .formation
        .iter()
        .map(|dynos| {
            let (quantity, rate) = (
                i64::from(dynos.quantity),
                i64::from(dynos.tasks_per_second.unwrap_or(0)),
            );
            quantity * rate * percent * i64::from(load_test.spec.duration_seconds) / 100
        })
        .sum();
    let finished = redyno_tests::load_test::Finished(load_test);
    let status = finished.status();
    let exit_code = match (status.verdict.as_deref(), finished.reason().as_str()) {
        (Some("Passed"), "Passed") => Some(0),
        // A noisy machine may make a run Inconclusive, but never gives a wrong verdict.
        (Some("Inconclusive"), "ScheduleLag") => Some(3),
        _ => None,
    };
    assert!(
        exit_code.is_some() && outcome.code == exit_code,
        "vertical-up {number}: {:?} {}",
        outcome.code,
        finished.message()
    );
    finished.expect_books(expected).expect_common_start();
    let skew = status
        .summary
        .as_ref()
        .and_then(|summary| summary.start_skew_microseconds);
    format!(
        "vertical-up {number}: {}, skew {skew:?} us",
        finished.message()
    )
}

/// The command line that the test run has built.
pub(crate) fn redyno() -> String {
    std::env::var("REDYNO_COMMAND").unwrap_or_else(|_| "redyno".to_owned())
}
