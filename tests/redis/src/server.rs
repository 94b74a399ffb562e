//! A redis-server of a test's own.

use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::certificates::Certificates;
use crate::folder::Folder;
use crate::software::Software;

/// How often a port is tried. Another process may take it between our look and the server's
/// binding.
const ATTEMPTS: u32 = 5;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The words that the server writes into its log once it listens and has loaded its data.
const READY: &str = "Ready to accept connections";

/// A redis-server on a free port of the loopback interface, with no data and no persistence.
/// Killed and its folder removed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    // Killed before its folder goes.
    process: Process,
    folder: Folder,
    port: u16,
}

#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl RedisServer {
    /// Starts one with these further arguments, such as `["--requirepass", "secret"]`, and waits
    /// until it accepts connections.
    ///
    /// # Errors
    /// If it cannot be started, with what it wrote into its log.
    pub async fn start(arguments: &[&str]) -> io::Result<Self> {
        Self::start_software(Software::Installed, arguments).await
    }

    /// The same of a certain make and version.
    ///
    /// # Errors
    /// If it is not installed or cannot be started, with what it wrote into its log.
    pub async fn start_software(software: Software, arguments: &[&str]) -> io::Result<Self> {
        let port_argument = |port: u16| vec!["--port".to_owned(), port.to_string()];
        Self::start_on(software, port_argument, arguments).await
    }

    /// Starts one that speaks only TLS.
    ///
    /// # Errors
    /// If it cannot be started, with what it wrote into its log.
    pub async fn start_tls(certificates: &Certificates, arguments: &[&str]) -> io::Result<Self> {
        let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
        let (certificate, key, authority) =
            (file("server.crt"), file("server.key"), file("ca.crt"));
        let tls_arguments = |port: u16| {
            [
                "--port",
                "0",
                "--tls-port",
                &port.to_string(),
                "--tls-cert-file",
                &certificate,
                "--tls-key-file",
                &key,
                "--tls-ca-cert-file",
                &authority,
                "--tls-auth-clients",
                "no",
            ]
            .map(str::to_owned)
            .to_vec()
        };
        Self::start_on(Software::Installed, tls_arguments, arguments).await
    }

    async fn start_on(
        software: Software,
        listen: impl Fn(u16) -> Vec<String>,
        arguments: &[&str],
    ) -> io::Result<Self> {
        let mut last = io::Error::other("never tried");
        for _ in 0..ATTEMPTS {
            match Self::attempt(software, &listen, arguments).await {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn attempt(
        software: Software,
        listen: &impl Fn(u16) -> Vec<String>,
        arguments: &[&str],
    ) -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = Folder::new()?;
        let log = folder.path().join("redis.log");
        let program = software.program();
        let child = Command::new(&program)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--dir"])
            .arg(folder.path())
            .args(["--logfile"])
            .arg(&log)
            .args(listen(port))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                let program = program.to_string_lossy();
                let hint = "make setup installs what tests need";
                io::Error::new(
                    error.kind(),
                    format!("{} ({program}): {error}; {hint}", software.name()),
                )
            })?;
        let mut process = Process(child);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains(READY) {
                return Ok(Self {
                    process,
                    folder,
                    port,
                });
            }
            if let Some(status) = process.0.try_wait()? {
                return Err(io::Error::other(format!(
                    "redis-server ended with {status}: {said}"
                )));
            }
            if Instant::now() >= deadline {
                return Err(io::Error::other(format!(
                    "redis-server is not ready: {said}"
                )));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:<port>`, without credentials or database.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `rediss://localhost:<port>`: the name that the certificates are for.
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// Kills it, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// If there is no such process any more.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }
}
