//! Least privilege: the operator's rights, and what dynos have mounted.

use redyno_tests::command::kubectl;
use redyno_tests::installation::{NAMESPACE, shared};
use redyno_tests::load_test::small;
use redyno_tests::namespace::Namespace;

fn service_account() -> String {
    let name = kubectl(&[
        "--namespace",
        NAMESPACE,
        "get",
        "serviceaccounts",
        "--selector=app.kubernetes.io/component=operator",
        "--output=jsonpath={.items[0].metadata.name}",
    ])
    .expect_success("finding the operator's ServiceAccount");
    format!("system:serviceaccount:{NAMESPACE}:{}", name.trim())
}

#[test]
fn the_operator_may_do_its_work_and_no_more() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("rights");
    let account = service_account();
    let can = |verb: &str, resource: &str| {
        // "pods/log" would be the pod of that name.
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let subresource = format!("--subresource={subresource}");
        let arguments = [
            "auth",
            "can-i",
            verb,
            resource,
            "--as",
            &account,
            &subresource,
        ];
        namespace.kubectl(&arguments).output.trim() == "yes"
    };
    for (verb, resource) in [
        ("create", "jobs.batch"),
        ("delete", "jobs.batch"),
        ("create", "pods"),
        ("watch", "pods"),
        ("create", "configmaps"),
        ("create", "events"),
        ("patch", "events"),
        ("list", "events"),
        ("list", "loadtests.redyno.dev"),
        ("patch", "loadtests.redyno.dev/status"),
    ] {
        assert!(can(verb, resource), "the operator cannot {verb} {resource}");
    }
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "secrets"),
        ("get", "pods/log"),
        ("create", "pods/exec"),
        ("patch", "jobs.batch"),
        ("update", "jobs.batch"),
        ("create", "loadtests.redyno.dev"),
        ("*", "*"),
    ] {
        assert!(!can(verb, resource), "the operator can {verb} {resource}");
    }
}

#[test]
fn dyno_pods_hold_no_token() {
    let Some(_cluster) = shared() else { return };
    let namespace = Namespace::new("token");
    namespace.redis(None, &[]);
    namespace.run(&small("token"), 120);
    let pods = namespace.list("pods", "redyno.dev/loadtest=token");
    assert!(
        pods.len() >= 3,
        "preflight, dyno and finish are still there: {}",
        pods.len()
    );
    for pod in pods {
        let name = pod["metadata"]["name"].to_string();
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert_eq!(spec["enableServiceLinks"], false, "{name}");
        assert!(
            !spec.to_string().contains("serviceAccountToken"),
            "{name} mounts a token"
        );
        assert_eq!(
            spec["containers"].as_array().map(Vec::len),
            Some(1),
            "{name}"
        );
        assert_eq!(
            spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true,
            "{name}"
        );
    }
}
