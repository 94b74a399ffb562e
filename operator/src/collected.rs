//! What is kept of a run's pods, in the report ConfigMap.
//!
//! | key | value |
//! |---|---|
//! | `web.1`, `preflight`, `finish` | the pod's termination message, exactly as it left it |
//! | `web.1.pod`, ... | [`PodFacts`] as JSON: what the platform said of that pod |
//! | `run` | [`GivenUp`] as JSON, if the operator gave the run up |
//!
//! A pod is gone 0.3 to 0.9 s after its end when its Job was deleted, evicted or past its deadline;
//! here its last words outlive it, and the operator. Whoever may change ConfigMaps can change this
//! one, so each value carries the operator's seal over the run, the pod, the key and the text
//! ([`Kept`]). A value without a valid one is no evidence. An older value that is put back says
//! what was true before, and no run has passed before its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use redyno_contract::Reason;
use redyno_contract::kept::Kept;
use redyno_contract::plan::DynoName;
use redyno_contract::record::LONGEST_READ;
use redyno_crds::children::RUNNER_CONTAINER;
use redyno_crds::status::PodReference;
use serde::{Deserialize, Serialize};

use crate::fate::{PodFacts, container_status};
use crate::run_pods::RunPod;
use crate::seal::Seal;

/// What follows a pod's name in the key of its [`PodFacts`].
const FACTS_SUFFIX: &str = ".pod";

/// Key of [`GivenUp`].
const GIVEN_UP_KEY: &str = "run";

/// Why the operator gave a run up, and when: written before it deletes anything, so that it still
/// knows when everything is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GivenUp {
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// Why a run was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Cause {
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
    /// The plan, or what is kept of the run, was changed by somebody else.
    EvidenceChanged {
        /// Which, in a sentence.
        message: String,
    },
    /// The run was not over by its deadline.
    Deadline,
}

impl Cause {
    /// The reason of the verdict, if nothing that the dynos left says more.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Cancelled => Reason::Cancelled,
            Self::NotStarted { reason, message: _ } => *reason,
            Self::Dyno { .. } => Reason::DynoLost,
            Self::Duplicate { .. } => Reason::DuplicateDyno,
            Self::ChildLost { .. } => Reason::ChildLost,
            Self::EvidenceChanged { .. } => Reason::EvidenceChanged,
            Self::Deadline => Reason::DeadlineExceeded,
        }
    }

    /// In a sentence, for people.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Cancelled => "the run was cancelled".to_owned(),
            Self::NotStarted { reason: _, message } | Self::EvidenceChanged { message } => {
                message.clone()
            }
            Self::Dyno { dyno, detail } => format!("{dyno}: {detail}"),
            Self::Duplicate { dyno } => format!("two pods ran {dyno}"),
            Self::ChildLost { child } => format!("{child} was deleted during the run"),
            Self::Deadline => "the run was not over by its deadline".to_owned(),
        }
    }
}

/// What is kept of a run.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    seal: Seal,
    run: String,
    entries: BTreeMap<String, Entry>,
    /// The pod of each name, by uid, as far as it is known which one it is.
    pods: BTreeMap<String, String>,
    /// Keys whose values are not the operator's.
    unsealed: BTreeSet<String>,
    /// Set once the run was given up.
    pub given_up: Option<GivenUp>,
}

/// What is kept of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its termination message.
    pub message: Option<String>,
    /// What the platform said of it.
    pub facts: Option<PodFacts>,
    /// Which pod that is, by its uid.
    pub pod: Option<String>,
    /// There is something under its name that the operator did not write.
    pub unsealed: bool,
}

impl Collected {
    /// Reads the report ConfigMap of a run whose pods are these. What is not sealed, or cannot be
    /// read, counts as not there.
    pub(crate) fn read(
        config_map: Option<&ConfigMap>,
        seal: &Seal,
        run: &str,
        seen: &[PodReference],
    ) -> Self {
        let mut collected = Self {
            seal: seal.clone(),
            run: run.to_owned(),
            entries: BTreeMap::new(),
            pods: seen
                .iter()
                .map(|reference| (reference.name.clone(), reference.uid.clone()))
                .collect(),
            unsealed: BTreeSet::new(),
            given_up: None,
        };
        if let Some(data) = config_map.and_then(|config_map| config_map.data.as_ref()) {
            collected.add(data);
        }
        collected
    }

    /// Adds data of the report ConfigMap.
    pub(crate) fn add(&mut self, data: &BTreeMap<String, String>) {
        for (key, value) in data {
            let Some(text) = self.unsealed_text(key, value) else {
                self.unsealed.insert(key.clone());
                continue;
            };
            self.unsealed.remove(key);
            if key == GIVEN_UP_KEY {
                self.given_up = serde_json::from_str(text).ok();
            } else if let Some(name) = key.strip_suffix(FACTS_SUFFIX) {
                self.entries.entry(name.to_owned()).or_default().facts =
                    serde_json::from_str(text).ok();
            } else {
                self.entries.entry(key.clone()).or_default().message = Some(text.to_owned());
            }
        }
    }

    /// The text of a value that the operator sealed for this run, this key, and the pod of its
    /// name; the first such value says which pod that is, if nobody has said it before.
    fn unsealed_text<'a>(&mut self, key: &str, value: &'a str) -> Option<&'a str> {
        let kept = Kept::parse(value)?;
        let texts = [self.run.as_str(), kept.pod, key, kept.text];
        if !self.seal.is_of(kept.seal, &texts) {
            return None;
        }
        if key == GIVEN_UP_KEY {
            return (kept.pod == Kept::RUN).then_some(kept.text);
        }
        let name = key.strip_suffix(FACTS_SUFFIX).unwrap_or(key);
        let known = self
            .pods
            .entry(name.to_owned())
            .or_insert_with(|| kept.pod.to_owned());
        (known == kept.pod).then_some(kept.text)
    }

    /// What is kept of the pod of this name.
    pub(crate) fn entry(&self, name: &str) -> Entry {
        let facts_key = format!("{name}{FACTS_SUFFIX}");
        Entry {
            pod: self.pods.get(name).cloned(),
            unsealed: self.unsealed.contains(name) || self.unsealed.contains(&facts_key),
            ..self.entries.get(name).cloned().unwrap_or_default()
        }
    }

    /// The pod of each name that is known.
    pub(crate) fn pods(&self) -> Vec<PodReference> {
        self.pods
            .iter()
            .map(|(name, uid)| PodReference {
                name: name.clone(),
                uid: uid.clone(),
            })
            .collect()
    }

    /// What a pod has to add to this, as data of the ConfigMap: empty if it is there already, or
    /// if the pod is still going. One that is gone adds its last words even if it never ran.
    pub(crate) fn additions(&self, pod: &RunPod) -> BTreeMap<String, String> {
        let facts = PodFacts::of(pod.pod(), RUNNER_CONTAINER);
        if !facts.is_final() && !pod.is_gone() {
            return BTreeMap::new();
        }
        let key = pod.role().key();
        let kept = self.entry(&key);
        let Some(merged) = PodFacts::merged(kept.facts.clone(), Some(facts)) else {
            return BTreeMap::new();
        };
        let message = termination_message(pod.pod());
        let is_kept =
            kept.facts.as_ref() == Some(&merged) && (message.is_none() || kept.message.is_some());
        if is_kept {
            return BTreeMap::new();
        }
        let mut additions = BTreeMap::new();
        if let Some(message) = message {
            additions.insert(key.clone(), self.sealed(pod.uid(), &key, &message));
        }
        additions.extend(self.facts_data(&key, &merged));
        additions
    }

    /// Facts of a pod as data of the ConfigMap.
    pub(crate) fn facts_data(&self, name: &str, facts: &PodFacts) -> BTreeMap<String, String> {
        let text = serde_json::to_string(facts).expect("facts are strings, numbers and booleans");
        let key = format!("{name}{FACTS_SUFFIX}");
        let value = self.sealed(&facts.uid, &key, &text);
        BTreeMap::from([(key, value)])
    }

    /// A give-up as data of the ConfigMap.
    pub(crate) fn given_up_data(&self, given_up: &GivenUp) -> BTreeMap<String, String> {
        let text = serde_json::to_string(given_up)
            .expect("a cause is made of strings, numbers and a time");
        let value = self.sealed(Kept::RUN, GIVEN_UP_KEY, &text);
        BTreeMap::from([(GIVEN_UP_KEY.to_owned(), value)])
    }

    fn sealed(&self, pod: &str, key: &str, text: &str) -> String {
        let seal = self.seal.of(&[&self.run, pod, key, text]);
        let seal = seal.as_str();
        Kept { pod, seal, text }.to_string()
    }
}

/// What the runner's container left as its last words.
fn termination_message(pod: &Pod) -> Option<String> {
    let terminated = container_status(pod, RUNNER_CONTAINER)?
        .state
        .as_ref()?
        .terminated
        .as_ref()?;
    let message = terminated.message.as_ref()?;
    // Kubernetes cuts them off here itself. What is longer is not ours and is not worth keeping.
    (message.len() <= LONGEST_READ).then(|| message.clone())
}

#[cfg(test)]
mod tests {
    use redyno_contract::report::Ending;

    use super::*;
    use crate::fixtures::{Cluster, MANAGED, UID, seal};
    use crate::run_pods::{Candidate, RunPods};

    fn running() -> Cluster {
        let mut cluster = Cluster::new(MANAGED);
        cluster.until_running();
        cluster
    }

    fn empty() -> Collected {
        Collected::read(None, &seal(), UID, &[])
    }

    fn web_1(cluster: &Cluster, gone: bool) -> RunPod {
        let pod = cluster.pod("web.1").clone();
        let candidates = [Candidate::new(std::sync::Arc::new(pod), gone)];
        let pods = RunPods::proven(&cluster.load_test, &[], &candidates);
        pods.all().next().unwrap().clone()
    }

    fn ended() -> (Cluster, String) {
        let mut cluster = running();
        let record = cluster.final_record("web.1", Ending::Completed);
        cluster.end_pod("web.1", 0, Some(record.clone()));
        (cluster, record)
    }

    #[test]
    fn last_words_are_kept_as_they_were_left_and_only_once() {
        let (cluster, record) = ended();
        let pod = web_1(&cluster, false);
        let mut collected = empty();
        let additions = collected.additions(&pod);
        assert_eq!(Kept::text_of(&additions["web.1"]), record);
        assert_eq!(additions.len(), 2, "the message and the facts");
        collected.add(&additions);
        let entry = collected.entry("web.1");
        assert_eq!(entry.message, Some(record));
        assert_eq!(entry.pod.as_deref(), Some(pod.uid()));
        assert!(collected.additions(&pod).is_empty());
        assert!(collected.additions(&web_1(&cluster, true)).is_empty());
    }

    #[test]
    fn a_pod_that_is_still_going_adds_nothing_until_it_leaves() {
        let cluster = running();
        assert!(empty().additions(&web_1(&cluster, false)).is_empty());
        let words = empty().additions(&web_1(&cluster, true));
        assert_eq!(words.keys().collect::<Vec<_>>(), ["web.1.pod"]);
    }

    #[test]
    fn nothing_counts_that_is_not_sealed_for_this_run_this_pod_and_this_key() {
        let (cluster, record) = ended();
        let pod = web_1(&cluster, false);
        let additions = empty().additions(&pod);
        let good = &additions["web.1"];
        let uid = pod.uid();
        let entry = |data: &[(&str, &str)]| {
            let data = data
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let seen = [PodReference {
                name: "web.1".to_owned(),
                uid: uid.to_owned(),
            }];
            let mut collected = Collected::read(None, &seal(), UID, &seen);
            collected.add(&data);
            collected.entry("web.1")
        };
        assert_eq!(
            entry(&[("web.1", good)]).message.as_deref(),
            Some(record.as_str())
        );
        let others = Seal::new(&[8; 32]).unwrap();
        let forge = |seal: &Seal, run: &str, pod: &str, key: &str| {
            let seal = seal.of(&[run, pod, key, &record]);
            let (seal, text) = (seal.as_str(), record.as_str());
            Kept { pod, seal, text }.to_string()
        };
        for (title, value) in [
            ("without a seal, as of the first release", record.clone()),
            ("by another key", forge(&others, UID, uid, "web.1")),
            ("of another run", forge(&seal(), "another", uid, "web.1")),
            ("of another pod", forge(&seal(), UID, "uid-other", "web.1")),
            ("of another dyno", forge(&seal(), UID, uid, "web.2")),
            ("changed", format!("{good} ")),
            ("nonsense", "\u{0}".to_owned()),
        ] {
            let entry = entry(&[("web.1", value.as_str())]);
            assert_eq!(entry.message, None, "{title}");
            assert!(entry.unsealed, "{title}");
        }
        // What the pod itself says is still there, and takes the place of what is not sealed.
        let mut collected = empty();
        collected.add(&BTreeMap::from([("web.1".to_owned(), record)]));
        collected.add(&collected.additions(&pod));
        assert_eq!(
            collected.entry("web.1"),
            entry(&[("web.1", good), ("web.1.pod", &additions["web.1.pod"]),])
        );
    }

    #[test]
    fn a_sealed_value_says_which_pod_is_the_one_if_nobody_has_said_it() {
        let (cluster, _) = ended();
        let pod = web_1(&cluster, false);
        let mut collected = empty();
        collected.add(&empty().additions(&pod));
        assert_eq!(collected.pods()[0].uid, pod.uid());
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
        let mut collected = empty();
        collected.add(&data.into_iter().collect());
        assert_eq!(collected.given_up, None);
        assert_eq!(collected.entry("web.1").facts, None);
        assert!(collected.pods().is_empty());
    }

    #[test]
    fn a_give_up_is_read_as_it_was_written() {
        let dyno = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        for cause in [
            Cause::Cancelled,
            Cause::Deadline,
            Cause::Duplicate { dyno },
            Cause::NotStarted {
                reason: Reason::Unschedulable,
                message: "full".to_owned(),
            },
        ] {
            let given_up = GivenUp {
                cause,
                at: Timestamp::UNIX_EPOCH,
            };
            let mut collected = empty();
            collected.add(&collected.given_up_data(&given_up));
            assert_eq!(collected.given_up, Some(given_up));
        }
    }
}
