//! What the pods of a run say of themselves, read from what is kept of them.

use redyno_contract::evidence;
use redyno_contract::message::{FinishReport, PreflightReport};
use redyno_contract::outcome::Evidence;
use redyno_contract::plan::DynoName;

use crate::collected::Entry;

/// The last words of a pod, as it left them.
fn last_words(entry: &Entry) -> Result<&[u8], String> {
    match &entry.message {
        Some(message) => Ok(message.as_bytes()),
        None if entry.unsealed => {
            Err("what is kept of its report was not written by this operator".to_owned())
        }
        None => Err("the pod left no report".to_owned()),
    }
}

/// What a dyno says of itself. A report of another run, dyno or pod is none.
pub(crate) fn of_dyno(entry: &Entry, run: &str, dyno: &DynoName) -> Evidence {
    match last_words(entry) {
        Ok(bytes) => evidence::of_dyno(bytes, run, dyno, entry.pod.as_deref()),
        Err(detail) => Evidence::Missing { detail },
    }
}

/// What the preflight says; else, in a sentence, why that cannot be told.
pub(crate) fn of_preflight(entry: &Entry, run: &str) -> Result<PreflightReport, String> {
    evidence::of_preflight(last_words(entry)?, run)
}

/// What the finish says; else, in a sentence, why that cannot be told.
pub(crate) fn of_finish(entry: &Entry, run: &str) -> Result<FinishReport, String> {
    evidence::of_finish(last_words(entry)?, run)
}

#[cfg(test)]
mod tests {
    use redyno_contract::record::RecordKind;
    use redyno_contract::report::Ending;

    use super::*;
    use crate::fixtures::{Cluster, MANAGED, UID, dyno_record, preflight_record};

    fn running() -> Cluster {
        let mut cluster = Cluster::new(MANAGED);
        cluster.until_running();
        cluster
    }

    fn web_1() -> DynoName {
        DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        }
    }

    fn missing(evidence: Evidence) -> String {
        match evidence {
            Evidence::Missing { detail } => detail,
            other => panic!("not missing: {other:?}"),
        }
    }

    #[test]
    fn a_report_is_taken_only_from_its_own_run_dyno_and_pod() {
        let cluster = running();
        let record = cluster.final_record("web.1", Ending::Completed);
        let pod = cluster.pod("web.1").metadata.uid.clone().unwrap();
        let read = |message: Option<&str>, run: &str, dyno: &DynoName, pod: &str| {
            let entry = Entry {
                message: message.map(str::to_owned),
                pod: Some(pod.to_owned()),
                ..Entry::default()
            };
            of_dyno(&entry, run, dyno)
        };
        assert!(matches!(
            read(Some(&record), UID, &web_1(), &pod),
            Evidence::Complete(_)
        ));
        for (message, run, dyno, uid, words) in [
            (None, UID, web_1(), pod.as_str(), "left no report"),
            (Some("x"), UID, web_1(), &pod, "not a report record"),
            (Some(record.as_str()), "another", web_1(), &pod, "of run"),
            (
                Some(&record),
                UID,
                DynoName {
                    index: 1,
                    ..web_1()
                },
                &pod,
                "web.1, the pod ran web.2",
            ),
            (Some(&record), UID, web_1(), "uid-other", "another pod"),
            (
                Some(&preflight_record(
                    redyno_contract::message::PreflightResult::Passed,
                    "",
                )),
                UID,
                web_1(),
                &pod,
                "not a dyno",
            ),
        ] {
            let detail = missing(read(message, run, &dyno, uid));
            assert!(detail.contains(words), "{detail}");
        }
    }

    #[test]
    fn what_somebody_else_put_in_its_place_is_named_so() {
        let entry = Entry {
            unsealed: true,
            ..Entry::default()
        };
        let detail = missing(of_dyno(&entry, UID, &web_1()));
        assert!(detail.contains("not written by this operator"), "{detail}");
    }

    #[test]
    fn a_checkpoint_is_partial_and_so_is_a_final_report_without_an_end() {
        let cluster = running();
        let mut report = cluster.report_of("web.1", Ending::Completed);
        report.end = None;
        for kind in [RecordKind::Checkpoint, RecordKind::Final] {
            let record = dyno_record(kind, &report);
            let entry = Entry {
                message: Some(record),
                ..Entry::default()
            };
            assert!(matches!(
                of_dyno(&entry, UID, &web_1()),
                Evidence::Partial(_)
            ));
        }
    }
}
