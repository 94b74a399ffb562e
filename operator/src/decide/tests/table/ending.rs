//! Runs whose dynos have all ended.

use redyno_contract::report::Ending;
use redyno_crds::children::Child;
use redyno_crds::conditions::TARGET_CLEANED;

use super::{Expect::Over, check, row};
use crate::fixtures::{EXISTING, MANAGED};

#[test]
fn ends() {
    check(&[
        row(
            "a worker's backlog",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(5);
                let ending = Ending::BacklogLimit {
                    worker: 3,
                    backlog: 100,
                    on_time: Some(100),
                };
                cluster.dyno_ends("web.1", 0, ending);
                cluster.look();
                assert_eq!(
                    cluster.status().verdict,
                    None,
                    "the other one is still going"
                );
                cluster.dyno_ends("web.2", 0, Ending::Stopped);
            },
            Over("Failed", "BacklogLimitReached", &["web.1", "worker 3"]),
        ),
        row(
            "a report that was wiped",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                cluster.end_pod("web.1", 0, None);
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over("Inconclusive", "ReportMissing", &["web.1"]),
        ),
        row(
            "a report of another pod",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                let record = cluster.final_record("web.2", Ending::Completed);
                cluster.end_pod("web.1", 0, Some(record));
                cluster.dyno_ends("web.2", 0, Ending::Completed);
            },
            Over("Inconclusive", "ReportMissing", &["web.1"]),
        ),
        row(
            "pods that were gone before they were seen",
            MANAGED,
            |cluster| {
                cluster.until_dynos().wait(5);
                cluster.pods.clear();
                cluster.end_job(&Child::Dynos("web".to_owned()), "Complete", "");
                cluster.look();
                assert_eq!(cluster.status().verdict, None);
                cluster.wait(10);
            },
            Over("Errored", "DynoLost", &["web.1"]),
        ),
        row(
            "a cleanup that fails changes no verdict",
            EXISTING,
            |cluster| {
                cluster.until_ended();
                cluster.start_pod("finish");
                cluster.end_pod("finish", 70, None);
                cluster.look();
                let cleanup = cluster.status().target.clone().unwrap().cleanup.unwrap();
                assert!(cleanup.contains("not cleaned up"), "{cleanup}");
                assert_eq!(cluster.condition(TARGET_CLEANED), "False CleanupFailed");
                let told = cluster.notices.iter().rev().nth(1).unwrap();
                assert_eq!(
                    (told.reason.as_str(), told.warning),
                    ("CleanupFailed", true)
                );
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor does one that never ends",
            EXISTING,
            |cluster| {
                cluster.until_ended().wait(70);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor one whose Job somebody deleted",
            EXISTING,
            |cluster| {
                cluster.until_ended();
                cluster.delete(&Child::Finish);
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "nor one that is refused",
            EXISTING,
            |cluster| {
                cluster.refuses.push((
                    Child::Finish,
                    "jobs.batch is forbidden: exceeded quota: jobs".to_owned(),
                ));
                cluster.until_ended();
            },
            Over("Passed", "Passed", &[]),
        ),
        row(
            "reports are stored even if pods go at the moment they end",
            MANAGED,
            |cluster| {
                cluster.until_running().wait(25);
                for name in ["web.1", "web.2"] {
                    cluster.dyno_ends(name, 0, Ending::Completed);
                    cluster.remove_pod(name);
                }
            },
            Over("Passed", "Passed", &[]),
        ),
    ]);
}
