//! Connecting to the target, and telling apart all the ways in which that fails.

mod connection;
mod failure;
mod greeting;
mod options;
mod patiently;
mod stream;

use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use redyno_contract::message::Refusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use connection::Connection;
pub use failure::ConnectFailure;
pub use options::ConnectOptions;
pub use stream::{ByteCounters, Stream};

use crate::address::Scheme;
use crate::network::Duplex;
use crate::target::Target;
use crate::tls::Tls;
use greeting::Unwelcome;

/// After this long without an answer to the TLS handshake it is asked whether anybody there speaks
/// TLS at all.
const SUSPICIOUS_SILENCE: Duration = Duration::from_secs(2);

impl Target {
    /// Connects: resolves the name, speaks TLS if the URL says so, authenticates, selects the
    /// database and gives the connection a name.
    ///
    /// # Errors
    /// [`ConnectFailure`] says which of these failed and why.
    pub async fn connect(&self, options: &ConnectOptions) -> Result<Connection, ConnectFailure> {
        let stream = self.connect_stream(options).await?;
        // Authenticated and in its database: the library has nothing left to set up.
        let nothing_to_set_up = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(options.response_timeout);
        let (inner, driver) =
            MultiplexedConnection::new_with_config(&nothing_to_set_up, stream, config)
                .await
                .map_err(|error| {
                    ConnectFailure::new(Refusal::Other, format!("cannot use {self}: {error}"))
                })?;
        Ok(Connection::new(inner, driver))
    }

    /// Connects in the same way, for whoever speaks the protocol itself: every answer so far has
    /// been read. The response timeout is the caller's to keep.
    ///
    /// # Errors
    /// [`ConnectFailure`] says which of these failed and why.
    pub async fn connect_stream(&self, options: &ConnectOptions) -> Result<Stream, ConnectFailure> {
        let deadline = Instant::now() + options.connect_timeout;
        let plain = self.reach(deadline).await?;
        let transport = match self.tls() {
            None => plain,
            Some(tls) => Box::new(self.encrypt(tls, plain, deadline).await?),
        };
        let mut stream = Stream::new(transport, options.counters.clone());
        let greeted = timeout_at(
            deadline,
            greeting::greet(&mut stream, self.address(), options),
        )
        .await;
        match greeted {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(Unwelcome::Refused(failure))) => Err(failure),
            Ok(Err(Unwelcome::Broken(error))) => Err(self.hung_up(&error, deadline).await),
            Ok(Err(Unwelcome::NotRedis)) => Err(self.not_redis(deadline).await),
            Err(_) => Err(self.too_late("did not answer the first command")),
        }
    }

    /// Whether connections to it are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls().is_some()
    }

    async fn reach(&self, deadline: Instant) -> Result<Box<dyn Duplex>, ConnectFailure> {
        let address = self.address();
        let network = self.network();
        if address.scheme == Scheme::Unix {
            return timeout_at(deadline, network.connect_local(Path::new(&address.host)))
                .await
                .map_err(|_| self.too_late("did not accept a connection"))?
                .map_err(|error| failure::of_socket(address, &error));
        }
        let found = timeout_at(deadline, network.resolve(&address.host, address.port))
            .await
            .map_err(|_| self.too_late("was not resolved"))?
            .map_err(|error| {
                ConnectFailure::new(
                    Refusal::HostNotFound,
                    format!("the host {} does not resolve: {error}", address.host),
                )
            })?;
        let mut failure = ConnectFailure::new(
            Refusal::HostNotFound,
            format!("the host {} has no address", address.host),
        );
        for candidate in found {
            match timeout_at(deadline, network.connect(candidate)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => failure = failure::of_tcp(address, &error),
                Err(_) => return Err(self.too_late("did not accept a connection")),
            }
        }
        Err(failure)
    }

    async fn encrypt(
        &self,
        tls: &Tls,
        plain: Box<dyn Duplex>,
        deadline: Instant,
    ) -> Result<TlsStream<Box<dyn Duplex>>, ConnectFailure> {
        let connector = TlsConnector::from(tls.config());
        let mut handshake = pin!(connector.connect(tls.server_name(), plain));
        // A Redis without TLS takes the first message of the handshake for the beginning of a
        // very long command and waits for its end.
        let suspicious = deadline.min(Instant::now() + SUSPICIOUS_SILENCE);
        let mut finished = timeout_at(suspicious, &mut handshake).await;
        if finished.is_err() {
            if self.speaks_plainly(deadline).await {
                return Err(self.tls_not_offered());
            }
            finished = timeout_at(deadline, &mut handshake).await;
        }
        match finished {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.handshake_failed(tls, &error)),
            Err(_) => Err(self.too_late("did not finish the TLS handshake")),
        }
    }

    fn handshake_failed(&self, tls: &Tls, error: &io::Error) -> ConnectFailure {
        let cause = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            Some(cause) => {
                let (refusal, message) = tls.explain(cause);
                ConnectFailure::new(refusal, format!("{self}: {message}"))
            }
            None => ConnectFailure::new(
                Refusal::Other,
                format!(
                    "{self} hung up during the TLS handshake: a Redis that has reached its maxclients does that, and so does a server that does not speak TLS ({error})"
                ),
            )
            .that_may_heal(),
        }
    }

    /// The server hung up before it had answered.
    async fn hung_up(&self, error: &io::Error, deadline: Instant) -> ConnectFailure {
        if let Some(tls) = self.tls() {
            // A server that wants a client certificate says so only after the handshake.
            return self.handshake_failed(tls, error);
        }
        if self.speaks_tls(deadline).await {
            return self.tls_required();
        }
        ConnectFailure::new(
            Refusal::Other,
            format!("{self} accepted a connection and hung up: {error}"),
        )
        .that_may_heal()
    }

    async fn not_redis(&self, deadline: Instant) -> ConnectFailure {
        if self.tls().is_none() && self.speaks_tls(deadline).await {
            return self.tls_required();
        }
        ConnectFailure::new(
            Refusal::Other,
            format!("what listens at {self} does not speak the protocol of Redis"),
        )
    }

    fn tls_not_offered(&self) -> ConnectFailure {
        ConnectFailure::new(
            Refusal::TlsNotOffered,
            format!("{self} does not speak TLS: use redis:// or its TLS port"),
        )
    }

    fn tls_required(&self) -> ConnectFailure {
        ConnectFailure::new(
            Refusal::TlsRequired,
            format!("{self} speaks only TLS: the URL must begin with rediss://"),
        )
    }

    fn too_late(&self, what: &str) -> ConnectFailure {
        ConnectFailure::new(Refusal::ConnectionTimeout, format!("{self} {what} in time"))
    }

    /// Whether a PING without TLS is answered as Redis does, be it with an error.
    async fn speaks_plainly(&self, deadline: Instant) -> bool {
        let Ok(mut plain) = self.reach(deadline).await else {
            return false;
        };
        let mut first = [0];
        let answered = async {
            plain.write_all(b"PING\r\n").await?;
            plain.read_exact(&mut first).await
        };
        matches!(timeout_at(deadline, answered).await, Ok(Ok(_))) && b"+-".contains(&first[0])
    }

    /// Whether a TLS handshake gets as far as the server's certificate. Nothing is sent to it.
    async fn speaks_tls(&self, deadline: Instant) -> bool {
        let Ok(probe) = Tls::new(
            redyno_contract::plan::TlsVerification::SkipVerification,
            &self.address().host,
            None,
            None,
            None,
        ) else {
            return false;
        };
        let Ok(plain) = self.reach(deadline).await else {
            return false;
        };
        let connector = TlsConnector::from(probe.config());
        match timeout_at(deadline, connector.connect(probe.server_name(), plain)).await {
            Ok(Ok(_)) => true,
            // An alert is TLS, too.
            Ok(Err(error)) => error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .is_some_and(|cause| matches!(cause, rustls::Error::AlertReceived(_))),
            Err(_) => false,
        }
    }
}
