//! One connection and its progress.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Result, bail};
use mio::net::TcpStream;

use super::{End, Script, Step};

/// One connection and its progress. It has to be told of every edge of its readiness.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    stream: TcpStream,
    script: &'a Script,
    /// Steps done.
    steps: usize,
    /// Bytes of the request that were written.
    written: usize,
    /// Bytes or lines of the reply that were read.
    read: usize,
}

impl<'a> Talk<'a> {
    /// Connects; the first request leaves when the connection is writable.
    pub(super) fn begin(address: SocketAddr, script: &'a Script) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            script,
            steps: 0,
            written: 0,
            read: 0,
        })
    }

    /// Its socket, to be registered.
    pub(super) const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Tasks done.
    pub(super) const fn tasks(&self) -> u64 {
        (self.steps / self.script.steps_per_task) as u64
    }

    /// Goes on until it has to wait.
    pub(super) fn proceed(&mut self, memory: &mut [u8]) -> Result<()> {
        loop {
            let script = self.script;
            let Step { request, end } = &script.steps[self.steps % script.steps.len()];
            if self.written < request.len() {
                match self.stream.write(&request[self.written..]) {
                    Ok(bytes) => self.written += bytes,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
                // The reply comes with an edge of its own.
                if self.written == request.len() {
                    return Ok(());
                }
                continue;
            }
            let bytes = match self.stream.read(memory) {
                Ok(0) => bail!("Redis hung up on plain sockets"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let whole = match end {
                End::Bytes(length) => {
                    self.read += bytes;
                    *length
                }
                End::Lines(lines) => {
                    let ends = memory[..bytes].iter().filter(|byte| **byte == b'\n');
                    self.read += ends.count();
                    *lines
                }
            };
            if self.read > whole || memory.starts_with(b"-") {
                bail!("Redis answered plain sockets with something else than redyno");
            }
            if self.read == whole {
                self.steps += 1;
                (self.written, self.read) = (0, 0);
            } else if bytes < memory.len() {
                // The socket is empty.
                return Ok(());
            }
        }
    }
}
