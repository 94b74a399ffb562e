//! The status of a run without a cluster, as the operator would have written it. This module is
//! pure: it does no IO.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::message::{PreflightReport, Refusal};
use redyno_contract::{Judgement, Reason};
use redyno_crds::conclude::{
    Cleanup, Notes, conclude_errored, conclude_judged, conclude_preflight, conclude_refused,
};
use redyno_crds::conditions::{
    ACCEPTED, ConditionStatus, DYNOS_READY, PREFLIGHT_PASSED, STARTED, initial_conditions, reasons,
    set_condition,
};
use redyno_crds::{LoadTestStatus, Resolved};

/// The only generation that such a LoadTest ever has.
const GENERATION: Option<i64> = Some(1);

/// A status in the making.
#[derive(Debug)]
pub(super) struct Draft {
    status: LoadTestStatus,
    notes: Notes,
}

impl Draft {
    /// Begins the status of a valid LoadTest.
    pub(super) fn accepted(now: Timestamp) -> Self {
        let mut draft = Self {
            status: LoadTestStatus {
                conditions: initial_conditions(GENERATION, &Time(now)),
                ..LoadTestStatus::default()
            },
            notes: Notes::default(),
        };
        draft.condition(ACCEPTED, true, reasons::VALID, "", now);
        draft
    }

    /// Says that the managed Redis is not there.
    pub(super) fn no_managed_redis(&mut self, message: &str, now: Timestamp) {
        self.condition(
            PREFLIGHT_PASSED,
            false,
            reasons::MANAGED_REDIS_NOT_READY,
            message,
            now,
        );
    }

    /// What the preflight reported. Gives the reason to end with if it refused.
    pub(super) fn preflight(&mut self, report: &PreflightReport, now: Timestamp) -> Option<Reason> {
        conclude_preflight(&mut self.status, report, GENERATION, &Time(now))
    }

    /// The preflight never got to say anything. Gives the reason to end with.
    pub(super) fn no_preflight(&mut self, message: &str, now: Timestamp) -> Reason {
        let time = Time(now);
        conclude_refused(&mut self.status, Refusal::Other, message, GENERATION, &time)
    }

    /// Says how far the dynos came.
    pub(super) fn dynos(&mut self, ready: usize, all: usize, started: bool, now: Timestamp) {
        self.status.dynos_ready = Some(format!("{ready}/{all}"));
        if ready == all {
            self.condition(DYNOS_READY, true, reasons::ALL_READY, "", now);
        } else {
            let message = format!("{ready} of {all} dynos were ready");
            self.condition(DYNOS_READY, false, reasons::DYNOS_NOT_READY, &message, now);
        }
        if started {
            self.condition(STARTED, true, reasons::STARTED, "", now);
        }
    }

    /// Says what became of the run's keys.
    pub(super) fn cleanup(&mut self, cleanup: Cleanup) {
        self.notes.cleanup = Some(cleanup);
    }

    /// Ends the run with a judgement.
    pub(super) fn judged(
        mut self,
        judgement: &Judgement,
        resolved: &Resolved,
        now: Timestamp,
    ) -> LoadTestStatus {
        self.notes.scale = resolved.scale_note();
        conclude_judged(
            &mut self.status,
            judgement,
            &resolved.plan,
            &self.notes,
            GENERATION,
            &Time(now),
            true,
        );
        self.status
    }

    /// Ends the run without a judgement.
    pub(super) fn errored(
        mut self,
        reason: Reason,
        message: &str,
        now: Timestamp,
    ) -> LoadTestStatus {
        conclude_errored(
            &mut self.status,
            reason,
            message,
            &self.notes,
            GENERATION,
            &Time(now),
            true,
        );
        self.status
    }

    fn condition(&mut self, type_: &str, holds: bool, reason: &str, message: &str, now: Timestamp) {
        set_condition(
            &mut self.status.conditions,
            type_,
            ConditionStatus::from(holds),
            reason,
            message,
            GENERATION,
            &Time(now),
        );
    }
}
