//! What a worker does, whatever the workload.

use std::rc::Rc;

use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, DynoTypePlan, ObjectGraph, Workload};
use redyno_engine::Content;
use redyno_target::keys::keyspace_prefix;

use super::commands::{CommandWorker, Mix};
use super::exchange::{Buffers, Exchange};
use super::failure::TaskFailure;
use super::object_graph::{GraphWorker, Mails};
use crate::random::{Random, Seed};

/// What a task tells while it goes on.
pub(crate) trait Steps {
    /// The step at this position of the workload begins; the one before it ends.
    fn begin(&self, step: usize);

    /// Now the application would work on what it has: this returns when it has done so. The step
    /// before it ends.
    fn application(&self);

    /// The command at this position of the workload was answered so.
    fn replied(&self, step: usize, content: Content);
}

/// What all workers of a load thread share.
pub(crate) struct Team<'a> {
    plan: &'a Plan,
    dyno: &'a DynoName,
    dynos: &'a DynoTypePlan,
    buffers: Buffers,
    shared: Shared<'a>,
}

enum Shared<'a> {
    ObjectGraph(&'a ObjectGraph, Rc<Mails>),
    Commands(Rc<Mix>),
}

impl<'a> Team<'a> {
    /// The workers of a dyno.
    pub(crate) fn new(
        plan: &'a Plan,
        dyno: &'a DynoName,
        dynos: &'a DynoTypePlan,
        buffers: Buffers,
    ) -> Self {
        let seed = Seed::of(plan.seed, dyno);
        let shared = match &dynos.workload {
            Workload::ObjectGraph(graph) => {
                let mails = Mails::new(seed, graph.item_payload_bytes);
                Shared::ObjectGraph(graph, Rc::new(mails))
            }
            Workload::Commands(commands) => {
                let prefix = keyspace_prefix(&plan.run.uid, &dyno.dyno_type, &commands.keyspace);
                Shared::Commands(Rc::new(Mix::new(seed, prefix, commands)))
            }
        };
        Self {
            plan,
            dyno,
            dynos,
            buffers,
            shared,
        }
    }

    /// The worker with this number, counted from 0.
    pub(crate) fn worker(&self, number: u32) -> Work {
        let buffers = self.buffers.clone();
        match &self.shared {
            Shared::ObjectGraph(graph, mails) => Work::ObjectGraph(Box::new(GraphWorker::new(
                &self.plan.run.uid,
                self.plan.seed,
                self.dyno,
                graph,
                Rc::clone(mails),
                buffers,
                number,
            ))),
            Shared::Commands(mix) => Work::Commands(CommandWorker::new(
                Rc::clone(mix),
                buffers,
                self.dynos,
                self.dyno.index,
                number,
            )),
        }
    }
}

/// What one worker does.
pub(crate) enum Work {
    /// Tasks on its own building.
    ObjectGraph(Box<GraphWorker>),
    /// Commands of a mix.
    Commands(CommandWorker),
}

impl Work {
    /// Greets the server, and writes what has to be there at the start; tells how many flats or keys
    /// it has written as it goes.
    pub(crate) async fn prepare(
        &self,
        connection: &mut impl Exchange,
        wrote: impl Fn(u64),
    ) -> Result<(), TaskFailure> {
        match self {
            Self::ObjectGraph(worker) => worker.prepare(connection, wrote).await,
            Self::Commands(worker) => worker.prepare(connection, wrote).await,
        }
    }

    /// One task.
    pub(crate) async fn run(
        &self,
        connection: &mut impl Exchange,
        random: Random,
        steps: &impl Steps,
    ) -> Result<(), TaskFailure> {
        match self {
            Self::ObjectGraph(worker) => {
                let mut step = 0;
                steps.begin(step);
                let step_ended = || {
                    if step == 0 {
                        // What was fetched is worked on before it is saved.
                        steps.application();
                    }
                    step += 1;
                    steps.begin(step);
                };
                worker.run(connection, random, step_ended).await
            }
            Self::Commands(worker) => {
                steps.application();
                worker.run(connection, random, steps).await
            }
        }
    }
}
