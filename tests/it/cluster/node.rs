//! Faults that are made on the node, which is possible on the local cluster alone.

use redyno_tests::command::{Outcome, run, run_with_input};
use redyno_tests::namespace::Namespace;
use redyno_tests::repository;
use redyno_tests::tools::Tool;

/// The node of the local cluster; None, with a printed reason, with a foreign `KUBECONFIG`.
pub(crate) struct Node {
    script: String,
}

impl Node {
    pub(crate) fn local() -> Option<Self> {
        if !Tool::LocalCluster.is_there() {
            return None;
        }
        let script = repository::root()
            .join("tests/cluster/node")
            .to_string_lossy()
            .into_owned();
        Some(Self { script })
    }

    /// Runs a shell command on the node.
    pub(crate) fn shell(&self, command: &str) -> Outcome {
        run(&self.script, &["sh", "-c", command])
    }

    /// The same with this standard input.
    pub(crate) fn shell_with_input(&self, command: &str, input: &str) -> Outcome {
        run_with_input(&self.script, &["sh", "-c", command], input)
    }

    /// The process ids, as the node sees them, of a pod's container `runner` or any other name.
    pub(crate) fn process(&self, namespace: &Namespace, pod: &str, container: &str) -> Option<u32> {
        let object = namespace.get("pod", pod)?;
        let statuses = object["status"]["containerStatuses"].as_array()?.clone();
        let id = statuses.iter().find(|status| status["name"] == container)?["containerID"]
            .as_str()?
            .to_owned();
        self.container_process(id.strip_prefix("containerd://")?)
    }

    /// The process id of a container, as the node sees it.
    fn container_process(&self, id: &str) -> Option<u32> {
        let file = format!(
            "/run/redyno/containerd/state/io.containerd.runtime.v2.task/k8s.io/{id}/init.pid"
        );
        self.shell(&format!("cat {file}"))
            .output
            .trim()
            .parse()
            .ok()
    }

    /// The folder in which the kubelet keeps a pod's files.
    pub(crate) fn pod_folder(&self, uid: &str) -> String {
        let found = self.shell(&format!("ls -d /run/redyno/kubelet/pods/{uid}"));
        found
            .expect_success("finding a pod's folder")
            .trim()
            .to_owned()
    }
}
