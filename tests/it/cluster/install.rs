//! The chart, installed with the real Helm.

use std::path::PathBuf;

use redyno_tests::command::{kubectl, run, run_with_input};
use redyno_tests::installation::{NAMESPACE, RELEASE, chart, helm, shared, values};
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use redyno_tests::repository;
use redyno_tests::tools::{Tool, commit_before_the_chart};
use serde_json::json;

#[test]
fn the_chart_installs_and_says_what_to_do_next() {
    let Some(_cluster) = shared() else { return };
    let notes =
        helm(&["get", "notes", RELEASE, "--namespace", NAMESPACE]).expect_success("helm get notes");
    for command in ["kubectl apply -f", "kubectl wait", "kubectl describe"] {
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
fn the_chart_installs_the_generated_crd() {
    let Some(_cluster) = shared() else { return };
    let generated = repository::read("crds/loadtests.redyno.dev.yaml");
    let same = run_with_input(
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

/// The chart as it was before its last change, with the definition of LoadTests of that time. None
/// where the history does not go back so far.
fn former_chart() -> Option<String> {
    if !Tool::History.is_there() {
        return None;
    }
    let before = commit_before_the_chart()?;
    let root = repository::root().to_string_lossy().into_owned();
    let git = |arguments: &[&str]| run("git", &[&["-C", &root], arguments].concat());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("former");
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    run("rm", &["-rf", &path("")]).expect_success("rm");
    run("mkdir", &["-p", &path("")]).expect_success("mkdir");
    let archive = git(&[
        "archive",
        "--output",
        &path("former.tar"),
        &before,
        "charts/redyno",
        "crds/loadtests.redyno.dev.yaml",
    ]);
    archive.expect_success("git archive");
    run("tar", &["-xf", &path("former.tar"), "-C", &path("")]).expect_success("tar");
    Some(path("charts/redyno"))
}

/// A run that the former operator started under the former chart is found and judged by the new
/// one.
#[test]
fn an_upgrade_in_mid_run_disturbs_nothing_and_the_verdict_lands() {
    measured_alone(|_| {
        let values = values();
        let upgrade = |chart: &str, step: &str| {
            // The annotation makes sure that the operator is replaced even if nothing else differs.
            let annotation = format!("operator.podAnnotations.step={step}");
            let mut arguments = vec!["upgrade", RELEASE, chart, "--namespace", NAMESPACE];
            arguments.extend(["--wait", "--timeout", "120s", "--set-string", &annotation]);
            arguments.extend(values.iter().map(String::as_str));
            helm(&arguments).expect_success("helm upgrade");
        };
        let former = former_chart();
        upgrade(former.as_deref().unwrap_or(&chart()), "former");

        let namespace = Namespace::new("upgrade");
        namespace.redis(None, &[]);
        namespace.start(&with(small("upgrade"), "/durationSeconds", 6), 60);
        let before = namespace.made("upgrade");
        upgrade(&chart(), "now");
        let finished = namespace.finished("upgrade", 120);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 6);
        namespace.expect_kept("upgrade", &before);
        assert_eq!(
            namespace.list("pods", "redyno.dev/dyno-type=web").len(),
            1,
            "no dyno was started again"
        );

        // The verdict stays what it is when the former chart comes back, and this one after it.
        let rollback = ["rollback", RELEASE, "--namespace", NAMESPACE];
        helm(&rollback).expect_success("helm rollback to the former chart");
        let there = ["--wait", "--timeout", "120s"];
        helm(&[&rollback[..], &there].concat()).expect_success("helm rollback to this chart");
        let stays = namespace.load_test("upgrade").status.expect("a status");
        assert_eq!(Some(&stays), finished.0.status.as_ref());
        Ok(())
    });
}

/// By the chart's own values, one database may be flushed, and all databases at once on no host.
#[test]
fn all_databases_are_flushed_nowhere_unless_the_administrator_says_so() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("flush");
    namespace.redis(None, &[]);
    namespace
        .redis_cli(&["SET", "redyno:disposable", "1"])
        .expect_success("redis-cli");
    let target = json!({"existing": {
        "secretRef": {"name": "my-redis"},
        "flush": "AllDatabases",
        "confirmFlush": "my-redis",
    }});
    let finished = namespace.run(&with(small("flush"), "/target", target), 60);
    finished.expect("Errored", "PreflightFailed");
    assert_eq!(
        finished.condition("PreflightPassed"),
        ("False".to_owned(), "FlushNotAllowed".to_owned())
    );
    assert!(
        finished.message().contains("on no host"),
        "{}",
        finished.message()
    );
    let left = namespace.redis_cli(&["DBSIZE"]).output;
    assert!(left.contains('1'), "{left}");
}

/// Everything that can be switched on without a Prometheus Operator, in a release of its own beside
/// the one that the other tests use. The API server accepts all of it, and nothing stays.
#[test]
fn a_release_comes_is_changed_goes_back_and_goes() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("release");
    let name = namespace.name();
    let all_values = json!({
        "watchNamespaces": [name],
        "commonLabels": {"team": "tests"},
        // These belong to the other release.
        "crds": {"install": false},
        "catalogue": {"sizes": [{"name": "small", "cpu": "500m", "memory": "512Mi", "workers": 2}]},
        "flush": {"databaseHosts": ["*.example.com"], "allDatabasesHosts": ["redis.test"]},
        "networkPolicy": {
            "runs": {"targets": [{
                "to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.1.0/24"]}},
                       {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "redis"}}}],
                "ports": [6379, 26379],
            }]},
            "dns": {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}], "ports": [53]},
        },
        "metrics": {"dashboards": {"enabled": true}, "scrapeAnnotations": true},
        "operator": {
            "podLabels": {"tier": "tools"},
            "env": [{"name": "NO_PROXY", "value": "*"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "tools", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"podAntiAffinity": {}},
        },
    });
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("release-values.json");
    std::fs::write(&file, all_values.to_string()).expect("a writable folder");
    let file = file.to_string_lossy();
    let in_namespace = ["--namespace", name, "--wait", "--timeout", "120s"];
    let chart = chart();
    let tests_values = values();
    let mut install = vec!["install", "second", &chart, "--values", &file];
    install.extend(tests_values.iter().map(String::as_str));
    helm(&[&install[..], &in_namespace].concat()).expect_success("helm install");
    let objects = || {
        let mut found = String::new();
        for kinds in [
            "deployments,services,configmaps,serviceaccounts,roles,rolebindings,networkpolicies",
            "clusterroles,clusterrolebindings",
        ] {
            let selector = "--selector=app.kubernetes.io/instance=second,team=tests";
            found += &namespace
                .kubectl(&["get", kinds, selector, "--output=name"])
                .expect_success("kubectl get");
        }
        found
    };
    let there = objects();
    let key = || {
        let key = namespace
            .get("secret", "second-redyno-operator-seal-key")
            .expect("the key of the seals");
        key["data"]["key"].as_str().expect("a key").to_owned()
    };
    let made = key();
    for (kind, number) in [
        ("deployment", 1),
        ("networkpolicy", 3),
        ("role.", 1),
        ("clusterrole.", 3),
    ] {
        let found = there.lines().filter(|line| line.starts_with(kind)).count();
        assert_eq!(found, number, "{kind}\n{there}");
    }
    let format = || {
        let path = "--output=jsonpath={.items[0].spec.template.spec.containers[0].env[?(@.name=='REDYNO_LOG_FORMAT')].value}";
        let selector = "--selector=app.kubernetes.io/instance=second";
        namespace
            .kubectl(&["get", "deployments", selector, path])
            .expect_success("kubectl get")
    };
    let change = ["upgrade", "second", &chart, "--reuse-values"];
    let json_logs = ["--set", "operator.logFormat=json"];
    helm(&[&change[..], &json_logs, &in_namespace].concat()).expect_success("helm upgrade");
    assert_eq!(format(), "json");
    assert_eq!(key(), made, "the key outlives an upgrade");
    helm(&[&["rollback", "second"][..], &in_namespace].concat()).expect_success("helm rollback");
    assert_eq!(format(), "text");
    assert_eq!(objects(), there);
    helm(&[&["uninstall", "second"][..], &in_namespace].concat()).expect_success("helm uninstall");
    assert_eq!(objects(), "");
    kubectl(&["get", "customresourcedefinition", "loadtests.redyno.dev"])
        .expect_success("the other release keeps its definition");
}
