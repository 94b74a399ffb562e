//! A task's view of its connection: requests out, replies back.

mod buffers;
mod connection;
mod direct;
mod library;
mod request;
mod scanner;

use redyno_engine::Content;

pub(crate) use buffers::{Buffer, Buffers};
pub(crate) use connection::{Connector, TaskConnection};
pub(crate) use request::{begin_command, push_command, push_word};
pub(crate) use scanner::{Malformed, number};

use crate::workload::failure::TaskFailure;

/// A connection that one task at a time uses.
///
/// A request holds whole commands, one or more, which leave in one write; every command has one
/// reply. A reply that is an error, or holds one at any depth, is a failure: the first of several
/// in the order of the replies. All replies have been read even so, so that the connection can be
/// used on; what a failure leaves of the connection it says itself.
pub(crate) trait Exchange {
    /// Sends a request of so many commands and gives their replies, errors among them.
    async fn converse(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Heard, TaskFailure>;

    /// The same where no reply may be an error.
    async fn exchange(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Buffer, TaskFailure> {
        let Heard { replies, error } = self.converse(request, commands).await?;
        error.map_or(Ok(replies), Err)
    }

    /// The same for replies of any length of which only matters whether they hold anything.
    async fn perform(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Content, TaskFailure>;

    /// Whether the server has hung up, so that nothing can be sent.
    fn is_closed(&mut self) -> bool;
}

/// Replies that were read to the end of the last.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The bytes of the protocol, complete and well-formed.
    pub(crate) replies: Buffer,
    /// What the first error among them means.
    pub(crate) error: Option<TaskFailure>,
}
