//! Several dynos and types start together and have a row each, merged percentiles and exact
//! schedules.

use redyno_tests::installation::quiet;
use redyno_tests::load_test::{dynos, small, web, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured;
use serde_json::json;

#[test]
fn ten_dynos_start_together() {
    let Some(_cluster) = quiet() else { return };
    let namespace = Namespace::new("ten");
    namespace.redis(None, &[]);
    let finished = namespace.run(&with(small("ten"), "/formation/0", web(10, 20)), 180);
    // Ten dynos share the cores of a small node, so this test does not ask for a certain verdict.
    println!("ten dynos: {}", finished.message());
    assert_ne!(finished.status().verdict.as_deref(), Some("Errored"));
    finished.expect_books(10 * 20 * 4).expect_common_start();
    let status = finished.status();
    let names: Vec<&str> = status.dynos.iter().map(|dyno| dyno.name.as_str()).collect();
    assert_eq!(
        names,
        (1..=10)
            .map(|number| format!("web.{number}"))
            .collect::<Vec<_>>()
    );
    assert_eq!(status.dynos_ready.as_deref(), Some("10/10"));
    for dyno in &status.dynos {
        assert!(
            dyno.pod_name.is_some() && dyno.node_name.is_some(),
            "{dyno:?}"
        );
        assert_eq!(dyno.tasks.scheduled_tasks, 80);
    }
    println!(
        "skew of ten dynos: {:?} us",
        status
            .summary
            .as_ref()
            .and_then(|summary| summary.start_skew_microseconds)
    );
}

/// One LoadTest has a type for each rate. Exactly rate x seconds x dynos tasks are scheduled.
#[test]
fn schedules_are_exact_at_odd_rates() {
    let Some(_cluster) = quiet() else { return };
    let namespace = Namespace::new("rates");
    namespace.redis(None, &[]);
    let light = json!({"objectGraph": {"maxFlats": 1, "itemPayloadBytes": 100}});
    // Enough CPU for a core that is shared and slow (about 0.1 ms of it per task through a
    // Service), and a backlog that no hiccup reaches: a run that fails schedules no further.
    let formation: Vec<_> = [
        ("one", 2, 1, "50m"),
        ("seven", 3, 7, "50m"),
        ("odd", 1, 333, "200m"),
        ("almost", 1, 999, "400m"),
        ("beyond", 1, 1500, "500m"),
    ]
    .into_iter()
    .map(|(name, quantity, rate, cpu)| {
        let mut row = dynos(name, quantity, rate);
        row["workload"] = light.clone();
        row["resources"]["cpu"] = json!(cpu);
        row["workers"] = json!(8);
        row["maxWorkerBacklog"] = json!(10_000);
        row
    })
    .collect();
    let finished = namespace.run(&with(small("rates"), "/formation", formation), 180);
    let status = finished.status();
    let scheduled: Vec<(&str, i64)> = status
        .formation
        .iter()
        .map(|row| (row.dyno_type.as_str(), row.tasks.scheduled_tasks))
        .collect();
    assert_eq!(
        scheduled,
        [
            ("one", 2 * 4),
            ("seven", 3 * 7 * 4),
            ("odd", 333 * 4),
            ("almost", 999 * 4),
            ("beyond", 1500 * 4)
        ],
        "{}",
        finished.message()
    );
    finished
        .expect_books(2 * 4 + 3 * 7 * 4 + 333 * 4 + 999 * 4 + 1500 * 4)
        .expect_common_start();
}

/// Two types with different work have rows and thresholds of their own, and their latencies are not
/// mixed.
#[test]
fn two_types_keep_their_own_rows() {
    measured(|| {
        let namespace = Namespace::new("types");
        namespace.redis(None, &[]);
        let mut worker = dynos("worker", 1, 30);
        worker["workload"]["objectGraph"]["maxFlats"] = json!(20);
        let load_test = with(small("types"), "/formation", vec![web(2, 50), worker]);
        let load_test = with(
            load_test,
            "/thresholds",
            json!([
                {"name": "web-p99", "type": "web", "latency": {"of": "Response", "percentile": "99", "maxMicroseconds": 2_000_000}},
                {"name": "save", "type": "worker", "step": "Save", "latency": {"of": "Service", "percentile": "90", "maxMicroseconds": 2_000_000}},
                {"name": "rate", "rate": {"minTasksPerSecond": 120}},
            ]),
        );
        let finished = namespace.run(&load_test, 180);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books((2 * 50 + 30) * 4)
            .expect_common_start();
        let status = finished.status();
        let names: Vec<&str> = status.dynos.iter().map(|dyno| dyno.name.as_str()).collect();
        assert_eq!(names, ["web.1", "web.2", "worker.1"]);
        assert!(status.formation.iter().all(|row| row.response.is_some()));
        assert!(
            status
                .summary
                .as_ref()
                .expect("a summary")
                .response
                .is_none(),
            "unlike workloads have no common latency"
        );
        let results: Vec<(&str, &str)> = status
            .thresholds
            .iter()
            .map(|threshold| (threshold.name.as_str(), threshold.result.as_str()))
            .collect();
        assert_eq!(
            results,
            [
                ("web-p99", "Held"),
                ("save", "Held"),
                ("rate", "Held"),
                ("errors", "Held")
            ]
        );
        Ok(())
    });
}
