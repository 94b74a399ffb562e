//! The chart, installed with the real Helm.

use redyno_tests::command::kubectl;
use redyno_tests::installation::{NAMESPACE, RELEASE, chart, helm, shared, values};
use redyno_tests::repository;

#[test]
fn the_chart_installs_and_says_what_to_do_next() {
    let Some(_cluster) = shared() else { return };
    let notes =
        helm(&["get", "notes", RELEASE, "--namespace", NAMESPACE]).expect_success("helm get notes");
    for command in ["kubectl apply -f", "kubectl get loadtests", "kubectl wait"] {
        assert!(
            notes.contains(command),
            "{command} is not in the notes:\n{notes}"
        );
    }
    kubectl(&[
        "--namespace",
        NAMESPACE,
        "rollout",
        "status",
        "deployment",
        "--timeout=60s",
    ])
    .expect_success("waiting for the operator");
}

#[test]
fn the_chart_refuses_an_old_kubernetes_with_a_sentence() {
    let Some(_cluster) = shared() else { return };
    let chart = chart();
    let refusal = helm(&["template", RELEASE, &chart, "--kube-version", "1.32.0"])
        .expect_failure("helm template");
    assert!(refusal.contains("1.33"), "{refusal}");
    helm(&["template", RELEASE, &chart, "--kube-version", "1.33.0"])
        .expect_success("helm template");
    helm(&["lint", &chart]).expect_success("helm lint");
}

#[test]
fn the_chart_installs_the_generated_crd() {
    let Some(_cluster) = shared() else { return };
    let generated = repository::read("crds/loadtests.redyno.dev.yaml");
    let same = redyno_tests::command::run_with_input(
        "kubectl",
        &["diff", "--server-side", "--force-conflicts", "-f", "-"],
        &generated,
    );
    let kept: Vec<&str> = same
        .output
        .lines()
        .filter(|line| {
            (line.starts_with('+') || line.starts_with('-'))
                && !line.starts_with("+++")
                && !line.starts_with("---")
        })
        // Helm marks what it installs; the generated file does not know of Helm.
        .filter(|line| {
            ![
                "helm.sh",
                "meta.helm.sh",
                "managed-by: Helm",
                "labels:",
                "annotations:",
                "generation:",
            ]
            .iter()
            .any(|mark| line.contains(mark))
        })
        .collect();
    assert!(
        kept.is_empty(),
        "the chart's CRD differs from the generated one:\n{}",
        kept.join("\n")
    );
}

#[test]
fn kubectl_explain_is_documentation() {
    let Some(_cluster) = shared() else { return };
    let text = kubectl(&["explain", "loadtests.redyno.dev.spec.formation"])
        .expect_success("kubectl explain");
    for words in [
        "tasksPerSecond",
        "maxWorkerBacklog",
        "WEB_CONCURRENCY",
        "DESCRIPTION",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    // Every field says something.
    assert!(!text.contains("<no description>"), "{text}");
}

#[test]
fn wrong_values_are_refused_by_name() {
    let chart = chart();
    if shared().is_none() {
        return;
    }
    let refusal = helm(&[
        "template",
        RELEASE,
        &chart,
        "--kube-version",
        "1.34.0",
        "--set",
        "lingerSeconds=soon",
    ])
    .expect_failure("helm template");
    assert!(refusal.contains("lingerSeconds"), "{refusal}");
    let mut arguments = vec!["template", RELEASE, &chart, "--kube-version", "1.34.0"];
    let values = values();
    arguments.extend(values.iter().map(String::as_str));
    helm(&arguments).expect_success("helm template with the tests' values");
}
