//! What is told about a LoadTest, once each: the transitions of its conditions, as Kubernetes
//! Events. The last one carries the verdict.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use redyno_contract::Verdict;
use redyno_crds::LoadTestStatus;
use redyno_crds::conditions::{
    self, ACCEPTED, DYNOS_READY, FINISHED, PREFLIGHT_PASSED, STARTED, TARGET_CLEANED, condition,
    reasons,
};

use crate::build::labels::MANAGER;

/// Longest note that the API server takes.
const LONGEST_NOTE: usize = 1024;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is something to worry about.
    pub warning: bool,
    /// In a word.
    pub reason: String,
    /// What was being done.
    pub action: String,
    /// In a sentence.
    pub note: String,
}

impl Notice {
    /// The run is ended before its end.
    pub fn stopping(cause: &str) -> Self {
        Self {
            warning: true,
            reason: "Stopping".to_owned(),
            action: "Stop".to_owned(),
            note: format!("the run is given up and its pods are deleted: {cause}"),
        }
    }

    /// What pods left is not taken by the API server.
    pub fn unstored(refusal: &str) -> Self {
        Self {
            warning: true,
            reason: "ReportsNotStored".to_owned(),
            action: "Store".to_owned(),
            note: format!("reports cannot be stored, which is tried again: {refusal}"),
        }
    }

    /// The LoadTest is not one that this release can read.
    pub fn unreadable(error: &str) -> Self {
        Self {
            warning: true,
            reason: reasons::UNREADABLE.to_owned(),
            action: "Read".to_owned(),
            note: format!("this release of the operator cannot read the LoadTest: {error}"),
        }
    }

    /// Whether this is the last word about a run.
    pub fn is_verdict(&self) -> bool {
        self.action == FINISHED
    }
}

/// What the step from one status to the next has to tell.
pub fn transitions(former: Option<&LoadTestStatus>, now: &LoadTestStatus) -> Vec<Notice> {
    let before = former.map_or(&[][..], |status| status.conditions.as_slice());
    [
        ACCEPTED,
        PREFLIGHT_PASSED,
        DYNOS_READY,
        STARTED,
        TARGET_CLEANED,
        FINISHED,
    ]
    .into_iter()
    .filter_map(|type_| {
        let new = condition(&now.conditions, type_)?;
        let old = condition(before, type_);
        let is_new = old.is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason));
        if !is_new {
            return None;
        }
        match (type_, new.status.as_str()) {
            (FINISHED, "True") => Some(verdict(now)),
            // That a target is clean is as it should be; what kept a run from its end is told by the
            // verdict.
            (TARGET_CLEANED, "True") | (FINISHED, _) | (_, "Unknown") => None,
            (PREFLIGHT_PASSED | DYNOS_READY | STARTED | ACCEPTED, "False")
                if conditions::is_true(&now.conditions, FINISHED) =>
            {
                None
            }
            (_, "False") if is_quiet(&new.reason) => None,
            (_, status) => Some(Notice {
                warning: status == "False",
                reason: if status == "False" {
                    new.reason.clone()
                } else {
                    type_.to_owned()
                },
                action: type_.to_owned(),
                note: new.message.clone(),
            }),
        }
    })
    .collect()
}

fn is_quiet(reason: &str) -> bool {
    matches!(reason, reasons::WAITING | reasons::PENDING)
}

fn verdict(now: &LoadTestStatus) -> Notice {
    let verdict = now.verdict.clone().unwrap_or_default();
    Notice {
        warning: verdict != Verdict::Passed.as_str(),
        action: FINISHED.to_owned(),
        note: now.message.clone().unwrap_or_default(),
        reason: verdict,
    }
}

/// Publishes notices: one for the whole program, so that repeats are counted and not listed.
#[derive(Clone)]
pub struct Publisher {
    recorder: Recorder,
}

impl Publisher {
    /// A publisher in the operator's name.
    pub fn new(client: Client) -> Self {
        Self {
            recorder: Recorder::new(client, Reporter::from(MANAGER)),
        }
    }

    /// Publishes. What cannot be published is logged: it stands in the status, too.
    pub async fn publish(&self, reference: &ObjectReference, notices: &[Notice]) {
        for Notice {
            warning,
            reason,
            action,
            note,
        } in notices
        {
            let event = Event {
                type_: if *warning {
                    EventType::Warning
                } else {
                    EventType::Normal
                },
                reason: reason.clone(),
                note: Some(shortened(note)),
                action: action.clone(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, reference).await {
                tracing::warn!(%error, %reason, "An event could not be published.");
            }
        }
    }
}

/// A note of at most [`LONGEST_NOTE`] bytes, cut between characters.
fn shortened(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let end = note.floor_char_boundary(LONGEST_NOTE - 3);
    format!("{}...", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(600);
        let cut = shortened(&long);
        assert!(cut.len() <= LONGEST_NOTE && cut.ends_with("ä..."), "{cut}");
    }
}
