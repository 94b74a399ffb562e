//! Every rule both ways against the real API server, from the table that also tests the twin.

use redyno_crds::cases;
use redyno_tests::command::{eventually, run_with_input};
use redyno_tests::installation::shared;
use redyno_tests::namespace::Namespace;
use serde_json::Value;

#[test]
fn the_api_server_agrees_with_the_table() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("validation");
    let mut disagreements = Vec::new();
    for case in cases::all() {
        let cases::Case {
            name,
            old,
            object,
            refused,
        } = case;
        let outcome = match old {
            None => send(&namespace, "create", &["--dry-run=server"], &object),
            Some(old) => {
                send(&namespace, "create", &[], &old).expect_success(&name);
                // The operator may write the status at any moment, and then the update is tried
                // again.
                let outcome = eventually("an update without a conflict", 30, || {
                    let outcome = send(&namespace, "replace", &["--dry-run=server"], &object);
                    (!outcome.errors.contains("(Conflict)")).then_some(outcome)
                });
                let made = old["metadata"]["name"].as_str().expect("a name").to_owned();
                namespace
                    .kubectl(&["delete", "loadtest", &made, "--wait=false"])
                    .expect_success("deleting a LoadTest");
                outcome
            }
        };
        let said = format!("{}{}", outcome.output, outcome.errors);
        let agrees = match &refused {
            None => outcome.code == Some(0),
            Some(fragment) => outcome.code != Some(0) && said.contains(fragment.as_str()),
        };
        if !agrees {
            disagreements.push(format!("{name}: expected {refused:?}, got {said}"));
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

fn send(
    namespace: &Namespace,
    verb: &str,
    more: &[&str],
    object: &Value,
) -> redyno_tests::command::Outcome {
    let mut arguments = vec!["--namespace", namespace.name(), verb, "-f", "-"];
    arguments.extend(more);
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .map(|metadata| metadata.remove("namespace"));
    run_with_input("kubectl", &arguments, &object.to_string())
}
