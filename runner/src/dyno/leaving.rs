//! What a dyno takes along when it goes.

use std::time::Duration;

use redis::RedisError;
use redyno_contract::report::Ending;
use redyno_target::coordination::{self, Leave};
use redyno_target::{ConnectOptions, Inventory, leftovers, lifetimes, removal};
use tokio::time::{Instant, timeout, timeout_at};

use super::Dyno;

/// For leaving the run: a target that does not answer for so long is left to the finish.
pub(super) const LEAVE: Duration = Duration::from_secs(3);

/// For removing the own data after a SIGTERM: well within the grace that is left.
const REMOVE: Duration = Duration::from_secs(10);

/// Of that, for telling how much was removed and for releasing the target.
const TELL: Duration = Duration::from_secs(2);

impl Dyno {
    /// A dyno that never started takes back its claim, if it had one.
    pub(super) async fn leave_without_start(&self, ending: &Ending) {
        match ending {
            // Not ours.
            Ending::DuplicateDyno { .. } | Ending::TargetChanged { .. } => return,
            _ => {}
        }
        let leaving = async {
            let mut connection = self
                .target
                .connect(&ConnectOptions::patient("redyno leaving"))
                .await
                .map_err(|failure| failure.to_string())?;
            // Without it there is no common start: the others need not wait for one.
            if let Ending::TargetRefused { detail } = ending
                && let Err(error) =
                    coordination::set_stop(&mut connection, &self.seat, detail).await
            {
                tracing::warn!(%error, "the others could not be told to stop");
            }
            coordination::leave(&mut connection, &self.seat)
                .await
                .map_err(|error| error.to_string())
        };
        let left = match timeout(LEAVE, leaving).await {
            Ok(Ok(left)) => {
                tracing::debug!(?left, "left the run");
                Some(left)
            }
            Ok(Err(detail)) => {
                tracing::warn!(%detail, "could not leave the run");
                None
            }
            Err(_) => {
                tracing::warn!("could not leave the run in time");
                None
            }
        };
        if *ending == Ending::Terminated {
            self.remove_data(left).await;
        }
    }

    /// After a SIGTERM nobody may come to clean up: what the run's own keys are is removed at once. Each
    /// dyno removes its part as it goes, and the last one, when nobody writes any more, all that is left;
    /// then it releases the target. A finish that comes even so is told how many keys went.
    pub(super) async fn remove_data(&self, left: Option<Leave>) {
        if !lifetimes::removes_data(&self.plan) {
            return;
        }
        let mut removed = 0;
        let removal = remove(self, left == Some(Leave::Last), &mut removed);
        match timeout(REMOVE, removal).await {
            Ok(Ok(())) => tracing::info!(removed, "removed the run's own keys"),
            Ok(Err(detail)) => {
                tracing::warn!(removed, %detail, "could not remove the run's own keys");
            }
            Err(_) => tracing::warn!(
                removed,
                "could not remove all of the run's own keys in time"
            ),
        }
    }
}

async fn remove(dyno: &Dyno, is_last: bool, removed: &mut u64) -> Result<(), String> {
    let mut connection = dyno
        .target
        .connect(&ConnectOptions::patient("redyno leaving"))
        .await
        .map_err(|failure| failure.to_string())?;
    let connection = &mut connection;
    let inventory = Inventory::of(&dyno.plan);
    let keys: Box<dyn Iterator<Item = String>> = if is_last {
        Box::new(inventory.keys())
    } else {
        Box::new(inventory.part_of(&dyno.identity.dyno))
    };
    let said = |error: RedisError| error.to_string();
    let deadline = Instant::now() + REMOVE - TELL;
    let removal = timeout_at(deadline, removal::remove(connection, keys, removed)).await;
    // Told even of a part, for a finish would count the rest alone.
    if *removed > 0
        && let Err(error) = coordination::tell_removed(connection, &dyno.seat, *removed).await
    {
        tracing::warn!(%error, "could not tell the finish what was removed");
    }
    removal
        .map_err(|_| "there was no time for more".to_owned())?
        .map_err(said)?;
    if is_last {
        leftovers::forget(connection, inventory.uid(), Vec::new())
            .await
            .map_err(said)?;
        coordination::release_lock(connection, &dyno.seat)
            .await
            .map_err(said)?;
    }
    Ok(())
}
