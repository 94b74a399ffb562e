//! Somebody's Redis, with a password in a Secret.

use redyno_tests::command::kubectl;
use redyno_tests::installation::NAMESPACE;
use redyno_tests::load_test::{small, web, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured;

const PASSWORD: &str = "correct-horse-battery-staple-7";

#[test]
fn a_password_works_and_is_nowhere_and_nothing_is_left() {
    measured(|| {
        let namespace = Namespace::new("existing");
        namespace.redis(Some(PASSWORD), &[]);
        let authenticated = |arguments: &[&str]| {
            let mut all = vec!["--no-auth-warning", "-a", PASSWORD];
            all.extend(arguments);
            namespace.redis_cli(&all).expect_success("redis-cli")
        };
        authenticated(&["SET", "somebody:else", "keep me"]);
        namespace.start(&with(small("existing"), "/formation/0", web(2, 50)), 60);
        // The dynos' own metrics are read while they run.
        let pods = namespace.list("pods", "redyno.dev/dyno-type=web");
        assert_eq!(pods.len(), 2);
        let metrics: String = pods
            .iter()
            .map(|pod| {
                let path = format!(
                    "/api/v1/namespaces/{}/pods/{}:9090/proxy/metrics",
                    namespace.name(),
                    pod["metadata"]["name"].as_str().expect("a name")
                );
                namespace
                    .kubectl(&["get", "--raw", &path])
                    .expect_success("reading a dyno's metrics")
            })
            .collect();
        for name in [
            "redyno_tasks_scheduled_total",
            "redyno_task_response_seconds_bucket",
            "redyno_backlog_tasks",
        ] {
            assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
        }
        if let Some(arguments) = arguments_of_runners() {
            assert!(arguments.len() >= 2, "both dynos run: {arguments:?}");
            assert!(!arguments.concat().contains(PASSWORD), "{arguments:?}");
        }
        let finished = namespace.finished("existing", 120);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(2 * 50 * 4);

        // RunKeys leaves nothing of the run behind and does not touch anything else.
        let keys = authenticated(&["--scan"]);
        assert_eq!(keys.trim(), "somebody:else");
        assert!(
            finished
                .status()
                .target
                .as_ref()
                .and_then(|target| target.cleanup.as_ref())
                .is_some()
        );

        // The password is nowhere.
        let operator = kubectl(&[
            "--namespace",
            NAMESPACE,
            "logs",
            "--selector=app.kubernetes.io/component=operator",
            "--tail=-1",
        ]);
        let everything = [namespace.everything(), metrics, operator.output].concat();
        assert!(everything.contains("existing"), "something was read at all");
        // The Redis pod of the test itself is told its password by an argument.
        let ours: Vec<&str> = everything
            .lines()
            .filter(|line| {
                line.contains(PASSWORD) && line.trim().trim_start_matches("- ") != PASSWORD
            })
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
        let times = everything.matches(PASSWORD).count();
        let by_the_test = namespace
            .kubectl(&["get", "pod", "target", "--output=yaml"])
            .output
            .matches(PASSWORD)
            .count();
        assert_eq!(times, by_the_test, "only the test's own Redis pod shows it");
        Ok(())
    });
}

/// The arguments of every runner on this machine, which is the node of the local cluster.
fn arguments_of_runners() -> Option<Vec<String>> {
    std::env::var_os("REDYNO_LOCAL_CLUSTER")?;
    let processes = std::fs::read_dir("/proc").expect("processes can be listed");
    let arguments = processes
        .filter_map(|process| std::fs::read_to_string(process.ok()?.path().join("cmdline")).ok());
    Some(
        arguments
            .filter(|arguments| arguments.contains("redyno-runner"))
            .collect(),
    )
}
