//! The connection without a client library between the task and the socket.
//!
//! Requests are written as they are and replies stay where they were read: no channel, no other
//! task, nothing allocated per reply. At 27 KB in 200 strings, which is what a building of 100
//! flats is, that halves the CPU time of a task.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::buffers::{Buffer, Buffers};
use super::scanner::Scanner;
use super::{Exchange, Pieces, Request};
use crate::workload::failure::TaskFailure;

/// A read is given at least this much room: a smaller one would need another.
const LEAST_ROOM: usize = 8 * 1024;

/// A connection on which nobody else reads or writes.
#[derive(Debug)]
pub(crate) struct Direct<S> {
    stream: S,
    buffers: Buffers,
}

/// What becomes of the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Forgotten,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Direct<S> {
    /// Speaks on a stream of which everything so far has been read.
    pub(crate) const fn new(stream: S, buffers: Buffers) -> Self {
        Self { stream, buffers }
    }

    /// Writes, and gives the request's memory back.
    async fn write(&mut self, request: impl Request) -> io::Result<()> {
        match request.pieces() {
            Pieces::Whole(bytes) => self.stream.write_all(bytes).await?,
            Pieces::Many(mut pieces) => {
                let mut rest = pieces.as_mut_slice();
                while !rest.is_empty() {
                    let written = self.stream.write_vectored(rest).await?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    IoSlice::advance_slices(&mut rest, written);
                }
            }
        }
        self.stream.flush().await
    }

    /// Reads so many replies. Forgotten ones take no more memory than one read.
    async fn read(&mut self, replies: u64, fate: Fate) -> Result<Buffer, TaskFailure> {
        let mut scanner = Scanner::new(replies);
        let mut begun = None;
        let mut passed = 0;
        let buffer = loop {
            let mut buffer = poll_fn(|context| self.poll_read(context, &mut begun)).await?;
            passed += scanner.scan(&buffer[passed..])?;
            if fate == Fate::Forgotten {
                buffer.drain(..passed);
                passed = 0;
            }
            if scanner.is_done() {
                break buffer;
            }
            begun = Some(buffer);
        };
        if let Some(error) = scanner.into_first_error() {
            return Err(TaskFailure::of_error_reply(&error));
        }
        if passed < buffer.len() {
            return Err(TaskFailure::unexpected("more replies than commands"));
        }
        Ok(buffer)
    }

    /// Reads more into the buffer, which is taken as soon as there is something to put into it.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        begun: &mut Option<Buffer>,
    ) -> Poll<io::Result<Buffer>> {
        let mut buffer = begun.take().unwrap_or_else(|| self.buffers.take());
        if buffer.capacity() - buffer.len() < LEAST_ROOM {
            let as_much_again = buffer.capacity();
            buffer.reserve(as_much_again);
        }
        match poll_read_buf(Pin::new(&mut self.stream), context, &mut *buffer) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the target hung up",
            ))),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(buffer)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if !buffer.is_empty() {
                    *begun = Some(buffer);
                }
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange for Direct<S> {
    async fn exchange(
        &mut self,
        request: impl Request,
        commands: u64,
    ) -> Result<Buffer, TaskFailure> {
        self.write(request).await?;
        self.read(commands, Fate::Kept).await
    }

    async fn perform(&mut self, request: impl Request, commands: u64) -> Result<(), TaskFailure> {
        self.write(request).await?;
        self.read(commands, Fate::Forgotten).await?;
        Ok(())
    }

    /// What the runtime knows of the socket tells, without asking the kernel.
    fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        // Whether the end, an error, or words that nobody asked for: no answer can follow it.
        Pin::new(&mut self.stream)
            .poll_read(&mut context, &mut ReadBuf::new(&mut byte))
            .is_ready()
    }
}
