//! The bytes between us and the target, plain or encrypted, counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::network::Duplex;

/// Bytes of the Redis protocol, before encryption.
#[derive(Debug, Default)]
pub struct ByteCounters {
    /// Read from the target.
    pub bytes_in: AtomicU64,
    /// Written to the target.
    pub bytes_out: AtomicU64,
}

/// A connection to the target as bytes, plain or encrypted, which are counted on their way.
pub struct Stream {
    transport: Box<dyn Duplex>,
    counters: Option<Arc<ByteCounters>>,
}

impl Stream {
    pub(super) const fn new(
        transport: Box<dyn Duplex>,
        counters: Option<Arc<ByteCounters>>,
    ) -> Self {
        Self {
            transport,
            counters,
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Stream(..)")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            transport,
            counters,
        } = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(transport).poll_read(context, buffer);
        if let (Poll::Ready(Ok(())), Some(counters)) = (&result, counters) {
            add(&counters.bytes_in, buffer.filled().len() - before);
        }
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self {
            transport,
            counters,
        } = self.get_mut();
        let result = Pin::new(transport).poll_write(context, bytes);
        if let (Poll::Ready(Ok(written)), Some(counters)) = (&result, counters) {
            add(&counters.bytes_out, *written);
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}
