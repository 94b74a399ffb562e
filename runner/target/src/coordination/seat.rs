//! Which dyno somebody is, in which run: what every step of the coordination needs to know.

use redyno_contract::Plan;
use redyno_contract::plan::DynoName;

use crate::keys::RunKeys;
use crate::target::Target;
use crate::{lifetimes, lock};

/// One dyno's place in the run.
#[derive(Clone, Debug)]
pub struct Seat {
    pub(super) keys: RunKeys,
    pub(super) dyno: DynoName,
    pub(super) pod: String,
    pub(super) planned: usize,
    pub(super) database: u32,
    pub(super) lock: String,
    pub(super) until_start_seconds: u64,
    pub(super) from_start_seconds: u64,
    pub(super) lock_after_dynos_seconds: u64,
}

impl Seat {
    /// The key that is there as long as this is the Redis that the preflight saw.
    pub fn phase_key(&self) -> String {
        self.keys.phase()
    }

    /// The place of `dyno` in the plan, for the pod with this uid.
    pub fn new(plan: &Plan, target: &Target, dyno: DynoName, pod: &str) -> Self {
        Self {
            keys: RunKeys::new(&plan.run.uid),
            dyno,
            pod: pod.to_owned(),
            planned: plan.dynos().count(),
            database: target.address().database,
            lock: lock::value(&plan.run),
            until_start_seconds: lifetimes::until_start_seconds(plan),
            from_start_seconds: lifetimes::from_start_seconds(plan),
            lock_after_dynos_seconds: lifetimes::lock_after_dynos_seconds(plan),
        }
    }
}
