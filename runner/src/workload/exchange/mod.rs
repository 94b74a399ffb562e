//! A task's view of its connection: requests out, replies back.

mod buffers;
mod direct;
mod library;
mod request;
mod scanner;

use std::sync::Arc;

use redyno_engine::Content;
use redyno_target::{ConnectFailure, ConnectOptions, Connection, Stream, Target};

pub(crate) use buffers::{Buffer, Buffers};
use direct::Direct;
use library::Library;
pub(crate) use request::{begin_command, push_command, push_word};
pub(crate) use scanner::{Malformed, number};

use crate::shard::PhaseQuestion;
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

/// How workers connect: what stays the same for all of them.
#[derive(Debug)]
pub(crate) struct Connector {
    target: Target,
    options: ConnectOptions,
    phase: Arc<PhaseQuestion>,
    buffers: Buffers,
}

impl Connector {
    /// Connects to this target in this way, as long as the run's phase is there. No response
    /// timeout: the task's own covers it.
    pub(crate) fn new(target: Target, options: ConnectOptions, phase: Arc<PhaseQuestion>) -> Self {
        Self {
            target,
            options,
            phase,
            buffers: Buffers::default(),
        }
    }

    /// The memory for requests and replies.
    pub(crate) const fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Connects once.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(crate) async fn connect(&self) -> Result<TaskConnection, ConnectFailure> {
        let options = ConnectOptions {
            expects_key: self.phase.key().map(str::to_owned),
            ..self.options.clone()
        };
        let connected = self.connect_with(&options).await;
        if connected.as_ref().is_err_and(|failure| failure.key_missing) {
            self.phase.tell_missing();
        }
        connected
    }

    async fn connect_with(
        &self,
        options: &ConnectOptions,
    ) -> Result<TaskConnection, ConnectFailure> {
        let buffers = self.buffers.clone();
        if self.target.is_encrypted() {
            let connection = self.target.connect(options).await?;
            Ok(TaskConnection::library(connection, buffers))
        } else {
            let stream = self.target.connect_stream(options).await?;
            Ok(TaskConnection::direct(stream, buffers))
        }
    }
}

/// The connection of a worker.
#[derive(Debug)]
pub(crate) enum TaskConnection {
    /// Without encryption.
    Direct(Direct<Stream>),
    /// With TLS.
    Library(Library),
}

impl TaskConnection {
    /// Speaks on a stream of which everything so far has been read.
    pub(crate) const fn direct(stream: Stream, buffers: Buffers) -> Self {
        Self::Direct(Direct::new(stream, buffers))
    }

    /// Speaks on a connection that nobody else uses.
    pub(crate) const fn library(connection: Connection, buffers: Buffers) -> Self {
        Self::Library(Library::new(connection, buffers))
    }
}

impl Exchange for TaskConnection {
    async fn converse(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Heard, TaskFailure> {
        match self {
            Self::Direct(direct) => direct.converse(request, commands).await,
            Self::Library(library) => library.converse(request, commands).await,
        }
    }

    async fn perform(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Content, TaskFailure> {
        match self {
            Self::Direct(direct) => direct.perform(request, commands).await,
            Self::Library(library) => library.perform(request, commands).await,
        }
    }

    fn is_closed(&mut self) -> bool {
        match self {
            Self::Direct(direct) => direct.is_closed(),
            Self::Library(library) => library.is_closed(),
        }
    }
}
