//! A decision in the making.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::Reason;
use redyno_contract::message::{PreflightReport, Refusal};
use redyno_crds::children::Child;
use redyno_crds::conclude::{
    Cleanup, Notes, conclude_errored, conclude_preflight, conclude_refused,
};
use redyno_crds::conditions::{
    self, ConditionStatus, FINISHED, RECONCILING, initial_conditions, set_condition,
};
use redyno_crds::status::{ChildReference, TargetStatus};
use redyno_crds::{LoadTest, LoadTestStatus};

use super::decision::{Decision, Effect};
use crate::build::labels::SEAL;
use crate::collected::Collected;
use crate::events::{self, Notice};
use crate::object_readers::is_controlled_by;
use crate::observed::Observed;
use crate::run_pods::RunPods;
use crate::settings::Settings;

/// `ChildReference.intent` of a child that the operator itself decided to delete.
const DELETING: &str = "Deleting";

/// Never look again sooner than this: what happens in between is told by watches.
const SHORTEST_REQUEUE: SignedDuration = SignedDuration::from_secs(1);

/// A decision in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) load_test: &'a LoadTest,
    pub(super) observed: &'a Observed,
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
    pub(super) status: LoadTestStatus,
    /// The pods that are proven to be of the run.
    pub(super) pods: RunPods,
    store: BTreeMap<String, String>,
    effects: Vec<Effect>,
    extra_notices: Vec<Notice>,
    wake_at: Option<Timestamp>,
}

/// What `status.children` says of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Latch {
    /// Nothing: it was never meant to be there.
    None,
    /// It was about to be created.
    Intended,
    /// It was created, with this uid.
    Created(String),
    /// It was about to be deleted by the operator itself.
    Deleting,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        load_test: &'a LoadTest,
        observed: &'a Observed,
        now: Timestamp,
        settings: &'a Settings,
    ) -> Self {
        let mut status = load_test.status.clone().unwrap_or_default();
        let generation = load_test.metadata.generation;
        if status.conditions.is_empty() {
            status.conditions = initial_conditions(generation, &Time(now));
        }
        // Of a finished run, too: its retention may be changed, and whoever waits for the change
        // to be seen waits for this.
        status.observed_generation = generation;
        let mut draft = Self {
            load_test,
            observed,
            now,
            settings,
            status,
            store: BTreeMap::new(),
            effects: Vec::new(),
            extra_notices: Vec::new(),
            wake_at: None,
            pods: RunPods::default(),
        };
        let kept = draft.kept().pods();
        draft.pods = RunPods::proven(load_test, &kept, &observed.candidates);
        if !load_test.is_finished() {
            draft.status.pods = draft.pods.seen().to_vec();
        }
        draft
    }

    /// What is kept of the run's pods.
    pub(super) fn kept(&self) -> Collected {
        let seal = &self.settings.seal;
        Collected::read(self.report(), seal, self.uid(), &self.status.pods)
    }

    pub(super) fn name(&self) -> &'a str {
        self.load_test.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &'a str {
        self.load_test.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The report ConfigMap, if it is this run's and not one that only has its name.
    pub(super) fn report(&self) -> Option<&'a ConfigMap> {
        self.observed
            .report
            .as_ref()
            .filter(|found| is_controlled_by(&found.metadata, self.load_test))
    }

    // === Conditions ===

    pub(super) fn condition(
        &mut self,
        type_: &str,
        status: ConditionStatus,
        reason: &str,
        message: &str,
    ) {
        set_condition(
            &mut self.status.conditions,
            type_,
            status,
            reason,
            message,
            self.load_test.metadata.generation,
            &Time(self.now),
        );
    }

    pub(super) fn is_true(&self, type_: &str) -> bool {
        conditions::is_true(&self.status.conditions, type_)
    }

    pub(super) fn target(&mut self) -> &mut TargetStatus {
        self.status.target.get_or_insert_default()
    }

    /// What the preflight reported. Gives the reason to end with if it refused.
    pub(super) fn preflight(&mut self, report: &PreflightReport) -> Option<Reason> {
        let generation = self.load_test.metadata.generation;
        conclude_preflight(&mut self.status, report, generation, &Time(self.now))
    }

    /// The preflight never got to say anything. Gives the reason to end with.
    pub(super) fn preflight_failed(&mut self, message: &str) -> Reason {
        let generation = self.load_test.metadata.generation;
        let now = Time(self.now);
        conclude_refused(&mut self.status, Refusal::Other, message, generation, &now)
    }

    /// Ends the run without a judgement.
    pub(super) fn conclude(&mut self, reason: Reason, message: &str, cleanup: Option<Cleanup>) {
        let notes = Notes {
            cleanup,
            scale: None,
        };
        conclude_errored(
            &mut self.status,
            reason,
            message,
            &notes,
            self.load_test.metadata.generation,
            &Time(self.now),
            self.settings.failed_verdict_is_stalled,
        );
        self.wake_at(self.now);
    }

    // === Latches ===

    pub(super) fn latch(&self, child: &Child) -> Latch {
        let Some(reference) = self.reference(child) else {
            return Latch::None;
        };
        let ChildReference {
            kind: _,
            name: _,
            uid,
            intent,
        } = reference;
        match (intent.as_deref(), uid) {
            (Some(_), _) => Latch::Deleting,
            (None, Some(uid)) => Latch::Created(uid.clone()),
            (None, None) => Latch::Intended,
        }
    }

    pub(super) fn latch_intended(&mut self, child: &Child) {
        let _: &mut ChildReference = self.reference_mut(child);
    }

    pub(super) fn latch_created(&mut self, child: &Child, uid: &str) {
        self.reference_mut(child).uid = Some(uid.to_owned());
    }

    pub(super) fn latch_deleting(&mut self, child: &Child) {
        self.reference_mut(child).intent = Some(DELETING.to_owned());
    }

    fn reference(&self, child: &Child) -> Option<&ChildReference> {
        let name = child.name(self.name());
        self.status
            .children
            .iter()
            .find(|reference| reference.kind == child.kind().as_str() && reference.name == name)
    }

    fn reference_mut(&mut self, child: &Child) -> &mut ChildReference {
        let name = child.name(self.name());
        let kind = child.kind().as_str();
        let position = self
            .status
            .children
            .iter()
            .position(|reference| reference.kind == kind && reference.name == name)
            .unwrap_or_else(|| {
                self.status.children.push(ChildReference {
                    kind: kind.to_owned(),
                    name,
                    uid: None,
                    intent: None,
                });
                self.status.children.len() - 1
            });
        &mut self.status.children[position]
    }

    // === Effects ===

    pub(super) fn store(&mut self, data: BTreeMap<String, String>) {
        self.store.extend(data);
    }

    pub(super) fn effect(&mut self, mut effect: Effect) {
        let created = match &mut effect {
            Effect::CreateConfigMap(child, object) => Some((child, &mut object.metadata)),
            Effect::CreatePod(child, object) => Some((child, &mut object.metadata)),
            Effect::CreateService(child, object) => Some((child, &mut object.metadata)),
            Effect::CreateJob(child, object) => Some((child, &mut object.metadata)),
            Effect::Delete { .. } | Effect::DeleteLoadTest { .. } => None,
        };
        if let Some((child, metadata)) = created {
            let seal = self
                .settings
                .seal
                .of(&self.child_texts(child).each_ref().map(String::as_str));
            metadata
                .annotations
                .get_or_insert_default()
                .insert(SEAL.to_owned(), seal);
        }
        self.effects.push(effect);
    }

    /// Whether an object with this seal is the child that the operator made.
    pub(super) fn is_seal_of(&self, seal: &str, child: &Child) -> bool {
        let texts = self.child_texts(child);
        let texts = texts.each_ref().map(String::as_str);
        self.settings.seal.is_of(seal, &texts)
    }

    fn child_texts(&self, child: &Child) -> [String; 4] {
        let kind = child.kind().as_str();
        ["child", self.uid(), kind, &child.name(self.name())].map(str::to_owned)
    }

    /// Takes back what was to be created: there is no use for it any more.
    pub(super) fn create_nothing(&mut self) {
        self.effects.clear();
        let former = self.load_test.status.as_ref();
        self.status.children.retain(|child| {
            child.uid.is_some() || former.is_some_and(|status| status.children.contains(child))
        });
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.extra_notices.push(notice);
    }

    /// Look again at this time, or before.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn wake_in(&mut self, duration: SignedDuration) {
        self.wake_at(later(self.now, duration));
    }

    pub(super) fn into_decision(mut self) -> Decision {
        let former = self.load_test.status.as_ref();
        if !conditions::is_true(&self.status.conditions, FINISHED) {
            self.condition(
                RECONCILING,
                ConditionStatus::True,
                conditions::reasons::IN_PROGRESS,
                "the run is under way",
            );
        }
        self.status.state = Some(conditions::state(&self.status.conditions).to_owned());
        let mut notices = events::transitions(former, &self.status);
        // What is told besides comes before the verdict, which is the last word.
        let last = notices
            .iter()
            .position(Notice::is_verdict)
            .unwrap_or(notices.len());
        notices.splice(last..last, self.extra_notices);
        Decision {
            store: self.store,
            status: self.status,
            effects: self.effects,
            notices,
            requeue: self.wake_at.map(|at| {
                let wait = at.duration_since(self.now).max(SHORTEST_REQUEUE);
                Duration::try_from(wait).unwrap_or(Duration::from_secs(1))
            }),
        }
    }
}

/// A time after another; the last one there is if there is none.
pub(super) fn later(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
