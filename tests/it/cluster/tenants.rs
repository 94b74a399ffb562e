//! Faults in one namespace do not affect another one.

use redyno_tests::command::{eventually, kubectl, run_with_input};
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use serde_json::json;

/// A policy that refuses every change of a ConfigMap of reports in this namespace, as long as this
/// lives.
struct Refusing(String);

impl Refusing {
    fn new(namespace: &Namespace) -> Self {
        let name = format!("redyno-{}", namespace.name());
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"],
                }]},
                "validations": [{"expression": "!object.metadata.name.endsWith('-report')", "message": "reports stay as they are"}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name()}}},
            },
        });
        for object in [policy, binding] {
            run_with_input("kubectl", &["create", "-f", "-"], &object.to_string())
                .expect_success("creating a policy");
        }
        // The policy takes effect a moment later.
        namespace
            .kubectl(&["create", "configmap", "a-report"])
            .expect_success("creating a ConfigMap");
        let mut attempt = 0;
        eventually("the policy refuses", 60, || {
            attempt += 1;
            let mark = format!("attempt={attempt}");
            let tried =
                namespace.kubectl(&["annotate", "--overwrite", "configmap/a-report", &mark]);
            (tried.code != Some(0)).then_some(())
        });
        Self(name)
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        for kind in [
            "validatingadmissionpolicybinding",
            "validatingadmissionpolicy",
        ] {
            kubectl(&["delete", kind, &self.0, "--ignore-not-found"]);
        }
    }
}

/// Seconds from the end of the last container of a run to its verdict.
fn seconds_to_the_verdict(namespace: &Namespace, name: &str) -> i64 {
    let selector = format!("redyno.dev/loadtest={name}");
    let pods = namespace.list("pods", &selector);
    let last = pods
        .iter()
        .filter_map(|pod| {
            let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
            state["finishedAt"]
                .as_str()?
                .parse::<jiff::Timestamp>()
                .ok()
        })
        .max()
        .expect("its pods have ended");
    let verdict = namespace
        .load_test(name)
        .status
        .and_then(|status| status.completion_time);
    verdict.expect("a verdict").0.duration_since(last).as_secs()
}

/// In one namespace no report can be stored and pods are deleted. In the other one a run takes as
/// long as ever. Both come to their verdicts.
#[test]
fn a_namespace_that_refuses_reports_holds_up_no_other_and_loses_no_run() {
    measured_alone(|_| {
        let namespace = Namespace::new("well");
        namespace.redis(None, &[]);
        let refusing = Namespace::new("refusing");
        refusing.redis(None, &[]);
        let policy = Refusing::new(&refusing);
        let names = ["first", "second", "third"];
        for name in names {
            refusing
                .create(&with(small(name), "/startTimeoutSeconds", 300))
                .expect_success("creating a LoadTest");
        }
        for name in names {
            let selector =
                format!("redyno.dev/loadtest={name},app.kubernetes.io/component=preflight");
            eventually("its preflight has ended", 90, || {
                let pods = refusing.list("pods", &selector);
                let phase = pods.first()?["status"]["phase"].as_str()?.to_owned();
                ["Succeeded", "Failed"]
                    .contains(&phase.as_str())
                    .then_some(())
            });
            refusing
                .kubectl(&["delete", "pods", "--selector", &selector, "--wait"])
                .expect_success("deleting its pod");
        }
        let finished = namespace.run(&small("well"), 90);
        finished.expect_on_time("Passed", "Passed")?;
        let seconds = seconds_to_the_verdict(&namespace, "well");
        // If pods of one namespace delayed the others, each would cost six seconds.
        assert!(seconds < 5, "the verdict came after {seconds} s");
        // There, too, a run goes on by what its pods said, whatever became of them.
        // One of them has the target, the preflights of the others say that it is taken.
        let finished = names.map(|name| refusing.finished(name, 120));
        let (busy, ran): (Vec<_>, Vec<_>) = finished
            .iter()
            .partition(|finished| finished.reason() == "TargetBusy");
        assert_eq!((busy.len(), ran.len()), (2, 1));
        ran[0].expect_on_time("Passed", "Passed")?;
        let told = refusing.kubectl(&["get", "events", "--output=jsonpath={.items[*].reason}"]);
        let told = told.expect_success("kubectl get events");
        assert!(told.contains("ReportsNotStored"), "{told}");
        drop(policy);
        Ok(())
    });
}
