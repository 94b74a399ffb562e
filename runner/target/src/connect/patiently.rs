//! Connecting where a little waiting can help.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::connect::{ConnectFailure, ConnectOptions, Connection};
use crate::target::Target;

const PAUSE: Duration = Duration::from_millis(250);

impl Target {
    /// Connects; what may heal by itself is tried again until `patience` is over: a Service or a
    /// Redis that was made a moment ago, one that is still loading, connections that others are
    /// about to close.
    ///
    /// # Errors
    /// The last [`ConnectFailure`].
    pub async fn connect_patiently(
        &self,
        options: &ConnectOptions,
        patience: Duration,
    ) -> Result<Connection, ConnectFailure> {
        let deadline = Instant::now() + patience;
        loop {
            match self.connect(options).await {
                Err(failure) if failure.may_heal && Instant::now() < deadline => {
                    sleep(PAUSE).await;
                }
                result => return result,
            }
        }
    }
}
