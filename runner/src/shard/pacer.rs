//! The load thread's loop: the clock, a timer and its commands around [`Pace`].

use std::io;
use std::rc::Rc;

use redyno_engine::{Moment, Pace, ThreadEvent, Turn};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ready::ReadyWorker;
use super::shared::Shared;
use super::{ShardCommand, ShardSettings, probe, tell, worker};
use crate::machine::{Machine, Timer};

/// Runs the load from S until nothing is left to wait for.
pub(super) async fn run(
    settings: &ShardSettings,
    workers: Vec<ReadyWorker>,
    shared: Rc<Shared>,
    mut commands: UnboundedReceiver<ShardCommand>,
    events: &UnboundedSender<ThreadEvent>,
    machine: impl Machine,
) -> io::Result<()> {
    let timer = machine.timer()?;
    let clock = shared.clock;
    let mut pace = Pace::new(settings.dynos.rate.tasks_per_second() / settings.share.threads());
    let mut tasks = JoinSet::new();
    for ready in workers {
        let worker = worker::run(settings.clone(), ready, Rc::clone(&shared), machine.clone());
        tasks.spawn_local(worker);
    }
    match machine.timer() {
        Ok(timer) => {
            tasks.spawn_local(probe::run(settings.clone(), Rc::clone(&shared), timer));
        }
        Err(error) => tracing::warn!(%error, "no timer for the loop probe"),
    }
    let mut told = None;
    loop {
        let at = Instant::now();
        let now = (at >= clock.instant(Moment::default())).then(|| shared.looks(at));
        if now.is_some() && !pace.has_started() {
            shared.spent_before.set(machine.spent());
        }
        let all_are_busy = pace.serves_on_a_grid() && shared.relies_on_all_being_busy();
        let Turn { events: news, next } = pace.turn(
            &mut shared.engine.borrow_mut(),
            now,
            all_are_busy,
            |worker| shared.wake(worker),
        );
        for event in news {
            tell(events, event);
        }
        if let Some(command) = told.take() {
            let now = now.unwrap_or_default();
            let vitals = shared.vitals(machine.spent());
            let answer = pace.obey(&mut shared.engine.borrow_mut(), command, now, vitals);
            let closed = matches!(answer, Some(ThreadEvent::Closed(_)));
            if closed {
                tasks.shutdown().await;
            }
            if let Some(answer) = answer {
                tell(events, answer);
            }
            if closed {
                return Ok(());
            }
            continue;
        }
        // Whatever ends the wait, the next turn does all that is due: no branch can starve another.
        // Commands come first, for there are few of them, and someone waits for each.
        shared.pacer_timer.set(next);
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(ShardCommand::Load(command)) => told = Some(command),
                // S is known already.
                Some(ShardCommand::Start { .. }) => {}
                // Nobody is left to report to.
                None => return Ok(()),
            },
            () = shared.changed() => {}
            result = wait(&timer, next.map(|moment| clock.instant(moment))) => result?,
        }
    }
}

async fn wait(timer: &impl Timer, until: Option<Instant>) -> io::Result<()> {
    match until {
        Some(instant) => timer.wait_until(instant).await,
        None => std::future::pending().await,
    }
}
