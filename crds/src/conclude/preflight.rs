//! What the preflight found, in the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::Reason;
use redyno_contract::message::{PreflightReport, PreflightResult, Refusal, TargetFound};
use redyno_contract::report::server_title;

use super::evidence::status_text;
use crate::conditions::{ConditionStatus, PREFLIGHT_PASSED, reasons, set_condition};
use crate::status::LoadTestStatus;

/// Writes what the preflight reported. Returns the reason of the end if it refused.
pub fn conclude_preflight(
    status: &mut LoadTestStatus,
    report: &PreflightReport,
    generation: Option<i64>,
    now: &Time,
) -> Option<Reason> {
    let PreflightReport {
        run: _,
        result,
        message,
        target: found,
    } = report;
    let target = status.target.get_or_insert_default();
    target.preflight = Some(status_text(message));
    if let Some(found) = found {
        let TargetFound {
            server,
            version,
            role,
            maxmemory_bytes,
            maxclients,
            keys: _,
            other_clients: _,
            expected_growth_bytes: _,
            full_after_seconds: _,
            flushed_keys: _,
        } = found;
        let text = |found: &Option<String>| found.as_deref().map(status_text);
        let number = |found: &Option<u64>| found.and_then(|found| i64::try_from(found).ok());
        target.server = Some(status_text(server_title(server.as_deref())));
        target.version = text(version);
        target.role = text(role);
        target.maxmemory_bytes = number(maxmemory_bytes);
        target.maxclients = number(maxclients);
    }
    match result {
        PreflightResult::Passed => {
            set_condition(
                &mut status.conditions,
                PREFLIGHT_PASSED,
                ConditionStatus::True,
                reasons::PASSED,
                message,
                generation,
                now,
            );
            None
        }
        PreflightResult::Refused { reason } => {
            Some(conclude_refused(status, *reason, message, generation, now))
        }
    }
}

/// Writes that the preflight refused, or ended without a report. Returns the reason of the end.
pub fn conclude_refused(
    status: &mut LoadTestStatus,
    refusal: Refusal,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) -> Reason {
    set_condition(
        &mut status.conditions,
        PREFLIGHT_PASSED,
        ConditionStatus::False,
        refusal.as_str(),
        message,
        generation,
        now,
    );
    refusal.reason()
}
