//! Why a task failed, and what that leaves of its connection.

use std::io;

use redis::{RedisError, ServerError};
use redyno_engine::{ConnectionAfter, FailureClass};

use crate::workload::exchange::Malformed;

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub(crate) struct TaskFailure {
    /// Its class.
    pub(crate) class: FailureClass,
    /// What was said: the target's own words, of any length and with anything in them, or ours.
    pub(crate) words: String,
    /// What it leaves of the connection.
    pub(crate) connection: ConnectionAfter,
}

impl TaskFailure {
    /// A reply that is none of those the command can have. It was read to its end.
    pub(crate) fn unexpected(what: &str) -> Self {
        Self {
            class: FailureClass::Other,
            words: format!("unexpected reply: {what}"),
            connection: ConnectionAfter::Usable,
        }
    }

    /// What the run itself had written was not there.
    pub(crate) fn lost(what: impl Into<String>) -> Self {
        Self {
            class: FailureClass::Lost,
            words: what.into(),
            connection: ConnectionAfter::Usable,
        }
    }

    /// The task ran out of its time: its reply may still come.
    pub(crate) fn timeout(milliseconds: u128) -> Self {
        Self {
            class: FailureClass::Timeout,
            words: format!("not done after {milliseconds} ms"),
            connection: ConnectionAfter::Dropped,
        }
    }

    /// An error reply: its line without the minus sign and the line end. It is an answer, after
    /// which the connection is as good as before, unless the server no longer knows who we are.
    pub(crate) fn of_error_reply(line: &[u8]) -> Self {
        let words = String::from_utf8_lossy(line).into_owned();
        let class = class_of(&words);
        Self {
            class,
            connection: match class {
                FailureClass::Authentication => ConnectionAfter::Dropped,
                _ => ConnectionAfter::Usable,
            },
            words,
        }
    }

    /// The same failure, after which nobody knows what comes next on the connection.
    pub(crate) fn of_an_unknown_stream(self) -> Self {
        Self {
            connection: ConnectionAfter::Dropped,
            ..self
        }
    }

    fn of_connection(words: String) -> Self {
        Self {
            class: FailureClass::Connection,
            words,
            connection: ConnectionAfter::Dropped,
        }
    }
}

impl From<io::Error> for TaskFailure {
    fn from(error: io::Error) -> Self {
        Self::of_connection(error.to_string())
    }
}

/// As with the client library, for which this is a connection that cannot be used.
impl From<Malformed> for TaskFailure {
    fn from(error: Malformed) -> Self {
        Self::of_connection(error.to_string())
    }
}

impl From<&ServerError> for TaskFailure {
    fn from(error: &ServerError) -> Self {
        Self::of_error_reply(error_line(error).as_bytes())
    }
}

/// The line of an error reply that the client library has read, without the minus sign and the
/// line end.
pub(crate) fn error_line(error: &ServerError) -> String {
    match error.details() {
        Some(detail) => format!("{} {detail}", error.code()),
        None => error.code().to_owned(),
    }
}

/// The client library gives error replies as values: what it calls an error is its own.
impl From<RedisError> for TaskFailure {
    fn from(error: RedisError) -> Self {
        Self::of_connection(error.to_string())
    }
}

/// Which class an error reply belongs to: by its first word where that is a code, else by what
/// providers are known to say.
fn class_of(words: &str) -> FailureClass {
    match words.split(' ').next().unwrap_or_default() {
        "OOM" => FailureClass::OutOfMemory,
        "READONLY" => FailureClass::ReadOnly,
        "NOPERM" => FailureClass::NoPermission,
        "NOAUTH" | "WRONGPASS" => FailureClass::Authentication,
        "LOADING" => FailureClass::Loading,
        "MOVED" | "ASK" => FailureClass::Moved,
        "CROSSSLOT" => FailureClass::CrossSlot,
        "CLUSTERDOWN" | "TRYAGAIN" => FailureClass::ClusterDown,
        "MASTERDOWN" => FailureClass::MasterDown,
        "NOREPLICAS" | "NOGOODSLAVE" => FailureClass::NoReplicas,
        "MISCONF" => FailureClass::SaveFailed,
        "BUSY" => FailureClass::Busy,
        "WRONGTYPE" => FailureClass::WrongType,
        "NOSCRIPT" => FailureClass::NoScript,
        _ => by_phrase(&words.to_ascii_lowercase()),
    }
}

fn by_phrase(words: &str) -> FailureClass {
    const FULL: &[&str] = &[
        "max number of clients",
        "max concurrent connections",
        "max number of connections",
        "too many connections",
        "connection limit",
    ];
    const QUOTA: &[&str] = &[
        "quota",
        "rate limit",
        "too many requests",
        "request limit",
        "requests limit",
        "bandwidth limit",
        "traffic limit",
        "limit exceeded",
        "exceeded the limit",
    ];
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(FULL) {
        FailureClass::MaxClients
    } else if says(QUOTA) {
        FailureClass::Quota
    } else {
        FailureClass::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_a_server_are_classified() {
        use FailureClass::*;
        for (reply, class) in [
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                OutOfMemory,
            ),
            (
                "READONLY You can't write against a read only replica.",
                ReadOnly,
            ),
            (
                "NOPERM this user has no permissions to run the 'set' command",
                NoPermission,
            ),
            ("NOAUTH Authentication required.", Authentication),
            ("WRONGPASS invalid username-password pair", Authentication),
            ("LOADING Redis is loading the dataset in memory", Loading),
            ("MOVED 3999 127.0.0.1:6381", Moved),
            ("ASK 3999 127.0.0.1:6381", Moved),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                CrossSlot,
            ),
            ("CLUSTERDOWN The cluster is down", ClusterDown),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                ClusterDown,
            ),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                MasterDown,
            ),
            ("NOREPLICAS Not enough good replicas to write.", NoReplicas),
            (
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
                SaveFailed,
            ),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                Busy,
            ),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                WrongType,
            ),
            ("NOSCRIPT No matching script. Please use EVAL.", NoScript),
            ("ERR max number of clients reached", MaxClients),
            ("ERR max concurrent connections exceeded", MaxClients),
            (
                "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.",
                Quota,
            ),
            (
                "ERR max requests limit exceeded. Limit: 500000, Usage: 500001.",
                Quota,
            ),
            ("ERR DB bandwidth limit reached", Quota),
            ("ERR Rate limit hit, slow down", Quota),
            ("ERR max request size exceeded", Other),
            ("ERR invalid expire time in 'set' command", Other),
            ("ERR unknown command 'BUSY'", Other),
            ("", Other),
        ] {
            assert_eq!(class_of(reply), class, "{reply}");
        }
    }

    #[test]
    fn only_what_leaves_the_stream_unknown_costs_the_connection() {
        for (failure, connection) in [
            (
                TaskFailure::of_error_reply(b"OOM no"),
                ConnectionAfter::Usable,
            ),
            (
                TaskFailure::of_error_reply(b"ERR no"),
                ConnectionAfter::Usable,
            ),
            (
                TaskFailure::of_error_reply(b"NOAUTH no"),
                ConnectionAfter::Dropped,
            ),
            (TaskFailure::unexpected("a list"), ConnectionAfter::Usable),
            (TaskFailure::lost("no building"), ConnectionAfter::Usable),
            (TaskFailure::timeout(5000), ConnectionAfter::Dropped),
            (Malformed::End.into(), ConnectionAfter::Dropped),
        ] {
            assert_eq!(failure.connection, connection, "{failure}");
        }
        for kind in [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::UnexpectedEof,
        ] {
            let error = RedisError::from(io::Error::from(kind));
            let failure = TaskFailure::from(error);
            assert_eq!(failure.class, FailureClass::Connection);
            assert_eq!(failure.connection, ConnectionAfter::Dropped);
        }
    }
}
