//! The way to the target's host: names, and connections that carry bytes.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for S {}

/// What the network will answer.
pub type NetworkAnswer<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A network in which the target's host is looked for.
pub trait Network: Debug + Send + Sync + 'static {
    /// The addresses that a host name stands for, in the order in which they are to be tried.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> NetworkAnswer<'a, Vec<SocketAddr>>;

    /// A connection to one of them.
    fn connect(&self, address: SocketAddr) -> NetworkAnswer<'_, Box<dyn Duplex>>;

    /// A connection to a socket of this machine, which a network has not unless it says so.
    fn connect_local<'a>(&'a self, _path: &'a Path) -> NetworkAnswer<'a, Box<dyn Duplex>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// The network of the operating system: its resolver and TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> NetworkAnswer<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn connect(&self, address: SocketAddr) -> NetworkAnswer<'_, Box<dyn Duplex>> {
        Box::pin(async move {
            let tcp = TcpStream::connect(address).await?;
            // A request is written whole; nothing is gained by waiting for more of it.
            tcp.set_nodelay(true)?;
            Ok(Box::new(tcp) as Box<dyn Duplex>)
        })
    }

    fn connect_local<'a>(&'a self, path: &'a Path) -> NetworkAnswer<'a, Box<dyn Duplex>> {
        Box::pin(async move {
            let socket = UnixStream::connect(path).await?;
            Ok(Box::new(socket) as Box<dyn Duplex>)
        })
    }
}
