//! The connection of a worker, in one of two ways, and how it is made.

use std::sync::Arc;

use redyno_engine::Content;
use redyno_target::{ConnectFailure, ConnectOptions, Connection, Stream, Target};

use super::buffers::Buffers;
use super::direct::Direct;
use super::library::Library;
use super::{Exchange, Heard};
use crate::shard::PhaseQuestion;
use crate::workload::failure::TaskFailure;

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
