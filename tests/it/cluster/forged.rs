//! Forged pods. Somebody who may make pods, in another namespace or in the run's own, changes
//! nothing about a run with a pod that only looks like one of the run's. A pod that names the run's
//! Job as its owner makes no run pass.

use redyno_tests::command::eventually;
use redyno_tests::installation::{measuring, redis_image};
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured;
use serde_json::{Value, json};

/// A pod with everything that a dyno's pod of this run shows, and an end of its own: exit code 1.
fn forged(run: &str, load_test: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "forged", "labels": {
            "redyno.dev/run": run,
            "redyno.dev/loadtest": load_test,
            "redyno.dev/dyno-type": "web",
            "app.kubernetes.io/component": "dyno",
            "batch.kubernetes.io/job-completion-index": "0",
        }},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "runner",
                "image": redis_image(),
                "imagePullPolicy": "IfNotPresent",
                // Nothing listens there.
                "command": ["redis-cli", "-p", "1", "PING"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

fn has_failed(namespace: &Namespace) {
    eventually("the forged pod has ended", 60, || {
        let pod = namespace.get("pod", "forged")?;
        (pod["status"]["phase"] == "Failed").then_some(())
    });
}

fn uid(namespace: &Namespace, kind: &str, name: &str) -> String {
    let object = namespace.get(kind, name).expect("it is there");
    object["metadata"]["uid"]
        .as_str()
        .expect("a uid")
        .to_owned()
}

#[test]
fn a_forged_pod_in_another_namespace_and_in_the_same_one_changes_nothing() {
    measured(|| {
        let namespace = Namespace::new("forged");
        let other = Namespace::new("evil");
        namespace.redis(None, &[]);
        namespace.start(&with(small("victim"), "/durationSeconds", 12), 90);
        let run = uid(&namespace, "loadtest", "victim");
        for place in [&other, &namespace] {
            place
                .create(&forged(&run, "victim"))
                .expect_success("creating a forged pod");
            has_failed(place);
        }
        let going = namespace.load_test("victim").status.expect("a status");
        assert_eq!(going.verdict, None, "{:?}", going.message);
        let finished = namespace.finished("victim", 90);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 12);
        let kept = namespace
            .get("configmap", "victim-report")
            .expect("reports");
        let forged = uid(&namespace, "pod", "forged");
        assert!(!kept.to_string().contains(&forged), "nothing of it is kept");
        Ok(())
    });
}

#[test]
fn a_pod_that_names_the_runs_own_job_makes_it_errored() {
    let Some(_cluster) = measuring() else { return };
    let namespace = Namespace::new("twin");
    namespace.redis(None, &[]);
    namespace.start(&with(small("twin"), "/durationSeconds", 30), 90);
    let mut pod = forged(&uid(&namespace, "loadtest", "twin"), "twin");
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "twin-web",
        "uid": uid(&namespace, "job", "twin-web"),
        "controller": true,
    }]);
    namespace
        .create(&pod)
        .expect_success("creating a forged pod");
    let finished = namespace.finished("twin", 120);
    finished.expect("Errored", "DuplicateDyno");
}
