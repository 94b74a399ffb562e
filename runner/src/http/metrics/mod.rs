//! Metrics, made from the recorded numbers whenever somebody asks.
//!
//! Like the status, those of tasks leave out the warm-up. Every series is there from the beginning,
//! so that a rate over the start is right; only what the target says is missing until it has said
//! something, for its counters do not begin at 0.

mod dyno;
mod families;
mod latency;
mod target;
mod tasks;

use std::sync::Arc;

use prometheus::{Encoder, TextEncoder};
use redyno_contract::Plan;
use redyno_contract::plan::DynoTypePlan;

use super::Shown;
use crate::dyno::{Identity, Totals};
use crate::observe::own::OwnProcess;
use families::Families;
use latency::Latencies;

/// The metrics of one dyno.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Those that every series has.
    labels: Vec<(&'static str, String)>,
    plan: Arc<Plan>,
    dynos: DynoTypePlan,
    latencies: Latencies,
    own: OwnProcess,
    shown: Arc<Shown>,
}

impl Metrics {
    /// The metrics of a dyno of type `dynos`, read from what is `shown` and from its process.
    pub(crate) fn new(
        plan: Arc<Plan>,
        dynos: DynoTypePlan,
        identity: &Identity,
        own: OwnProcess,
        shown: Arc<Shown>,
    ) -> Self {
        Self {
            labels: vec![
                ("namespace", plan.run.namespace.clone()),
                ("loadtest", plan.run.name.clone()),
                ("dyno_type", identity.dyno.dyno_type.clone()),
                ("dyno", identity.dyno.to_string()),
            ],
            latencies: Latencies::of(&plan, &dynos),
            plan,
            dynos,
            own,
            shown,
        }
    }

    /// The text format.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let families = self.shown.totals(|totals| self.families(totals));
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn families(&self, totals: &Totals) -> Vec<prometheus::proto::MetricFamily> {
        let mut families = Families::new(&self.labels);
        tasks::add(&mut families, &self.plan, &self.dynos, totals);
        self.latencies.add(&mut families, totals);
        let (sample, memory) = (self.own.sample(), self.own.memory());
        dyno::add_run(&mut families, &self.plan, &self.dynos, totals);
        dyno::add_process(&mut families, self.own.group(), sample, memory);
        dyno::add_load_threads(&mut families, totals);
        if let Some(info) = totals.target() {
            target::add(&mut families, info);
        }
        families.finish()
    }
}
