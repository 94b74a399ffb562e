//! How to connect.

use std::sync::Arc;
use std::time::Duration;

use crate::connect::stream::ByteCounters;

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// What the connection is called in CLIENT LIST, such as `redyno web.1`; no spaces are sent.
    pub name: String,
    /// For all of it: resolving, connecting, TLS, AUTH and SELECT.
    pub connect_timeout: Duration,
    /// How long to wait for each answer afterwards; None for ever. Never implicit: the client
    /// library's own default is half a second, which a busy Redis exceeds.
    pub response_timeout: Option<Duration>,
    /// A key that has to be there, asked for in the round trip of the greeting: without it this is
    /// not the Redis that is meant, and there is no connection.
    pub expects_key: Option<String>,
    /// Counts bytes, if given.
    pub counters: Option<Arc<ByteCounters>>,
}

impl ConnectOptions {
    /// For short exchanges that must not hang: ten seconds for each.
    pub fn patient(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Some(Duration::from_secs(10)),
            expects_key: None,
            counters: None,
        }
    }
}
