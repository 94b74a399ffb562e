//! Which class an error of the client library belongs to.

use std::io;

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind, parse_redis_value};

use crate::workload::exchange::Malformed;
use redyno_engine::FailureClass;

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct TaskFailure {
    /// Its class.
    pub(crate) class: FailureClass,
    /// For the log.
    pub(crate) detail: String,
}

impl TaskFailure {
    /// A reply that is none of those the command can have.
    pub(crate) fn unexpected(what: &str) -> Self {
        Self {
            class: FailureClass::Other,
            detail: format!("unexpected reply: {what}"),
        }
    }

    /// An error reply: its line without the minus sign and the line end. What it means is read by
    /// the client library in all cases.
    pub(crate) fn of_error_reply(line: &[u8]) -> Self {
        let reply = [b"-", line, b"\r\n"].concat();
        match parse_redis_value(&reply).and_then(redis::Value::extract_error) {
            Err(error) => error.into(),
            Ok(_) => Self::unexpected("an error that is none"),
        }
    }
}

impl From<io::Error> for TaskFailure {
    fn from(error: io::Error) -> Self {
        Self {
            class: FailureClass::Connection,
            detail: error.to_string(),
        }
    }
}

/// As with the client library, for which this is a connection that cannot be used.
impl From<Malformed> for TaskFailure {
    fn from(error: Malformed) -> Self {
        Self {
            class: FailureClass::Connection,
            detail: error.to_string(),
        }
    }
}

impl From<RedisError> for TaskFailure {
    fn from(error: RedisError) -> Self {
        let detail = error.to_string();
        let class = match error.kind() {
            ErrorKind::Io => FailureClass::Connection,
            ErrorKind::Server(kind) => of_server(Some(kind), error.code(), &detail),
            _ if error.is_unrecoverable_error() => FailureClass::Connection,
            _ => of_server(None, error.code(), &detail),
        };
        Self { class, detail }
    }
}

impl From<ServerError> for TaskFailure {
    fn from(error: ServerError) -> Self {
        RedisError::from(error).into()
    }
}

fn of_server(kind: Option<ServerErrorKind>, code: Option<&str>, detail: &str) -> FailureClass {
    match kind {
        Some(ServerErrorKind::Moved | ServerErrorKind::Ask) => return FailureClass::Moved,
        Some(ServerErrorKind::BusyLoading) => return FailureClass::Loading,
        Some(ServerErrorKind::NoScript) => return FailureClass::NoScript,
        Some(ServerErrorKind::ReadOnly) => return FailureClass::ReadOnly,
        Some(ServerErrorKind::NoPerm) => return FailureClass::NoPermission,
        _ => {}
    }
    match code.unwrap_or_default() {
        "OOM" => FailureClass::OutOfMemory,
        "READONLY" => FailureClass::ReadOnly,
        "NOPERM" | "NOAUTH" => FailureClass::NoPermission,
        "LOADING" => FailureClass::Loading,
        "MOVED" | "ASK" => FailureClass::Moved,
        "WRONGTYPE" => FailureClass::WrongType,
        "NOSCRIPT" => FailureClass::NoScript,
        _ if detail.contains("max number of clients") => FailureClass::MaxClients,
        _ => FailureClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(reply: &[u8]) -> FailureClass {
        let line = reply.strip_prefix(b"-").unwrap().trim_ascii_end();
        TaskFailure::of_error_reply(line).class
    }

    #[test]
    fn replies_of_a_server_are_classified() {
        for (reply, class) in [
            (
                "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
                FailureClass::OutOfMemory,
            ),
            (
                "-READONLY You can't write against a read only replica.\r\n",
                FailureClass::ReadOnly,
            ),
            (
                "-NOPERM this user has no permissions to run the 'set' command\r\n",
                FailureClass::NoPermission,
            ),
            (
                "-LOADING Redis is loading the dataset in memory\r\n",
                FailureClass::Loading,
            ),
            ("-MOVED 3999 127.0.0.1:6381\r\n", FailureClass::Moved),
            (
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
                FailureClass::WrongType,
            ),
            (
                "-NOSCRIPT No matching script. Please use EVAL.\r\n",
                FailureClass::NoScript,
            ),
            (
                "-ERR max number of clients reached\r\n",
                FailureClass::MaxClients,
            ),
            ("-ERR something else\r\n", FailureClass::Other),
        ] {
            assert_eq!(class_of(reply.as_bytes()), class, "{reply}");
        }
    }

    #[test]
    fn broken_connections_are_told_apart() {
        for kind in [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::UnexpectedEof,
        ] {
            let error = RedisError::from(io::Error::from(kind));
            assert_eq!(TaskFailure::from(error).class, FailureClass::Connection);
        }
    }
}
