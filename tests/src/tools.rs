//! What some tests need of the machine. A test without its tool is left out and says so, but never
//! where the tool is meant to be: `REDYNO_REQUIRED_TOOLS` names what has to be there, as `make test`
//! does, which installs all of it.

use std::ffi::OsStr;

use crate::command::{kubectl, run};
use crate::prometheus;
use crate::repository;

/// The environment variable that names the tools that have to be there, separated by spaces.
const REQUIRED: &str = "REDYNO_REQUIRED_TOOLS";

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// A Kubernetes, to which `KUBECONFIG` leads.
    Cluster,
    /// The cluster of `make cluster`, whose node is this machine, so that faults can be made on it.
    LocalCluster,
    /// A Prometheus that is defined in the cluster, to be started by a test.
    Prometheus,
    /// Helm.
    Helm,
    /// Node.js with npm.
    Node,
    /// The command line, to which `REDYNO_COMMAND` leads.
    CommandLine,
    /// The repository's history, which has the chart as it was before its last change.
    History,
}

impl Tool {
    const ALL: [Self; 7] = [
        Self::Cluster,
        Self::LocalCluster,
        Self::Prometheus,
        Self::Helm,
        Self::Node,
        Self::CommandLine,
        Self::History,
    ];

    /// Its name in `REDYNO_REQUIRED_TOOLS`.
    const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::LocalCluster => "local-cluster",
            Self::Prometheus => "prometheus",
            Self::Helm => "helm",
            Self::Node => "node",
            Self::CommandLine => "command-line",
            Self::History => "history",
        }
    }

    /// What was looked for.
    const fn lack(self) -> &'static str {
        match self {
            Self::Cluster => "KUBECONFIG names no cluster; `make test` brings one up",
            Self::LocalCluster => {
                "REDYNO_LOCAL_CLUSTER is not set: the node is not this machine's; `make cluster` \
                 starts one that is"
            }
            Self::Prometheus => {
                "no Prometheus is defined in the cluster; tests/cluster/monitoring does that"
            }
            Self::Helm => "helm is not in the PATH; eval \"$(tests/cluster/env)\" puts it there",
            Self::Node => "Node.js with npm is not in the PATH",
            Self::CommandLine => "REDYNO_COMMAND names no command line",
            Self::History => "the history does not go back before the chart's last change",
        }
    }

    fn is_found(self) -> bool {
        match self {
            Self::Cluster => std::env::var_os("KUBECONFIG").is_some(),
            Self::LocalCluster => std::env::var_os("REDYNO_LOCAL_CLUSTER").is_some(),
            Self::Prometheus => {
                let namespace = prometheus::NAMESPACE;
                kubectl(&["--namespace", namespace, "get", "prometheus/redyno"]).code == Some(0)
            }
            Self::Helm => is_in_the_path("helm"),
            Self::Node => is_in_the_path("node") && is_in_the_path("npm"),
            Self::CommandLine => std::env::var_os("REDYNO_COMMAND").is_some(),
            Self::History => commit_before_the_chart().is_some(),
        }
    }

    /// Whether it is there; says so if not.
    ///
    /// # Panics
    /// If it has to be there and is not.
    #[track_caller]
    pub fn is_there(self) -> bool {
        let required = std::env::var(REQUIRED).unwrap_or_default();
        let found = self.is_found();
        match left_out(self, found, &required) {
            Ok(None) => true,
            Ok(Some(reason)) => {
                eprintln!("{reason}");
                false
            }
            Err(reason) => panic!("{reason}"),
        }
    }
}

/// Why a test that needs this tool is left out, None if the tool was found; an error if the tool
/// is required, or if `required` names one that does not exist.
fn left_out(tool: Tool, found: bool, required: &str) -> Result<Option<String>, String> {
    let required: Vec<&str> = required.split_whitespace().collect();
    if let Some(unknown) = required
        .iter()
        .find(|name| !Tool::ALL.iter().any(|tool| tool.name() == **name))
    {
        let known = Tool::ALL.map(Tool::name).join(", ");
        return Err(format!("{REQUIRED} names {unknown}; the tools are {known}"));
    }
    if found {
        return Ok(None);
    }
    if required.contains(&tool.name()) {
        return Err(format!(
            "{REQUIRED} names {}, but {}",
            tool.name(),
            tool.lack()
        ));
    }
    Ok(Some(format!("skipped: {}", tool.lack())))
}

fn is_in_the_path(program: impl AsRef<OsStr>) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}

/// The commit before the last one that changed the chart; None where the history begins later.
pub fn commit_before_the_chart() -> Option<String> {
    let root = repository::root().to_string_lossy().into_owned();
    let git = |arguments: &[&str]| run("git", &[&["-C", &root], arguments].concat());
    let last = git(&["rev-list", "--max-count=1", "HEAD", "--", "charts/redyno"]).output;
    let before = format!("{}~1", last.trim());
    let found = git(&["rev-parse", "--verify", "--quiet", &before]);
    (found.code == Some(0)).then(|| found.output.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Tool, left_out};

    #[test]
    fn a_tool_that_is_required_is_never_left_out() {
        assert_eq!(left_out(Tool::Helm, true, "helm"), Ok(None));
        assert_eq!(left_out(Tool::Helm, true, ""), Ok(None));
        let skipped = left_out(Tool::Helm, false, "cluster local-cluster").unwrap();
        assert!(skipped.unwrap().starts_with("skipped: helm is not"));
        let refused = left_out(Tool::Helm, false, "cluster helm").unwrap_err();
        assert!(refused.contains("REDYNO_REQUIRED_TOOLS names helm, but helm is not"));
    }

    #[test]
    fn a_tool_that_does_not_exist_cannot_be_required() {
        let refused = left_out(Tool::Helm, true, "hlem").unwrap_err();
        assert!(refused.contains("names hlem"), "{refused}");
        for tool in Tool::ALL {
            assert!(left_out(tool, false, tool.name()).is_err(), "{tool:?}");
        }
    }
}
