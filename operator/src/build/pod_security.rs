//! What makes every pod of a run pass the `restricted` Pod Security profile:
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>.

use k8s_openapi::api::core::v1::{
    Capabilities, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

/// The user that all our images run as; not root, by number.
const USER: i64 = 65_532;

/// Takes every right from a pod that it does not need: root, a token of the API server, the
/// environment variables that tell of other Services.
pub(crate) fn restrict(pod: PodSpec) -> PodSpec {
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        ..pod
    }
}

/// The security context of a container.
pub(crate) fn container() -> SecurityContext {
    SecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        ..SecurityContext::default()
    }
}
