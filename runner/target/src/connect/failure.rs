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
}

impl ConnectFailure {
    pub(crate) fn new(refusal: Refusal, message: impl Into<String>) -> Self {
        Self {
            refusal,
            message: message.into(),
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
        ),
    }
}

/// What of a server's words may be shown: printable, on one line, not endless, and without
/// anything that we sent in confidence.
pub(crate) fn presentable(words: &str, secrets: &[&str]) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = words
        .trim()
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(4 * LONGEST)
        .collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        shown = shown.replace(secret, "***");
    }
    if shown.chars().count() > LONGEST {
        shown = shown.chars().take(LONGEST).chain("...".chars()).collect();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_made_presentable() {
        for (words, shown) in [
            ("ERR no\r\n", "ERR no"),
            ("a\u{1b}[2Jb\nc", "a [2Jb c"),
            (
                "unknown command 'AUTH', args 'hunter2'",
                "unknown command 'AUTH', args '***'",
            ),
        ] {
            assert_eq!(presentable(words, &["hunter2", ""]), shown);
        }
        assert_eq!(presentable(&"x".repeat(5000), &[]).len(), 203);
    }
}
