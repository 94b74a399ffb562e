//! Whatever happens, in whatever order, and whenever the operator is killed.

use std::sync::Arc;

use proptest::prelude::*;
use redyno_contract::message::{PreflightResult, Refusal};
use redyno_contract::outcome::Evidence;
use redyno_contract::record::RecordKind;
use redyno_contract::report::Ending;
use redyno_crds::LoadTestStatus;
use redyno_crds::children::Child;

use crate::evidence;
use crate::fixtures::{
    Cluster, EXISTING, MANAGED, UID, dyno_record, finish_record, preflight_record,
};
use crate::run_pods::{Candidate, RunPods};

/// Something that happens in a cluster.
#[derive(Clone, Debug)]
enum Happens {
    Wait(i64),
    RedisReady,
    RedisEnds,
    PreflightPasses,
    PreflightRefuses,
    FinishEnds,
    Starts(usize),
    Ready(usize),
    Runs(usize),
    Completes(usize),
    Breaks(usize),
    LeavesWith(usize, i32),
    LeavesACheckpoint(usize),
    OutOfMemory(usize),
    Marked(usize),
    Deleted(usize),
    Drained(usize),
    NodeLost(usize),
    Stuck(usize, &'static str),
    ChildDeleted(usize),
    JobPastDeadline,
    Refused(usize),
    Cancelled,
    /// The administrator takes a size out of the catalogue.
    SizeWithdrawn,
    /// The operator is killed after so many steps of its next decision.
    Killed(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    let dyno = 0..2_usize;
    prop_oneof![
        6 => (1..90_i64).prop_map(Wait),
        3 => Just(RedisReady),
        4 => Just(PreflightPasses),
        1 => Just(PreflightRefuses),
        1 => Just(RedisEnds),
        3 => Just(FinishEnds),
        3 => dyno.clone().prop_map(Starts),
        5 => dyno.clone().prop_map(Ready),
        5 => dyno.clone().prop_map(Runs),
        5 => dyno.clone().prop_map(Completes),
        1 => dyno.clone().prop_map(Breaks),
        1 => (dyno.clone(), prop_oneof![Just(0), 64..77, Just(137)]).prop_map(|(dyno, code)| LeavesWith(dyno, code)),
        1 => dyno.clone().prop_map(LeavesACheckpoint),
        1 => dyno.clone().prop_map(OutOfMemory),
        1 => dyno.clone().prop_map(Marked),
        1 => dyno.clone().prop_map(Deleted),
        1 => dyno.clone().prop_map(Drained),
        1 => dyno.clone().prop_map(NodeLost),
        1 => (dyno, prop_oneof![Just("ImagePullBackOff"), Just("CreateContainerError")]).prop_map(|(dyno, reason)| Stuck(dyno, reason)),
        1 => (0..7_usize).prop_map(ChildDeleted),
        1 => Just(JobPastDeadline),
        1 => (0..7_usize).prop_map(Refused),
        1 => Just(Cancelled),
        1 => Just(SizeWithdrawn),
        3 => (0..5_usize).prop_map(Killed),
    ]
}

fn child(cluster: &Cluster, position: usize) -> Child {
    let types = cluster.plan().formation;
    match position {
        0 => Child::Plan,
        1 => Child::Report,
        2 => Child::RedisPod,
        3 => Child::RedisService,
        4 => Child::Preflight,
        5 => Child::Finish,
        _ => Child::Dynos(types[types.len() - 1].dyno_type.clone()),
    }
}

fn is_there(cluster: &Cluster, name: &str) -> bool {
    cluster
        .pods
        .iter()
        .any(|pod| pod.metadata.name.as_deref() == Some(name))
}

/// Whether a pod is there and has not ended.
fn is_going(cluster: &Cluster, name: &str) -> bool {
    is_there(cluster, name)
        && !cluster
            .pod(name)
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
}

/// Lets something happen, if it can.
fn happen(cluster: &mut Cluster, event: &Happens) {
    let names = cluster.dyno_names();
    let going = |cluster: &Cluster, dyno: usize| {
        let name = names[dyno].clone();
        is_going(cluster, &name).then_some(name)
    };
    match event {
        Happens::Wait(seconds) => {
            cluster.wait(*seconds);
        }
        Happens::RedisReady => cluster.redis_ready(),
        Happens::RedisEnds => {
            if cluster.observed.redis_pod.is_some() {
                cluster.redis_ended(137, "OOMKilled");
            }
        }
        Happens::PreflightPasses | Happens::PreflightRefuses => {
            if is_going(cluster, "preflight") {
                cluster.start_pod("preflight");
                let (code, result) = if matches!(event, Happens::PreflightPasses) {
                    (0, PreflightResult::Passed)
                } else {
                    let reason = Refusal::PermissionDenied;
                    (65, PreflightResult::Refused { reason })
                };
                cluster.end_pod("preflight", code, Some(preflight_record(result, "seen")));
            }
        }
        Happens::FinishEnds => {
            if is_going(cluster, "finish") {
                cluster.start_pod("finish");
                cluster.end_pod("finish", 0, Some(finish_record("clean")));
            }
        }
        Happens::Starts(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.start_pod(&name);
            }
        }
        Happens::Ready(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.ready_pod(&name);
            }
        }
        Happens::Runs(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.run_pod(&name);
            }
        }
        Happens::Completes(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.dyno_ends(&name, 0, Ending::Completed);
            }
        }
        Happens::Breaks(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                let (worker, backlog, on_time) = (2, 100, Some(100));
                cluster.dyno_ends(
                    &name,
                    0,
                    Ending::BacklogLimit {
                        worker,
                        backlog,
                        on_time,
                    },
                );
            }
        }
        Happens::LeavesWith(dyno, code) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.end_pod(&name, *code, Some("no record".to_owned()));
            }
        }
        Happens::LeavesACheckpoint(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                let mut report = cluster.report_of(&name, Ending::Completed);
                report.end = None;
                let record = dyno_record(RecordKind::Checkpoint, &report);
                cluster.end_pod(&name, 1, Some(record));
            }
        }
        Happens::OutOfMemory(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.end_pod_with(&name, 137, "OOMKilled", None);
            }
        }
        Happens::Marked(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(cluster.now);
                cluster.change_pod(&name, |pod| pod.metadata.deletion_timestamp = Some(now));
            }
        }
        Happens::Deleted(dyno) => {
            if is_there(cluster, &names[*dyno]) {
                cluster.delete_pod(&names[*dyno]);
            }
        }
        Happens::Drained(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.set_pod_condition(
                    &name,
                    "DisruptionTarget",
                    "True",
                    "EvictionByEvictionAPI",
                );
                cluster.delete_pod(&name);
            }
        }
        Happens::NodeLost(dyno) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.set_pod_condition(&name, "ContainersReady", "True", "");
                cluster.set_pod_condition(&name, "Ready", "False", "");
            }
        }
        Happens::Stuck(dyno, reason) => {
            if let Some(name) = going(cluster, *dyno) {
                cluster.stick_pod(&name, reason);
            }
        }
        Happens::ChildDeleted(position) => {
            let child = child(cluster, *position);
            if cluster.observed.metadata(&child).is_some() {
                cluster.delete(&child);
            }
        }
        Happens::JobPastDeadline => {
            let types: Vec<String> = cluster.observed.dynos.keys().cloned().collect();
            for dyno_type in types {
                let child = Child::Dynos(dyno_type);
                cluster.end_job(&child, "Failed", "DeadlineExceeded");
                for name in cluster.pods_of(&child) {
                    cluster.delete_pod(&name);
                }
            }
        }
        Happens::Refused(position) => {
            let child = child(cluster, *position);
            let message = "is forbidden: exceeded quota: tight".to_owned();
            cluster.refuses.push((child, message));
        }
        Happens::Cancelled => {
            cluster.cancel();
        }
        Happens::SizeWithdrawn => {
            cluster.load_test.spec.formation[0].size = Some("withdrawn".to_owned());
        }
        Happens::Killed(steps) => {
            let decision = cluster.decide();
            cluster.apply(&decision, *steps);
        }
    }
}

/// At the moment that a run passes every dyno's report is there.
fn check_passed(cluster: &Cluster, over: &mut bool) {
    let verdict = cluster.status().verdict.as_deref();
    let is_new = !std::mem::replace(over, verdict.is_some());
    if !is_new || verdict != Some("Passed") {
        return;
    }
    let mut collected = cluster.collected();
    // The reports are deleted, but the pods that left them are still there.
    let candidates: Vec<Candidate> = cluster
        .pods
        .iter()
        .map(|pod| Candidate::new(Arc::clone(pod), false))
        .collect();
    let seen = cluster.status().pods.clone();
    for pod in RunPods::proven(&cluster.load_test, &seen, &candidates).all() {
        collected.add(&collected.additions(pod));
    }
    for dyno in cluster.plan().dynos() {
        let entry = collected.entry(&dyno.to_string());
        let found = evidence::of_dyno(&entry, UID, &dyno);
        assert!(
            matches!(&found, Evidence::Complete(report) if report.end.as_ref().unwrap().ending == Ending::Completed),
            "passed without the report of {dyno}: {found:?}"
        );
    }
}

/// Time enough for every wait that there is: each of the three before the start, the deadline of
/// the dynos, their last words, the finish.
const LONGEST_RUN: i64 = 3 * 330 + 2 * 300 + 400 + 200;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends(
        is_managed: bool,
        events in proptest::collection::vec(happens(), 0..40),
        later in proptest::collection::vec(happens(), 0..6),
    ) {
        let mut cluster = Cluster::new(if is_managed { MANAGED } else { EXISTING });
        let mut over = false;
        cluster.look();
        for event in &events {
            happen(&mut cluster, event);
            // Says by itself if it does not come to rest.
            cluster.look();
            check_passed(&cluster, &mut over);
        }
        let mut waited = 0;
        while cluster.status().verdict.is_none() {
            prop_assert!(waited <= LONGEST_RUN, "never over: {:#?}", cluster.status());
            let seconds = i64::try_from(
                cluster.requeue.expect("it looks again").as_secs().max(1)
            ).unwrap().min(30);
            waited += seconds;
            cluster.wait(seconds).look();
            check_passed(&cluster, &mut over);
        }

        let status = cluster.status().clone();
        prop_assert!(cluster.condition("Finished").starts_with("True "));
        prop_assert!(cluster.condition("Succeeded") != "Unknown Pending");
        prop_assert!(status.message.is_some() && status.completion_time.is_some());
        let kept = cluster.collected().entry("preflight");
        let entered = evidence::of_preflight(&kept, UID)
            .is_ok_and(|report| report.result == PreflightResult::Passed);
        if entered && !is_managed && cluster.observed.plan.is_some() {
            let target = status.target.as_ref().unwrap();
            prop_assert!(target.cleanup.is_some(), "the target was not given back");
        }
        let verdicts = cluster.notices.iter().filter(|notice| notice.is_verdict()).count();
        prop_assert!(verdicts <= 1, "told {} times", verdicts);

        // Terminal is terminal, whatever comes: only the generation that it speaks of may rise.
        let settled = |cluster: &Cluster| LoadTestStatus {
            observed_generation: cluster.load_test.metadata.generation,
            ..status.clone()
        };
        for event in &later {
            happen(&mut cluster, event);
            cluster.look();
            prop_assert_eq!(cluster.status(), &settled(&cluster));
        }
        let made = cluster.done.iter().filter(|done| done.starts_with('+')).count();
        cluster.wait(10_000).look();
        prop_assert_eq!(cluster.status(), &settled(&cluster));
        prop_assert_eq!(
            cluster.done.iter().filter(|done| done.starts_with('+')).count(),
            made,
            "nothing is made after the end"
        );
        prop_assert!(cluster.pods.is_empty(), "no pod outlives its retention");
        prop_assert!(cluster.observed.redis_pod.is_none());
    }

    #[test]
    fn a_kill_changes_nothing(kills in proptest::collection::vec(0..6_usize, 0..30)) {
        let story = [
            Happens::RedisReady,
            Happens::PreflightPasses,
            Happens::Ready(0),
            Happens::Ready(1),
            Happens::Runs(0),
            Happens::Runs(1),
            Happens::Wait(25),
            Happens::Completes(0),
            Happens::Completes(1),
            Happens::FinishEnds,
        ];
        let mut cluster = Cluster::new(EXISTING);
        let mut kills = kills.into_iter();
        cluster.look();
        for event in &story {
            happen(&mut cluster, event);
            for steps in kills.by_ref().take(3) {
                happen(&mut cluster, &Happens::Killed(steps));
            }
            cluster.look();
        }
        prop_assert_eq!(cluster.status().verdict.as_deref(), Some("Passed"));
        prop_assert_eq!(
            &cluster.done,
            &["+plan", "+report", "+preflight", "+web", "+worker", "+finish"]
        );
    }
}
