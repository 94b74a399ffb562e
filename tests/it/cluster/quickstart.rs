//! The README's first test in a cluster.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use redyno_tests::command::{eventually, run};
use redyno_tests::installation::measuring;
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use redyno_tests::repository;

use super::examples::redyno;

#[test]
fn quickstart_goes_through_its_states_to_passed() {
    measured_alone(|_| {
        let namespace = Namespace::new("quickstart");
        let mut watch = Command::new("kubectl")
            .args([
                "--namespace",
                namespace.name(),
                "get",
                "loadtests.redyno.dev",
                "--watch",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let file = repository::root().join("examples/quickstart.yaml");
        namespace
            .kubectl(&["apply", "-f", &file.to_string_lossy()])
            .expect_success("kubectl apply");
        let finished = namespace.finished("quickstart", 240);
        let spec = &finished.0.spec;
        let planned: i64 = spec
            .formation
            .iter()
            .map(|dynos| {
                i64::from(dynos.quantity)
                    * i64::from(dynos.tasks_per_second.unwrap_or(0))
                    * i64::from(spec.duration_seconds)
            })
            .sum();
        finished.expect_books(planned);
        let status = finished.status();
        assert_eq!(status.state.as_deref(), Some("Finished"));
        assert!(status.start_time.is_some() && status.completion_time.is_some());

        // Applying the same file again changes nothing.
        namespace
            .kubectl(&["apply", "-f", &file.to_string_lossy()])
            .expect_success("kubectl apply again");
        assert_eq!(namespace.load_test("quickstart").status, finished.0.status);

        let story = namespace
            .kubectl(&["describe", "loadtest", "quickstart"])
            .expect_success("kubectl describe");
        for words in [
            "PreflightPassed",
            "DynosReady",
            "Started",
            "Finished",
            "Succeeded",
            "Events:",
        ] {
            assert!(
                story.contains(words),
                "{words} is not in the story:\n{story}"
            );
        }
        let line = namespace
            .kubectl(&["get", "loadtests.redyno.dev", "quickstart", "--no-headers"])
            .expect_success("kubectl get");
        let verdict = status.verdict.as_deref().expect("a verdict");
        for column in ["Finished", verdict, "/s", "ms"] {
            assert!(line.contains(column), "{column} is not in {line}");
        }

        watch.kill().expect("the watch can be ended");
        let seen: Vec<String> = BufReader::new(watch.stdout.take().expect("its output is piped"))
            .lines()
            .map_while(Result::ok)
            .collect();
        watch.wait().expect("the watch can be waited for");
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_common_start();
        let order = ["Preflight", "Starting", "Running", "Finished"];
        let positions: Vec<usize> = order
            .iter()
            .map(|state| {
                seen.iter()
                    .position(|line| line.contains(state))
                    .unwrap_or_else(|| panic!("{state} was not seen in {seen:#?}"))
            })
            .collect();
        assert!(positions.is_sorted(), "{seen:#?}");
        Ok(())
    });
}

#[test]
fn pods_go_after_their_retention_and_the_verdict_stays() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("retention");
    namespace.redis(None, &[]);
    let load_test = redyno_tests::load_test::with(
        redyno_tests::load_test::small("kept"),
        "/retention",
        serde_json::json!({"podSeconds": 1}),
    );
    let finished = namespace.run(&load_test, 120);
    finished.expect("Passed", "Passed");
    eventually("the run's pods are gone", 60, || {
        namespace
            .list("pods", "redyno.dev/loadtest=kept")
            .is_empty()
            .then_some(())
    });
    let kept = namespace.load_test("kept");
    assert_eq!(
        kept.status.expect("a status").verdict.as_deref(),
        Some("Passed")
    );
    assert!(
        namespace.get("configmap", "kept-report").is_some(),
        "the reports are kept"
    );
    // The reports can be shown without any pod.
    for (format, words) in [
        ("html", ["PASSED", ">web.1<", ">Latency<", ">Timeline<"]),
        (
            "junit",
            ["Passed", "trust reports", "threshold errors", "LATENCY"],
        ),
    ] {
        let shown = run(
            &redyno(),
            &[
                "report",
                "kept",
                "--namespace",
                namespace.name(),
                "--output",
                format,
            ],
        )
        .expect_success("redyno report");
        for words in words {
            assert!(shown.contains(words), "{words} is not in\n{shown}");
        }
    }

    // Deleting the LoadTest takes everything with it.
    namespace
        .kubectl(&["delete", "loadtest", "kept"])
        .expect_success("kubectl delete");
    for kind in ["configmaps", "jobs", "pods"] {
        eventually(&format!("its {kind} are gone"), 60, || {
            namespace
                .list(kind, "redyno.dev/loadtest=kept")
                .is_empty()
                .then_some(())
        });
    }
}
