//! The cluster that the kubeconfig names, and errors in words.

use anyhow::Context;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{Api, Client, Config};
use redyno_crds::LoadTest;

/// A namespace of a cluster.
pub(super) struct Connection {
    client: Client,
    namespace: String,
}

impl Connection {
    /// Reads the kubeconfig. The cluster is not asked yet.
    pub(super) async fn open(namespace: Option<&str>) -> anyhow::Result<Self> {
        let config = Config::infer().await.map_err(|error| {
            anyhow::anyhow!(
                "no cluster: neither KUBECONFIG nor ~/.kube/config names one that can be used ({})",
                root(&error)
            )
        })?;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
        Ok(Self { client, namespace })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn load_tests(&self) -> Api<LoadTest> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// The innermost cause of an error, in words.
fn root(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// An error of the API server in a sentence that says what to do.
pub(super) fn explained(error: &kube::Error, connection: &Connection, name: &str) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => {
            // A server that does not know the resource names no object.
            let no_such_resource = status.code == 404
                && status
                    .details
                    .as_ref()
                    .is_none_or(|details| details.name.is_empty());
            if no_such_resource {
                anyhow::anyhow!(
                    "the cluster knows no LoadTests: install redyno there first (helm install)"
                )
            } else if status.code == 404 {
                anyhow::anyhow!(
                    "there is no LoadTest {name} in namespace {}",
                    connection.namespace
                )
            } else {
                anyhow::anyhow!("{}", status.message)
            }
        }
        other => {
            let sentence = format!("the cluster cannot be asked: {}", root(other));
            anyhow::anyhow!(sentence)
        }
    }
}
