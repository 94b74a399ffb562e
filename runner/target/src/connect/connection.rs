//! One connection to the target.

use std::sync::Arc;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};
use tokio::task::JoinHandle;

/// One connection to the target: authenticated, in its database. Clones share it; the socket is
/// closed at once when the last of them is dropped.
#[derive(Clone)]
pub struct Connection {
    inner: MultiplexedConnection,
    driver: Arc<Driver>,
}

/// The task that moves the bytes.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) fn new(
        inner: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            inner,
            driver: Arc::new(Driver(tokio::spawn(driver))),
        }
    }

    /// Whether the server has hung up, so that nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.driver.0.is_finished()
    }

    /// Sends one command; an error reply is an error.
    ///
    /// # Errors
    /// What the server answered, or how the connection failed.
    pub async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.inner
            .send_packed_command(command)
            .await?
            .extract_error()
    }

    /// Sends a pipeline in one write; any error reply is an error. A transaction answers with the
    /// replies of its commands.
    ///
    /// # Errors
    /// What the server answered, or how the connection failed.
    pub async fn send_pipeline(&mut self, pipeline: &Pipeline) -> RedisResult<Value> {
        pipeline.query_async(&mut self.inner).await
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.inner.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.inner.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connection(..)")
    }
}
