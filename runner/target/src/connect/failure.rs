//! Why there is no connection.

use std::io;

use redyno_contract::message::Refusal;

use crate::address::Address;

/// Why there is no connection: the reason as the preflight states it, and a sentence for people
/// that holds no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectFailure {
    /// Its class.
    pub refusal: Refusal,
    /// What happened, where, and what may help.
    pub message: String,
    /// Everything went well, but [`ConnectOptions::expects_key`] was not there.
    ///
    /// [`ConnectOptions::expects_key`]: crate::ConnectOptions::expects_key
    pub key_missing: bool,
    /// Whether waiting may help: a server that was made a moment ago, is loading, or is full.
    pub may_heal: bool,
}

impl ConnectFailure {
    pub(crate) fn new(refusal: Refusal, message: impl Into<String>) -> Self {
        Self {
            refusal,
            message: message.into(),
            key_missing: false,
            may_heal: matches!(
                refusal,
                Refusal::HostNotFound
                    | Refusal::ConnectionRefused
                    | Refusal::ConnectionTimeout
                    | Refusal::TooFewConnections
            ),
        }
    }

    /// The same, where waiting may help.
    pub(crate) fn that_may_heal(self) -> Self {
        Self {
            may_heal: true,
            ..self
        }
    }

    /// The connection works, and leads to a Redis that has not this key.
    pub(crate) fn key_missing(address: &Address, key: &str) -> Self {
        Self {
            key_missing: true,
            ..Self::new(
                Refusal::Other,
                format!(
                    "{address} does not have the run's key {key}: it was flushed or evicted, or this is another Redis"
                ),
            )
        }
    }
}

/// What a failed TCP connection means.
pub(super) fn of_tcp(address: &Address, error: &io::Error) -> ConnectFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectFailure::new(
            Refusal::ConnectionRefused,
            format!("nothing listens at {address}: connection refused"),
        ),
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => ConnectFailure::new(
            Refusal::ConnectionTimeout,
            format!("{address} cannot be reached: {error}"),
        ),
        _ => ConnectFailure::new(
            Refusal::Other,
            format!("cannot connect to {address}: {error}"),
        )
        .that_may_heal(),
    }
}

/// What a failed connection to a socket of this machine means.
pub(super) fn of_socket(address: &Address, error: &io::Error) -> ConnectFailure {
    let refusal = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Refusal::ConnectionRefused,
        _ => Refusal::Other,
    };
    ConnectFailure::new(
        refusal,
        format!("cannot connect to the socket {address}: {error}"),
    )
}
