//! Every built object as a snapshot, and every pod against the rules of the `restricted` profile.

use k8s_openapi::api::core::v1::PodSpec;
use serde::Serialize;

use super::*;
use crate::fixtures::{EXISTING, MANAGED, with_run};
use crate::settings::Settings;

fn yaml(object: &impl Serialize) -> String {
    serde_saphyr::to_string(object).unwrap()
}

fn dyno_job(yaml: &str, position: usize) -> k8s_openapi::api::batch::v1::Job {
    with_run(yaml, |run| {
        super::dyno_job::build(run, &run.resolved.formation[position])
    })
}

fn redis_pod(yaml: &str) -> k8s_openapi::api::core::v1::Pod {
    with_run(yaml, |run| {
        super::redis_pod::build(run, run.resolved.managed.as_ref().unwrap())
    })
}

fn accepted(run: &Run<'_>) -> k8s_openapi::api::core::v1::ConfigMap {
    plan_config_map::build(run, &objects::Objects::build(run))
}

#[test]
fn plan_of_a_managed_target() {
    insta::assert_snapshot!(yaml(&with_run(MANAGED, accepted)));
}

#[test]
fn plan_of_an_existing_target_has_no_url() {
    let plan = with_run(EXISTING, accepted);
    assert_eq!(
        plan.data.unwrap().keys().collect::<Vec<_>>(),
        [plan_config_map::OBJECTS_KEY, redyno_contract::files::PLAN]
    );
}

#[test]
fn a_plan_that_was_written_is_read_again() {
    with_run(EXISTING, |run| {
        let config_map = accepted(run);
        assert_eq!(
            plan_config_map::read(&config_map),
            Some(run.resolved.plan.clone())
        );
    });
}

#[test]
fn report() {
    insta::assert_snapshot!(yaml(&with_run(MANAGED, |run| {
        report_config_map::build(&run.resolved.plan.run)
    })));
}

#[test]
fn redis() {
    insta::assert_snapshot!("redis_pod", yaml(&redis_pod(MANAGED)));
    let valkey = MANAGED.replacen("plan: premium-1", "plan: premium-1, engine: Valkey", 1);
    insta::assert_snapshot!("valkey_pod", yaml(&redis_pod(&valkey)));
    insta::assert_snapshot!(
        "redis_service",
        yaml(&with_run(MANAGED, redis_service::build))
    );
}

#[test]
fn preflight() {
    insta::assert_snapshot!(
        "preflight_of_a_managed_target",
        yaml(&with_run(MANAGED, preflight_job::build))
    );
    insta::assert_snapshot!(
        "preflight_of_an_existing_target",
        yaml(&with_run(EXISTING, preflight_job::build))
    );
}

#[test]
fn dynos() {
    insta::assert_snapshot!("dynos_of_a_managed_target", yaml(&dyno_job(MANAGED, 0)));
    insta::assert_snapshot!("dynos_placed_by_the_user", yaml(&dyno_job(EXISTING, 1)));
}

#[test]
fn finish() {
    insta::assert_snapshot!(yaml(&with_run(EXISTING, finish_job::build)));
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
fn is_restricted(pod: &PodSpec) {
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(pod.enable_service_links, Some(false));
    for host in [pod.host_network, pod.host_pid, pod.host_ipc] {
        assert_ne!(host, Some(true));
    }
    let context = pod.security_context.as_ref().unwrap();
    assert_eq!(context.run_as_non_root, Some(true));
    assert_eq!(context.run_as_user, Some(65_532));
    assert_eq!(
        context.seccomp_profile.as_ref().unwrap().type_,
        "RuntimeDefault"
    );
    for volume in pod.volumes.iter().flatten() {
        assert!(volume.projected.is_some(), "{volume:?}");
    }
    for container in &pod.containers {
        let context = container.security_context.as_ref().unwrap();
        assert_eq!(context.run_as_non_root, Some(true));
        assert_eq!(context.allow_privilege_escalation, Some(false));
        assert_eq!(context.read_only_root_filesystem, Some(true));
        let capabilities = context.capabilities.as_ref().unwrap();
        assert_eq!(capabilities.drop.as_deref(), Some(&["ALL".to_owned()][..]));
        assert_eq!(capabilities.add, None);
        for port in container.ports.iter().flatten() {
            assert_eq!(port.host_port, None);
        }
        let resources = container.resources.as_ref().unwrap();
        for quantities in [&resources.requests, &resources.limits] {
            let names: Vec<&String> = quantities.as_ref().unwrap().keys().collect();
            assert_eq!(names, ["cpu", "memory"]);
        }
    }
}

#[test]
fn every_pod_passes_the_restricted_profile() {
    let jobs = [
        with_run(MANAGED, preflight_job::build),
        with_run(EXISTING, preflight_job::build),
        with_run(EXISTING, finish_job::build),
        dyno_job(MANAGED, 0),
        dyno_job(EXISTING, 0),
        dyno_job(EXISTING, 1),
    ];
    for job in jobs {
        let pod = job.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
        is_restricted(&pod);
    }
    is_restricted(&redis_pod(MANAGED).spec.unwrap());
}

#[test]
fn a_users_labels_do_not_replace_ours() {
    let mut load_test = crate::fixtures::load_test(EXISTING);
    let resolved = crate::fixtures::resolved(&load_test);
    let mut dynos = resolved.formation[1].clone();
    dynos.placement.as_mut().unwrap().labels = Some(
        [(redyno_crds::labels::RUN.to_owned(), "another".to_owned())]
            .into_iter()
            .collect(),
    );
    load_test.metadata.labels = None;
    let settings = crate::fixtures::settings();
    let run = Run {
        load_test: &load_test,
        resolved: &resolved,
        settings: &settings,
    };
    let job = super::dyno_job::build(&run, &dynos);
    let found = job.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    assert_eq!(found[redyno_crds::labels::RUN], crate::fixtures::UID);
}

#[test]
fn only_dynos_are_annotated_for_a_scrape_and_only_if_so_set() {
    for (scrape_annotations, load_test) in [(false, MANAGED), (true, MANAGED), (true, EXISTING)] {
        let load_test = crate::fixtures::load_test(load_test);
        let resolved = crate::fixtures::resolved(&load_test);
        let settings = Settings {
            scrape_annotations,
            ..crate::fixtures::settings()
        };
        let run = Run {
            load_test: &load_test,
            resolved: &resolved,
            settings: &settings,
        };
        let annotations = |job: k8s_openapi::api::batch::v1::Job| {
            let metadata = job.spec.unwrap().template.metadata.unwrap();
            metadata.annotations.unwrap_or_default()
        };
        for dynos in &resolved.formation {
            let found = annotations(super::dyno_job::build(&run, dynos));
            let port = found.get("prometheus.io/port").map(String::as_str);
            assert_eq!(port, scrape_annotations.then_some("9090"));
            let theirs = dynos.placement.is_some();
            assert_eq!(found.contains_key("note"), theirs, "{found:?}");
        }
        let preflight = annotations(preflight_job::build(&run));
        assert!(preflight.is_empty(), "{preflight:?}");
    }
}

#[test]
fn the_jobs_deadline_is_beyond_all_that_a_dyno_may_take() {
    let plan = with_run(MANAGED, |run| run.resolved.plan.clone());
    let own = plan.start_timeout_seconds
        + 3
        + plan.warmup_seconds
        + plan.duration_seconds
        + plan.drain_seconds
        + plan.linger_seconds;
    assert!(super::dyno_job::deadline_seconds(&plan) > i64::from(own) + 60);
}
