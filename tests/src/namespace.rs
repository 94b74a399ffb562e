//! A namespace of a test's own, which enforces the `restricted` Pod Security profile.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::command::{Outcome, kubectl, run_with_input};
use crate::installation::redis_image;

/// A namespace, deleted with everything in it when the test ends.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, named after the test.
    ///
    /// # Panics
    /// If the API server refuses.
    #[track_caller]
    pub fn new(test: &str) -> Self {
        let nanoseconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_nanos());
        let name = format!("test-{test}-{:05x}", nanoseconds / 1000 % 0x10_0000);
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted",
                "redyno-tests": "true",
            }},
        });
        run_with_input("kubectl", &["create", "-f", "-"], &namespace.to_string())
            .expect_success("creating a namespace");
        Self { name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs kubectl in it.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["--namespace", &self.name];
        all.extend(arguments);
        kubectl(&all)
    }

    /// Creates an object.
    #[track_caller]
    pub fn create(&self, object: &Value) -> Outcome {
        run_with_input(
            "kubectl",
            &["--namespace", &self.name, "create", "-f", "-"],
            &object.to_string(),
        )
    }

    /// An object as JSON; None if it is not there.
    ///
    /// # Panics
    /// If what kubectl prints is not JSON.
    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let outcome = self.kubectl(&["get", kind, name, "--ignore-not-found", "--output=json"]);
        let text = outcome.expect_success("kubectl get");
        (!text.trim().is_empty()).then(|| serde_json::from_str(&text).expect("kubectl prints JSON"))
    }

    /// The uids of the Jobs and pods that were made for a LoadTest of this name and are there, sorted.
    /// None of them may ever be made twice.
    pub fn made(&self, load_test: &str) -> Vec<String> {
        let selector = format!("redyno.dev/loadtest={load_test}");
        let mut uids: Vec<String> = ["jobs", "pods"]
            .iter()
            .flat_map(|kind| self.list(kind, &selector))
            .filter_map(|object| object["metadata"]["uid"].as_str().map(str::to_owned))
            .collect();
        uids.sort();
        uids
    }

    /// # Panics
    /// If something that was made before is not there any more.
    #[track_caller]
    pub fn expect_kept(&self, load_test: &str, before: &[String]) {
        let after = self.made(load_test);
        assert!(
            before.iter().all(|uid| after.contains(uid)),
            "what was made before was kept"
        );
    }

    /// All objects of a kind, optionally with a label.
    ///
    /// # Panics
    /// If what kubectl prints is not JSON.
    #[track_caller]
    pub fn list(&self, kind: &str, selector: &str) -> Vec<Value> {
        let text = self
            .kubectl(&["get", kind, "--selector", selector, "--output=json"])
            .expect_success("kubectl get");
        let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// A Redis of the test's own, called `target`, with a Secret `my-redis` that leads to it.
    ///
    /// # Panics
    /// If it does not become ready.
    #[track_caller]
    pub fn redis(&self, password: Option<&str>, more_arguments: &[&str]) {
        self.redis_pod(
            password,
            more_arguments,
            &json!({"requests": {"cpu": "50m", "memory": "64Mi"}}),
        );
    }

    /// The same with so little CPU that it cannot keep up.
    #[track_caller]
    pub fn slow_redis(&self, cpu: &str) {
        let resources = json!({"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": "512Mi"}});
        self.redis_pod(None, &[], &resources);
    }

    #[track_caller]
    fn redis_pod(&self, password: Option<&str>, more_arguments: &[&str], resources: &Value) {
        let mut command = vec![
            "redis-server",
            "--save",
            "",
            "--appendonly",
            "no",
            "--protected-mode",
            "no",
        ];
        if let Some(password) = password {
            command.extend(["--requirepass", password]);
        }
        command.extend(more_arguments);
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "target", "labels": {"app": "target"}},
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "redis",
                    "image": redis_image(),
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "workingDir": "/tmp",
                    "resources": resources,
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        });
        self.create(&pod).expect_success("creating a Redis");
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "target"},
            "spec": {"selector": {"app": "target"}, "ports": [{"port": 6379}]},
        });
        self.create(&service).expect_success("creating its Service");
        let credentials = password
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        self.secret("my-redis", &format!("redis://{credentials}target:6379/0"));
        self.kubectl(&[
            "wait",
            "--for=condition=Ready",
            "pod/target",
            "--timeout=60s",
        ])
        .expect_success("waiting for the Redis");
    }

    /// A Secret with this URL.
    #[track_caller]
    pub fn secret(&self, name: &str, url: &str) {
        self.create(&json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {"url": url},
        }))
        .expect_success("creating a Secret");
    }

    /// Runs redis-cli in the Redis of this test.
    #[track_caller]
    pub fn redis_cli(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["exec", "target", "--", "redis-cli"];
        all.extend(arguments);
        self.kubectl(&all)
    }

    /// Everything that can be read here without a right to Secrets: for a failed test, and for
    /// looking for what must not be there.
    pub fn everything(&self) -> String {
        let mut text = String::new();
        for arguments in [
            &[
                "get",
                "loadtests,jobs,pods,configmaps,events,services",
                "--output=yaml",
            ][..],
            &[
                "logs",
                "--selector=redyno.dev/loadtest",
                "--all-containers",
                "--tail=-1",
                "--prefix",
            ][..],
        ] {
            let outcome = self.kubectl(arguments);
            writeln!(text, "{}{}", outcome.output, outcome.errors)
                .expect("a String takes any text");
        }
        text
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(
                clippy::print_stderr,
                reason = "what a failed test left is worth reading"
            )]
            {
                let story = self.kubectl(&["describe", "loadtests"]);
                let pods = self.kubectl(&["get", "pods,jobs", "--output=wide"]);
                eprintln!("{}\n{}", story.output, pods.output);
            }
        }
        kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
