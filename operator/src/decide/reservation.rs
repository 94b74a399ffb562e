//! What a preflight reserves on the target for the dynos: the lock and the phase without which no
//! dyno starts. It does not last, so that a run that dies leaves the target to others; an operator
//! that was away too long finds it gone.

use jiff::{SignedDuration, Timestamp};
use redyno_contract::plan::RESERVED_BEYOND_START_TIMEOUT_SECONDS;
use redyno_crds::children::Child;
use redyno_crds::conditions::{PREFLIGHT_PASSED, condition};

use super::accept::Accepted;
use super::draft::{Draft, later};
use crate::collected::Collected;
use crate::object_readers::{created, job_end};

const BEYOND_START_TIMEOUT: SignedDuration =
    SignedDuration::from_secs(RESERVED_BEYOND_START_TIMEOUT_SECONDS as i64);

/// A reservation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation {
    /// When the preflight made it, as its last step.
    since: Timestamp,
    /// How long it lasts.
    lifetime: SignedDuration,
}

/// The preflight's reservation; None while nobody knows when the preflight ended.
pub(super) fn of_preflight(
    draft: &Draft<'_>,
    run: &Accepted,
    collected: &Collected,
) -> Option<Reservation> {
    let by_its_pod = || {
        let facts = collected.entry(Child::Preflight.token()).facts?;
        facts.exit?.finished_at
    };
    let by_its_job = || job_end(draft.observed.job(&Child::Preflight)?)?.at;
    Some(Reservation {
        since: by_its_pod().or_else(by_its_job)?,
        lifetime: run.start_timeout() + BEYOND_START_TIMEOUT,
    })
}

impl Reservation {
    /// Why dynos that are not there yet cannot start any more.
    pub(super) fn expired(self, now: Timestamp) -> Option<String> {
        let Self { since, lifetime } = self;
        (now >= later(since, lifetime)).then(|| {
            format!(
                "the operator was away, or cut off from the API server, for {} s after the preflight had passed, and what a preflight reserves on the target lasts {} s: the dynos were not released any more",
                now.duration_since(since).as_secs(),
                lifetime.as_secs()
            )
        })
    }

    /// What to add if dynos did not find the reservation, and the operator may be why: it released
    /// them so late that it may have expired while they got ready.
    pub(super) fn late_release(self, draft: &Draft<'_>) -> Option<String> {
        let Self { since, lifetime } = self;
        let passed = condition(&draft.status.conditions, PREFLIGHT_PASSED)
            .map(|condition| condition.last_transition_time.0);
        let made = draft.observed.dynos.values();
        let released = made
            .filter_map(|job| created(&job.metadata))
            .chain(passed)
            .max()?;
        let late = released.duration_since(since);
        (late >= BEYOND_START_TIMEOUT).then(|| {
            format!(
                "The operator released the dynos only {} s after the preflight had passed, for it was away or cut off from the API server; what a preflight reserves on the target lasts {} s and may have expired before they were ready.",
                late.as_secs(),
                lifetime.as_secs()
            )
        })
    }
}
