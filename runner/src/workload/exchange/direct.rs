//! The connection without a client library between the task and the socket.
//!
//! Requests are written as they are and replies stay where they were read: no channel, no other
//! task, nothing allocated per reply. At 27 KB in 200 strings, which is what a building of 100
//! flats is, that halves the CPU time of a task.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::io::poll_read_buf;

use redyno_engine::Content;

use super::buffers::{Buffer, Buffers};
use super::scanner::Scanner;
use super::{Exchange, Heard};
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

/// Replies that were read to the end of the last.
struct Read {
    replies: Buffer,
    content: Content,
    error: Option<TaskFailure>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Direct<S> {
    /// Speaks on a stream of which everything so far has been read.
    pub(crate) const fn new(stream: S, buffers: Buffers) -> Self {
        Self { stream, buffers }
    }

    /// Writes, and gives the request's memory back.
    async fn write(&mut self, request: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(request.as_ref()).await?;
        self.stream.flush().await
    }

    /// Reads so many replies. Forgotten ones take no more memory than one read.
    async fn read(&mut self, replies: u64, fate: Fate) -> Result<Read, TaskFailure> {
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
        if passed < buffer.len() {
            return Err(
                TaskFailure::unexpected("more replies than commands").of_an_unknown_stream()
            );
        }
        Ok(Read {
            content: scanner.content(),
            error: scanner
                .into_first_error()
                .map(|error| TaskFailure::of_error_reply(&error)),
            replies: buffer,
        })
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
    async fn converse(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Heard, TaskFailure> {
        self.write(request).await?;
        let Read {
            replies,
            content: _,
            error,
        } = self.read(commands, Fate::Kept).await?;
        Ok(Heard { replies, error })
    }

    async fn perform(
        &mut self,
        request: impl AsRef<[u8]>,
        commands: u64,
    ) -> Result<Content, TaskFailure> {
        self.write(request).await?;
        let Read {
            replies: _,
            content,
            error,
        } = self.read(commands, Fate::Forgotten).await?;
        error.map_or(Ok(content), Err)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::super::push_command;
    use super::*;
    use redyno_engine::FailureClass;

    /// A connection through which so many bytes go at a time, and its other end.
    fn narrow(bytes: usize) -> (Direct<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(bytes);
        (Direct::new(ours, Buffers::default()), theirs)
    }

    fn text(bytes: usize) -> Vec<u8> {
        let mut reply = format!("${bytes}\r\n").into_bytes();
        reply.resize(reply.len() + bytes, b'x');
        reply.extend_from_slice(b"\r\n");
        reply
    }

    #[tokio::test]
    async fn requests_and_replies_of_any_length_go_through_a_narrow_connection() {
        let mut request = Vec::new();
        push_command(&mut request, &[b"set", b"key", &vec![b'v'; 100_000]]);
        let (mut direct, mut theirs) = narrow(1000);
        let (length, answer) = (request.len(), text(300_000));
        let server = async {
            let mut heard = vec![0; length];
            theirs.read_exact(&mut heard).await.unwrap();
            theirs.write_all(&answer).await.unwrap();
            heard
        };
        let (reply, heard) = tokio::join!(direct.exchange(&request, 1), server);
        assert!(*reply.unwrap() == answer);
        assert!(heard == request);
    }

    #[tokio::test]
    async fn a_reply_that_nobody_looks_at_takes_hardly_any_memory() {
        let (mut direct, mut theirs) = narrow(100_000);
        let server = async {
            for _ in 0..100 {
                theirs.write_all(&text(100_000)).await.unwrap();
            }
        };
        let (done, ()) = tokio::join!(direct.perform(b"*0\r\n".to_vec(), 100), server);
        done.unwrap();
        assert!((1..=200_000).contains(&direct.buffers.capacity()));
    }

    #[tokio::test]
    async fn who_says_more_than_was_asked_is_not_understood() {
        let (mut direct, mut theirs) = narrow(1000);
        theirs.write_all(b"+PONG\r\n+PONG\r\n").await.unwrap();
        let reply = direct.exchange(b"*0\r\n".to_vec(), 1).await;
        assert_eq!(reply.unwrap_err().class, FailureClass::Other);

        let (mut direct, mut theirs) = narrow(1000);
        theirs.write_all(b"+PONG\r\n").await.unwrap();
        let reply = direct.exchange(b"*0\r\n".to_vec(), 1).await;
        assert_eq!(reply.unwrap().as_slice(), b"+PONG\r\n");
        assert!(!direct.is_closed());
        theirs.write_all(b"+PONG\r\n").await.unwrap();
        assert!(direct.is_closed());
    }
}
