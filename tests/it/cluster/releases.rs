//! Operators and LoadTests of different releases.

use redyno_tests::command::{eventually, kubectl, run_with_input};
use redyno_tests::installation::{change, quiet, restore};
use redyno_tests::load_test::small;
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use serde_json::{Value, json};

/// Images that nobody can pull, so that no pod of theirs ever runs.
const OTHER_IMAGES: &str = "images.runner.repository=nowhere.example/runner,images.runner.tag=next,images.redis.repository=nowhere.example/redis,images.redis.tag=next";

fn images(job: &Value) -> Vec<&str> {
    let containers = job["spec"]["template"]["spec"]["containers"].as_array();
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container["image"].as_str())
        .collect()
}

/// The operator is replaced by one with other images while the run waits for its Secret. Dynos and
/// finish are made after that, from the images that the run began with.
#[test]
fn an_operator_with_other_images_goes_on_with_those_that_the_run_began_with() {
    measured_alone(|cluster| {
        let namespace = Namespace::new("images");
        namespace
            .create(&small("before"))
            .expect_success("creating a LoadTest");
        eventually("the preflight waits for its Secret", 60, || {
            namespace.get("job", "before-preflight")
        });
        change(cluster, OTHER_IMAGES);
        namespace.redis(None, &[]);
        let finished = namespace.finished("before", 180);
        namespace
            .create(&small("after"))
            .expect_success("creating a LoadTest");
        let after = eventually("the next run's preflight", 60, || {
            namespace.get("job", "after-preflight")
        });
        restore(cluster);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 4);
        let jobs = namespace.list("jobs", "redyno.dev/loadtest=before");
        assert_eq!(jobs.len(), 3, "preflight, dynos, finish");
        for job in &jobs {
            assert!(
                images(job).iter().all(|image| !image.contains("nowhere")),
                "{:?}",
                images(job)
            );
        }
        assert_eq!(images(&after), ["nowhere.example/runner:next"]);
        Ok(())
    });
}

/// The definition of LoadTests with one value more than this release knows, until this is dropped.
struct LaterDefinition;

const VALUES: &str =
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/onDynoFailure/enum";

fn patch_definition(patch: &Value) {
    let arguments = [
        "patch",
        "customresourcedefinition",
        "loadtests.redyno.dev",
        "--type=json",
        "--patch-file=/dev/stdin",
    ];
    run_with_input("kubectl", &arguments, &patch.to_string())
        .expect_success("changing the definition");
}

impl Drop for LaterDefinition {
    fn drop(&mut self) {
        let last = format!("{VALUES}/2");
        patch_definition(&json!([{"op": "remove", "path": last}]));
    }
}

#[test]
fn a_loadtest_of_a_later_release_ends_errored() {
    let Some(_cluster) = quiet() else { return };
    let namespace = Namespace::new("later");
    patch_definition(&json!([{"op": "add", "path": format!("{VALUES}/-"), "value": "Retry"}]));
    let later = LaterDefinition;
    let mut load_test = small("later");
    load_test["spec"]["onDynoFailure"] = json!("Retry");
    eventually("the API server takes it", 60, || {
        (namespace.create(&load_test).code == Some(0)).then_some(())
    });
    namespace
        .kubectl(&[
            "wait",
            "--for=condition=Finished",
            "loadtest/later",
            "--timeout=60s",
        ])
        .expect_success("waiting for Finished");
    let found = namespace.get("loadtest", "later").expect("it is there");
    assert_eq!(found["status"]["verdict"], "Errored");
    assert_eq!(found["status"]["state"], "Finished");
    let accepted = found["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Accepted")
        .expect("a condition");
    assert_eq!(accepted["status"], "False");
    assert_eq!(accepted["reason"], "Unreadable");
    kubectl(&[
        "--namespace",
        namespace.name(),
        "delete",
        "loadtest",
        "later",
    ])
    .expect_success("deleting it");
    drop(later);
}
