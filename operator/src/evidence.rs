//! What the pods of a run left behind, as the report ConfigMap keeps it.
//!
//! | key | value |
//! |---|---|
//! | `web.1`, `preflight`, `finish` | the pod's termination message, exactly as it left it |
//! | `web.1.pod`, ... | [`PodFacts`] as JSON: what the platform said of that pod |
//! | `run` | [`GivenUp`] as JSON, if the operator gave the run up |
//!
//! A pod is gone 0.3 to 0.9 s after its end when its Job was deleted, evicted or past its deadline;
//! here its last words outlive it, and the operator.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use redyno_contract::message::{FinishReport, PreflightReport};
use redyno_contract::outcome::Evidence;
use redyno_contract::plan::DynoName;
use redyno_contract::record::{self, LONGEST_READ, Record, RecordKind};
use redyno_contract::{Message, Reason};
use serde::{Deserialize, Serialize};

use crate::build::labels;
use crate::build::names::Child;
use crate::fate::{PodFacts, runner_status};

/// Key of [`GivenUp`].
const GIVEN_UP_KEY: &str = "run";

/// Why the operator gave a run up, and when: written before it deletes anything, so that it still
/// knows when everything is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// Why a run was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// Somebody asked for it.
    Cancelled,
    /// It could not be started; nothing that a dyno could say would tell more.
    NotStarted {
        /// The verdict's reason.
        reason: Reason,
        /// In a sentence.
        message: String,
    },
    /// A dyno was lost, killed, or left by itself in a way that ends the run.
    Dyno {
        /// Which.
        dyno: DynoName,
        /// What happened to it.
        detail: String,
    },
    /// Two pods ran the same dyno.
    Duplicate {
        /// Which.
        dyno: DynoName,
    },
    /// A child object was deleted while the run needed it.
    ChildLost {
        /// Kind and name.
        child: String,
    },
    /// The run was not over by its deadline.
    Deadline,
}

/// What is kept of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    entries: BTreeMap<String, Entry>,
    /// Set once the run was given up.
    pub given_up: Option<GivenUp>,
}

/// What is kept of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its termination message.
    pub message: Option<String>,
    /// What the platform said of it.
    pub facts: Option<PodFacts>,
}

impl Collected {
    /// Reads the report ConfigMap. What cannot be read counts as not there.
    pub fn read(config_map: Option<&ConfigMap>) -> Self {
        let mut collected = Self::default();
        if let Some(data) = config_map.and_then(|config_map| config_map.data.as_ref()) {
            collected.add(data);
        }
        collected
    }

    /// Adds data of the report ConfigMap.
    pub fn add(&mut self, data: &BTreeMap<String, String>) {
        for (key, value) in data {
            if key == GIVEN_UP_KEY {
                self.given_up = serde_json::from_str(value).ok();
            } else if let Some(key) = key.strip_suffix(".pod") {
                self.entries.entry(key.to_owned()).or_default().facts =
                    serde_json::from_str(value).ok();
            } else {
                self.entries.entry(key.clone()).or_default().message = Some(value.clone());
            }
        }
    }

    /// What is kept under this key.
    pub fn entry(&self, key: &str) -> Entry {
        self.entries.get(key).cloned().unwrap_or_default()
    }

    /// What a pod has to add to this, as data of the ConfigMap: empty if it is there already, or
    /// if the pod is still going.
    pub fn additions(&self, pod: &Pod) -> BTreeMap<String, String> {
        if PodFacts::of(pod).is_final() {
            self.last_words(pod)
        } else {
            BTreeMap::new()
        }
    }

    /// What a pod that is leaving the cluster has to add to this, even if it never ran.
    pub fn last_words(&self, pod: &Pod) -> BTreeMap<String, String> {
        let Some(key) = key_of(pod) else {
            return BTreeMap::new();
        };
        let facts = PodFacts::of(pod);
        let kept = self.entry(&key);
        // The first pod to end is the one that counts: a second one under the same name has lost
        // the claim and put no load on anything.
        if kept
            .facts
            .as_ref()
            .is_some_and(|kept| kept.uid != facts.uid && kept.is_final())
        {
            return BTreeMap::new();
        }
        let Some(merged) = PodFacts::merged(kept.facts.clone(), Some(facts)) else {
            return BTreeMap::new();
        };
        if kept.facts.as_ref() == Some(&merged) {
            return BTreeMap::new();
        }
        let mut additions = BTreeMap::new();
        if let Some(message) = termination_message(pod) {
            additions.insert(key.clone(), message);
        }
        additions.extend(facts_data(&key, &merged));
        additions
    }
}

/// Facts of a pod as data of the ConfigMap.
pub fn facts_data(key: &str, facts: &PodFacts) -> BTreeMap<String, String> {
    let text = serde_json::to_string(facts).expect("facts are strings, numbers and booleans");
    BTreeMap::from([(format!("{key}.pod"), text)])
}

/// A give-up as data of the ConfigMap.
pub fn given_up_data(given_up: &GivenUp) -> BTreeMap<String, String> {
    let text =
        serde_json::to_string(given_up).expect("a cause is made of strings, numbers and a time");
    BTreeMap::from([(GIVEN_UP_KEY.to_owned(), text)])
}

/// The dyno that a pod runs.
pub fn dyno_of(pod: &Pod) -> Option<DynoName> {
    let pod_labels = pod.metadata.labels.as_ref()?;
    Some(DynoName {
        dyno_type: pod_labels.get(labels::DYNO_TYPE)?.clone(),
        index: pod_labels.get(labels::COMPLETION_INDEX)?.parse().ok()?,
    })
}

/// The key that a pod's last words are kept under.
pub fn key_of(pod: &Pod) -> Option<String> {
    let component = pod.metadata.labels.as_ref()?.get(labels::COMPONENT)?;
    if *component == *Child::Preflight.component() || *component == *Child::Finish.component() {
        return Some(component.clone());
    }
    dyno_of(pod).map(|dyno| dyno.to_string())
}

/// What the runner's container left as its last words.
fn termination_message(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let terminated = runner_status(statuses)?
        .state
        .as_ref()?
        .terminated
        .as_ref()?;
    let message = terminated.message.as_ref()?;
    // Kubernetes cuts them off here itself. What is longer is not ours and is not worth keeping.
    (message.len() <= LONGEST_READ).then(|| message.clone())
}

/// Reads the last words of a pod of this run.
fn read(message: Option<&str>) -> Result<Record, String> {
    let message = message.ok_or_else(|| "the pod left no report".to_owned())?;
    record::read(message.as_bytes()).map_err(|error| error.to_string())
}

/// What a dyno says of itself. A report of another run, dyno or pod is none.
pub fn of_dyno(message: Option<&str>, run: &str, dyno: &DynoName, pod: Option<&str>) -> Evidence {
    let missing = |detail: String| Evidence::Missing { detail };
    let record = match read(message) {
        Ok(record) => record,
        Err(detail) => return missing(detail),
    };
    let Message::Dyno(report) = record.message else {
        return missing("the pod left the report of something that is not a dyno".to_owned());
    };
    if let Err(detail) = of_run(&report.run, run) {
        return missing(detail);
    }
    if report.dyno != *dyno {
        return missing(format!(
            "the report is of {}, the pod ran {dyno}",
            report.dyno
        ));
    }
    if pod.is_some_and(|pod| pod != report.pod) {
        return missing("the report is of another pod".to_owned());
    }
    match record.kind {
        RecordKind::Final if report.end.is_some() => Evidence::Complete(report),
        RecordKind::Final | RecordKind::Checkpoint => Evidence::Partial(report),
    }
}

/// What the preflight says.
///
/// # Errors
/// In a sentence, why that cannot be told.
pub fn of_preflight(message: Option<&str>, run: &str) -> Result<PreflightReport, String> {
    let Message::Preflight(report) = read(message)?.message else {
        return Err("the pod left the report of something that is not a preflight".to_owned());
    };
    of_run(&report.run, run)?;
    Ok(report)
}

/// What the finish says.
///
/// # Errors
/// In a sentence, why that cannot be told.
pub fn of_finish(message: Option<&str>, run: &str) -> Result<FinishReport, String> {
    let Message::Finish(report) = read(message)?.message else {
        return Err("the pod left the report of something that is not a finish".to_owned());
    };
    of_run(&report.run, run)?;
    Ok(report)
}

fn of_run(found: &str, run: &str) -> Result<(), String> {
    if found == run {
        Ok(())
    } else {
        Err(format!("the report is of run {found}, this is {run}"))
    }
}

#[cfg(test)]
mod tests {
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
            of_dyno(message, run, dyno, Some(pod))
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
    fn a_checkpoint_is_partial_and_so_is_a_final_report_without_an_end() {
        let cluster = running();
        let mut report = cluster.report_of("web.1", Ending::Completed);
        report.end = None;
        for kind in [RecordKind::Checkpoint, RecordKind::Final] {
            let record = dyno_record(kind, &report);
            assert!(matches!(
                of_dyno(Some(&record), UID, &web_1(), None),
                Evidence::Partial(_)
            ));
        }
    }

    #[test]
    fn last_words_are_kept_as_they_were_left_and_only_once() {
        let mut cluster = running();
        let record = cluster.final_record("web.1", Ending::Completed);
        cluster.end_pod("web.1", 0, Some(record.clone()));
        let mut collected = Collected::default();
        let additions = collected.additions(cluster.pod("web.1"));
        assert_eq!(additions["web.1"], record);
        assert_eq!(additions.len(), 2, "the message and the facts");
        collected.add(&additions);
        assert!(collected.additions(cluster.pod("web.1")).is_empty());
        assert!(collected.last_words(cluster.pod("web.1")).is_empty());
    }

    #[test]
    fn a_second_pod_of_a_dyno_does_not_replace_the_first_ones_words() {
        let mut cluster = running();
        let record = cluster.final_record("web.1", Ending::Completed);
        cluster.end_pod("web.1", 0, Some(record));
        let mut collected = Collected::default();
        collected.add(&collected.additions(cluster.pod("web.1")));
        let mut twin = cluster.pod("web.1").clone();
        twin.metadata.uid = Some("uid-twin".to_owned());
        assert!(collected.last_words(&twin).is_empty());
    }

    #[test]
    fn a_pod_that_is_still_going_adds_nothing_until_it_leaves() {
        let cluster = running();
        let collected = Collected::default();
        let pod = cluster.pod("web.1");
        assert!(collected.additions(pod).is_empty());
        let words = collected.last_words(pod);
        assert_eq!(words.keys().collect::<Vec<_>>(), ["web.1.pod"]);
    }

    #[test]
    fn a_config_map_that_somebody_wrote_into_does_no_harm() {
        let data = [
            ("run", "{"),
            ("web.1.pod", "[]"),
            ("web.1", "\u{0}"),
            ("whatever", ""),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut collected = Collected::default();
        collected.add(&data.into_iter().collect());
        assert_eq!(collected.given_up, None);
        assert_eq!(collected.entry("web.1").facts, None);
    }

    #[test]
    fn a_give_up_is_read_as_it_was_written() {
        for cause in [
            Cause::Cancelled,
            Cause::Deadline,
            Cause::Duplicate { dyno: web_1() },
            Cause::NotStarted {
                reason: Reason::Unschedulable,
                message: "full".to_owned(),
            },
        ] {
            let given_up = GivenUp {
                cause,
                at: Timestamp::UNIX_EPOCH,
            };
            let mut collected = Collected::default();
            collected.add(&given_up_data(&given_up));
            assert_eq!(collected.given_up, Some(given_up));
        }
    }
}
