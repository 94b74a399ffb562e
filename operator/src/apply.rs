//! Carries a decision out: the only code that writes to the cluster, but for Events.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use redyno_crds::LoadTest;
use redyno_crds::children::{Child, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::build::labels::MANAGER;
use crate::decide::{Decision, Effect};
use crate::error::Error;
use crate::observed::{Refused, RefusedKind};

/// What came of writing a decision down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It was written already.
    Already,
    /// It is written now.
    Now,
    /// Somebody else has written meanwhile: look again.
    Conflict,
}

/// What came of writing a decision down, reports and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Of both.
    pub written: Written,
    /// Why the API server does not take the reports, in its words: a policy of the namespace, or a
    /// ConfigMap that somebody made immutable. The run goes on by what its pods still say; it is
    /// tried again at each look.
    pub unstored: Option<String>,
}

/// What came of a decision's effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// There was nothing to do.
    Nothing,
    /// The cluster has changed: look again.
    Changed,
    /// A creation was refused for a reason that is the user's to know.
    Refused(Refused),
}

/// Writes down what is known and what is about to be done: reports first, then the status. Nothing
/// else may be done, and nothing told, before that.
///
/// # Errors
/// If the API server cannot be asked, or says that we may not.
pub(crate) async fn write(
    client: &Client,
    load_test: &LoadTest,
    decision: &Decision,
) -> Result<Outcome, Error> {
    let namespace = load_test.namespace().unwrap_or_default();
    let mut written = Written::Already;
    let mut unstored = None;
    if !decision.store.is_empty() {
        let name = Child::Report.name(&load_test.name_any());
        match store(client, &namespace, &name, &decision.store).await {
            Ok(()) => written = Written::Now,
            Err(kube::Error::Api(status)) if is_refused(status.code) => {
                unstored = Some(status.message.clone());
            }
            Err(source) => {
                let source = Box::new(source);
                return Err(Error::Store { source });
            }
        }
    }
    if load_test.status.as_ref() != Some(&decision.status) {
        written = if write_status(client, load_test, decision).await? {
            Written::Now
        } else {
            Written::Conflict
        };
    }
    Ok(Outcome { written, unstored })
}

/// Whether the API server has looked at a change and does not want it.
const fn is_refused(code: u16) -> bool {
    matches!(code, 400 | 403 | 413 | 422)
}

/// Creates and deletes what a decision says, in its order, up to the first failure: the next look
/// derives the rest.
///
/// # Errors
/// If the API server cannot be asked, or says that we may not.
pub(crate) async fn carry_out(
    client: &Client,
    load_test: &LoadTest,
    effects: &[Effect],
) -> Result<Applied, Error> {
    let namespace = load_test.namespace().unwrap_or_default();
    let name = load_test.name_any();
    let api = Writer {
        client,
        namespace: &namespace,
    };
    for effect in effects {
        let refused = match effect {
            Effect::CreateConfigMap(child, object) => {
                api.create::<ConfigMap>(child, object).await?
            }
            Effect::CreatePod(child, object) => api.create::<Pod>(child, object).await?,
            Effect::CreateService(child, object) => api.create::<Service>(child, object).await?,
            Effect::CreateJob(child, object) => api.create::<Job>(child, object).await?,
            Effect::Delete { child, uid } => {
                let name = child.name(&name);
                match child.kind() {
                    Kind::ConfigMap => api.delete::<ConfigMap>(&name, uid).await?,
                    Kind::Pod => api.delete::<Pod>(&name, uid).await?,
                    Kind::Service => api.delete::<Service>(&name, uid).await?,
                    Kind::Job => api.delete::<Job>(&name, uid).await?,
                }
                None
            }
            Effect::DeleteLoadTest { uid } => {
                api.delete::<LoadTest>(&name, uid).await?;
                None
            }
        };
        if let Some(refused) = refused {
            return Ok(Applied::Refused(refused));
        }
    }
    Ok(if effects.is_empty() {
        Applied::Nothing
    } else {
        Applied::Changed
    })
}

/// Adds data to a report ConfigMap.
async fn store(
    client: &Client,
    namespace: &str,
    name: &str,
    data: &BTreeMap<String, String>,
) -> Result<(), kube::Error> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({ "data": data }));
    api.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Writes the status, unless somebody has written the LoadTest since it was read: the latches in it
/// are what keeps two operators from doing the same thing.
async fn write_status(
    client: &Client,
    load_test: &LoadTest,
    decision: &Decision,
) -> Result<bool, Error> {
    let api: Api<LoadTest> =
        Api::namespaced(client.clone(), &load_test.namespace().unwrap_or_default());
    let patch = json!({
        "apiVersion": LoadTest::api_version(&()),
        "kind": LoadTest::kind(&()),
        "metadata": {
            "name": load_test.name_any(),
            "uid": load_test.uid(),
            "resourceVersion": load_test.resource_version(),
        },
        "status": decision.status,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    match api
        .patch_status(&load_test.name_any(), &parameters, &Patch::Apply(&patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(source) => Err(Error::Status {
            source: Box::new(source),
        }),
    }
}

struct Writer<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Writer<'_> {
    async fn create<K>(&self, child: &Child, object: &K) -> Result<Option<Refused>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        match api.create(&parameters, object).await {
            Ok(_) => Ok(None),
            // It is there already: the next look says whose it is.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
            Err(kube::Error::Api(status)) => match refusal(status.code, &status.message) {
                Some(kind) => Ok(Some(Refused {
                    child: child.clone(),
                    kind,
                    message: status.message.clone(),
                })),
                None => Err(Error::Create {
                    child: child.clone(),
                    source: Box::new(kube::Error::Api(status)),
                }),
            },
            Err(source) => Err(Error::Create {
                child: child.clone(),
                source: Box::new(source),
            }),
        }
    }

    async fn delete<K>(&self, name: &str, uid: &str) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::background()
        };
        match api.delete(name, &parameters).await {
            Ok(_) => Ok(()),
            // Gone, or another one by now.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(source) => Err(Error::Delete {
                what: "a child",
                source: Box::new(source),
            }),
        }
    }
}

/// Why the API server refused a creation, if that is the user's to know and not a right that we
/// lack.
fn refusal(code: u16, message: &str) -> Option<RefusedKind> {
    // An admission webhook that cannot be reached is an internal error to the API server.
    let webhook_is_down = code == 500 && message.contains("failed calling webhook");
    if !webhook_is_down && !matches!(code, 400 | 403 | 422) {
        return None;
    }
    if message.contains("because it is being terminated") {
        return Some(RefusedKind::NamespaceTerminating);
    }
    // RBAC's words: `pods is forbidden: User "..." cannot create resource "pods" in API group ...`
    if message.contains("cannot create resource") {
        return None;
    }
    Some(RefusedKind::ByPolicy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_missing_rights() {
        let quota = "pods \"a-redis\" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=0, limited: cpu=500m";
        let security =
            "pods \"a-redis\" is forbidden: violates PodSecurity \"restricted:latest\": ...";
        let rights = "pods is forbidden: User \"system:serviceaccount:redyno:redyno\" cannot create resource \"pods\" in API group \"\" in the namespace \"x\"";
        let dying = "configmaps \"a-plan\" is forbidden: unable to create new content in namespace x because it is being terminated";
        for (code, message, expected) in [
            (403, quota, Some(RefusedKind::ByPolicy)),
            (403, security, Some(RefusedKind::ByPolicy)),
            (403, rights, None),
            (
                500,
                "Internal error occurred: failed calling webhook \"x\": no endpoints available",
                Some(RefusedKind::ByPolicy),
            ),
            (500, "etcdserver: leader changed", None),
            (403, dying, Some(RefusedKind::NamespaceTerminating)),
            (
                422,
                "Job.batch \"a-web\" is invalid: spec.template...",
                Some(RefusedKind::ByPolicy),
            ),
            (
                400,
                "admission webhook \"x\" denied the request: no",
                Some(RefusedKind::ByPolicy),
            ),
            (500, "etcd is gone", None),
            (401, "Unauthorized", None),
        ] {
            assert_eq!(refusal(code, message), expected, "{message}");
        }
    }
}
