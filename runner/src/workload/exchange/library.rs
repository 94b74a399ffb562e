//! The connection of the `redis` crate, which also speaks TLS.

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, Value};
use redyno_engine::Content;
use redyno_target::Connection;

use super::buffers::Buffers;
use super::scanner::{Malformed, number};
use super::{Exchange, Heard};
use crate::workload::failure::{TaskFailure, error_line};

/// A connection of the client library.
///
/// Requests and replies are the bytes of the protocol on this side of it, too, so that what they
/// mean is decided in one place, whatever carries them.
#[derive(Debug)]
pub(crate) struct Library {
    connection: Connection,
    buffers: Buffers,
}

impl Library {
    /// Speaks on a connection that nobody else uses.
    pub(crate) const fn new(connection: Connection, buffers: Buffers) -> Self {
        Self {
            connection,
            buffers,
        }
    }

    /// The replies, errors among them.
    async fn replies(&mut self, request: &[u8], commands: u64) -> Result<Vec<Value>, TaskFailure> {
        let mut pipeline = Pipeline::new();
        let mut rest = request;
        while !rest.is_empty() {
            let command = take_command(&mut rest)
                .map_err(|_| TaskFailure::unexpected("a request that is no command"))?;
            pipeline.add_command(command);
        }
        let count = pipeline.len();
        if count as u64 != commands {
            return Err(TaskFailure::unexpected("a request of other commands"));
        }
        Ok(self
            .connection
            .req_packed_commands(&pipeline, 0, count)
            .await?)
    }
}

impl Exchange for Library {
    async fn converse(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Heard, TaskFailure> {
        let values = self.replies(request.as_ref(), commands).await?;
        let mut replies = self.buffers.take();
        for value in &values {
            push_reply(&mut replies, value)?;
        }
        Ok(Heard {
            replies,
            error: values.iter().find_map(first_error),
        })
    }

    async fn perform(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Content, TaskFailure> {
        let values = self.replies(request.as_ref(), commands).await?;
        match values.iter().find_map(first_error) {
            Some(error) => Err(error),
            None if values.iter().all(holds_nothing) => Ok(Content::Nothing),
            None => Ok(Content::Something),
        }
    }

    fn is_closed(&mut self) -> bool {
        self.connection.is_closed()
    }
}

/// The first error of a reply, in the order of its bytes.
fn first_error(reply: &Value) -> Option<TaskFailure> {
    match reply {
        Value::ServerError(error) => Some(error.into()),
        Value::Array(elements) => elements.iter().find_map(first_error),
        _ => None,
    }
}

fn holds_nothing(reply: &Value) -> bool {
    match reply {
        Value::Nil => true,
        Value::Array(elements) => elements.iter().all(holds_nothing),
        _ => false,
    }
}

/// Reads the next command of a request.
fn take_command(rest: &mut &[u8]) -> Result<Cmd, Malformed> {
    let words = take_length(rest, b'*')?;
    let mut command = Cmd::new();
    for _ in 0..words {
        let length = take_length(rest, b'$')?;
        let word = rest.get(..length).ok_or(Malformed::End)?;
        command.arg(word);
        *rest = rest[length..].strip_prefix(b"\r\n").ok_or(Malformed::End)?;
    }
    Ok(command)
}

fn take_length(rest: &mut &[u8], kind: u8) -> Result<usize, Malformed> {
    let line = rest.strip_prefix(&[kind]).ok_or(Malformed::Number)?;
    let (length, line_length) = number(line)?.ok_or(Malformed::End)?;
    *rest = &line[line_length..];
    usize::try_from(length).map_err(|_| Malformed::Number)
}

/// Writes a reply as the server sent it. Both kinds of nothing are read as one.
fn push_reply(buffer: &mut Vec<u8>, reply: &Value) -> Result<(), TaskFailure> {
    let push_line = |buffer: &mut Vec<u8>, kind: u8, line: &[u8]| {
        buffer.push(kind);
        buffer.extend_from_slice(line);
        buffer.extend_from_slice(b"\r\n");
    };
    match reply {
        Value::Nil => push_line(buffer, b'$', b"-1"),
        Value::Okay => push_line(buffer, b'+', b"OK"),
        Value::SimpleString(text) => push_line(buffer, b'+', text.as_bytes()),
        Value::Int(number) => push_line(buffer, b':', number.to_string().as_bytes()),
        Value::BulkString(bytes) => super::request::push_word(buffer, bytes),
        Value::ServerError(error) => push_line(buffer, b'-', error_line(error).as_bytes()),
        Value::Array(elements) => {
            super::request::begin_command(buffer, elements.len());
            for element in elements {
                push_reply(buffer, element)?;
            }
        }
        _ => {
            return Err(TaskFailure::unexpected(
                "a kind that only version 3 of the protocol has",
            ));
        }
    }
    Ok(())
}
